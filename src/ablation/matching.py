"""Controls of equal size: the width (or another argument) at which one network is as large as another."""

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

from ablation.controls import Question
from ablation.digests import digest, source_digest
from ablation.files import write_whole
from ablation.networks import build
from ablation.sizes import measure

MOST = 2**14  # no network of the catalogue is wider


def match(
    variant: Mapping[str, Any],
    reference: Mapping[str, Any],
    quantity: str,
    by: str,
    input_shape: tuple[int, int, int],
    classes: int,
) -> int:
    """Scale an argument of one network until it is as large as another.

    Parameters
    ----------
    variant, reference : mapping
        Specs of two networks (`ablation.design.Variant.architecture_spec`); the reference is scaled.
    quantity : str
        ``parameters`` or ``multiply_adds`` (one image, forward).
    by : str
        A whole-numbered argument of the reference in which its size grows.
    input_shape : tuple of int
        Channels, height and width in pixels.
    classes : int

    Returns
    -------
    int
        The value at which the sizes are nearest by their ratio; a multiple of the reference's groups, if it has any.
    """
    step = reference["arguments"].get("groups", 1)

    @cache
    def size(value: int) -> int:
        spec = {**reference, "arguments": {**reference["arguments"], by: value * step}}
        return _size(spec, quantity, input_shape, classes)

    wanted = _size(variant, quantity, input_shape, classes)
    high = 1
    while size(high) < wanted and high < MOST:
        high *= 2
    low = max(1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) < wanted else (low, middle)
    return step * min((low, high), key=lambda value: abs(math.log(size(value) / wanted)))


def _size(spec: Mapping[str, Any], quantity: str, input_shape: tuple[int, int, int], classes: int) -> int:
    if quantity == "parameters":  # known without tracing a pass through the network
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build(spec, input_shape, classes).parameters())
    return measure(spec, input_shape, classes)[quantity]


def answer(
    questions: Mapping[str, Question], input_shape: tuple[int, int, int], classes: int, kept: Path | None = None
) -> dict[str, int]:
    """Find the values of a study's controls.

    Parameters
    ----------
    questions : mapping of str to Question
        As `ablation.plan.Plan.questions` lists them.
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
    known = _read(kept)
    answers = {}
    for key, question in questions.items():
        builders = {spec["builder"].split(":")[0] for spec in (question.variant, question.scaled)}
        code = source_digest(["ablation.matching", *sorted(builders)])
        asked = digest([key, input_shape, classes, code])
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


def _read(kept: Path | None) -> dict[str, int]:
    try:
        return json.loads(kept.read_text()) if kept else {}
    except (OSError, ValueError):  # not there, or damaged: what it said is found anew
        return {}
