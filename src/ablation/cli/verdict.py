"""Print the verdicts of a study, and end with an error where they are not what is required."""

import argparse
import sys
from pathlib import Path

from ablation.analysis.outcomes import VERDICTS, ClaimOutcome, Outcomes, read_outcomes
from ablation.report.verdicts import verdict_lines
from ablation.support.wording import UserError, listed, nearest

EPILOG = """examples:
  ./do ablation verdict digits
  ./do ablation verdict digits --require supported=relu-better --require supported,equivalent=norm-helps
  ./do ablation verdict digits --require supported=relu-better@lenet     on one of its networks alone

Ends with 0 if every claim that is required has one of its verdicts on each of its networks, else with 1, so that a claim can
stand in a continuous integration. A claim that is exploratory never meets what is required, unless --exploratory allows it.
"""


def main(arguments: argparse.Namespace) -> None:
    """Print the verdicts, and hold them against what is required."""
    found = read_outcomes(arguments.results / Path(arguments.study).stem / "verdicts.json")
    if arguments.json:
        print((arguments.results / found.study / "verdicts.json").read_text(encoding="utf-8"), end="")
    else:
        print("\n".join(verdict_lines(found)))
    unmet = [line for wanted in arguments.require for line in unmet_by(found, wanted, arguments.exploratory)]
    for line in unmet:
        print(f"required: {line}", file=sys.stderr)
    if unmet:
        raise SystemExit(1)


def unmet_by(found: Outcomes, wanted: str, exploratory: bool = False) -> list[str]:
    """Say in which ways the verdicts are not those that are required; none if they are.

    Parameters
    ----------
    found : Outcomes
    wanted : str
        ``verdict[,verdict]=claim[@architecture]``.
    exploratory : bool
        Whether an exploratory claim can be what is required.

    Raises
    ------
    UserError
        If it names no verdict, no claim of the study, or no network on which the claim is tested.
    """
    verdicts, _, name = wanted.partition("=")
    allowed, (name, _, architecture) = verdicts.split(","), name.partition("@")
    for one in allowed:
        if one not in VERDICTS:
            raise UserError(f"--require {wanted}: found {one!r}, expected {listed(VERDICTS)}{nearest(one, VERDICTS)}")
    claims = {claim.claim: claim for claim in found.claims}
    if name not in claims:
        hint = nearest(name, claims)
        raise UserError(
            f"--require {wanted}: found {name!r}, expected a claim of {found.study}: {listed(claims)}{hint}"
        )
    return [*_unmet(claims[name], allowed, architecture, wanted), *_refused(claims[name], exploratory)]


def _unmet(claim: ClaimOutcome, allowed: list[str], architecture: str, wanted: str) -> list[str]:
    tests = [test for test in claim.tests if architecture in ("", test.architecture)]
    if not tests:
        known = listed([test.architecture for test in claim.tests])
        raise UserError(f"--require {wanted}: found {architecture!r}, expected a network of the claim: {known}")
    expected = " or ".join(allowed)
    return [
        f"{claim.claim} on {test.architecture}: found {test.verdict}, expected {expected}"
        for test in tests
        if test.verdict not in allowed
    ]


def _refused(claim: ClaimOutcome, exploratory: bool) -> list[str]:
    if exploratory or not claim.exploratory:
        return []
    return [f"{claim.claim}: found an exploratory claim ({claim.exploratory}), expected one registered before its runs"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument("study", help="name of a study, or the path of its file")
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        metavar="VERDICT=CLAIM",
        help="a verdict that a claim must have; repeatable",
    )
    parser.add_argument("--exploratory", action="store_true", help="let exploratory claims be what is required")
    parser.add_argument("--json", action="store_true", help="print verdicts.json")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
