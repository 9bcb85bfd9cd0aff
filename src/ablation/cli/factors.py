"""Write the page of architectures, factors and levels."""

import argparse
from pathlib import Path

from ablation.report.factorpage import page


def main(arguments: argparse.Namespace) -> None:
    """Write the page."""
    arguments.page.parent.mkdir(parents=True, exist_ok=True)
    arguments.page.write_text(page(), encoding="utf-8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--page", type=Path, default=Path("docs/factors.md"), help="file to write")
