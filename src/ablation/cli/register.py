"""Register the claims of a study before its runs are trained, and say which claims are tests."""

import argparse
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ablation.jobs.registration import register, seeds_with_results, standings
from ablation.study.plan import Plan
from ablation.study.studyfile import locate_study, read_study
from ablation.support.files import write_whole
from ablation.support.wording import UserError

EPILOG = """examples:
  ./do ablation register digits
  ./do ablation register digits --fresh-seeds   asks for seeds that were not seen, in the study file

The first start of a study does this by itself. Of a claim the last registration before the first of its runs is in force.
One that is changed or added when results of its seeds are there is exploratory: only seeds that were not seen can test it.
"""


def main(arguments: argparse.Namespace) -> None:
    """Register what is new, and list the claims."""
    path = locate_study(arguments.study)
    plan = read_study(path)
    folder = arguments.results / plan.name
    if arguments.fresh_seeds:
        plan = with_fresh_seeds(path, plan, folder)
    new = {one.claim for one in register(plan, folder)}
    for claim, standing in standings(plan, folder, {}).items():
        when, why = datetime.fromtimestamp(standing.time).strftime("%Y-%m-%d %H:%M"), standing.exploratory
        print(
            f"{claim}: {'registered' if claim in new else f'registered {when}'}{f'; exploratory: {why}' if why else ''}"
        )
    if not plan.study.claims:
        print(f"{plan.name} has no claims")


def with_fresh_seeds(path: Path, plan: Plan, folder: Path) -> Plan:
    """Write as many seeds into the study file that no result was seen of, and return the study with them.

    Raises
    ------
    UserError
        If the file does not state its seeds on one line of their own.
    """
    seen = set().union(*seeds_with_results(folder).values())
    if not seen & {*plan.study.seeds}:
        print(f"{path}: no results of its seeds were seen, so they stay: {listed_seeds(plan.study.seeds)}")
        return plan
    first = max(*seen, *plan.study.seeds) + 1
    fresh = list(range(first, first + len(plan.study.seeds)))
    text = path.read_text(encoding="utf-8")
    changed, lines = re.subn(SEEDS, lambda found: f"seeds: {fresh}{found[2]}", text)
    if lines != 1:
        raise UserError(
            f"{path}: seeds: found no line of their own, expected one to write fresh seeds on: seeds: {fresh}"
        )
    with write_whole(path) as file:
        file.write(changed.encode())
    print(f"{path}: seeds {listed_seeds(plan.study.seeds)} were seen, it asks for {listed_seeds(fresh)} now")
    return read_study(path)


SEEDS = re.compile(r"^seeds: *(\d+|\[[\d, ]*\])( *(?:#.*)?)$", re.MULTILINE)


def listed_seeds(seeds: Sequence[int]) -> str:
    """Write seeds as they stand in a study file."""
    return str(list(seeds))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument("study", help="name of a study, or the path of its file")
    parser.add_argument(
        "--fresh-seeds",
        action="store_true",
        help="write as many seeds into the study file of which there are no results, so that its claims can be tested",
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
