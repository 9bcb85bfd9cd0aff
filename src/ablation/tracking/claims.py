"""What is sent of a study's claims: when each was registered, its verdict, and which variants have to do with it."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from ablation.analysis.outcomes import VERDICTS, ClaimTestOutcome, Outcomes
from ablation.jobs.registration import FILE, contents_of, standings
from ablation.study.plan import Plan
from ablation.support.digests import digest


def verdict_text(tests: Iterable[ClaimTestOutcome]) -> str:
    """Write the verdict of some tests of one claim: a word or, where they differ, one per architecture."""
    verdicts = {(test.architecture, test.verdict): test.verdict for test in tests}
    if len(set(verdicts.values())) == 1:
        return next(iter(verdicts.values()))
    return ", ".join(f"{architecture}: {verdict}" for architecture, verdict in verdicts)


def verdicts_of_variants(outcomes: Outcomes) -> dict[str, dict[str, str]]:
    """Return for each variant the verdicts of the claims that it takes part in, as tags."""
    found: dict[str, dict[str, str]] = {}
    for claim in outcomes.claims:
        tests: dict[str, list[ClaimTestOutcome]] = {}
        for test in claim.tests:
            for variant in {cell.variant: None for cell in test.cells}:
                tests.setdefault(variant, []).append(test)
        for variant, own in tests.items():
            found.setdefault(variant, {})[f"verdict.{claim.claim}"] = verdict_text(own)
    return found


def verdicts_of_study(outcomes: Outcomes) -> dict[str, str]:
    """Return the verdict of each claim as a tag."""
    return {f"verdict.{claim.claim}": verdict_text(claim.tests) for claim in outcomes.claims if claim.tests}


def verdict_counts(outcomes: Outcomes) -> dict[str, float]:
    """Return how many tests came out in which way, as metrics: a claim has a test on each of its architectures."""
    counted = Counter(test.verdict for claim in outcomes.claims for test in claim.tests)
    return {f"verdicts.{verdict.replace(' ', '_')}": float(counted[verdict]) for verdict in VERDICTS}


def registered_bytes(folder: Path) -> int:
    """Return how much is registered of a study's claims, in bytes of a file that only grows."""
    try:
        return (folder / FILE).stat().st_size
    except FileNotFoundError:
        return 0


def registration_tags(plan: Plan, folder: Path, outcomes: Outcomes | None = None) -> dict[str, str]:
    """Return when each claim was registered as it stands, the digest of what it says, and why it is exploratory, if it is.

    Parameters
    ----------
    plan : Plan
    folder : Path
        The results of the study.
    outcomes : Outcomes, optional
        They know when the runs began; without them, what is known before that.
    """
    judged = {claim.claim: claim.exploratory for claim in outcomes.claims} if outcomes else {}
    contents, tags = contents_of(plan), {}
    for claim, standing in standings(plan, folder, {}).items():
        if standing.time is not None:
            when = datetime.fromtimestamp(standing.time, UTC)
            tags[f"registered.{claim}"] = when.isoformat(timespec="seconds")
            tags[f"registered.{claim}.digest"] = digest(contents[claim])
        if why := judged.get(claim, standing.exploratory):
            tags[f"exploratory.{claim}"] = why
    return tags
