"""Write the report: one page that needs nothing else."""

import argparse
import json
from pathlib import Path

import pandas as pd

from ablation.report.page import write_report
from ablation.study.studyfile import read_frozen


def main(arguments: argparse.Namespace) -> None:
    """Put tables, figures and provenance on one page."""
    plan = read_frozen(arguments.study)
    page = write_report(
        plan,
        pd.read_parquet(arguments.runs),
        pd.read_parquet(arguments.curves),
        pd.read_csv(arguments.contrasts, dtype={"matched": "string"}).fillna({"matched": ""}),
        pd.read_csv(arguments.claims),
        pd.read_csv(arguments.comparison),
        pd.read_csv(arguments.layers),
        json.loads(arguments.manifest.read_text()),
        {name: (arguments.figures / f"{name}.svg").read_text(encoding="utf-8") for name in plan.figures},
    )
    arguments.report.write_text(page, encoding="utf-8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the prepared data")
    parser.add_argument("--runs", type=Path, required=True, help="table of runs (Parquet)")
    parser.add_argument("--curves", type=Path, required=True, help="table of epochs (Parquet)")
    parser.add_argument("--contrasts", type=Path, required=True, help="table of contrasts (CSV)")
    parser.add_argument("--claims", type=Path, required=True, help="table of claims (CSV)")
    parser.add_argument("--comparison", type=Path, required=True, help="comparison (CSV)")
    parser.add_argument("--layers", type=Path, required=True, help="table of layers (CSV)")
    parser.add_argument("--figures", type=Path, required=True, help="folder of the figures")
    parser.add_argument("--report", type=Path, required=True, help="page to write (HTML)")
