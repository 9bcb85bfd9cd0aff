"""Draw the figures of a study, each as SVG and PNG."""

import argparse
from pathlib import Path

import pandas as pd

from ablation.networks.layertable import read_tables
from ablation.report.figures import drawings, mechanisms
from ablation.report.figures import results as figures
from ablation.study.studyfile import read_frozen


def main(arguments: argparse.Namespace) -> None:
    """Draw every figure that the study has."""
    plan = read_frozen(arguments.study)
    runs, table = pd.read_parquet(arguments.runs), pd.read_csv(arguments.comparison)
    curves, diagnostics = pd.read_parquet(arguments.curves), pd.read_parquet(arguments.diagnostics)
    layers = read_tables(pd.read_csv(arguments.layers))
    for name in plan.figures:
        if name == "blocks":
            figure = drawings.draw_blocks(
                {architecture: layers[architecture] for architecture in plan.study.architectures}
            )
        elif name == "curves":
            figure = figures.curves(plan, runs, curves)
        elif name in mechanisms.DRAW:
            figure = mechanisms.DRAW[name](plan, diagnostics)
        else:
            figure = figures.DRAW[name](plan, runs, table)
        figure.savefig(arguments.folder / f"{name}.svg", metadata={"Date": None})
        figure.savefig(arguments.folder / f"{name}.png", dpi=200)
    print(f"figures: {', '.join(plan.figures)}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--runs", type=Path, required=True, help="table of runs (Parquet)")
    parser.add_argument("--curves", type=Path, required=True, help="table of epochs (Parquet)")
    parser.add_argument("--diagnostics", type=Path, required=True, help="table of diagnosed numbers (Parquet)")
    parser.add_argument("--comparison", type=Path, required=True, help="comparison (CSV)")
    parser.add_argument("--layers", type=Path, required=True, help="table of layers (CSV)")
    parser.add_argument("--folder", type=Path, required=True, help="folder to write to")
