"""The controls of equal size of a study: their values searched for, and kept for later studies."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from ablation.networks.matching import match, size_of
from ablation.networks.sizes import say
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
        By key of the question. Where one of the networks cannot be built, the value that the scaled one has anyway: runs of
        the other fail in their turn, and the rest of the study need not wait for it.

    Raises
    ------
    NetworkError
        If the network whose size is wanted would say nothing.
    """
    known, define = _read(kept), lambda reference: sources().digest([reference])
    answers = {}
    for key, question in questions.items():
        sides = [keyed_architecture(spec, define) for spec in (question.variant, question.scaled)]
        code = define("ablation.networks.matching:match")
        asked = digest([sides, question.quantity, question.by, input_shape, classes, code])
        if asked not in known:
            try:
                known[asked] = match(
                    question.variant, question.scaled, question.quantity, question.by, input_shape, classes
                )
            except Exception as error:
                print(f"no control of equal size: a network cannot be built: {say(error)}", file=sys.stderr)
                answers[key] = question.scaled["arguments"][question.by]
                continue  # not kept: what was missing may be there another time
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                with write_whole(kept) as file:
                    file.write(json.dumps(_read(kept) | known).encode())
        answers[key] = known[asked]
    return answers


def sizes_reached(plan: Plan, input_shape: tuple[int, int, int], classes: int) -> list[str]:
    """Say of each control of a settled plan how large it is and how far from the size that was wanted."""
    sentences = []
    for contrast in plan.matched:
        names = (contrast.variant, contrast.reference)
        specs = [plan.variants[name].architecture_spec() for name in names]
        try:
            sizes = [size_of(spec, contrast.matched, input_shape, classes) for spec in specs]
        except Exception as error:
            sentences.append(f"{contrast.reference} is no control of {contrast.variant}, cannot be built: {say(error)}")
        else:
            sentences.append(compare_sizes(*names, contrast.matched, *sizes))
    return sentences


def _read(kept: Path | None) -> dict[str, int]:
    try:
        known = json.loads(kept.read_text()) if kept else {}
    except (OSError, ValueError):  # not there, or damaged: what it said is found anew
        return {}
    whole = isinstance(known, dict) and all(type(value) is int for value in known.values())
    return known if whole else {}
