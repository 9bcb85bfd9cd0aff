"""Find the controls of equal size that a study asks for, and write the study with them."""

import argparse
import json
from pathlib import Path

from ablation.study.studyfile import read_frozen
from ablation.support.files import write_whole
from ablation.support.formatting import plural


def main(arguments: argparse.Namespace) -> None:
    """Search the sizes, then write them by themselves and within the study."""
    from ablation.jobs.controls import answer, sizes_reached

    plan = read_frozen(arguments.study)
    manifest = json.loads(arguments.manifest.read_text())
    input = (tuple(manifest["shape"]), len(manifest["classes"]))
    answers = answer(plan.questions, *input, arguments.kept)
    settled = plan.settled(answers)
    with write_whole(arguments.answers) as file:
        file.write(json.dumps(answers, indent=1).encode())
    with write_whole(arguments.settled) as file:
        file.write(settled.frozen().encode())
    print(f"{plan.name}: {plural(len(answers), 'control')} of equal size", *sizes_reached(settled, *input), sep="\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the prepared data")
    parser.add_argument(
        "--kept", type=Path, required=True, help="what all studies found so far; made if need be (JSON)"
    )
    parser.add_argument("--answers", type=Path, required=True, help="what was found, to write (JSON)")
    parser.add_argument("--settled", type=Path, required=True, help="the study with what was found, to write (JSON)")
