"""What a study states, resolved: its architectures with their baselines, and the variants that changes make of them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ablation.catalogue.catalogue import OURS, Catalogue
from ablation.catalogue.recipes import parse_augmentation
from ablation.catalogue.sources import input_shape
from ablation.study.levels import level_text, read_level
from ablation.study.mistakes import sentence
from ablation.study.schema import NAME, Problem, Recipe, Study, StudyError
from ablation.study.specs import architecture_spec
from ablation.support.wording import listed, nearest, shown


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
    named : dict
        What stands in the id in a level's place, by factor: for a control of equal size, what it is as large as.
    """

    id: str
    architecture: str
    builder: str
    levels: dict[str, Any] = field(hash=False)
    changed: dict[str, Any] = field(hash=False)
    named: dict[str, str] = field(default_factory=dict, hash=False)
    catalogue: Catalogue = field(default=OURS, hash=False, compare=False, repr=False)

    @property
    def control(self) -> bool:
        """Whether it was scaled to another variant's size."""
        return bool(self.named)

    def architecture_spec(self) -> dict[str, Any]:
        """State all that determines the network, in plain data: what `ablation.networks.build.build` takes."""
        return architecture_spec(self.catalogue, self.builder, self.levels)


class Resolver:
    """The architectures of a study, and all that was found wrong with it so far.

    Parameters
    ----------
    study : Study
    catalogue : Catalogue
        What it may name.

    Attributes
    ----------
    baselines : dict of str to dict
        The reference level of every factor, by architecture.
    problems : list of Problem
        What was found wrong so far: reading goes on, so that all of it is reported at once.
    """

    def __init__(self, study: Study, catalogue: Catalogue = OURS):
        self.study, self.catalogue = study, catalogue
        shape = input_shape(study.data.model_dump(), catalogue.sources[study.data.name])
        self._side = study.data.side or (shape[1] if shape else None)  # pixels; None where only the data know
        self.problems: list[Problem] = []
        self.baselines = self._resolve_architectures()

    def stop_if_wrong(self) -> None:
        """Raise the StudyError of all problems, if there are any."""
        if self.problems:
            raise StudyError(self.problems)

    def refuse(self, key: tuple, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(key, message))

    def choose(self, key: tuple, found: Any, allowed: Iterable[str], what: str) -> bool:
        """Note a problem unless `found` is allowed."""
        allowed = list(allowed)
        if found in allowed:
            return True
        self.refuse(key, f"found {shown(found)}, expected {what}: {listed(allowed)}{nearest(found, allowed)}")
        return False

    def check_metric(self, key: tuple, metric: str) -> bool:
        """Note a problem unless the study will have the metric."""
        if not self.choose(key, metric, self.catalogue.metrics, "a metric"):
            return False
        if metric.startswith("validation_") and not self.study.data.validation:
            self.refuse(key, f"found {metric!r}, but data.validation is 0: there are no images to measure it on")
            return False
        needed = self.catalogue.metrics[metric].needs
        if needed and not getattr(self.study, needed):
            example = {
                "diagnostics": "epochs there, such as [0]",
                "threshold": "a training accuracy there, such as 0.9",
            }
            self.refuse(key, f"found {metric!r}, which needs {needed}: expected {example[needed]}")
            return False
        return True

    def margin(self, metric: str) -> float | None:
        """Return the smallest effect of interest on a metric: on the first one the study's, on others their own, if any."""
        stated = self.study.smallest_effect if metric == self.study.metrics[0] else None
        return stated or self.catalogue.metrics[metric].smallest_effect

    def builder(self, architecture: str) -> str:
        """Return the name in the catalogue of an architecture of the study."""
        return self.study.architectures[architecture].builder or architecture

    def level(self, key: tuple, architecture: str, factor: str, level: Any) -> Any:
        """Return a level of an architecture, converted to its type, or raise the Problem with it."""
        return read_level(self.catalogue, key, architecture, self.builder(architecture), factor, level)

    def levels(self, key: tuple, architecture: str, stated: Mapping[str, Any]) -> dict[str, Any]:
        """Return levels converted to their types; those that do not exist are noted and left out."""
        levels = {}
        for factor, level in stated.items():
            try:
                levels[factor] = self.level((*key, factor), architecture, factor, level)
            except Problem as problem:
                self.problems.append(problem)
        return levels

    def variant(self, architecture: str, changes: Mapping[str, Any], named: Mapping[str, str] | None = None) -> Variant:
        """Return what changes make of an architecture.

        A change to the baseline's own level is none, except of a control, whose id must not depend on what is found:
        `named` says by factor what stands there in the level's place.
        """
        base, named = self.baselines[architecture], named or {}
        changed = {f: level for f, level in sorted(changes.items()) if f in named or level != base[f]}
        parts = [architecture, *(f"{f}.{named.get(f) or level_text(level)}" for f, level in changed.items())]
        levels = {**base, **changed}
        id, builder = "-".join(parts), self.builder(architecture)
        return Variant(id, architecture, builder, levels, changed, dict(named), self.catalogue)

    def check_sense(self, key: tuple, architecture: str, levels: dict[str, Any], changed: dict[str, Any]) -> None:
        """Note a problem if a combination of levels makes no sense, with the reason."""
        entry = self.catalogue.architectures[self.builder(architecture)]
        network_levels = {factor: levels[factor] for factor in entry.references}
        reason = entry.refuse(network_levels)
        if reason:
            self.refuse(key, f"found {shown({f: levels[f] for f in entry.arguments}, 300)}: {reason}")
        least = entry.stem_side if network_levels.get("stem") == "published" else entry.smallest_side
        if self._side and self._side < least:
            stem = " with its published stem" if least > entry.smallest_side else ""
            self.refuse(
                key, f"found inputs of {self._side} pixels, expected {least} or more for {architecture!r}{stem}"
            )
        for factor, why in entry.ineffective(network_levels, self._side).items():
            if factor in changed:
                self.refuse(key, f"{factor}: {shown(changed[factor])} would change nothing: {why}")
        try:
            recipe = Recipe.model_validate(
                {entry: levels[entry] for entry in Recipe.model_fields}, context=self.catalogue
            )
        except ValidationError as error:
            found = f"found {shown(changed)}: " if changed else ""
            self.refuse(key, f"{found}{sentence(error.errors()[0])}")
            return
        known = self.catalogue.augmentations
        for name, amount in parse_augmentation(recipe.augmentation, known):
            if known[name].below_side and self._side and self._side <= amount:
                wanted = f"{name} by less than the {self._side} pixels of an image's side"
                self.refuse(key, f"found the augmentation {shown(recipe.augmentation)}, expected {wanted}")
        for entry, why in recipe.without_effect().items():
            if entry in changed:
                self.refuse(key, f"{entry}: {shown(changed[entry])} would change nothing: {why}")

    def _resolve_architectures(self) -> dict[str, dict[str, Any]]:
        baselines = {}
        for name, stated in self.study.architectures.items():
            key = ("architectures", name)
            if not re.fullmatch(NAME, name):
                self.refuse(key, f"found the name {shown(name)}, expected letters, digits and _ only")
                continue
            builder, known = stated.builder or name, self.catalogue.architectures
            if self.choose((*key, "builder") if stated.builder else key, builder, known, "an architecture"):
                entry = known[builder]
                levels = {**entry.references, **self.study.recipe.model_dump()}
                for factor, level in stated.baseline.items():
                    try:
                        levels[factor] = self.level((*key, "baseline", factor), name, factor, level)
                    except Problem as problem:
                        self.problems.append(problem)
                self.check_sense((*key, "baseline"), name, levels, {})
                baselines[name] = levels
        return baselines
