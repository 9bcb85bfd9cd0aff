"""The controls of equal size of a study: their values searched for, and kept for later studies."""

import json
from collections.abc import Mapping
from pathlib import Path

from ablation.networks.matching import match, size_of
from ablation.records.keys import keyed_architecture, sources
from ablation.study.controls import Question, compare_sizes
from ablation.study.plan import Plan
from ablation.support.digests import digest
from ablation.support.files import write_whole


def answer(
    questions: Mapping[str, Question], input_shape: tuple[int, int, int], classes: int, kept: Path | None = None
) -> dict[str, int]:
    """Find the values of a study's controls.

    Parameters
    ----------
    questions : mapping of str to Question
        As `ablation.study.plan.Plan.questions` lists them.
    input_shape : tuple of int
        Channels, height and width in pixels.
    classes : int
    kept : Path, optional
        What was found before, by any study; what is new joins it. The file may be missing, and deleted at any time.

    Returns
    -------
    dict of str to int
        By key of the question.
    """
    known, define = _read(kept), lambda reference: sources().digest([reference])
    answers = {}
    for key, question in questions.items():
        sides = [keyed_architecture(spec, define) for spec in (question.variant, question.scaled)]
        code = define("ablation.networks.matching:match")
        asked = digest([sides, question.quantity, question.by, input_shape, classes, code])
        if asked not in known:
            known[asked] = match(
                question.variant, question.scaled, question.quantity, question.by, input_shape, classes
            )
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                with write_whole(kept) as file:
                    file.write(json.dumps(_read(kept) | known).encode())
        answers[key] = known[asked]
    return answers


def sizes_reached(plan: Plan, input_shape: tuple[int, int, int], classes: int) -> list[str]:
    """Say of each control of a settled plan how large it is and how far from the size that was wanted."""
    return [
        compare_sizes(
            contrast.variant,
            contrast.reference,
            contrast.matched,
            *(
                size_of(plan.variants[name].architecture_spec(), contrast.matched, input_shape, classes)
                for name in (contrast.variant, contrast.reference)
            ),
        )
        for contrast in plan.matched
    ]


def _read(kept: Path | None) -> dict[str, int]:
    try:
        return json.loads(kept.read_text()) if kept else {}
    except (OSError, ValueError):  # not there, or damaged: what it said is found anew
        return {}
