"""Draw the figures of a study, each as SVG and PNG."""

import argparse
from pathlib import Path

from ablation.cli.studytables import add_table_arguments, read_study_tables
from ablation.report.figures.table import draw, figures_of


def main(arguments: argparse.Namespace) -> None:
    """Draw every figure that the study has."""
    tables = read_study_tables(arguments)
    names = figures_of(tables.plan)
    for name in names:
        figure = draw(name, tables)
        figure.savefig(arguments.folder / f"{name}.svg", metadata={"Date": None})
        figure.savefig(arguments.folder / f"{name}.png", dpi=200)
    print(f"figures: {', '.join(names)}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_table_arguments(parser)
    parser.add_argument("--folder", type=Path, required=True, help="folder to write to")
