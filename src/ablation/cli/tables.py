"""Write the comparison table for machines and for people, and the summary that ends a study on the terminal."""

import argparse
from pathlib import Path

import pandas as pd

from ablation.analysis.contrasts import read_table
from ablation.report import tables
from ablation.report.provenance import mixture
from ablation.study.studyfile import read_frozen


def main(arguments: argparse.Namespace) -> None:
    """Write the same comparison as CSV, Markdown, LaTeX and a few columns of text."""
    plan = read_frozen(arguments.study)
    runs = pd.read_parquet(arguments.runs)
    table = tables.comparison(plan, runs, read_table(arguments.contrasts))
    text, caption = tables.readable(plan, table), tables.caption(plan, runs)
    table.to_csv(arguments.csv, index=False)
    arguments.markdown.write_text(tables.to_markdown(text, caption), encoding="utf-8")
    arguments.latex.write_text(tables.to_latex(text, caption, f"tab:{plan.name}"), encoding="utf-8")
    arguments.summary.write_text(tables.summary(plan, table, runs) + "\n", encoding="utf-8")
    arguments.mixture.write_text(mixture(runs), encoding="utf-8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--runs", type=Path, required=True, help="table of runs (Parquet)")
    parser.add_argument("--contrasts", type=Path, required=True, help="table of contrasts (CSV)")
    parser.add_argument("--csv", type=Path, required=True, help="comparison to write, in recorded units")
    parser.add_argument("--markdown", type=Path, required=True, help="comparison to write for people")
    parser.add_argument("--latex", type=Path, required=True, help="comparison to write for a paper")
    parser.add_argument("--summary", type=Path, required=True, help="short text to write for the terminal")
    parser.add_argument(
        "--mixture", type=Path, required=True, help="to write: in what the machines of the runs differ, if in anything"
    )
