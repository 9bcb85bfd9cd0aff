"""The tables of a study as arguments of a command: those of the figures and of the report."""

import argparse
from pathlib import Path

import pandas as pd

from ablation.analysis.contrasts import read_table
from ablation.analysis.outcomes import read_outcomes
from ablation.networks.layertable import read_tables
from ablation.report.inputs import StudyTables
from ablation.study.studyfile import read_frozen


def add_table_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name the files of the study and its tables."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--runs", type=Path, required=True, help="table of runs (Parquet)")
    parser.add_argument("--curves", type=Path, required=True, help="table of epochs (Parquet)")
    parser.add_argument("--diagnostics", type=Path, required=True, help="table of diagnosed numbers (Parquet)")
    parser.add_argument("--classes", type=Path, required=True, help="table of classes (Parquet)")
    parser.add_argument("--contrasts", type=Path, required=True, help="table of contrasts (CSV)")
    parser.add_argument("--verdicts", type=Path, required=True, help="verdicts (JSON)")
    parser.add_argument("--comparison", type=Path, required=True, help="comparison (CSV)")
    parser.add_argument("--layers", type=Path, required=True, help="table of layers (CSV)")


def read_study_tables(arguments: argparse.Namespace) -> StudyTables:
    """Read the study and its tables."""
    return StudyTables(
        plan=read_frozen(arguments.study),
        runs=pd.read_parquet(arguments.runs),
        curves=pd.read_parquet(arguments.curves),
        diagnostics=pd.read_parquet(arguments.diagnostics),
        classes=pd.read_parquet(arguments.classes),
        contrasts=read_table(arguments.contrasts),
        verdicts=read_outcomes(arguments.verdicts),
        comparison=read_table(arguments.comparison),
        layers=read_tables(pd.read_csv(arguments.layers)),
    )


def read_tables_of(folder: Path) -> StudyTables:
    """Read a study and its tables from the folder of its results."""
    names = {"study": f"plan/{folder.name}.json", "comparison": "tables/comparison.csv", "layers": "plan/layers.csv"}
    names |= {name: f"{name}.parquet" for name in ("runs", "curves", "diagnostics", "classes")}
    names |= {"contrasts": "contrasts.csv", "verdicts": "verdicts.json"}
    return read_study_tables(argparse.Namespace(**{name: folder / file for name, file in names.items()}))
