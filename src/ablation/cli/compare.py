"""Estimate the contrasts of a study and of its claims."""

import argparse
from pathlib import Path

import pandas as pd

from ablation.analysis.contrasts import claim_table, contrast_table
from ablation.study.studyfile import read_frozen
from ablation.support.formatting import plural


def main(arguments: argparse.Namespace) -> None:
    """Write contrasts and claims."""
    plan = read_frozen(arguments.study)
    runs = pd.read_parquet(arguments.runs)
    contrasts, claims = contrast_table(plan, runs), claim_table(plan, runs)
    contrasts.to_csv(arguments.contrasts, index=False)
    claims.to_csv(arguments.claims, index=False)
    print(f"{plural(len(plan.contrasts), 'contrast')}; {plural(len(plan.study.claims), 'claim')}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--runs", type=Path, required=True, help="table of runs (Parquet)")
    parser.add_argument("--contrasts", type=Path, required=True, help="table of contrasts to write (CSV)")
    parser.add_argument("--claims", type=Path, required=True, help="table of claims to write (CSV)")
