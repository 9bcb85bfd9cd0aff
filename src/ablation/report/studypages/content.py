"""The content of a study's page, as plain data: all that is written on it, and what tells whether it is out of date."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd

from ablation.analysis.failures import counts_by_variant
from ablation.analysis.published.comparison import Comparison
from ablation.records.store import FAILED
from ablation.report.inputs import StudyTables
from ablation.report.provenance import NONE, provenance, warnings
from ablation.report.published import comparison_rows, published_summary
from ablation.report.studypages.claims import claims_content, counts, phrase
from ablation.report.studypages.outdated import definition, keys_of_results
from ablation.report.tables import caption, failures_text, readable
from ablation.report.verdicts import correction_words
from ablation.support.accounting import Start

FORMAT = 1
MOST_COLUMNS = 7
MOST_ROWS = 30  # of a table: whoever wants more runs the study
LEFT_OUT = ("multiply-adds", "training (s)", "completed alone")  # columns that a page has no room for
SHOWN = ("data", "source of the images", "identical images", "diagnostics", "torch", "Python", "device")
SHOWN += ("threads of each training", "certificate", "smallest effect of interest")


class Results(NamedTuple):
    """What a page is computed from.

    Attributes
    ----------
    tables : StudyTables
    manifest : mapping
        `data.json`.
    starts : sequence of Start
        What the study's starts on this machine have spent.
    certificate : mapping or None
    published : sequence of Comparison
        The study held against published numbers.
    date : datetime
        When the tables were made.
    """

    tables: StudyTables
    manifest: Mapping[str, Any]
    starts: Sequence[Start]
    certificate: Mapping[str, Any] | None
    published: Sequence[Comparison]
    date: datetime


def page_content(found: Results, command: str, figure: Mapping[str, str] | None) -> dict[str, Any]:
    """Compute all that a study's page says.

    Parameters
    ----------
    found : Results
    command : str
        That makes the results again.
    figure : mapping or None
        Name of the ``file`` beside the page, and ``caption``.

    Returns
    -------
    dict
        What `json` can write. ``definition``, ``answers``, ``keys`` and the digest of ``data`` tell whether the page is out
        of date (`ablation.report.studypages.outdated`); ``kept`` says why it may be, or is None.
    """
    tables, manifest = found.tables, found.manifest
    plan, runs, outcomes = tables.plan, tables.runs, tables.verdicts
    return {
        "format": FORMAT,
        "study": plan.name,
        "title": plan.study.title,
        "question": plan.study.question,
        "command": command,
        "made": {"date": f"{found.date:%Y-%m-%d}", "revisions": revisions(runs)},
        "kept": None,
        "definition": definition(plan),
        "answers": dict(plan.answers),
        "data": {"name": plan.study.data.name, "digest": manifest["digest"], "counts": manifest["counts"]},
        "keys": keys_of_results(runs),
        "seeds": list(plan.study.seeds),
        "counts": {"runs": len(runs), "variants": len(plan.variants), "claims": len(outcomes.claims)},
        "verdicts": counts(outcomes),
        "summary": phrase(outcomes) or published_summary(plan, found.published) or "no claims",
        "claims": claims_content(outcomes),
        "correction": correction_words(outcomes),
        "comparison": comparison_content(tables),
        "published": _table(comparison_rows(found.published)),
        "figure": figure,
        "failures": failures_content(runs),
        "cost": cost_content(runs, found.starts),
        "warnings": warnings(runs, found.certificate),
        "circumstances": circumstances(found),
    }


def revisions(runs: pd.DataFrame) -> list[str]:
    """List the revisions of the code by which the runs were trained, that of most runs first; none where none is known."""
    return [str(revision) for revision in runs["git"].dropna().value_counts().index]


def comparison_content(tables: StudyTables) -> dict[str, Any]:
    """Write the comparison as texts, of a study with many variants the first ones."""
    table = narrowed(readable(tables.plan, tables.comparison))
    return {**_table(table.to_dict("records")), "caption": caption(tables.plan, tables.runs)}


def narrowed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a readable comparison without the columns that a page has no room for: what it says elsewhere goes first."""
    twice = ["parameters"] * any(column.startswith("parameters (") for column in table)  # a metric of the study, too
    table = table[[column for column in table if not column.startswith(LEFT_OUT) and column not in twice]]
    same = ["n"] if table["n"].nunique() == 1 else []  # which the caption states
    spare = ["failures", *same, "parameters", *reversed(table.columns[3:])]
    dropped = list(dict.fromkeys(column for column in spare if column in table and not column.startswith("effect")))
    return table.drop(columns=dropped[: max(0, len(table.columns) - MOST_COLUMNS)])


def _table(rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {
        "columns": list(rows[0]) if rows else [],
        "rows": [list(row.values()) for row in rows[:MOST_ROWS]],
        "left_out": max(0, len(rows) - MOST_ROWS),
    }


def failures_content(runs: pd.DataFrame) -> dict[str, Any]:
    """List the variants of which runs failed, diverged or were stuck, and the errors of those that failed."""
    rows = [
        {"variant": variant, "runs": str(found.runs), "failures": text}
        for variant, found in counts_by_variant(runs).items()
        if (text := failures_text(found._asdict())) != "none"
    ]
    errors = runs.loc[runs["status"] == FAILED, "error"] if "error" in runs else pd.Series(dtype=str)
    return {**_table(rows), "errors": list(dict.fromkeys(errors.dropna()))[:5]}


def cost_content(runs: pd.DataFrame, starts: Sequence[Start]) -> dict[str, Any]:
    """State what the runs cost in seconds: of their cores (or GPUs), and of the clock while starts trained them.

    ``worked`` is what these starts themselves trained: another study may have left records that this one wants, too.
    """
    seconds, on_cpu = runs[["training_seconds", "evaluate_seconds"]].sum(axis=1), (runs["device"] == "cpu").all()
    trained = [start for start in starts if start.work]
    return {
        "of": "cores" if on_cpu else "GPUs",
        "seconds": round(float((seconds * (runs["threads"].fillna(1) if on_cpu else 1)).sum()), 1),
        "worked": round(sum(start.work if on_cpu else start.work / start.threads for start in trained), 1),
        "wall": round(sum(start.elapsed for start in trained), 1),
        "cores": max((start.cores for start in trained), default=None),
    }


def circumstances(found: Results) -> list[list[str]]:
    """State data, seeds, machine and versions: pairs of a name and a value."""
    rows = dict(provenance(found.tables, found.manifest, found.certificate))
    counts = found.manifest["counts"]
    images = (
        f"{counts['train']:,} for training, {counts['validation']:,} for validation, {counts['test']:,} for the test"
    )
    made = {
        "date": f"{found.date:%Y-%m-%d}",
        "revision of the code": ", ".join(map(short_revision, revisions(found.tables.runs))) or "unknown",
        "seeds": ", ".join(map(str, found.tables.plan.study.seeds)),
        "images": images,
    }
    known = {name: without_folder(rows[name]) for name in SHOWN if rows.get(name, NONE) != NONE}
    return [*map(list, made.items()), *map(list, known.items())]


def without_folder(text: str) -> str:
    """Write a text without the folder that it names: where data lie on one machine is nobody else's business."""
    return re.sub(r"(?:/[^/\s,;]+){2,}/?", "a local folder", text)


def short_revision(revision: str) -> str:
    """Write the first characters of a revision, and whether the source was changed since (``+``)."""
    return revision[:12] + "+" * (len(revision) > 12 and revision.endswith("+"))
