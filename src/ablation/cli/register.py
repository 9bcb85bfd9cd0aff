"""Register the claims of a study before its runs are trained, and say which claims are tests."""

import argparse
from datetime import datetime
from pathlib import Path

from ablation.jobs.registration import content_of, register, registrations, why_exploratory
from ablation.study.studyfile import locate_study, read_study
from ablation.support.digests import digest

EPILOG = """examples:
  ./do ablation register digits

The first start of a study does this by itself. A claim that is changed or added when results of its seeds are there is
exploratory: only seeds that were not seen can test it.
"""


def main(arguments: argparse.Namespace) -> None:
    """Register what is new, and list the claims."""
    plan = read_study(locate_study(arguments.study))
    folder = arguments.results / plan.name
    new = {one.claim for one in register(plan, folder)}
    times = {(one.claim, one.digest): one.time for one in reversed(registrations(folder))}
    for claim in plan.study.claims:
        when = datetime.fromtimestamp(times[claim, digest(content_of(plan, claim))]).strftime("%Y-%m-%d %H:%M")
        why = why_exploratory(plan, claim, folder, [])
        print(
            f"{claim}: {'registered' if claim in new else f'registered {when}'}{f'; exploratory: {why}' if why else ''}"
        )
    if not plan.study.claims:
        print(f"{plan.name} has no claims")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument("study", help="name of a study, or the path of its file")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
