"""A study's page as Markdown, from its content; and the table of all studies, for the README and the index of pages."""

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ablation.report.studypages.content import short_revision
from ablation.support.formatting import duration, plural

HEAD = "<!-- Written by ./do ablation publish from the results of the study; a change here is lost. -->"
BEGIN = "<!-- studies: written by ./do ablation publish from docs/studies; a change here is lost -->"
END = "<!-- end of studies -->"
GLUE = "\N{NO-BREAK SPACE}"
COLUMNS = ("study", "asks", "runs", "core time", "what came out")
SIGNS = re.compile(r"[\\`*<|~]|\](?=\()|(?<!\w)_|_(?!\w)")  # that Markdown would not show as they are
# Where a line must not break: around ±, + and × between numbers, before a unit, within an interval.
BREAKS = re.compile(r"(?<=\d) (?=[±%]|[+×] \d)|(?<=[±×]) (?=\d)|(?<=\d [+]) (?=\d)|(?<=\d,) (?=[+\N{MINUS SIGN}\d])")
COSTS = re.compile(r"^# Costs: .*\n(?:# .*\n)*?(?=# Outcome: )", re.MULTILINE)  # in the header of a study file
WIDTH = 120  # of its lines


def escaped(text: Any) -> str:
    """Write a text on one line, so that Markdown shows what it says."""
    return SIGNS.sub(r"\\\g<0>", " ".join(str(text).split()))


def glued(text: Any) -> str:
    """Write a text with numbers, each of which stays with its sign, spread and unit, and an interval in one piece."""
    return BREAKS.sub(GLUE, escaped(text))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Write a table, unaligned in its source: a change of one row is a change of one line."""
    rule = ["---:" if column in right else "---" for column in columns]
    lines = [list(map(escaped, columns)), rule, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page(content: Mapping[str, Any]) -> str:
    """Write a study's page.

    Parameters
    ----------
    content : mapping
        As `ablation.report.studypages.content.page_content` writes it.
    """
    sections = [
        HEAD,
        f"# {escaped(content['title'])}",
        escaped(content["question"]),
        *(f"> **Out of date.** {line}" for line in filter(None, [kept_text(content)])),
        f"**Outcome.** {outcome(content)}",
        claims_section(content),
        comparison_section(content),
        figure_section(content),
        published_section(content),
        failures_section(content),
        f"## Cost\n\n{cost_text(content)}",
        circumstances_section(content),
        f"## Make it again\n\n```sh\n{content['command']}\n```",
    ]
    return "\n\n".join(section.rstrip() for section in sections if section) + "\n"


def kept_text(content: Mapping[str, Any]) -> str:
    """Say of a page that was kept by which version it was made, and what has changed since; empty of another one."""
    if not content["kept"]:
        return ""
    revisions = ", ".join(map(short_revision, content["made"]["revisions"])) or "an unknown revision"
    why = "; ".join(map(escaped, content["kept"]["why"]))
    return f"Made by {revisions} of {content['made']['date']}; the code has changed since ({why})."


def outcome(content: Mapping[str, Any]) -> str:
    """Say in a sentence what the claims came to."""
    counted = content["verdicts"]
    if not counted:
        return f"{escaped(content['summary'])}."
    counts = [plural(len(content["claims"]), "claim"), plural(sum(counted.values()), "test")]
    said = f"{counts[0]} in {counts[1]}: {', '.join(f'{number} {verdict}' for verdict, number in counted.items())}."
    exploratory = sum(bool(claim["exploratory"]) for claim in content["claims"])
    if exploratory:
        of_all = {1: "One of the claims is", len(content["claims"]): "All claims are"}
        which = of_all.get(exploratory, f"{exploratory} of the claims are")
        said += f" {which} exploratory: only fresh seeds can confirm."
    return said


def claims_section(content: Mapping[str, Any]) -> str:
    """Write each claim with its tests as a list, which is readable at any width."""
    if not content["claims"]:
        return ""
    lines = []
    for claim in content["claims"]:
        tests, source = claim["tests"], escaped(claim["source"])
        exploratory = f" *Exploratory: {escaped(claim['exploratory'])}.*" if claim["exploratory"] else ""
        statement = escaped(claim["statement"]).rstrip(".")
        if len(tests) == 1:
            said = f"**{tests[0]['verdict'].capitalize()}:** {glued(tests[0]['text'])}"
            lines.append(f"- {statement} ({source}).{exploratory}\\\n  {said}")
        else:
            lines.append(f"- {statement} ({source}).{exploratory}")
            lines += [f"  - **{test['verdict'].capitalize()}:** {glued(test['text'])}" for test in tests]
    note = f"Brackets hold the interval that decides; {escaped(content['correction'])}."
    return "\n\n".join(["## Claims", "\n".join(lines), note])


def comparison_section(content: Mapping[str, Any]) -> str:
    """Write the comparison of the variants with its caption."""
    found = content["comparison"]
    text = _cells(found, found["columns"][1:])
    return f"## Comparison\n\n{text}\n{escaped(found['caption'])}{_left_out(found, 'variants')}"


def figure_section(content: Mapping[str, Any]) -> str:
    """Show the figure with its caption."""
    figure = content["figure"]
    if not figure:
        return ""
    caption = escaped(figure["caption"])
    return f"![{caption}]({figure['file']})\n\n{caption}"


def published_section(content: Mapping[str, Any]) -> str:
    """Write where published numbers fall among the runs; nothing where none belongs to a variant."""
    found = content["published"]
    if not found["rows"]:
        return ""
    said, place = (
        f"`./do ablation published {content['study']}` says why they may differ.",
        found["columns"].index("metric"),
    )
    metrics = {row[place] for row in found["rows"]}
    if len(metrics) == 1:  # which then needs no column
        said = f"All are of {metrics.pop()}. {said}"
        columns, *rows = ([*row[:place], *row[place + 1 :]] for row in (found["columns"], *found["rows"]))
        found = {**found, "columns": columns, "rows": rows}
    return f"## Published numbers\n\n{_cells(found)}\n{said}{_left_out(found, 'comparisons')}"


def failures_section(content: Mapping[str, Any]) -> str:
    """Write which variants have runs that failed, diverged or were stuck."""
    found = content["failures"]
    if not found["rows"]:
        return "## Failures\n\nNo run failed, diverged or was stuck at chance."
    errors = "".join(f"- {escaped(error)}\n" for error in found["errors"])
    text = f"## Failures\n\n{_cells(found, ['runs'])}{_left_out(found, 'variants')}"
    return f"{text}\nErrors of the runs that failed:\n\n{errors}" if errors else text


def circumstances_section(content: Mapping[str, Any]) -> str:
    """Write data, seeds, machine and versions, with what the runs mix."""
    rows = [[escaped(name), escaped(value)] for name, value in content["circumstances"]]
    warned = "".join(f"> {escaped(line)}\n\n" for line in content["warnings"])
    return f"## Data, machine and versions\n\n{warned}{table(['what', 'value'], rows)}"


def cost_text(content: Mapping[str, Any]) -> str:
    """Say in some sentences what the runs cost."""
    cost = content["cost"]
    spent = f"{duration(cost['seconds'])} of {'core' if cost['of'] == 'cores' else 'GPU'} time"
    said = f"{plural(content['counts']['runs'], 'run')}, {spent} for training and evaluation."
    if cost["cores"] is None:
        return said
    said += f" {duration(cost['wall'])} by the clock on {plural(cost['cores'], 'core')}, from the start to the report"
    if cost["worked"] < 0.9 * cost["seconds"]:
        said += f", in which {duration(cost['worked'])} of it were spent: the other records were there"
    return f"{said}."


def _cells(found: Mapping[str, Any], right: Sequence[str] = ()) -> str:
    return table(found["columns"], [list(map(glued, row)) for row in found["rows"]], right)


def _left_out(found: Mapping[str, Any], what: str) -> str:
    return f"\n\n{found['left_out']:,} more {what} are in the results of the study.\n" if found["left_out"] else "\n"


def studies_table(pages: Iterable[Mapping[str, Any]], folder: str = "") -> str:
    """Write the table of studies: a row per page, linked from where `folder` leads to the pages."""
    rows = []
    for content in pages:
        cost = content["cost"]
        kept = ", by an older version of the code" if content["kept"] else ""
        rows.append(
            [
                f"[{escaped(content['study'])}]({folder}{content['study']}.md)",
                escaped(content["question"]),
                f"{content['counts']['runs']:,}",
                (duration(cost["seconds"]) + (" GPU" if cost["of"] == "GPUs" else "")).replace(" ", GLUE),
                re.sub(r"(?<=\d) (?=\w)", GLUE, glued(content["summary"])) + kept,
            ]
        )
    return table(COLUMNS, rows, right=["runs", "core time"])


def not_run_text(names: Sequence[str]) -> str:
    """Name the studies that have no page."""
    return f"No page yet: {', '.join(f'`{name}`' for name in names)}.\n" if names else ""


def index(pages: Sequence[Mapping[str, Any]], others: Sequence[str]) -> str:
    """Write the index of the pages."""
    head = (
        f"{HEAD}\n\n# Studies and what they came to\n\nEach page is computed from the results of its study by "
        "`./do ablation publish`. The JSON file beside it holds the same for programs, with the keys of the runs, by "
        "which a test finds pages that are out of date.\n\n"
    )
    return "\n".join(filter(None, [head + studies_table(pages), not_run_text(others)]))


def with_table(text: str, pages: Sequence[Mapping[str, Any]], others: Sequence[str], folder: str) -> str | None:
    """Return a README with the table of studies between its two marks; None if it has not both, once and in this order."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        return None
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    parts = [BEGIN, studies_table(pages, folder), *filter(None, [not_run_text(others)]), END]
    return before + "\n\n".join(part.rstrip() for part in parts) + after


def with_cost(text: str, content: Mapping[str, Any]) -> str:
    """Return a study file with what the study cost in its header, before the line that names the page."""
    said = textwrap.fill(f"Costs: {cost_text(content)}", WIDTH, initial_indent="# ", subsequent_indent="# ")
    return COSTS.sub(lambda _: f"{said}\n", text, count=1)
