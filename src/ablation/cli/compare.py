"""Estimate the contrasts of a study, and decide on its claims."""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.contrasts import contrast_table
from ablation.analysis.outcomes import VERDICTS, claim_rows, outcomes_text
from ablation.analysis.verdicts import outcomes, standings, withdrawn
from ablation.study.studyfile import read_frozen
from ablation.support.formatting import plural


def main(arguments: argparse.Namespace) -> None:
    """Write contrasts, claims and verdicts."""
    plan, table = read_frozen(arguments.study), pd.read_parquet(arguments.runs)
    runs = RunsByVariant(table, np.load(arguments.examples, mmap_mode="r"))
    contrast_table(plan, runs).to_csv(arguments.contrasts, index=False)
    folder = arguments.registered
    found = outcomes(plan, runs, standings(plan, table, folder), withdrawn(plan, table, folder))
    arguments.verdicts.write_text(outcomes_text(found), encoding="utf-8")
    claim_rows(found).to_csv(arguments.claims, index=False)
    counts = Counter(test.verdict for claim in found.claims for test in claim.tests)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    claims = plural(len(plan.study.claims), "claim")
    print(f"{plural(len(plan.contrasts), 'contrast')}; {claims}{f': {said}' if said else ''}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--runs", type=Path, required=True, help="table of runs (Parquet)")
    parser.add_argument("--examples", type=Path, required=True, help="which test images each run has right (NumPy)")
    parser.add_argument("--registered", type=Path, required=True, help="folder with the registration of the claims")
    parser.add_argument("--contrasts", type=Path, required=True, help="table of contrasts to write (CSV)")
    parser.add_argument("--claims", type=Path, required=True, help="table of claims to write (CSV)")
    parser.add_argument("--verdicts", type=Path, required=True, help="verdicts to write (JSON)")
