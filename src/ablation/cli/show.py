"""Show the layers of a variant with shapes, sizes and receptive fields, and the difference from its baseline."""

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from ablation.catalogue.architectures import CATALOGUE
from ablation.catalogue.catalogue import OURS, Catalogue
from ablation.catalogue.entry import SMALL_SIDE
from ablation.catalogue.sources import input_shape
from ablation.study.levels import level_text
from ablation.study.parts import KINDS, Parts, describe_part, with_parts
from ablation.study.plan import Plan
from ablation.study.resolution import Variant
from ablation.study.schema import Study, StudyError
from ablation.study.studyfile import STUDIES, locate_study, parse_value, read_study
from ablation.support.wording import nearest

EPILOG = """examples:
  ./do show resnet_cifar                            an architecture of the catalogue at its reference levels
  ./do show resnet_cifar --set depth=56 norm=none   other levels, and the difference that they make
  ./do show digits vgg-norm.none                    a variant of a study, and its difference from the baseline
  ./do show examples/own_parts/mixer.py             the parts of a file of one's own
  ./do show examples/own_parts/mixer.py mixer       an architecture of that file; --set takes its levels, too
"""
PREPARED = Path("results/data")
# Of the data sets that networks for large and for small images were published on.
IMAGENET_CLASSES, FEW_CLASSES = 1000, 10


@dataclass(frozen=True)
class Shown:
    """A variant with what it is compared with (None for a baseline), and an input for it (None if unknown)."""

    title: str
    variant: Variant
    baseline: Variant | None
    baseline_name: str
    input: tuple[tuple[int, int, int], int] | None


def alone(catalogue: Catalogue, name: str, levels: dict[str, Any], side: int) -> Variant:
    """Return an architecture of a catalogue with these levels, validated as the baseline of a study on that side."""
    study = {
        "title": name,
        "question": "What is it?",
        "data": {"name": "digits", "side": side},
        "recipe": {"epochs": 1, "batch_size": 1, "lr": 0.1},
        "architectures": {name: {"baseline": levels}},
        "seeds": 1,
        "smallest_effect": 1.0,
    }
    try:
        validated = Study.model_validate(study, context=catalogue)
        return Plan(validated, name, catalogue=catalogue).variants[name]
    except StudyError as error:
        problems = [": ".join([*map(str, p.key[3:]), p.message]) for p in error.problems]
        sys.exit("\n".join([f"{name} cannot be built so:", *(f"  {problem}" for problem in problems)]))


def from_catalogue(catalogue: Catalogue, name: str, settings: list[str], shape: str | None) -> Shown:
    """Find an architecture of a catalogue; `settings` are ``factor=level``, `shape` is an input to fit it to."""
    levels = {}
    for setting in settings:
        factor, equals, level = setting.partition("=")
        if not (factor and equals and level):
            sys.exit(f"--set: found {setting!r}, expected FACTOR=LEVEL, such as norm=none")
        levels[factor] = parse_value(level)
    entry = catalogue.architectures[name]
    published = entry.published
    # A side that is too small is said later, and better than by the study made up here.
    side = max(read_shape(shape)[1] if shape else published[1], entry.smallest_side)
    input = published, IMAGENET_CLASSES if published[1] > SMALL_SIDE else FEW_CLASSES
    stated = ", ".join(f"{factor} {level_text(level)}" for factor, level in levels.items())
    baseline = alone(catalogue, name, {}, side) if levels else None
    title = f"{name} with {stated}" if levels else name
    return Shown(title, alone(catalogue, name, levels, side), baseline, name, input)


def from_parts(catalogue: Catalogue, arguments: argparse.Namespace) -> Shown:
    """Find an architecture that is ours or of a file of parts, with the levels of both."""
    known = catalogue.architectures
    if arguments.variant not in known:
        hint = nearest(arguments.variant, known)
        sys.exit(f"found {arguments.variant!r}, expected an architecture: {', '.join(known)}{hint}")
    return from_catalogue(catalogue, arguments.variant, arguments.set, arguments.input)


def list_parts(parts: Parts) -> str:
    """List the parts of a file: what each is, how a study names it, and what it does."""
    rows = [(KINDS[place[0]], ": ".join(place[1:]), describe_part(entry)) for place, entry in parts.entries.items()]
    return tabulate(rows, ["part", "name", "what it is"], tablefmt="simple", maxcolwidths=[None, None, 90])


def read_shape(text: str) -> tuple[int, int, int]:
    """Read an input shape such as 3x32x32."""
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x\2", text)
    if not match:
        sys.exit(f"--input: found {text!r}, expected channels, height and width of a square, such as 3x32x32")
    return int(match[1]), int(match[2]), int(match[2])


def from_study(name: str, id: str | None) -> Shown:
    """Find a variant of a study."""
    studies = sorted(path.stem for path in STUDIES.glob("*.yaml"))
    if id is None and name not in studies and not name.endswith((".yaml", ".yml")):
        sys.exit(
            f"found {name!r}, expected an architecture of the catalogue ({', '.join(CATALOGUE)}) or a study "
            f"({', '.join(studies)}) and one of its variants{nearest(name, [*CATALOGUE, *studies])}"
        )
    plan = read_study(locate_study(name))
    if id not in plan.variants:
        found = f"found the variant {id!r}" if id else "found no variant"
        listed = "".join(f"\n  {known}" for known in plan.variants)
        hint = nearest(id, plan.variants) if id else ""
        sys.exit(f"{found}, expected one of the study {plan.name}{hint}\n{plan.name} has the variants{listed}")
    input = study_input(plan)
    if plan.variants[id].control and input:
        from ablation.jobs.controls import answer

        plan = plan.settled(answer(plan.questions, *input))
    elif plan.variants[id].control:
        sys.exit(f"{id} is scaled to another variant's size, which is known once the data of the study are prepared")
    variant = plan.variants[id]
    baseline = plan.variants[variant.architecture] if variant.changed else None
    return Shown(f"{id}, a variant of the study {plan.name}", variant, baseline, variant.architecture, input)


def study_input(plan: Plan) -> tuple[tuple[int, int, int], int] | None:
    """Return the input shape and the number of classes of a study's data, if they are known."""
    for path in sorted(PREPARED.glob("*/manifest.json")):
        manifest = json.loads(path.read_text())
        if manifest["data"] == plan.study.data.model_dump():
            return tuple(manifest["shape"]), len(manifest["classes"])
    source = plan.catalogue.sources[plan.study.data.name]
    shape = input_shape(plan.study.data.model_dump(), source)
    return (shape, source.classes) if shape and source.classes else None


def choose_input(shown: Shown, shape: str | None, classes: int | None) -> tuple[tuple[int, int, int], int]:
    """Return the input shape and the number of classes: those asked for, or those of the data."""
    if shown.input is None and not (shape and classes):
        sys.exit("the data of this study are not prepared yet: say --input, such as 3x32x32, and --classes")
    known_shape, known_classes = shown.input or (None, None)
    if shape:
        known_shape = read_shape(shape)
    if classes is not None and classes < 1:
        sys.exit(f"--classes: found {classes}, expected 1 or more")
    smallest = shown.variant.catalogue.architectures[shown.variant.builder].smallest_side
    if known_shape[1] < smallest:
        sys.exit(f"--input: found a side of {known_shape[1]}, expected {smallest} or more for {shown.variant.builder}")
    return known_shape, classes or known_classes


def main(arguments: argparse.Namespace) -> None:
    """Trace the variant and its baseline, and print them."""
    if arguments.name.endswith(".py"):
        catalogue, (parts,) = with_parts([Path(arguments.name)])
        if arguments.variant is None:
            print(list_parts(parts))
            return
        shown = from_parts(catalogue, arguments)
    elif arguments.variant is None and arguments.name in CATALOGUE:
        shown = from_catalogue(OURS, arguments.name, arguments.set, arguments.input)
    elif arguments.set:
        sys.exit("--set: a variant of a study has its levels already; expected an architecture of the catalogue alone")
    else:
        shown = from_study(arguments.name, arguments.variant)
    shape, classes = choose_input(shown, arguments.input, arguments.classes)

    from ablation.networks.layertable import shape_text
    from ablation.networks.layertext import describe
    from ablation.networks.sizes import inspect

    table, baseline = (
        variant and inspect(variant.architecture_spec(), shape, classes) for variant in (shown.variant, shown.baseline)
    )
    title = f"{shown.title} ({shape_text(shape)}, {classes} classes)"
    print(describe(title, table, baseline, shown.baseline_name, arguments.markdown, arguments.blocks), end="")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument(
        "name", help="an architecture of the catalogue, a study by name or file, or a file of parts (.py)"
    )
    parser.add_argument("variant", nargs="?", help="a variant of the study, or an architecture of the file of parts")
    parser.add_argument("--set", nargs="+", default=[], metavar="FACTOR=LEVEL", help="levels, for the catalogue")
    parser.add_argument("--input", metavar="CxHxW", help="input shape; without it that of the data or of the paper")
    parser.add_argument("--classes", type=int, help="number of classes; without it that of the data or of the paper")
    parser.add_argument("--blocks", action="store_true", help="one row per block instead of one row per layer")
    parser.add_argument("--markdown", action="store_true", help="write Markdown")
