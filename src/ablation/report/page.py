"""The report: one page that needs nothing else, with every number computed from the records."""

import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from ablation.analysis.contrasts import AS_CLAIMED, NO_INTERVAL, OPEN, OPPOSITE
from ablation.catalogue.metrics import METRICS
from ablation.networks.layertable import (
    NOTE,
    TEXT_COLUMNS,
    Layer,
    cells,
    change_cells,
    difference,
    difference_text,
    read_tables,
    totals_text,
)
from ablation.report.tables import caption, effect_text, number_text, readable
from ablation.study.plan import Plan
from ablation.support.formatting import count, plural

FIGURE_CAPTIONS = {
    "blocks": "What is compared: the blocks of each baseline along the depth. The height of a box shows the side, its width "
    "the channels, both by their logarithms. Repeated blocks are folded; below stands what the last of them gives.",
    "curves": "Training loss and {accuracy} by epoch: the mean over seeds, and the range from lowest to highest.",
    "runs": "Every run's final value; the bar is the mean of the variant.",
    "effects": "Difference of each variant's mean from its baseline's, with the 95 % interval over seeds (Welch).",
    "series": "The levels of a numeric factor against the parameters that they cost.",
    "gradient_flow": "Root mean square of the gradient of the training loss by each layer's weights, on a fixed batch "
    "of training images; layers in order of execution. Where a line falls to the left, the gradient vanishes.",
    "saturation": "Share of the outputs of activations that are saturated (sigmoid: within 0.02 of 0 or 1; tanh: beyond "
    "±0.96; GELU below -3, SiLU below -6) or inactive (ReLU: zero; leaky ReLU: negative), and share of the units that are "
    "so for every image and position of the fixed batch.",
    "sources": "Mean magnitude of the weights by which each layer of a dense block reads each earlier one, as in Huang et "
    "al. 2017, figure 5: source 0 is what enters the block, the last column the transition after it. Baselines only.",
}


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
    """Say in what a variant and its control agree, and how nearly."""
    return f"equal {row['matched'].replace('_', '-')}, × {row['size_ratio']:.2f}"


def claim_sections(plan: Plan, claims: pd.DataFrame) -> list[dict[str, Any]]:
    """Group the rows of `claims.csv` by claim, as texts."""
    sections = []
    for name, claim in plan.study.claims.items():
        metric = METRICS[claim.metric]
        rows = [
            {
                "architecture": row["architecture"],
                "compared": f"{claim.factor}: {claim.level} − {claim.against}"
                + "".join(f", {factor} {level}" for factor, level in claim.given.items())
                + (f", at {matched_text(row)}" if claim.match else ""),
                "metric": metric.label,
                "effect": effect_text(row["effect"], row["low"], row["high"], metric)
                + f" {'points' if metric.unit == '%' else metric.unit}",
                "n": f"{row['n_variant']} + {row['n_reference']}",
                "observed": row["observed"],
                "css": row["observed"].split()[0],
            }
            for _, row in claims[claims["claim"] == name].iterrows()
        ]
        sections.append({"statement": claim.statement, "source": claim.source, "rows": rows})
    return sections


def layer_sections(plan: Plan, tables: Mapping[str, Sequence[Layer]]) -> list[dict[str, Any]]:
    """Tell by architecture what its baseline is, layer by layer, and in what its variants differ."""
    sections = []
    for architecture in plan.study.architectures:
        baseline, variants = tables[architecture], []
        for variant in plan.variants.values():
            if variant.architecture == architecture and variant.changed:
                changes = difference(tables[variant.id], baseline)
                rows = pd.DataFrame([change_cells(change) for change in changes if change.status != "same"])
                variants.append(
                    {
                        "id": variant.id,
                        "text": difference_text(changes, tables[variant.id], baseline, "the baseline"),
                        "table": html_table(rows, set(TEXT_COLUMNS)) if len(rows) else "",
                    }
                )
        rows = pd.DataFrame([cells(layer) for layer in baseline])
        table = html_table(rows, set(TEXT_COLUMNS))
        sections.append(
            {"architecture": architecture, "text": totals_text(baseline), "table": table, "variants": variants}
        )
    return sections


def verdict(plan: Plan, claims: pd.DataFrame, contrasts: pd.DataFrame) -> str:
    """Say in a sentence what came out."""
    if len(claims):
        seen = claims["observed"].value_counts()
        parts = [
            f"{seen.get(kind, 0)} {kind}"
            for kind in (AS_CLAIMED, OPPOSITE, OPEN, NO_INTERVAL)
            if kind != NO_INTERVAL or kind in seen
        ]
        counts = [plural(len(plan.study.claims), "claim"), plural(len(claims), "contrast")]
        return f"{counts[0]}, tested by {counts[1]}: {', '.join(parts)}."
    first = plan.study.metrics[0]
    rows = contrasts[(contrasts["metric"] == first) & contrasts["low"].notna()]
    clear = rows[(rows["low"] > 0) | (rows["high"] < 0)]
    return f"{len(rows)} contrasts on {METRICS[first].label}; in {len(clear)} the 95 % interval lies clear of zero."


def readable_contrasts(contrasts: pd.DataFrame) -> pd.DataFrame:
    """Write `contrasts.csv` for people."""
    rows = []
    for _, row in contrasts.iterrows():
        metric = METRICS[row["metric"]]
        rows.append(
            {
                "variant": row["variant"],
                "against": row["reference"] + (f" ({matched_text(row)})" if row["matched"] else ""),
                "metric": metric.title,
                "effect [95 %]": effect_text(row["effect"], row["low"], row["high"], metric),
                "n": f"{row['n_variant']} + {row['n_reference']}",
            }
        )
    return pd.DataFrame(rows, columns=["variant", "against", "metric", "effect [95 %]", "n"])


def failures(runs: pd.DataFrame, curves: pd.DataFrame) -> list[dict[str, Any]]:
    """List the runs that diverged or were stuck."""
    rows = []
    for _, run in runs[runs["status"] != "completed"].iterrows():
        mine = curves[(curves["variant"] == run["variant"]) & (curves["seed"] == run["seed"])]
        loss = mine["train_loss"].iloc[-1]
        accuracy = METRICS["train_accuracy"]
        rows.append(
            {
                "variant": run["variant"],
                "seed": run["seed"],
                "status": run["status"],
                "epochs": len(mine),
                "loss": "not finite" if math.isnan(loss) else f"{loss:.3f}",
                "accuracy": f"{number_text(run['train_accuracy'], accuracy)} %" if run["status"] == "stuck" else "–",
            }
        )
    return rows


def mixtures(runs: pd.DataFrame) -> list[str]:
    """Warn where the runs of a study were not all trained alike."""
    names = {"device": "devices", "processor": "processors", "torch": "versions of torch", "threads": "thread counts"}
    warnings = []
    for column, name in names.items():
        values = sorted(map(str, runs[column].dropna().unique()))
        if len(values) > 1:
            warnings.append(f"The runs mix {name}: {', '.join(values)}.")
    return warnings


def diagnostics_cost(plan: Plan, runs: pd.DataFrame) -> list[tuple[str, str]]:
    """Say what the diagnostics of a study cost; nothing if it has none."""
    if not plan.study.diagnostics:
        return []
    seconds, training = runs["diagnostics_seconds"].sum(), runs["training_seconds"].sum()
    epochs = ", ".join(map(str, sorted(plan.study.diagnostics)))
    share = f"{100 * seconds / training:.1f} % of training"
    return [("diagnostics", f"{seconds:.1f} s, {share}, and not counted in it (epochs {epochs})")]


def _span(values: pd.Series) -> str:
    return ", ".join(sorted({str(value) for value in values.dropna()})) or "unknown"


def write_report(
    plan: Plan,
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    contrasts: pd.DataFrame,
    claims: pd.DataFrame,
    table: pd.DataFrame,
    layers: pd.DataFrame,
    manifest: Mapping[str, Any],
    figures: Mapping[str, str],
) -> str:
    """Write the page.

    Parameters
    ----------
    plan : Plan
    runs, curves, contrasts, claims, table, layers : pandas.DataFrame
        `runs.parquet`, `curves.parquet`, `contrasts.csv`, `claims.csv`, `tables/comparison.csv` and `plan/layers.csv`.
    manifest : mapping
        Of the prepared data.
    figures : mapping of str to str
        SVG by name.

    Returns
    -------
    str
        HTML without any reference to another file.
    """
    study = plan.study
    counts = manifest["counts"]
    seconds = runs["training_seconds"].sum() + runs["evaluate_seconds"].sum()
    work = 3 * counts["train"] * (runs["multiply_adds"] * runs["epochs"]).sum()
    status = runs["status"].value_counts()
    watched = METRICS[plan.watched_accuracy].label
    facts = [
        ("runs", f"{len(runs)}"),
        ("variants", f"{len(plan.variants)}"),
        ("seeds each", f"{len(study.seeds)}"),
        ("data", f"{study.data.name}, {counts['train']} / {counts['validation']} / {counts['test']} images"),
        ("failed", f"{status.get('diverged', 0)} diverged, {status.get('stuck', 0)} stuck"),
        ("training", f"{seconds / 60:.1f} min in all"),
    ]
    provenance = [
        ("study", plan.name),
        ("data", f"{study.data.name}, digest {manifest['digest']}; split seed {study.data.split_seed}"),
        ("source of the images", manifest["source"]),
        (
            "images",
            f"{counts['train']} for training, {counts['validation']} for validation, {counts['test']} for the test",
        ),
        ("test set", "read once a run, after its last epoch; nothing was chosen by it"),
        ("training and evaluation", f"{seconds:.0f} s over all runs; about {count(work)} multiply-adds"),
        *diagnostics_cost(plan, runs),
        ("source", _span(runs["git"])),
        ("torch", _span(runs["torch"])),
        ("Python", _span(runs["python"])),
        ("device", f"{_span(runs['device'])} ({_span(runs['processor'])}), threads: {_span(runs['threads'])}"),
        ("smallest effect of interest", f"{study.smallest_effect:g} ({METRICS[study.metrics[0]].label})"),
    ]
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        resources.files("ablation.report").joinpath("templates/report.html").read_text(encoding="utf-8")
    )
    text_columns = {"variant", "failures", "against", "metric"}
    return template.render(
        study=study,
        facts=facts,
        verdict=verdict(plan, claims, contrasts),
        claims=claim_sections(plan, claims),
        comparison=html_table(readable(plan, table), text_columns, set(study.architectures)),
        caption=caption(plan, runs),
        figures=[
            {"name": name, "svg": Markup(inline_svg(svg)), "caption": FIGURE_CAPTIONS[name].format(accuracy=watched)}
            for name, svg in figures.items()
        ],
        networks=layer_sections(plan, read_tables(layers)),
        layers_note=NOTE,
        failures=failures(runs, curves),
        contrasts=html_table(readable_contrasts(contrasts), text_columns),
        contrast_count=len(contrasts),
        warnings=mixtures(runs),
        provenance=provenance,
        recipe=[(name.replace("_", " "), value) for name, value in study.recipe.model_dump().items()],
    )


def inline_svg(svg: str) -> str:
    """Strip what a page does not need from an SVG file: the XML head before the element."""
    return svg[svg.index("<svg") :]
