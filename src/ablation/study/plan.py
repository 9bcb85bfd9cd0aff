"""What follows from a study: its variants, runs, contrasts and shards. Imports no torch."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ablation.catalogue.catalogue import OURS, Catalogue
from ablation.catalogue.metrics import Metric
from ablation.catalogue.sources import Source
from ablation.study.controls import Controls
from ablation.study.expansion import expand, expand_block
from ablation.study.resolution import Resolver, Variant
from ablation.study.schema import Claim, Problem, Recipe, Study, nearest
from ablation.study.specs import code_spec, diagnostics_spec, measures_spec
from ablation.support.digests import digest


@dataclass(frozen=True)
class Contrast:
    """A variant against another that differs from it in `factors` alone.

    Where the reference was scaled to the variant's size, `matched` names the quantity in which they agree.
    """

    variant: str
    reference: str
    factors: tuple[str, ...]
    matched: str = ""


class Plan:
    """A study with everything that follows from it: variants, contrasts and the contrasts of its claims.

    Parameters
    ----------
    study : Study
    name : str
        The study's name, which is that of its file.
    answers : mapping of str to int
        The values of the controls of equal size, as far as they were found.
    catalogue : Catalogue
        What the study may name.

    Attributes
    ----------
    questions : dict of str to Question
        What the controls of equal size ask for, by key.
    variants : dict of str to Variant
        By id, baselines first within their architecture.
    contrasts : list of Contrast
        Each variant against its baseline, against the variants that lack one of its changes, where it changes several,
        and against its control of equal size, where the study asks for one.
    claims : list of (str, Contrast)
        Each claim with each contrast that tests it.

    Raises
    ------
    StudyError
        With all mistakes at once.
    """

    def __init__(
        self,
        study: Study,
        name: str,
        answers: Mapping[str, int] = MappingProxyType({}),
        catalogue: Catalogue = OURS,
    ):
        self.study, self.name, self.answers, self.catalogue = study, name, answers, catalogue
        self._resolver = Resolver(study, catalogue)
        self._check_metrics()
        self._resolver.stop_if_wrong()
        self._controls = Controls(self._resolver, answers)
        self.variants = expand(self._resolver)
        controlled = self._control_blocks()
        self.claims = self._resolve_claims()
        order = list(study.architectures)
        self.variants = dict(sorted(self.variants.items(), key=lambda item: order.index(item[1].architecture)))
        self._check_diagnostics()
        self._check_warm_starts()
        self._resolver.stop_if_wrong()
        self.questions = self._controls.questions
        self.contrasts = [*self._contrasts(), *controlled]

    def spec(self, variant: str, seed: int) -> dict[str, Any]:
        """State all that determines a run and its record, in plain data.

        Parameters
        ----------
        variant : str
            Its id.
        seed : int

        Returns
        -------
        dict
            ``architecture``, ``recipe``, ``code``, ``diagnostics`` and ``measures`` (see `ablation.study.specs`),
            ``data``, ``seed``, and ``warm_start``: the spec of the run that it starts from, or None.
        """
        levels = self.variants[variant].levels
        source = levels["warm_start"]
        recipe = {entry: levels[entry] for entry in Recipe.model_fields if entry != "warm_start"}
        return {
            "architecture": self.variants[variant].architecture_spec(),
            "recipe": recipe,
            "code": code_spec(self.catalogue, recipe),
            "data": self.study.data.model_dump(),
            "seed": seed,
            "diagnostics": diagnostics_spec(self.catalogue, levels.get("activation"), self.study.diagnostics),
            "measures": measures_spec(self.catalogue, self._asked),
            "warm_start": None if source == "none" else self.spec(source, seed),
        }

    @property
    def source(self) -> Source:
        """Where the data come from."""
        return self.catalogue.sources[self.study.data.name]

    @property
    def data_folder(self) -> str:
        """The name of the folder of the prepared data, which studies of the same data share."""
        data = self.study.data
        stated = json.dumps(data.model_dump(), sort_keys=True)
        # Two authors may give their data sets the same name.
        own = [] if self.source == OURS.sources.get(data.name) else [self.source.reader]
        return f"{data.name}-{digest([stated, *own] if own else stated)[:12]}"

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """What can be measured, by name."""
        return self.catalogue.metrics

    @property
    def _asked(self) -> set[str]:
        """The metrics that the study or a claim of it asks for."""
        return {*self.study.metrics, *(claim.metric for claim in self.study.claims.values())}

    def frozen(self) -> str:
        """Write the plan as a line of JSON for `ablation.study.studyfile.read_frozen`: the study and the answers."""
        content = {"name": self.name, "study": self.study.model_dump(), "answers": dict(self.answers)}
        return json.dumps({**content, "parts": self.catalogue.parts})

    def settled(self, answers: Mapping[str, int]) -> "Plan":
        """Return the same plan with the values of its controls."""
        return Plan(self.study, self.name, answers, self.catalogue)

    @property
    def factors(self) -> list[str]:
        """The factors that some variant changes, in alphabetical order."""
        return sorted({factor for variant in self.variants.values() for factor in variant.changed})

    @property
    def runs(self) -> int:
        """Number of runs: variants times seeds."""
        return len(self.variants) * len(self.study.seeds)

    @property
    def series(self) -> list[tuple[str, str, list[str]]]:
        """The numeric arguments with three or more levels: architecture, factor and variants, in the order of levels."""
        found = []
        for architecture in self.study.architectures:
            own = [variant for variant in self.variants.values() if variant.architecture == architecture]
            for factor in self.catalogue.architectures[self._resolver.builder(architecture)].arguments:
                along = [variant for variant in own if set(variant.changed) <= {factor} and not variant.control]
                if len(along) > 2 and all(type(variant.levels.get(factor)) in (int, float) for variant in along):
                    along.sort(key=lambda variant: variant.levels[factor])
                    found.append((architecture, factor, [variant.id for variant in along]))
        return found

    @property
    def watched_accuracy(self) -> str:
        """The accuracy that curves show: that of the validation images or, without any, of the training images."""
        return "validation_accuracy" if self.study.data.validation else "train_accuracy"

    def shards(self, size: int) -> list[list[int]]:
        """Cut the seeds, which every variant has, into shards of at most `size`."""
        seeds = self.study.seeds
        return [list(seeds[start : start + size]) for start in range(0, len(seeds), size)]

    def _check_metrics(self) -> None:
        for position, metric in enumerate(self.study.metrics):
            self._check_metric(("metrics", position), metric)
        for key in ("seeds", "metrics", "diagnostics"):
            values = list(getattr(self.study, key))
            if len(set(values)) < len(values):
                self._resolver.refuse((key,), f"found {values}, expected every entry once")

    def _check_metric(self, key: tuple, metric: str) -> bool:
        """Note a problem unless the study will have the metric."""
        if not self._resolver.choose(key, metric, self.metrics, "a metric"):
            return False
        if metric.startswith("validation_") and not self.study.data.validation:
            self._resolver.refuse(
                key, f"found {metric!r}, but data.validation is 0: there are no images to measure it on"
            )
            return False
        needed = self.metrics[metric].needs
        if needed and not getattr(self.study, needed):
            example = {
                "diagnostics": "epochs there, such as [0]",
                "threshold": "a training accuracy there, such as 0.9",
            }
            self._resolver.refuse(key, f"found {metric!r}, which needs {needed}: expected {example[needed]}")
            return False
        return True

    def _check_diagnostics(self) -> None:
        """Note the epochs to diagnose that some variant does not have."""
        last = min(variant.levels["epochs"] for variant in self.variants.values())
        for position, epoch in enumerate(self.study.diagnostics):
            if epoch > last:
                self._resolver.refuse(("diagnostics", position), f"found {epoch}, expected an epoch from 0 to {last}")

    def _check_warm_starts(self) -> None:
        """Note warm starts from what is no other variant of the study, or from one that waits for this one."""
        for variant in self.variants.values():
            seen, current = [], variant
            while (source := current.levels["warm_start"]) != "none":
                if source not in self.variants:
                    hint = nearest(source, self.variants)
                    self._resolver.refuse(
                        ("grid",), f"{current.id}: found warm_start {source!r}, expected a variant of this study{hint}"
                    )
                    break
                if source in (variant.id, *seen):
                    self._resolver.refuse(("grid",), f"{variant.id}: found a warm start that comes back to {source!r}")
                    break
                seen.append(source)
                current = self.variants[source]

    def _control_blocks(self) -> list[Contrast]:
        """Give the variants of blocks that ask for it their controls of equal size, and return the contrasts."""
        contrasts = []
        for position, block in enumerate(self.study.grid):
            key = ("grid", position)
            for name in (block.architectures or self._resolver.baselines) if block.match else []:
                for _, variant in expand_block(self._resolver, key, block, name):
                    if not variant.changed or set(variant.changed) == {block.by}:
                        continue
                    try:
                        control = self._control(key, variant, name, {}, block.match, block.by)
                    except Problem as problem:
                        self._resolver.problems.append(problem)
                        break
                    factors = tuple(sorted({*variant.changed, block.by}))
                    contrasts.append(Contrast(variant.id, control.id, factors, block.match))
        return contrasts

    def _control(self, key: tuple, variant: Variant, *asked: Any) -> Variant:
        """Let the control of a variant (`Controls.match`) join the study."""
        control = self._controls.match(key, variant, *asked)
        return self.variants.setdefault(control.id, control)

    def _contrasts(self) -> list[Contrast]:
        contrasts = []
        for variant in self.variants.values():
            if variant.changed:
                contrasts.append(Contrast(variant.id, variant.architecture, tuple(variant.changed)))
            if len(variant.changed) > 1:
                for factor in variant.changed:
                    rest = {f: level for f, level in variant.changed.items() if f != factor}
                    reference = self._resolver.variant(variant.architecture, rest).id
                    if reference in self.variants:
                        contrasts.append(Contrast(variant.id, reference, (factor,)))
        return contrasts

    def _resolve_claims(self) -> list[tuple[str, Contrast]]:
        resolved = []
        for name, claim in self.study.claims.items():
            key = ("claims", name)
            if not re.match(r"^[a-z0-9][a-z0-9-]*$", name):
                self._resolver.refuse(key, f"found the name {name!r}, expected small letters, digits and - only")
            if not self._check_metric((*key, "metric"), claim.metric):
                continue
            for place, architecture in enumerate(claim.architectures or []):
                self._resolver.choose(
                    (*key, "architectures", place),
                    architecture,
                    self._resolver.baselines,
                    "an architecture of this study",
                )
            if claim.factor == "architecture":
                try:
                    resolved.append((name, self._architecture_contrast(key, claim)))
                except Problem as problem:
                    self._resolver.problems.append(problem)
                continue
            if claim.factor in claim.given:
                self._resolver.refuse(
                    (*key, "given", claim.factor), "found the factor of the claim itself, expected another one"
                )
            found, reasons = [], []
            for architecture in claim.architectures or self._resolver.baselines:
                if architecture in self._resolver.baselines:
                    try:
                        found.append((name, self._claim_contrast(key, claim, architecture)))
                    except Problem as problem:
                        reasons.append(problem)
            # Without named architectures a claim is tested wherever the study has its contrast, if only once.
            if claim.architectures or not found:
                self._resolver.problems += reasons
            resolved += found
        return resolved

    def _claim_contrast(self, key: tuple, claim: Claim, architecture: str) -> Contrast:
        """Return the contrast of a claim on an architecture, or raise the Problem that the study does not have it."""
        given = {
            factor: self._resolver.level((*key, "given", factor), architecture, factor, level)
            for factor, level in claim.given.items()
        }
        levels = [
            self._resolver.level((*key, side), architecture, claim.factor, getattr(claim, side))
            for side in ("level", "against")
        ]
        if levels[0] == levels[1]:
            raise Problem(key, f"found {claim.level!r} on both sides, expected two levels")
        changes = [{**given, claim.factor: level} for level in levels]
        return self._compare(key, claim, (architecture, architecture), changes)

    def _architecture_contrast(self, key: tuple, claim: Claim) -> Contrast:
        """Return the contrast of a claim on two architectures, or raise the Problem that the study does not have it."""
        if claim.architectures:
            raise Problem((*key, "architectures"), "found architectures, expected them as level and against")
        names = (claim.level, claim.against)
        for side, name in zip(("level", "against"), names, strict=True):
            if name not in self._resolver.baselines:
                raise Problem(
                    (*key, side),
                    f"found {name!r}, expected an architecture of this study: {', '.join(self._resolver.baselines)}"
                    f"{nearest(name, self._resolver.baselines)}",
                )
        if names[0] == names[1]:
            raise Problem(key, f"found {claim.level!r} on both sides, expected two architectures")
        changes = [
            {
                factor: self._resolver.level((*key, "given", factor), name, factor, level)
                for factor, level in claim.given.items()
            }
            for name in names
        ]
        return self._compare(key, claim, names, changes)

    def _compare(
        self, key: tuple, claim: Claim, architectures: tuple[str, str], changes: list[dict[str, Any]]
    ) -> Contrast:
        """Find the two sides of a claim among the variants; a side that is to be matched joins them."""
        variant, reference = (self._resolver.variant(*side) for side in zip(architectures, changes, strict=True))
        sides = {"level": variant} if claim.match else {"level": variant, "against": reference}
        for side, wanted in sides.items():
            if wanted.id not in self.variants:
                raise Problem((*key, side), f"the study has no variant {wanted.id!r}, which this claim compares")
        if not claim.match:
            return Contrast(variant.id, reference.id, (claim.factor,))
        control = self._control(key, variant, architectures[1], changes[1], claim.match, claim.by)
        return Contrast(variant.id, control.id, (claim.factor, claim.by), claim.match)
