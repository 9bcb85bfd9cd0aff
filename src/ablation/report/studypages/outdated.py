"""Whether a page is still that of the code: by the keys of its runs and by what the study file says, without data."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ablation.jobs.shards import planned_runs
from ablation.study.plan import Plan
from ablation.study.schema import StudyError
from ablation.support.digests import digest
from ablation.support.formatting import plural
from ablation.support.wording import cut

MOST = 5  # variants that are named


def definition(plan: Plan) -> dict[str, str]:
    """Return a digest of each entry of a study file that is not at its default.

    So an entry that the program gains with a default makes no page out of date.
    """
    stated = plan.study.model_dump(mode="json", exclude_defaults=True)
    return {name: digest(content) for name, content in sorted(stated.items())}


def keys_of_results(runs: pd.DataFrame) -> dict[str, str]:
    """Return by variant a digest of the keys of its runs (`runs.parquet`), in the order of seeds."""
    ordered = runs.sort_values("seed")
    return {variant: digest(list(rows["key"])) for variant, rows in ordered.groupby("variant")}


def keys_of_code(plan: Plan, data_digest: str) -> dict[str, str]:
    """Return the same of the runs that a plan would train today."""
    found: dict[str, list[str]] = {}
    for run in sorted(planned_runs(plan, data_digest), key=lambda run: run.seed):
        found.setdefault(run.variant, []).append(run.key)
    return {variant: digest(keys) for variant, keys in found.items()}


def differences(page: Mapping[str, Any], plan: Plan) -> list[str]:
    """Say in what a page is no longer that of the code, a sentence each; empty where it is.

    The data are taken to be those of the page, and so are the sizes of its controls as far as the study still asks for them.

    Parameters
    ----------
    page : mapping
        As `ablation.report.studypages.content.page_content` writes it.
    plan : Plan
        The study as its file states it now.
    """
    now, then = definition(plan), page["definition"]
    changed = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    said = [f"the study file says something else ({', '.join(changed)})"] if changed else []
    try:
        plan = plan.settled({key: size for key, size in page["answers"].items() if key in plan.questions})
    except StudyError as error:
        return [*said, f"the sizes of its controls do not fit any more ({cut(str(error))})"]
    now, then = keys_of_code(plan, page["data"]["digest"]), page["keys"]
    return [
        *said,
        *_named("would be trained otherwise", [name for name in now if name in then and now[name] != then[name]]),
        *_named("not on the page", [name for name in now if name not in then]),
        *_named("not of the study any more", [name for name in then if name not in now]),
    ]


def _named(what: str, variants: list[str]) -> list[str]:
    """Say something of some variants; nothing of none."""
    if not variants:
        return []
    more = f" and {len(variants) - MOST} more" if len(variants) > MOST else ""
    return [f"{plural(len(variants), 'variant')} {what}: {', '.join(variants[:MOST])}{more}"]
