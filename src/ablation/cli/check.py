"""Check a file of parts of one's own: architectures, levels, metrics, data sets and augmentations.

They pass the tests that ours pass: each level changes something and only that, every parameter learns, shared weights
start equal, every promised input is taken, a training that is saved and resumed ends with the same bits.
"""

import argparse
import sys
from pathlib import Path

from ablation.study.parts import with_parts
from ablation.support.formatting import plural


def main(arguments: argparse.Namespace) -> None:
    """Check every part of the files and say what is wrong; the exit status is 1 if something is."""
    catalogue, files = with_parts(arguments.files)

    import torch

    from ablation.jobs.partchecks import check_parts, describe_problems

    torch.set_num_threads(1)
    wrong = count = 0
    for parts in files:
        for place, problems in check_parts(parts, catalogue):
            print(describe_problems(place, problems), flush=True)
            count, wrong = count + 1, wrong + bool(problems)
    if wrong:
        sys.exit(f"{wrong} of {plural(count, 'part')} cannot be used as it is")
    print(f"{plural(count, 'part')}: all is well")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="file with parts (.py)")
