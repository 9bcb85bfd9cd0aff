"""Write the tables of a study for machines, people and papers, and the summary that ends it on the terminal."""

import argparse
from pathlib import Path

import pandas as pd

from ablation.analysis.contrasts import read_table
from ablation.analysis.outcomes import read_outcomes
from ablation.report import claimtable, tables
from ablation.report.provenance import mixture
from ablation.report.verdicts import verdict_table
from ablation.study.studyfile import read_frozen


def main(arguments: argparse.Namespace) -> None:
    """Write the same comparison as CSV, Markdown, LaTeX and a few columns of text, and the verdicts."""
    plan = read_frozen(arguments.study)
    runs = pd.read_parquet(arguments.runs)
    table = tables.comparison(plan, runs, read_table(arguments.contrasts))
    text, caption = tables.readable(plan, table), tables.caption(plan, runs)
    table.to_csv(arguments.csv, index=False)
    arguments.markdown.write_text(tables.to_markdown(text, caption), encoding="utf-8")
    arguments.latex.write_text(tables.to_latex(text, caption, f"tab:{plan.name}"), encoding="utf-8")
    arguments.mixture.write_text(mixture(runs), encoding="utf-8")
    found = read_outcomes(arguments.verdicts)
    summary = filter(None, (tables.summary(plan, table, runs), verdict_table(found)))
    arguments.summary.write_text("\n\n".join(summary) + "\n", encoding="utf-8")
    arguments.claims_markdown.write_text(claimtable.to_markdown(found), encoding="utf-8")
    arguments.claims_latex.write_text(claimtable.to_latex(found), encoding="utf-8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--runs", type=Path, required=True, help="table of runs (Parquet)")
    parser.add_argument("--contrasts", type=Path, required=True, help="table of contrasts (CSV)")
    parser.add_argument("--verdicts", type=Path, required=True, help="verdicts on the claims (JSON)")
    parser.add_argument("--csv", type=Path, required=True, help="comparison to write, in recorded units")
    parser.add_argument("--markdown", type=Path, required=True, help="comparison to write for people")
    parser.add_argument("--latex", type=Path, required=True, help="comparison to write for a paper")
    parser.add_argument("--claims-markdown", type=Path, required=True, help="verdicts to write for people")
    parser.add_argument("--claims-latex", type=Path, required=True, help="verdicts to write for a paper")
    parser.add_argument("--summary", type=Path, required=True, help="short text to write for the terminal")
    parser.add_argument(
        "--mixture", type=Path, required=True, help="to write: in what the machines of the runs differ, if in anything"
    )
