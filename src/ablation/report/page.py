"""The report: one page that needs nothing else, with every number computed from the records."""

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup, escape

from ablation.analysis.maineffects import has_many, main_effects
from ablation.networks.layertext import NOTE
from ablation.report.byclass import class_table
from ablation.report.claimdetails import claim_details
from ablation.report.claims import claim_groups, claim_tables, has_many_tests, meanings, tally
from ablation.report.contrasttables import readable_contrasts
from ablation.report.failed import failure_parts
from ablation.report.figures.table import FIGURES
from ablation.report.findings import contrasts_text, means_text, sentence, sureness_text, tested_text
from ablation.report.htmltables import fitting_table, html_table, searchable_table
from ablation.report.inputs import StudyTables
from ablation.report.provenance import core_seconds, facts, provenance, warnings
from ablation.report.published import published_parts
from ablation.report.recomputing import recompute_rows
from ablation.report.structures import layer_sections
from ablation.report.tables import caption, readable, readable_effects
from ablation.report.varied import own_parts, varied
from ablation.report.verdicts import withdrawn_words
from ablation.study.controls import CLOSE
from ablation.study.plan import Plan
from ablation.support.accounting import Start


class Section(NamedTuple):
    """A section of the page: its anchor, which names its template, too; its title; what the page must have for it.

    ``needs`` is a part of the page that is not empty, or of a figure of this section; always there if it is empty itself.
    """

    id: str
    title: str
    needs: str = ""


SECTIONS = (
    Section("claims", "Claim by claim", "details"),
    Section("factors", "Factor by factor", "main_effects"),
    Section("comparison", "All variants"),
    Section("size", "Accuracy against size", "figures"),
    Section("designs", "Interactions and trends", "figures"),
    Section("times", "Epochs to the threshold", "figures"),
    Section("mechanisms", "What went on inside", "figures"),
    Section("published", "Published numbers", "published"),
    Section("networks", "What was compared"),
    Section("failures", "Failures"),
    Section("contrasts", "All contrasts", "contrast_count"),
    Section("cost", "Cost and provenance"),
    Section("recompute", "How to recompute each number"),
)


def template_file(name: str) -> str:
    """Read a file of the templates."""
    return resources.files("ablation.report").joinpath(f"templates/{name}").read_text(encoding="utf-8")


def claim_parts(tables: StudyTables, published: Mapping[str, Any], images: int) -> dict[str, Any]:
    """Write what was found: the claims with their verdicts or, of a study without any, what its numbers say at a glance."""
    plan, outcomes = tables.plan, tables.verdicts
    if not outcomes.claims:
        reasons = filter(None, tables.contrasts["not_testable"])
        said = [
            sentence(published["summary"]) or means_text(plan, tables.comparison),
            contrasts_text(plan, tables.contrasts),
            sentence(withdrawn_words(outcomes)),
        ]
        return {"found": " ".join(filter(None, said)), "untestable": next(reasons, "")}
    found = {
        "found": tested_text(outcomes),
        "sureness": sureness_text(outcomes, list(tables.runs.groupby("variant").size()), images),
        "tally": tally(outcomes),
        "meanings": meanings(),
    }
    if has_many_tests(outcomes):
        return {**found, "claim_tables": claim_tables(plan, outcomes)}
    return {**found, "claims": claim_groups(plan, outcomes), "details": claim_details(tables, published["rows"])}


def big_tables(tables: StudyTables) -> dict[str, Any]:
    """Write main effects, the comparison and the contrasts; of a study with many variants, as tables to search."""
    plan, text_columns = tables.plan, {"variant", "failures", "against", "metric", "network", "factor", "level"}
    baselines, every = set(plan.study.architectures), readable(plan, tables.comparison)
    contrasts = readable_contrasts(plan, tables.contrasts)
    effects = readable_effects(plan, main_effects(plan, tables.runs, plan.study.metrics[0]))
    parts = {
        "main_effects": fitting_table(effects, text_columns, "runs.parquet", "Main effects") if len(effects) else "",
        "first_metric": plan.metrics[plan.study.metrics[0]].label,
    }
    if not has_many(plan):
        own = {
            "comparison": html_table(every, text_columns, baselines),
            "contrasts": html_table(contrasts, text_columns),
        }
        return {**parts, **own}
    return {
        **parts,
        "comparison": searchable_table(every, text_columns, "tables/comparison.csv", "Comparison", baselines),
        "contrasts": searchable_table(contrasts, text_columns, "contrasts.csv", "Contrasts"),
    }


def figure_sections(plan: Plan, figures: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give each figure (SVG by name) its caption and its section of the page."""
    accuracy, many = plan.metrics[plan.watched_accuracy].label, has_many(plan)
    found = []
    for name, svg in figures.items():
        figure, title = FIGURES[name], name.replace("_", " ")
        text = ((many and figure.of_many) or figure.caption).format(accuracy=accuracy)
        picture = Markup(inline_svg(svg, title))
        found.append({"section": figure.section, "title": title, "svg": picture, "caption": text})
    return found


def sections_of(parts: Mapping[str, Any]) -> list[Section]:
    """List the sections that a page has something for."""
    drawn = {figure["section"] for figure in parts["figures"]}

    def has(section: Section) -> bool:
        if section.needs == "figures":
            return section.id in drawn
        return not section.needs or bool(parts.get(section.needs))

    return [section for section in SECTIONS if has(section)]


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
    published = published_parts(plan, tables.runs, tables.curves)
    parts = {
        "facts": facts(tables, manifest),
        **claim_parts(tables, published, manifest["counts"]["test"]),
        **big_tables(tables),
        "caption": caption(plan, tables.runs),
        "by_class": class_table(plan, tables.classes, tables.runs),
        "figures": figure_sections(plan, figures),
        "published": published if published["rows"] else None,
        "varied": varied(plan),
        "parts": own_parts(plan),
        "networks": layer_sections(plan, tables.layers),
        "layers_note": NOTE,
        **failure_parts(tables),
        "contrast_count": len(tables.contrasts),
        "close": f"{CLOSE:.0%}".replace("%", " %"),
        "warnings": warnings(tables.runs, certificate),
        "provenance": [*provenance(tables, manifest, certificate), *core_seconds(starts)],
        "recipe": [(name.replace("_", " "), value) for name, value in plan.study.recipe.model_dump().items()],
        "recompute": recompute_rows(plan),
    }
    loader = jinja2.FunctionLoader(template_file)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("page.html").render(
        name=plan.name,
        study=plan.study,
        run_count=len(tables.runs),
        many=has_many(plan),
        sections=sections_of(parts),
        css=Markup(template_file("page.css").strip()),
        script=Markup(template_file("page.js").strip()),
        **parts,
    )


def inline_svg(svg: str, title: str) -> str:
    """Take an SVG file's element for the page: named for those who cannot see it, and no larger than it has to be.

    What stands before the element and its metadata go, and no place needs more than two decimals, though a scale
    below one does.
    """
    element = re.sub(r"\s*<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    element = re.sub(r"(?<![\d.])([1-9]\d*\.\d\d)\d+", r"\1", element)
    element = element.replace('xlink:href="#DejaVuSans-', 'href="#g-').replace(
        'id="DejaVuSans-', 'id="g-'
    )  # per letter
    return element.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
