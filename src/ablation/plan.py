"""What follows from a study: its expansion into variants, runs, contrasts and shards. Imports no torch."""

import ast
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ablation.architectures import CATALOGUE, idle
from ablation.datasets import SOURCES, input_shape
from ablation.metrics import METRICS
from ablation.study import NAME, Block, Claim, Problem, Recipe, Study, StudyError, nearest


@cache
def layer_levels() -> dict[str, tuple[str, ...]]:
    """List the levels of every layer factor.

    Read from the source of `ablation.layers.LEVELS`, so that a level is one line there: importing it would import
    torch, and every start of Snakemake and of every job would pay seconds for it.
    """
    tree = ast.parse(Path(__file__).with_name("layers.py").read_text(encoding="utf-8"))
    table = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "LEVELS"
    )
    return {
        factor.value: tuple(level.value for level in levels.keys)
        for factor, levels in zip(table.keys, table.values, strict=True)
    }


def level_text(level: Any) -> str:
    """Write a level as it stands in a variant's id."""
    if isinstance(level, tuple | list):
        return "_".join(map(level_text, level))
    if isinstance(level, bool):
        return str(level).lower()
    if isinstance(level, float):
        return format(Decimal(repr(level)), "f")  # 0.00001, not 1e-05
    return re.sub(r"[^A-Za-z0-9_.+]", "_", str(level))


@cache
def recipe_entry(name: str) -> TypeAdapter:
    """Return what checks one entry of a recipe by itself."""
    entry = Recipe.model_fields[name]
    return TypeAdapter(Annotated[entry.annotation, entry], config=ConfigDict(strict=True, allow_inf_nan=False))


@dataclass(frozen=True)
class Variant:
    """An architecture with a level for each factor.

    Attributes
    ----------
    id : str
        Readable and stable: the architecture, then what differs from its baseline, by factor.
    architecture : str
        The architecture's name in the study.
    levels : dict
        The level of every factor it has: layers, arguments and recipe.
    changed : dict
        Those that differ from the baseline.
    """

    id: str
    architecture: str
    builder: str
    levels: dict[str, Any] = field(hash=False)
    changed: dict[str, Any] = field(hash=False)

    def architecture_spec(self) -> dict[str, Any]:
        """State all that determines the network, in plain data: what `ablation.networks.build` takes."""
        entry = CATALOGUE[self.builder]
        return {
            "builder": entry.builder,
            "layers": {factor: self.levels[factor] for factor in entry.layers},
            "arguments": {factor: self.levels[factor] for factor in entry.arguments},
        }


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

    Attributes
    ----------
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

    def __init__(self, study: Study, name: str):
        self.study, self.name = study, name
        shape = input_shape(study.data.model_dump())
        self._side = study.data.side or (shape[1] if shape else None)  # pixels; None where only the data know
        self._problems: list[Problem] = []
        self._baselines = self._resolve_architectures()
        self._check_metrics()
        if self._problems:
            raise StudyError(self._problems)
        self._matched: dict[str, int] = {}  # what `match` found, by what it was asked
        self.variants = self._expand()
        controlled = self._control_blocks()
        self.claims = self._resolve_claims()
        order = list(study.architectures)
        self.variants = dict(sorted(self.variants.items(), key=lambda item: order.index(item[1].architecture)))
        self._check_diagnostics()
        self._check_warm_starts()
        if self._problems:
            raise StudyError(self._problems)
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
            ``architecture``, ``recipe``, ``data``, ``seed``, ``diagnostics`` (epochs), and ``warm_start``: the spec of the
            run that it starts from, or None.
        """
        levels = self.variants[variant].levels
        source = levels["warm_start"]
        return {
            "architecture": self.variants[variant].architecture_spec(),
            "recipe": {entry: levels[entry] for entry in Recipe.model_fields if entry != "warm_start"},
            "data": self.study.data.model_dump(),
            "seed": seed,
            "diagnostics": sorted(self.study.diagnostics),
            "warm_start": None if source == "none" else self.spec(source, seed),
        }

    def frozen(self) -> str:
        """Write the study as JSON, with all that was found out about it: reading it again costs no more than that."""
        return self.study.model_copy(update={"matched": self._matched}).model_dump_json()

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
            mine = [variant for variant in self.variants.values() if variant.architecture == architecture]
            for factor in CATALOGUE[self._builder(architecture)].arguments:
                along = [variant for variant in mine if set(variant.changed) <= {factor}]
                if len(along) > 2 and all(type(variant.levels.get(factor)) in (int, float) for variant in along):
                    along.sort(key=lambda variant: variant.levels[factor])
                    found.append((architecture, factor, [variant.id for variant in along]))
        return found

    @property
    def figures(self) -> list[str]:
        """The names of the figures that the study has."""
        drawn = ["blocks", "curves", "runs", *["effects"] * bool(self.contrasts), *["series"] * bool(self.series)]
        if self.study.diagnostics:
            dense = any(self._builder(name).startswith("densenet") for name in self.study.architectures)
            drawn += ["gradient_flow", "saturation", *["sources"] * dense]
        return drawn

    @property
    def watched_accuracy(self) -> str:
        """The accuracy that curves show: that of the validation images or, without any, of the training images."""
        return "validation_accuracy" if self.study.data.validation else "train_accuracy"

    def shards(self, size: int) -> dict[str, list[tuple[int, ...]]]:
        """Cut the seeds of each variant into shards of at most `size`."""
        seeds = self.study.seeds
        cut = [seeds[start : start + size] for start in range(0, len(seeds), size)]
        return dict.fromkeys(self.variants, cut)

    def _refuse(self, key: tuple, message: str) -> None:
        self._problems.append(Problem(key, message))

    def _choose(self, key: tuple, found: Any, allowed: Iterable[str], what: str) -> bool:
        """Note a problem unless `found` is allowed."""
        allowed = list(allowed)
        if found in allowed:
            return True
        self._refuse(key, f"found {found!r}, expected {what}: {', '.join(allowed)}{nearest(found, allowed)}")
        return False

    def _resolve_architectures(self) -> dict[str, dict[str, Any]]:
        baselines = {}
        for name, stated in self.study.architectures.items():
            key = ("architectures", name)
            if not re.match(NAME, name):
                self._refuse(key, f"found the name {name!r}, expected letters, digits and _ only")
            elif self._choose(
                (*key, "builder") if stated.builder else key, stated.builder or name, CATALOGUE, "an architecture"
            ):
                entry = CATALOGUE[stated.builder or name]
                levels = {**entry.layers, **entry.arguments, **self.study.recipe.model_dump()}
                for factor, level in stated.baseline.items():
                    try:
                        levels[factor] = self._level((*key, "baseline", factor), name, factor, level)
                    except Problem as problem:
                        self._problems.append(problem)
                self._check_sense((*key, "baseline"), name, levels, {})
                baselines[name] = levels
        return baselines

    def _check_metrics(self) -> None:
        for position, metric in enumerate(self.study.metrics):
            self._check_metric(("metrics", position), metric)
        for key in ("seeds", "metrics", "diagnostics"):
            values = list(getattr(self.study, key))
            if len(set(values)) < len(values):
                self._refuse((key,), f"found {values}, expected every entry once")

    def _check_metric(self, key: tuple, metric: str) -> bool:
        """Note a problem unless the study will have the metric."""
        if not self._choose(key, metric, METRICS, "a metric"):
            return False
        if metric.startswith("validation_") and not self.study.data.validation:
            self._refuse(key, f"found {metric!r}, but data.validation is 0: there are no images to measure it on")
            return False
        needed = METRICS[metric].needs
        if needed and not getattr(self.study, needed):
            example = {
                "diagnostics": "epochs there, such as [0]",
                "threshold": "a training accuracy there, such as 0.9",
            }
            self._refuse(key, f"found {metric!r}, which needs {needed}: expected {example[needed]}")
            return False
        return True

    def _check_diagnostics(self) -> None:
        """Note the epochs to diagnose that some variant does not have."""
        last = min(variant.levels["epochs"] for variant in self.variants.values())
        for position, epoch in enumerate(self.study.diagnostics):
            if epoch > last:
                self._refuse(("diagnostics", position), f"found {epoch}, expected an epoch from 0 to {last}")

    def _builder(self, architecture: str) -> str:
        return self.study.architectures[architecture].builder or architecture

    def _level(self, key: tuple, architecture: str, factor: str, level: Any) -> Any:
        """Return a level in its own type, or raise the Problem with it."""
        builder = self._builder(architecture)
        entry = CATALOGUE[builder]
        if factor in entry.lacks:
            raise Problem(key, f"{architecture!r} ({builder}) cannot have the factor {factor}: {entry.lacks[factor]}")
        if factor in entry.layers:
            allowed = [name for name in layer_levels()[factor] if f"{factor}.{name}" not in entry.without]
            if level in layer_levels()[factor] and level not in allowed:
                raise Problem(key, f"{builder} cannot have {factor} {level}: {entry.without[f'{factor}.{level}']}")
            if level not in allowed:
                raise Problem(
                    key,
                    f"found {level!r}, expected a level of {factor}: {', '.join(allowed)}{nearest(level, allowed)}",
                )
            return level
        if factor in entry.arguments:
            kind = type(entry.arguments[factor])
            if kind is float and type(level) is int:
                level = float(level)
            if type(level) is not kind or (kind is int and level < 1) or (kind is float and level < 0):
                wanted = {int: "a whole number of 1 or more", float: "a number of 0 or more", bool: "true or false"}
                raise Problem(key, f"found {level!r}, expected {wanted.get(kind, 'text')}")
            choices = entry.choices.get(factor)
            if choices and level not in choices:
                raise Problem(key, f"found {level!r}, expected one of {', '.join(map(str, choices))}")
            return level
        if factor in Recipe.model_fields:
            # Alone: whether the entries of a recipe fit together is a question to the whole variant.
            try:
                return recipe_entry(factor).validate_python(level)
            except ValidationError as error:
                raise Problem(key, f"found {level!r}: {error.errors()[0]['msg']}") from None
        allowed = [*entry.layers, *entry.arguments, *Recipe.model_fields]
        raise Problem(
            key,
            f"architecture {architecture!r} ({builder}) has no factor {factor!r}; "
            f"it has {', '.join([*entry.layers, *entry.arguments])} and the entries of the recipe{nearest(factor, allowed)}",
        )

    def _check_sense(self, key: tuple, architecture: str, levels: dict[str, Any], changed: dict[str, Any]) -> None:
        """Refuse a combination of levels that means nothing, with the reason."""
        entry = CATALOGUE[self._builder(architecture)]
        mine = {factor: levels[factor] for factor in (*entry.layers, *entry.arguments)}
        reason = entry.refuse(mine)
        if reason:
            self._refuse(key, f"found { ({f: levels[f] for f in entry.arguments}) }: {reason}")
        least = entry.stem_side if mine.get("stem") == "published" else entry.smallest_side
        if self._side and self._side < least:
            stem = " with its published stem" if least > entry.smallest_side else ""
            self._refuse(
                key, f"found inputs of {self._side} pixels, expected {least} or more for {architecture!r}{stem}"
            )
        for factor, why in idle(mine, self._side).items():
            if factor in changed:
                self._refuse(key, f"{factor}: {changed[factor]!r} would change nothing: {why}")
        try:
            recipe = Recipe.model_validate({entry: levels[entry] for entry in Recipe.model_fields})
        except ValidationError as error:
            self._refuse(key, f"found {changed or levels}: {error.errors()[0]['msg']}")
            return
        shift = max(map(int, re.findall(r"translate([0-9]+)", recipe.augmentation)), default=0)
        if self._side and self._side <= shift:
            wanted = f"a translation by less than the {self._side} pixels of an image, which its mirror fills"
            self._refuse(key, f"found the augmentation {recipe.augmentation!r}, expected {wanted}")
        for entry, why in recipe.without_effect().items():
            if entry in changed:
                self._refuse(key, f"{entry}: {changed[entry]!r} would change nothing: {why}")

    def _variant(self, architecture: str, changes: Mapping[str, Any]) -> Variant:
        base = self._baselines[architecture]
        changed = {f: level for f, level in sorted(changes.items()) if level != base[f]}
        parts = [architecture, *(f"{factor}.{level_text(level)}" for factor, level in changed.items())]
        return Variant("-".join(parts), architecture, self._builder(architecture), {**base, **changed}, changed)

    def _expand(self) -> dict[str, Variant]:
        found = {name: {name: self._variant(name, {})} for name in self._baselines}
        for position, block in enumerate(self.study.grid):
            key = ("grid", position)
            for place, name in enumerate(block.architectures or []):
                self._choose((*key, "architectures", place), name, self._baselines, "an architecture of this study")
            for name in block.architectures or self._baselines:
                if name in self._baselines:
                    for where, variant in self._expand_block(key, block, name):
                        known = found[name].setdefault(variant.id, variant)
                        if known.levels != variant.levels:
                            self._refuse(where, f"two different variants would both be named {variant.id!r}")
        if self._problems:
            raise StudyError(self._problems)
        return {id: variant for variants in found.values() for id, variant in variants.items()}

    def _expand_block(self, key: tuple, block: Block, architecture: str) -> Iterable[tuple[tuple, Variant]]:
        before = len(self._problems)
        if block.variants:
            changes = [
                ((*key, "variants", place), self._levels((*key, "variants", place), architecture, stated))
                for place, stated in enumerate(block.variants)
            ]
        else:
            changes = [((*key, "factors"), change) for change in self._combine(key, block, architecture)]
        excluded = [
            self._levels((*key, "exclude", place), architecture, stated) for place, stated in enumerate(block.exclude)
        ]
        if len(self._problems) > before:
            return
        variants = [(where, self._variant(architecture, change)) for where, change in changes]
        for place, levels in enumerate(excluded):
            if not levels or not any(levels.items() <= variant.levels.items() for _, variant in variants):
                self._refuse(
                    (*key, "exclude", place), f"found {block.exclude[place]}, which no variant of {architecture!r} has"
                )
        if block.variants:
            ids = [variant.id for _, variant in variants]
            for where, variant in variants:
                if not variant.changed:
                    self._refuse(where, f"found the baseline of {architecture!r}, expected levels that differ from it")
                elif ids.count(variant.id) > 1:
                    self._refuse(where, f"found the variant {variant.id!r} twice, expected it once")
        for where, variant in variants:
            if any(levels.items() <= variant.levels.items() for levels in excluded):
                if not variant.changed:
                    self._refuse(
                        (*key, "exclude"),
                        f"found an exclusion of the baseline of {architecture!r}, expected one that leaves it: "
                        "every contrast needs it",
                    )
                continue
            self._check_sense(where, architecture, variant.levels, variant.changed)
            yield where, variant

    def _levels(self, key: tuple, architecture: str, stated: Mapping[str, Any]) -> dict[str, Any]:
        levels = {}
        for factor, level in stated.items():
            try:
                levels[factor] = self._level((*key, factor), architecture, factor, level)
            except Problem as problem:
                self._problems.append(problem)
        return levels

    def _combine(self, key: tuple, block: Block, architecture: str) -> list[dict[str, Any]]:
        """List the changes that a block's design asks for."""
        levels: dict[str, list[Any]] = {}
        for factor, stated in block.factors.items():
            where = (*key, "factors", factor)
            resolved = []
            for place, level in enumerate(stated):
                try:
                    resolved.append(self._level((*where, place), architecture, factor, level))
                except Problem as problem:
                    self._problems.append(problem)
                    if factor not in self._baselines[architecture]:  # said once, not for every level
                        break
            if not stated:
                self._refuse(where, "found no level, expected at least one")
            for level in {level_text(level) for level in resolved}:
                if [level_text(other) for other in resolved].count(level) > 1:
                    self._refuse(where, f"found the level {level!r} twice, expected every level once")
            if resolved and {level_text(level) for level in resolved} == {
                level_text(self._baselines[architecture][factor])
            }:
                self._refuse(where, f"found only the baseline's level {resolved[0]!r}, expected another one")
            levels[factor] = resolved
        if block.design == "full_factorial":
            with_baseline = {
                f: list(dict.fromkeys([self._baselines[architecture].get(f), *found])) for f, found in levels.items()
            }
            return [dict(zip(levels, chosen, strict=True)) for chosen in itertools.product(*with_baseline.values())]
        return [{factor: level} for factor, found in levels.items() for level in found]

    def _check_warm_starts(self) -> None:
        """Note warm starts from what is no other variant of the study, or from one that waits for this one."""
        for variant in self.variants.values():
            seen, current = [], variant
            while (source := current.levels["warm_start"]) != "none":
                if source not in self.variants:
                    hint = nearest(source, self.variants)
                    self._refuse(
                        ("grid",), f"{current.id}: found warm_start {source!r}, expected a variant of this study{hint}"
                    )
                    break
                if source in (variant.id, *seen):
                    self._refuse(("grid",), f"{variant.id}: found a warm start that comes back to {source!r}")
                    break
                seen.append(source)
                current = self.variants[source]

    def _control(
        self, key: tuple, variant: Variant, architecture: str, changes: Mapping[str, Any], quantity: str, by: str
    ) -> Variant:
        """Return the variant of `architecture` with `changes` that has `by` scaled to the size of another variant.

        It joins the study. Raises the Problem that it cannot be found.
        """
        found = self._variant(architecture, changes)
        reference = CATALOGUE[found.builder].arguments.get(by)
        if type(reference) is not int:
            numbers = [name for name, value in CATALOGUE[found.builder].arguments.items() if type(value) is int]
            raise Problem((*key, "by"), f"found {by!r}, expected an argument of {architecture!r}: {', '.join(numbers)}")
        question = json.dumps([variant.architecture_spec(), found.architecture_spec(), quantity, by], sort_keys=True)
        if question not in self._matched:
            value = self.study.matched.get(question)
            self._matched[question] = value or self._search(key, variant, found, quantity, by)
        control = self._variant(architecture, {**changes, by: self._matched[question]})
        self._check_sense(key, architecture, control.levels, {})
        return self.variants.setdefault(control.id, control)

    def _search(self, key: tuple, variant: Variant, found: Variant, quantity: str, by: str) -> int:
        shape, classes = input_shape(self.study.data.model_dump()), SOURCES[self.study.data.name].classes
        if shape is None:
            raise Problem(
                (*key, "match"),
                f"found {quantity!r} for the data set {self.study.data.name!r}, expected one whose images and classes are "
                "known before they are read",
            )
        from ablation.matching import match  # imports torch: only a study that asks for it pays

        return match(variant.architecture_spec(), found.architecture_spec(), quantity, by, shape, classes)

    def _control_blocks(self) -> list[Contrast]:
        """Give the variants of blocks that ask for it their controls of equal size, and return the contrasts."""
        contrasts = []
        for position, block in enumerate(self.study.grid):
            key = ("grid", position)
            for name in (block.architectures or self._baselines) if block.match else []:
                for _, variant in self._expand_block(key, block, name):
                    if not variant.changed or set(variant.changed) == {block.by}:
                        continue
                    try:
                        control = self._control(key, variant, name, {}, block.match, block.by)
                    except Problem as problem:
                        self._problems.append(problem)
                        break
                    factors = tuple(sorted({*variant.changed, block.by}))
                    if control.changed:  # else the baseline is as large as the variant, and their contrast is there
                        contrasts.append(Contrast(variant.id, control.id, factors, block.match))
        return contrasts

    def _contrasts(self) -> list[Contrast]:
        contrasts = []
        for variant in self.variants.values():
            if variant.changed:
                contrasts.append(Contrast(variant.id, variant.architecture, tuple(variant.changed)))
            if len(variant.changed) > 1:
                for factor in variant.changed:
                    rest = {f: level for f, level in variant.changed.items() if f != factor}
                    reference = self._variant(variant.architecture, rest).id
                    if reference in self.variants:
                        contrasts.append(Contrast(variant.id, reference, (factor,)))
        return contrasts

    def _resolve_claims(self) -> list[tuple[str, Contrast]]:
        resolved = []
        for name, claim in self.study.claims.items():
            key = ("claims", name)
            if not re.match(r"^[a-z0-9][a-z0-9-]*$", name):
                self._refuse(key, f"found the name {name!r}, expected small letters, digits and - only")
            if not self._check_metric((*key, "metric"), claim.metric):
                continue
            for place, architecture in enumerate(claim.architectures or []):
                self._choose(
                    (*key, "architectures", place), architecture, self._baselines, "an architecture of this study"
                )
            if claim.factor == "architecture":
                try:
                    resolved.append((name, self._architecture_contrast(key, claim)))
                except Problem as problem:
                    self._problems.append(problem)
                continue
            if claim.factor in claim.given:
                self._refuse(
                    (*key, "given", claim.factor), "found the factor of the claim itself, expected another one"
                )
            found, reasons = [], []
            for architecture in claim.architectures or self._baselines:
                if architecture in self._baselines:
                    try:
                        found.append((name, self._claim_contrast(key, claim, architecture)))
                    except Problem as problem:
                        reasons.append(problem)
            # Without named architectures a claim is tested wherever the study has its contrast, if only once.
            if claim.architectures or not found:
                self._problems += reasons
            resolved += found
        return resolved

    def _claim_contrast(self, key: tuple, claim: Claim, architecture: str) -> Contrast:
        """Return the contrast of a claim on an architecture, or raise the Problem that the study does not have it."""
        given = {
            factor: self._level((*key, "given", factor), architecture, factor, level)
            for factor, level in claim.given.items()
        }
        levels = [
            self._level((*key, side), architecture, claim.factor, getattr(claim, side)) for side in ("level", "against")
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
            if name not in self._baselines:
                raise Problem(
                    (*key, side),
                    f"found {name!r}, expected an architecture of this study: {', '.join(self._baselines)}"
                    f"{nearest(name, self._baselines)}",
                )
        if names[0] == names[1]:
            raise Problem(key, f"found {claim.level!r} on both sides, expected two architectures")
        changes = [
            {factor: self._level((*key, "given", factor), name, factor, level) for factor, level in claim.given.items()}
            for name in names
        ]
        return self._compare(key, claim, names, changes)

    def _compare(
        self, key: tuple, claim: Claim, architectures: tuple[str, str], changes: list[dict[str, Any]]
    ) -> Contrast:
        """Find the two sides of a claim among the variants; a side that is to be matched joins them."""
        variant, reference = (self._variant(*side) for side in zip(architectures, changes, strict=True))
        sides = {"level": variant} if claim.match else {"level": variant, "against": reference}
        for side, wanted in sides.items():
            if wanted.id not in self.variants:
                raise Problem((*key, side), f"the study has no variant {wanted.id!r}, which this claim compares")
        if not claim.match:
            return Contrast(variant.id, reference.id, (claim.factor,))
        control = self._control(key, variant, architectures[1], changes[1], claim.match, claim.by)
        return Contrast(variant.id, control.id, (claim.factor, claim.by), claim.match)
