"""Say before a study is run what its claims can decide with its seeds."""

import argparse
import json
from pathlib import Path

from ablation.analysis.detection import detectable
from ablation.report.detection import power_text
from ablation.study.plan import Plan
from ablation.study.studyfile import locate_study, read_study
from ablation.support.wording import UserError, listed, nearest

EPILOG = """examples:
  ./do power residual                               by the spread of earlier runs, if there are any
  ./do power residual --spread test_accuracy=0.01   seeds differ by a point (standard deviation)
  ./do power residual --json                        for programs

The smallest effect is found, and the smallest margin shown for an effect of zero, with a probability of 80 % at the level
that the correction for all claims may leave. Spreads are in the metric's own unit: 0.01 of an accuracy is a point.
"""


def main(arguments: argparse.Namespace) -> None:
    """Print what each claim can decide."""
    plan = read_study(locate_study(arguments.study))
    found = detectable(plan, arguments.results, spreads_of(plan, arguments.spread))
    if arguments.json:
        print(json.dumps([vars(one) for one in found], indent=1))
        return
    print(power_text(plan, found))


def spreads_of(plan: Plan, stated: list[str]) -> dict[str, float]:
    """Read the spreads of the command line; raises UserError if one is no metric of the study's claims, or no number."""
    known = dict.fromkeys(claim.metric for claim in plan.study.claims.values())
    found = {}
    for text in stated:
        name, _, value = text.partition("=")
        if name not in known:
            raise UserError(
                f"--spread {text}: found {name!r}, expected a metric of its claims: {listed(known)}{nearest(name, known)}"
            )
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = -1.0
        if not 0 < found[name] < float("inf"):
            raise UserError(f"--spread {text}: found {value!r}, expected a positive number")
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument("study", help="name of a study, or the path of its file")
    parser.add_argument(
        "--spread", action="append", default=[], metavar="METRIC=SD", help="standard deviation over seeds; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="write it for programs")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
