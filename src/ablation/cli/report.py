"""Write the report: one page that needs no other file."""

import argparse
import json
import os
from pathlib import Path

from ablation.cli.studytables import add_table_arguments, read_study_tables
from ablation.records.certificate import read_certificate
from ablation.report.figures.table import figures_of
from ablation.report.page import write_report
from ablation.support.accounting import read_starts


def main(arguments: argparse.Namespace) -> None:
    """Put tables, figures and provenance on one page."""
    tables = read_study_tables(arguments)
    manifest = json.loads(arguments.manifest.read_text())
    names = figures_of(tables.plan)
    figures = {name: (arguments.figures / f"{name}.svg").read_text(encoding="utf-8") for name in names}
    certificate = read_certificate(arguments.certificate) if arguments.certificate else None
    page = write_report(tables, manifest, figures, read_starts(arguments.costs), certificate)
    arguments.report.write_text(page, encoding="utf-8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_table_arguments(parser)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the prepared data")
    parser.add_argument("--figures", type=Path, required=True, help="folder of the figures")
    parser.add_argument("--costs", type=Path, default=Path(os.devnull), help="what the study's starts have spent")
    parser.add_argument(
        "--certificate", type=Path, nargs="?", help="of runs that were trained again, if any were (JSON)"
    )
    parser.add_argument("--report", type=Path, required=True, help="page to write (HTML)")
