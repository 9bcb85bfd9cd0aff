"""Write the page of a study from its results, and the table of all studies.

Every number of a page is computed from the results, and its content lies beside it for programs. From the content of all
pages follow their index, the README's table and the price in the header of each study file; without a study, these and the
pages are written again.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ablation.analysis.published.comparison import compare_published
from ablation.analysis.published.ledger import FOLDER, read_ledger
from ablation.cli.studytables import read_tables_of
from ablation.records.certificate import FILE as CERTIFICATE
from ablation.records.certificate import read_certificate
from ablation.report.studypages import markdown
from ablation.report.studypages.content import Results, page_content
from ablation.report.studypages.folder import (
    PublishError,
    choose_figure,
    follow_up,
    place_figure,
    read_page,
    write_text,
)
from ablation.report.studypages.outdated import differences
from ablation.study.plan import Plan
from ablation.study.studyfile import STUDIES, locate_study, read_study
from ablation.support.accounting import read_starts

EPILOG = """examples:
  ./do ablation publish digits residual    pages of two studies that were run, docs/studies/digits.md and residual.md
  ./do ablation publish digits --keep      keep its page although the code has changed: the page says so, and by which
                                           version it was made; of results of an older version, write one that says so
  ./do ablation publish                    all pages and tables again, from what the pages hold
"""
NEEDED = ("verdicts.json", "runs.parquet", "tables/comparison.csv", "data.json")


def read_results(plan: Plan, folder: Path) -> Results:
    """Read what a page is computed from; raises PublishError if the study has not come to its end."""
    for name in (f"plan/{plan.name}.json", *NEEDED):
        if not (folder / name).is_file():
            raise PublishError(
                f"{folder / name}: found no such file, expected a study that was run to its end: start it"
            )
    tables = read_tables_of(folder)
    certificate = folder / CERTIFICATE
    return Results(
        tables=tables,
        manifest=json.loads((folder / "data.json").read_text(encoding="utf-8")),
        starts=read_starts(folder / "start/costs.jsonl"),
        certificate=read_certificate(certificate) if certificate.is_file() else None,
        published=compare_published(tables.plan, tables.runs, tables.curves, read_ledger(FOLDER)),
        date=datetime.fromtimestamp((folder / "runs.parquet").stat().st_mtime),
    )


@dataclass(frozen=True)
class Publication:
    """A page before it is written: its content and, unless that which is there stays, its figure."""

    content: dict[str, Any]
    figure: Path | None = None
    keeps_figure: bool = False


def prepare(path: Path, results: Path, pages: Path, keep: bool) -> Publication:
    """Compute the content of a study's page; nothing is written.

    Parameters
    ----------
    path : Path
        The study file.
    results, pages : Path
        Folder of all results, and that of the pages.
    keep : bool
        Whether a page may be out of date if it says so.

    Raises
    ------
    PublishError
        If there are no results, or if they are not those of the present code and the page is not to be kept.
    """
    plan, own = read_study(path), results / path.stem
    if keep and not (own / "verdicts.json").is_file():
        made = Publication(read_page(pages / f"{plan.name}.json"), keeps_figure=True)
    else:
        found = read_results(plan, own)
        figure = choose_figure(found.tables.plan, own / "figures")
        shown = figure and {"file": f"{plan.name}{figure[0].suffix}", "caption": figure[1]}
        named = plan.name if path.resolve().parent == STUDIES.resolve() else path
        made = Publication(page_content(found, f"./do study {named}", shown), figure and figure[0])
    changed = differences(made.content, plan)
    if changed and not keep:
        raise PublishError(
            f"{own}: found results of other code than the present one: {'; '.join(changed)}\n"
            f"Start the study again (./do study {path.stem}), or publish it with --keep: the page then says so."
        )
    made.content["kept"] = {"why": changed} if changed else None
    return made


def write(made: Publication, pages: Path) -> None:
    """Write the content of a page, and its figure."""
    name = made.content["study"]
    if not made.keeps_figure:
        place_figure(made.figure, pages, name)
    write_text(pages / f"{name}.json", json.dumps(made.content, indent=1, ensure_ascii=False) + "\n")


def report(content: Mapping[str, Any], pages: Path) -> str:
    """Say in a line what was published."""
    kept = f" ({markdown.kept_text(content)})" if content["kept"] else ""
    return f"{pages / content['study']}.md: {content['summary']}{kept}"


def main(arguments: argparse.Namespace) -> None:
    """Publish the studies, and write all that follows from the content of the pages."""
    project = arguments.docs.parent
    pages, readme = arguments.docs / "studies", project / "README.md"
    paths = [locate_study(name) for name in arguments.studies]
    prepared = [prepare(path, arguments.results, pages, arguments.keep) for path in paths]
    pages.mkdir(parents=True, exist_ok=True)
    for made in prepared:
        write(made, pages)
        print(report(made.content, pages))
    texts = follow_up(pages, readme, project / STUDIES)
    for path, text in texts.items():
        write_text(path, text)
    if readme not in texts:
        print(
            f"{readme}: found no marks for the table of studies, which is left out: {markdown.BEGIN} … {markdown.END}"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument("studies", nargs="*", help="files of config/studies by name, or paths of others")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
    parser.add_argument(
        "--docs",
        type=Path,
        default=Path("docs"),
        help="pages go to its folder studies; README.md and config/studies, which follow from them, lie beside it",
    )
    parser.add_argument(
        "--keep", action="store_true", help="a page may be out of date, and says by which version it was made"
    )
