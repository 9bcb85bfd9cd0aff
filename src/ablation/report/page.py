"""The report: one page that needs nothing else, with every number computed from the records."""

import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from ablation.analysis.contrasts import AS_CLAIMED, NO_INTERVAL, NOT_TESTABLE, OPEN, OPPOSITE
from ablation.networks.layertable import LayerRow, difference
from ablation.networks.layertext import NOTE, TEXT_COLUMNS, cells, change_cells, difference_text, totals_text
from ablation.records.store import FAILED
from ablation.report.byclass import class_table
from ablation.report.figures.table import FIGURES
from ablation.report.inputs import StudyTables
from ablation.report.provenance import core_seconds, facts, provenance, warnings
from ablation.report.tables import caption, effect_text, number_text, readable
from ablation.report.varied import own_parts, varied
from ablation.study.controls import CLOSE, reached
from ablation.study.plan import Plan
from ablation.support.accounting import Start
from ablation.support.formatting import plural

UNBUILT = "cannot be built; its page in plan/layers says why."
TRACEBACK_LINES = 24  # of the end of a traceback: the page is no log


def html_table(table: pd.DataFrame, text_columns: set[str], baselines: set[str] = frozenset()) -> Markup:
    """Write a sortable table; rows whose first cell is a baseline are shaded."""

    def css(column: str) -> str:
        return ' class="text"' if column in text_columns else ""

    head = "".join(f"<th{css(column)}>{escape(column)}</th>" for column in table)
    rows = []
    for record in table.to_dict("records"):
        shade = ' class="baseline"' if next(iter(record.values())) in baselines else ""
        rows.append(
            f"<tr{shade}>" + "".join(f"<td{css(c)}>{escape(cell)}</td>" for c, cell in record.items()) + "</tr>"
        )
    return Markup(
        f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>\n' + "\n".join(rows) + "\n</tbody></table>"
    )


def matched_text(row: pd.Series) -> str:
    """Write the quantity in which a variant and its control agree, and the ratio of the two."""
    quantity = row["matched"].replace("_", "-")
    if math.isnan(row["size_ratio"]):
        return f"{quantity} are not known of both"
    return f"{'equal' if reached(row['size_ratio']) else 'unequal'} {quantity}, × {row['size_ratio']:.2f}"


def claim_sections(plan: Plan, claims: pd.DataFrame) -> list[dict[str, Any]]:
    """Group the rows of `claims.csv` by claim, as texts."""
    sections = []
    for name, claim in plan.study.claims.items():
        metric = plan.metrics[claim.metric]
        rows = [
            {
                "architecture": row["architecture"],
                "compared": f"{claim.factor}: {claim.level} − {claim.against}"
                + "".join(f", {factor} {level}" for factor, level in claim.given.items())
                + (f", at {matched_text(row)}" if claim.match else ""),
                "metric": metric.label,
                "effect": "–"
                if row["not_testable"]
                else effect_text(row["effect"], row["low"], row["high"], metric)
                + f" {'points' if metric.unit == '%' else metric.unit}",
                "n": f"{row['n_variant']} + {row['n_reference']}",
                "observed": row["observed"],
                "why": row["not_testable"],
                "css": row["observed"].split()[0],
            }
            for _, row in claims[claims["claim"] == name].iterrows()
        ]
        sections.append({"statement": claim.statement, "source": claim.source, "rows": rows})
    return sections


def variant_section(layers: Sequence[LayerRow], baseline: Sequence[LayerRow]) -> dict[str, Any]:
    """Write in what the layers of a variant differ from those of its baseline; either may be unknown."""
    if not layers:
        return {"text": UNBUILT, "table": ""}
    if not baseline:
        return {"text": f"{totals_text(layers)} Its baseline cannot be built.", "table": ""}
    changes = difference(layers, baseline)
    rows = pd.DataFrame([change_cells(change) for change in changes if change.status != "same"])
    text = difference_text(changes, layers, baseline, "the baseline")
    return {"text": text, "table": html_table(rows, set(TEXT_COLUMNS)) if len(rows) else ""}


def layer_sections(plan: Plan, tables: Mapping[str, Sequence[LayerRow]]) -> list[dict[str, Any]]:
    """Write, per architecture, the layers of its baseline and in what its variants differ."""
    sections = []
    for architecture in plan.study.architectures:
        baseline, variants = tables.get(architecture, []), []
        for variant in plan.variants.values():
            if variant.architecture == architecture and variant.changed:
                variants.append({"id": variant.id, **variant_section(tables.get(variant.id, []), baseline)})
        table = html_table(pd.DataFrame([cells(layer) for layer in baseline]), set(TEXT_COLUMNS)) if baseline else ""
        text = totals_text(baseline) if baseline else UNBUILT
        sections.append({"architecture": architecture, "text": text, "table": table, "variants": variants})
    return sections


def verdict(plan: Plan, claims: pd.DataFrame, contrasts: pd.DataFrame) -> str:
    """Sum the claims up in one sentence, or the contrasts of a study without claims."""
    if len(claims):
        seen = claims["observed"].value_counts()
        parts = [
            f"{seen.get(kind, 0)} {kind}"
            for kind in (AS_CLAIMED, OPPOSITE, OPEN, NO_INTERVAL, NOT_TESTABLE)
            if kind in (AS_CLAIMED, OPPOSITE, OPEN) or kind in seen
        ]
        counts = [plural(len(plan.study.claims), "claim"), plural(len(claims), "contrast")]
        return f"{counts[0]}, tested by {counts[1]}: {', '.join(parts)}."
    first = plan.study.metrics[0]
    rows = contrasts[(contrasts["metric"] == first) & contrasts["low"].notna()]
    clear = rows[(rows["low"] > 0) | (rows["high"] < 0)]
    reasons = [why for why in contrasts.loc[contrasts["metric"] == first, "not_testable"] if why]
    text = (
        f"{len(rows)} contrasts on {plan.metrics[first].label}; in {len(clear)} the 95 % interval lies clear of zero."
    )
    return f"{text} {len(reasons)} more {'is' if len(reasons) == 1 else 'are'} {NOT_TESTABLE}." if reasons else text


def first_reason(tables: StudyTables) -> str:
    """Return why the first claim or contrast that is not testable is none; empty if all are."""
    return next(filter(None, [*tables.claims["not_testable"], *tables.contrasts["not_testable"]]), "")


def unmeasured(plan: Plan, runs: pd.DataFrame) -> list[dict[str, Any]]:
    """List the metrics whose code failed: for how many runs, and why for the first of them."""
    errors = [error for text in runs["metric_errors"].dropna() for error in json.loads(text).items()]
    found = pd.DataFrame(errors, columns=["metric", "why"]).groupby("metric", sort=False)["why"]
    return [{"metric": plan.metrics[name].label, "runs": len(whys), "why": whys.iloc[0]} for name, whys in found]


def readable_contrasts(plan: Plan, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Write `contrasts.csv` as a table of texts for people."""
    rows = []
    for _, row in contrasts.iterrows():
        metric = plan.metrics[row["metric"]]
        rows.append(
            {
                "variant": row["variant"],
                "against": row["reference"] + (f" ({matched_text(row)})" if row["matched"] else ""),
                "metric": metric.title,
                "effect [95 %]": NOT_TESTABLE
                if row["not_testable"]
                else effect_text(row["effect"], row["low"], row["high"], metric),
                "n": f"{row['n_variant']} + {row['n_reference']}",
            }
        )
    return pd.DataFrame(rows, columns=["variant", "against", "metric", "effect [95 %]", "n"])


def failures(plan: Plan, runs: pd.DataFrame, curves: pd.DataFrame) -> list[dict[str, Any]]:
    """List the runs that diverged or were stuck."""
    rows = []
    for _, run in runs[runs["status"].isin(["diverged", "stuck"])].iterrows():
        own_rows = curves[(curves["variant"] == run["variant"]) & (curves["seed"] == run["seed"])]
        loss = own_rows["objective"].iloc[-1]
        accuracy = plan.metrics["train_accuracy"]
        rows.append(
            {
                "variant": run["variant"],
                "seed": run["seed"],
                "status": run["status"],
                "epochs": len(own_rows),
                "loss": "not finite" if math.isnan(loss) else f"{loss:.3f}",
                "accuracy": f"{number_text(run['train_accuracy'], accuracy)} %" if run["status"] == "stuck" else "–",
            }
        )
    return rows


def errors_of_runs(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """List the runs that failed by themselves: their error in a line, the end of its traceback, and the log."""
    columns = ["variant", "seed", "epochs", "error", "traceback", "log"]
    rows = runs.loc[runs["status"] == FAILED].reindex(columns=columns).to_dict("records")
    return [
        {**row, "traceback": "".join(row["traceback"].splitlines(keepends=True)[-TRACEBACK_LINES:])} for row in rows
    ]


def figure_sections(plan: Plan, figures: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give each figure (SVG by name) its caption and its section of the page."""
    accuracy = plan.metrics[plan.watched_accuracy].label
    return [
        {
            "section": FIGURES[name].section,
            "svg": Markup(inline_svg(svg)),
            "caption": FIGURES[name].caption.format(accuracy=accuracy),
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
    text_columns = {"variant", "failures", "against", "metric"}
    return template.render(
        name=plan.name,
        study=plan.study,
        run_count=len(tables.runs),
        facts=facts(tables, manifest),
        verdict=verdict(plan, tables.claims, tables.contrasts),
        claims=claim_sections(plan, tables.claims),
        comparison=html_table(readable(plan, tables.comparison), text_columns, set(plan.study.architectures)),
        caption=caption(plan, tables.runs),
        by_class=class_table(plan, tables.classes),
        figures=figure_sections(plan, figures),
        varied=varied(plan),
        parts=own_parts(plan),
        networks=layer_sections(plan, tables.layers),
        layers_note=NOTE,
        failed=errors_of_runs(tables.runs),
        untestable=first_reason(tables),
        unmeasured=unmeasured(plan, tables.runs),
        failures=failures(tables.plan, tables.runs, tables.curves),
        contrasts=html_table(readable_contrasts(tables.plan, tables.contrasts), text_columns),
        contrast_count=len(tables.contrasts),
        close=f"{CLOSE:.0%}".replace("%", " %"),
        warnings=warnings(tables.runs, certificate),
        provenance=[*provenance(tables, manifest, certificate), *core_seconds(starts)],
        recipe=[(name.replace("_", " "), value) for name, value in plan.study.recipe.model_dump().items()],
    )


def inline_svg(svg: str) -> str:
    """Strip what a page does not need from an SVG file: the XML head before the element."""
    return svg[svg.index("<svg") :]
