"""What follows from a study: its variants, runs and contrasts. Imports no torch."""

import json
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

from ablation.catalogue.architectures import family_of
from ablation.catalogue.catalogue import OURS, Catalogue
from ablation.catalogue.metrics import Metric
from ablation.catalogue.sources import Source
from ablation.study.claims import Claims
from ablation.study.contrasts import Contrast, Contrasts, contrasts_of_variants
from ablation.study.controls import Controls
from ablation.study.expansion import expand
from ablation.study.resolution import Resolver, Variant
from ablation.study.schema import Recipe, Study
from ablation.study.specs import code_spec, diagnostics_spec
from ablation.support.digests import digest
from ablation.support.wording import nearest, shown

MOST_ID = 200  # characters of a variant's id: a file may have 255, and some are written behind it
MOST_STARTS = 10  # warm starts one after the other, which a spec holds one within the other


class Plan:
    """A study with everything that follows from it: variants, contrasts and the tests of its claims.

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
    claims : list of (str, ClaimTest)
        Each claim with each test of it.

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
        variants, controls = expand(self._resolver), Controls(self._resolver, answers)
        contrasts = Contrasts(self._resolver, controls, variants)
        controlled = contrasts.of_controls()
        self.claims = Claims(self._resolver, contrasts, variants).tests()
        order = {name: place for place, name in enumerate(study.architectures)}
        self.variants = dict(sorted(variants.items(), key=lambda item: order[item[1].architecture]))
        self._check_ids()
        self._check_diagnostics()
        self._check_warm_starts()
        self._resolver.stop_if_wrong()
        self.questions = controls.questions
        self.contrasts = [*contrasts_of_variants(self._resolver, self.variants), *controlled]

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
            ``architecture``, ``recipe``, ``code`` and ``diagnostics`` (see `ablation.study.specs`), ``data``, ``seed``, and
            ``warm_start``: the spec of the run that it starts from, or None.
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
        reader = [] if self.source == OURS.sources.get(data.name) else [self.source.reader]
        return f"{data.name}-{digest([stated, *reader] if reader else stated)[:12]}"

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """What can be measured, by name."""
        return self.catalogue.metrics

    def can_have(self, metric: str) -> bool:
        """Say whether the study has what a metric comes from: an entry that it needs, or validation images."""
        needed = self.metrics[metric].needs
        unseen = metric.startswith("validation_") and not self.study.data.validation
        return not unseen and (not needed or bool(getattr(self.study, needed)))

    @cached_property
    def asked(self) -> set[str]:
        """The metrics that the study or a claim of it asks for."""
        return {*self.study.metrics, *(claim.metric for claim in self.study.claims.values())}

    @property
    def measures(self) -> dict[str, str]:
        """The metrics asked for that need another forward pass of the trained networks, with the code that measures them."""
        return {name: self.metrics[name].measure for name in sorted(self.asked) if self.metrics[name].measure}

    @property
    def smallest_effect(self) -> float:
        """The smallest effect of interest on the first metric: the study's or, where it states none, the metric's."""
        return self._resolver.margin(self.study.metrics[0])

    def margin(self, metric: str) -> float | None:
        """Return the smallest effect of interest on a metric: on the first one the study's, on others their own, if any."""
        return self._resolver.margin(metric)

    def margin_of(self, claim: str) -> float | None:
        """Return the smallest effect of interest of a claim: its own or that on its metric; None of a ratio of spreads."""
        stated = self.study.claims[claim]
        return None if stated.outcome == "spread" else stated.margin or self.margin(stated.metric)

    def frozen(self) -> str:
        """Write the plan as a line of JSON for `ablation.study.studyfile.read_frozen`: the study and the answers."""
        content = {"name": self.name, "study": self.study.model_dump(), "answers": dict(self.answers)}
        # The tables of one's own are read again; their digest makes what was made with other ones stale.
        return json.dumps({**content, "parts": self.catalogue.parts, "tables": self.catalogue.digest})

    def settled(self, answers: Mapping[str, int]) -> "Plan":
        """Return the same plan with the values of its controls."""
        return Plan(self.study, self.name, answers, self.catalogue)

    @property
    def matched(self) -> list[Contrast]:
        """The contrasts with a control of equal size, of the grid and of claims, each once."""
        contrasts = [*self.contrasts, *(test.contrast for _, test in self.claims)]
        found = {(one.variant, one.reference): one for one in contrasts if one and one.matched}
        return list(found.values())

    @cached_property
    def factors(self) -> list[str]:
        """The factors that some variant changes, in alphabetical order."""
        return sorted({factor for variant in self.variants.values() for factor in variant.changed})

    @property
    def runs(self) -> int:
        """Number of runs: variants times seeds."""
        return len(self.variants) * len(self.study.seeds)

    @cached_property
    def series(self) -> list[tuple[str, str, list[str]]]:
        """The numeric arguments with three or more levels: architecture, factor and variants, in the order of levels."""
        found = []
        for architecture in self.study.architectures:
            variants = [variant for variant in self.variants.values() if variant.architecture == architecture]
            for factor in self.catalogue.architectures[self._resolver.builder(architecture)].arguments:
                along = [variant for variant in variants if set(variant.changed) <= {factor} and not variant.control]
                if len(along) > 2 and all(type(variant.levels.get(factor)) in (int, float) for variant in along):
                    along.sort(key=lambda variant: variant.levels[factor])
                    found.append((architecture, factor, [variant.id for variant in along]))
        return found

    @property
    def watched_accuracy(self) -> str:
        """The accuracy that curves show: that of the validation images or, without any, of the training images."""
        return "validation_accuracy" if self.study.data.validation else "train_accuracy"

    @property
    def unsettled(self) -> list[str]:
        """The variants whose specs name a control of a size that is not known: also those that start from its weights."""
        if self.questions.keys() <= self.answers.keys():
            return []
        return [one for one in self.variants if any(self.variants[each].control for each in (one, *self.starts(one)))]

    def starts(self, variant: str) -> list[str]:
        """List the variants that a variant's runs start from: that whose weights they take over, and so on."""
        found = []
        while (source := self.variants[variant].levels["warm_start"]) != "none":
            found.append(source)
            variant = source
        return found

    def _check_metrics(self) -> None:
        for position, metric in enumerate(self.study.metrics):
            known = self._resolver.check_metric(("metrics", position), metric)
            if known and position == 0 and self.smallest_effect is None:
                self._resolver.refuse(
                    ("smallest_effect",),
                    f"this key is missing: {metric} has no default, say what effect is of interest",
                )
        for key in ("seeds", "metrics", "diagnostics"):
            values = list(getattr(self.study, key))
            if len(set(values)) < len(values):
                self._resolver.refuse((key,), f"found {shown(values)}, expected every entry once")

    def _check_diagnostics(self) -> None:
        """Note the epochs to diagnose that some variant does not have."""
        last = min(variant.levels["epochs"] for variant in self.variants.values())
        for position, epoch in enumerate(self.study.diagnostics):
            if epoch > last:
                self._resolver.refuse(("diagnostics", position), f"found {epoch}, expected an epoch from 0 to {last}")

    def _check_ids(self) -> None:
        """Note ids that are longer than the name of a file may be, with what is written behind them."""
        for variant in self.variants.values():
            if len(variant.id) > MOST_ID:
                key = ("grid",) if variant.changed else ("architectures", variant.architecture)
                found = f"found the variant {shown(variant.id)} with a name of {len(variant.id)} characters"
                self._resolver.refuse(key, f"{found}, expected {MOST_ID} or fewer: files are named by it")

    def _check_warm_starts(self) -> None:
        """Note warm starts from what is no other variant of the study or of its family, circles, and long chains."""
        for variant in self.variants.values():
            seen, current = [variant.id], variant
            while (source := current.levels["warm_start"]) != "none":
                if why := self._refuse_start(current, source, seen):
                    self._resolver.refuse(("grid",), why)
                    break
                seen.append(source)
                current = self.variants[source]

    def _refuse_start(self, variant: Variant, source: str, seen: list[str]) -> str:
        """Say why the last variant of a chain of warm starts cannot start from another; empty if it can."""
        if source not in self.variants:
            hint = nearest(source, self.variants)
            return f"{variant.id}: found warm_start {shown(source)}, expected a variant of this study{hint}"
        if source in seen:
            return f"{seen[0]}: found a warm start that comes back to {source!r}"
        if len(seen) > MOST_STARTS:
            return f"{seen[0]}: found more than {MOST_STARTS} warm starts one after the other, expected fewer"
        families = [family_of(self.variants[id].builder) for id in (variant.id, source)]
        if None not in families and families[0] != families[1]:
            return (
                f"{variant.id}: found warm_start {source!r}, expected a variant of the same family: a network of "
                f"{families[0]} shares no kernels with one of {families[1]}"
            )
        return ""
