"""The report: one page that needs nothing else, with every number computed from the records."""

import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from ablation.analysis.maineffects import MANY, has_many, main_effects
from ablation.networks.layertext import NOTE
from ablation.records.store import DIVERGED, FAILED, STUCK
from ablation.report.byclass import class_table
from ablation.report.claims import claim_sections, claim_tables, verdict
from ablation.report.contrasttables import failure_rates, readable_contrasts
from ablation.report.figures.table import FIGURES
from ablation.report.htmltables import fitting_table, html_table, searchable_table
from ablation.report.inputs import StudyTables
from ablation.report.provenance import core_seconds, facts, provenance, warnings
from ablation.report.structures import layer_sections
from ablation.report.tables import caption, number_text, readable, readable_effects
from ablation.report.varied import own_parts, varied
from ablation.study.controls import CLOSE
from ablation.study.plan import Plan
from ablation.support.accounting import Start

TRACEBACK_LINES = 24  # of the end of a traceback: the page is no log


def first_reason(tables: StudyTables) -> str:
    """Return why the first claim or contrast that is not testable is none; empty if all are."""
    of_claims = [test.why for claim in tables.verdicts.claims for test in claim.tests]
    return next(filter(None, [*of_claims, *tables.contrasts["not_testable"]]), "")


def unmeasured(plan: Plan, runs: pd.DataFrame) -> list[dict[str, Any]]:
    """List the metrics whose code failed: for how many runs, and why for the first of them."""
    errors = [error for text in runs["metric_errors"].dropna() for error in json.loads(text).items()]
    found = pd.DataFrame(errors, columns=["metric", "why"]).groupby("metric", sort=False)["why"]
    return [{"metric": plan.metrics[name].label, "runs": len(whys), "why": whys.iloc[0]} for name, whys in found]


def failures(plan: Plan, runs: pd.DataFrame, curves: pd.DataFrame) -> list[dict[str, Any]]:
    """List the runs that diverged or were stuck."""
    chosen = runs[runs["status"].isin([DIVERGED, STUCK])]
    own_curves = dict(iter(curves[curves["variant"].isin(chosen["variant"])].groupby(["variant", "seed"])["objective"]))
    accuracy, rows = plan.metrics["train_accuracy"], []
    for run in chosen.itertuples():
        objective = own_curves[run.variant, run.seed]
        loss, stopped = objective.iloc[-1], getattr(run, "stopped_at", None)
        rows.append(
            {
                "variant": run.variant,
                "seed": run.seed,
                "status": run.status,
                "epochs": len(objective),
                "stopped": "–" if pd.isna(stopped) else f"after epoch {stopped:.0f}",
                "loss": "not finite" if math.isnan(loss) else f"{loss:.3f}",
                "accuracy": f"{number_text(run.train_accuracy, accuracy)} %" if run.status == STUCK else "–",
            }
        )
    return rows


def failures_table(rows: list[dict[str, Any]]) -> Markup | str:
    """Write many runs that diverged or were stuck as a table to search; nothing of few, which the page lists."""
    if len(rows) <= MANY:
        return ""
    table = pd.DataFrame(rows).rename(
        columns={"stopped": "stopped before its last", "loss": "last objective", "accuracy": "training accuracy"}
    )
    return searchable_table(table, {"variant", "status"}, "runs.parquet")


def failure_parts(tables: StudyTables) -> dict[str, Any]:
    """Write what diverged or was stuck: the runs, and how the rates differ."""
    rows = failures(tables.plan, tables.runs, tables.curves)
    rates = failure_rates(tables.plan, tables.contrasts)
    return {
        "failures": rows,
        "failures_table": failures_table(rows),
        "failure_rates": fitting_table(rates, {"variant", "against"}, "contrasts.csv") if len(rates) else "",
    }


def errors_of_runs(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """List the runs that failed by themselves, at most `MANY`: their error in a line, the end of its traceback, the log."""
    columns = ["variant", "seed", "epochs", "error", "traceback", "log"]
    rows = runs.loc[runs["status"] == FAILED].head(MANY).reindex(columns=columns).to_dict("records")
    return [
        {**row, "traceback": "".join(row["traceback"].splitlines(keepends=True)[-TRACEBACK_LINES:])} for row in rows
    ]


def big_tables(tables: StudyTables) -> dict[str, Any]:
    """Write the comparison and the contrasts; of a study with many variants, main effects and tables to search."""
    plan, text_columns = tables.plan, {"variant", "failures", "against", "metric", "network", "factor", "level"}
    baselines, every = set(plan.study.architectures), readable(plan, tables.comparison)
    contrasts = readable_contrasts(plan, tables.contrasts)
    if not has_many(plan):
        return {
            "comparison": html_table(every, text_columns, baselines),
            "contrasts": html_table(contrasts, text_columns),
        }
    effects = readable_effects(plan, main_effects(plan, tables.runs, plan.study.metrics[0]))
    return {
        "main_effects": fitting_table(effects, text_columns, "runs.parquet") if len(effects) else "",
        "comparison": searchable_table(every, text_columns, "tables/comparison.csv", baselines),
        "contrasts": searchable_table(contrasts, text_columns, "contrasts.csv"),
        "first_metric": plan.metrics[plan.study.metrics[0]].label,
    }


def figure_sections(plan: Plan, figures: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give each figure (SVG by name) its caption and its section of the page."""
    accuracy, many = plan.metrics[plan.watched_accuracy].label, has_many(plan)
    return [
        {
            "section": FIGURES[name].section,
            "svg": Markup(inline_svg(svg)),
            "caption": ((many and FIGURES[name].of_many) or FIGURES[name].caption).format(accuracy=accuracy),
        }
        for name, svg in figures.items()
    ]


def write_report(
    tables: StudyTables,
    manifest: Mapping[str, Any],
    figures: Mapping[str, str],
    starts: Sequence[Start] = (),
    certificate: Mapping[str, Any] | None = None,
) -> str:
    """Write the page.

    Parameters
    ----------
    tables : StudyTables
    manifest : mapping
        Of the prepared data.
    figures : mapping of str to str
        SVG by name.
    starts : sequence of Start, optional
        What the study's starts on one machine have spent.
    certificate : mapping, optional
        As `ablation.records.certificate.read_certificate` returns it.

    Returns
    -------
    str
        HTML without any reference to another file.
    """
    plan = tables.plan
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        resources.files("ablation.report").joinpath("templates/report.html").read_text(encoding="utf-8")
    )
    claims = claim_sections(plan, tables.verdicts)
    return template.render(
        name=plan.name,
        study=plan.study,
        run_count=len(tables.runs),
        facts=facts(tables, manifest),
        verdict=verdict(plan, tables.verdicts, tables.contrasts),
        claims=claims,
        claim_tables=claim_tables(claims),
        many=has_many(plan),
        **big_tables(tables),
        caption=caption(plan, tables.runs),
        by_class=class_table(plan, tables.classes, tables.runs),
        figures=figure_sections(plan, figures),
        varied=varied(plan),
        parts=own_parts(plan),
        networks=layer_sections(plan, tables.layers),
        layers_note=NOTE,
        failed=errors_of_runs(tables.runs),
        failed_count=int((tables.runs["status"] == FAILED).sum()),
        untestable=first_reason(tables),
        unmeasured=unmeasured(plan, tables.runs),
        **failure_parts(tables),
        contrast_count=len(tables.contrasts),
        close=f"{CLOSE:.0%}".replace("%", " %"),
        warnings=warnings(tables.runs, certificate),
        provenance=[*provenance(tables, manifest, certificate), *core_seconds(starts)],
        recipe=[(name.replace("_", " "), value) for name, value in plan.study.recipe.model_dump().items()],
    )


def inline_svg(svg: str) -> str:
    """Strip what a page does not need from an SVG file: the XML head before the element."""
    return svg[svg.index("<svg") :]
