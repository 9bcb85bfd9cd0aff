"""Controls of equal size: variants whose width, or another argument, is scaled to the size of another variant."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablation.architectures import CATALOGUE
from ablation.design import Design, Variant
from ablation.digests import digest, source_digest
from ablation.files import write_whole
from ablation.sources import SOURCES, input_shape
from ablation.study import Problem

CACHE = Path("results/matched.json")  # to find a control takes seconds, and every start of Snakemake asks again


def _known() -> dict[str, int]:
    try:
        return json.loads(CACHE.read_text())
    except (OSError, ValueError):  # not there, or damaged: it is found anew
        return {}


class Controls:
    """Finds controls, each once; what was found is kept for those who read the frozen study.

    Parameters
    ----------
    design : Design

    Attributes
    ----------
    found : dict of str to int
        The value that was found, by what was asked.
    """

    def __init__(self, design: Design):
        self.design, self.found = design, dict[str, int]()

    def match(
        self, key: tuple, variant: Variant, architecture: str, changes: Mapping[str, Any], quantity: str, by: str
    ) -> Variant:
        """Return the variant of `architecture` with `changes` that has `by` scaled to the size of another variant.

        Raises the Problem that it cannot be found.
        """
        found = self.design.variant(architecture, changes)
        reference = CATALOGUE[found.builder].arguments.get(by)
        if type(reference) is not int:
            numbers = [name for name, value in CATALOGUE[found.builder].arguments.items() if type(value) is int]
            raise Problem((*key, "by"), f"found {by!r}, expected an argument of {architecture!r}: {', '.join(numbers)}")
        # A digest: YAML, as which the frozen study is read, takes no key of more than 1,024 characters.
        question = digest([variant.architecture_spec(), found.architecture_spec(), quantity, by])
        if question not in self.found:
            value = self.design.study.matched.get(question)
            self.found[question] = value or self._search(key, variant, found, quantity, by)
        control = self.design.variant(architecture, {**changes, by: self.found[question]})
        self.design.check_sense(key, architecture, control.levels, {})
        return control

    def _search(self, key: tuple, variant: Variant, found: Variant, quantity: str, by: str) -> int:
        shape, classes = input_shape(self.design.study.data.model_dump()), SOURCES[self.design.study.data.name].classes
        if shape is None:
            raise Problem(
                (*key, "match"),
                f"found {quantity!r} for the data set {self.design.study.data.name!r}, expected one whose images and "
                "classes are known before they are read",
            )
        asked = (variant.architecture_spec(), found.architecture_spec(), quantity, by, shape, classes)
        builders = {spec["builder"].split(":")[0] for spec in asked[:2]}
        question = digest({"asked": asked, "code": source_digest(["ablation.matching", *sorted(builders)])})
        known = _known()
        if question not in known:
            from ablation.matching import match  # imports torch: only who asks for the first time pays

            known[question] = match(*asked)
            if CACHE.parent.is_dir():
                with write_whole(CACHE) as file:
                    file.write(json.dumps(known).encode())
        return known[question]
