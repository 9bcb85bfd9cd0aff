"""Write what a study will train: each variant with its levels and sizes, and the multiply-adds of all training."""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from ablation.study.levels import level_text
from ablation.study.plan import Plan
from ablation.study.studyfile import read_frozen
from ablation.support.formatting import count, plural

SIZES = ("parameters", "multiply_adds")


def main(arguments: argparse.Namespace) -> None:
    """Measure every variant without computing anything, and write the table; what cannot be measured has no sizes."""
    from ablation.networks.layertable import totals
    from ablation.networks.sizes import inspect_all

    plan = read_frozen(arguments.study)
    manifest = json.loads(arguments.manifest.read_text())
    shape, classes = tuple(manifest["shape"]), len(manifest["classes"])
    rows, unmeasured, factors = [], {}, plan.factors
    found = inspect_all({variant.id: variant.architecture_spec() for variant in plan.variants.values()}, shape, classes)
    for variant in plan.variants.values():
        layers, why = found[variant.id]
        sizes: dict[str, int | None] = dict.fromkeys(SIZES) if why else totals(layers)
        if why:
            unmeasured[variant.id] = why
            print(f"{variant.id} cannot be measured: {why}", file=sys.stderr)
        # A backward pass costs about twice a forward pass.
        images = variant.levels["epochs"] * manifest["counts"]["train"] * len(plan.study.seeds)
        rows.append(
            {
                "variant": variant.id,
                "architecture": variant.architecture,
                **{factor: level_text(variant.levels[factor]) for factor in factors if factor in variant.levels},
                "runs": len(plan.study.seeds),
                **sizes,
                "training_multiply_adds": None if why else 3 * sizes["multiply_adds"] * images,
            }
        )
    check_warm_starts(plan, set(unmeasured), shape, classes)
    table = pd.DataFrame(rows).astype(dict.fromkeys([*SIZES, "training_multiply_adds"], "Int64"))
    if plan.matched:
        # Beside the size of a control, what it is to be as large as, and how large it is against that.
        sizes, of = table.set_index("variant"), {contrast.reference: contrast for contrast in plan.matched}
        table["control_of"] = [of[name].variant if name in of else None for name in table["variant"]]
        table["size_ratio"] = [
            sizes.at[name, of[name].matched] / sizes.at[of[name].variant, of[name].matched] if name in of else None
            for name in table["variant"]
        ]
    table.to_csv(arguments.variants, index=False)
    arguments.unmeasured.write_text(json.dumps(unmeasured, indent=1), encoding="utf-8")
    work = table["training_multiply_adds"].sum()
    grid = f"{plural(len(table), 'variant')} x {plural(len(plan.study.seeds), 'seed')} = {plural(plan.runs, 'run')}"
    print(f"{plan.name}: {grid}, about {count(work)} multiply-adds")


def check_warm_starts(plan: Plan, unmeasured: set[str], shape: tuple[int, int, int], classes: int) -> None:
    """Refuse a variant that would start from weights of which it has none; one that cannot be built fails by itself."""
    from ablation.networks.sizes import shares_kernels, structure_key

    share: dict[tuple[str, str], bool] = {}  # by the structures of the two
    for variant in plan.variants.values():
        source = plan.variants.get(variant.levels["warm_start"])
        if not source or {variant.id, source.id} & unmeasured:
            continue
        pair = (variant.architecture_spec(), source.architecture_spec())
        structures = tuple(map(structure_key, pair))
        if structures not in share:
            share[structures] = shares_kernels(pair, shape, classes)
        if not share[structures]:
            sys.exit(
                f"{plan.name}: {variant.id} cannot start from the weights of {source.id}: no kernel or matrix of the two "
                "networks has the same name and shape"
            )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the prepared data")
    parser.add_argument("--variants", type=Path, required=True, help="table to write (CSV)")
    parser.add_argument(
        "--unmeasured", type=Path, required=True, help="variants without sizes to write, and why (JSON)"
    )
