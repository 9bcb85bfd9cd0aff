"""Write what a study will train: each variant with its levels and sizes, and the multiply-adds of all training."""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from ablation.study.levels import level_text
from ablation.study.studyfile import read_frozen
from ablation.support.formatting import count, plural


def main(arguments: argparse.Namespace) -> None:
    """Measure every variant without computing anything, and write the table."""
    from ablation.networks.sizes import measure, shares_kernels

    plan = read_frozen(arguments.study)
    manifest = json.loads(arguments.manifest.read_text())
    shape, classes = tuple(manifest["shape"]), len(manifest["classes"])
    rows = []
    for variant in plan.variants.values():
        sizes = measure(variant.architecture_spec(), shape, classes)
        source = plan.variants.get(variant.levels["warm_start"])
        if source and not shares_kernels((variant.architecture_spec(), source.architecture_spec()), shape, classes):
            sys.exit(
                f"{plan.name}: {variant.id} cannot start from the weights of {source.id}: no kernel or matrix of the two "
                "networks has the same name and shape"
            )
        # A backward pass costs about twice a forward pass.
        images = variant.levels["epochs"] * manifest["counts"]["train"] * len(plan.study.seeds)
        rows.append(
            {
                "variant": variant.id,
                "architecture": variant.architecture,
                **{factor: level_text(variant.levels[factor]) for factor in plan.factors if factor in variant.levels},
                "runs": len(plan.study.seeds),
                **sizes,
                "training_multiply_adds": 3 * sizes["multiply_adds"] * images,
            }
        )
    table = pd.DataFrame(rows)
    table.to_csv(arguments.variants, index=False)
    work = table["training_multiply_adds"].sum()
    grid = f"{plural(len(table), 'variant')} x {plural(len(plan.study.seeds), 'seed')} = {plural(plan.runs, 'run')}"
    for contrast in plan.contrasts:
        if contrast.matched:
            sides = table.set_index("variant").loc[[contrast.variant, contrast.reference], contrast.matched]
            name = contrast.matched.replace("_", "-")
            print(
                f"{contrast.variant} has {sides.iloc[0]:,} {name}; its control {contrast.reference}, {sides.iloc[1]:,}"
            )
    print(f"{plan.name}: {grid}, about {count(work)} multiply-adds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the prepared data")
    parser.add_argument("--variants", type=Path, required=True, help="table to write (CSV)")
