"""Say what a study costs before it is started, by a few steps of each variant on this machine or by earlier runs of it."""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from ablation.jobs.devices import count_gpus, forget_settings
from ablation.jobs.inventory import examine, read_manifest, settled_plan, work_left
from ablation.jobs.prices import RECORDED, KeptCosts, Price, known_prices
from ablation.study.plan import Plan
from ablation.study.studyfile import locate_study, read_study
from ablation.support.formatting import duration, file_size, plural
from ablation.support.wording import UserError, cut

EPILOG = """examples:
  ./do price digits             core-hours, time on all cores, memory and disk
  ./do price digits --jobs 16   the time with 16 trainings at once
  ./do price digits --json      for programs

What is measured is kept in the results: the next start shows it, and cuts the study into jobs by it.
"""


class NoDataError(UserError):
    """The data of a study are not prepared yet."""


def main(arguments: argparse.Namespace) -> None:
    """Measure what is not known yet, and print the bill."""
    plan = read_study(locate_study(arguments.study))
    if not arguments.jobs:
        arguments.jobs = count_gpus() if arguments.gpu else max(1, (os.cpu_count() or 1) // arguments.threads)
    results, gpu = arguments.results, arguments.gpu
    manifest = read_manifest(results / "data" / plan.data_folder)
    if manifest is None:
        raise NoDataError(
            f"{plan.name}: found no prepared data in {results / 'data' / plan.data_folder}, which say how many images there "
            f"are; prepare them first: snakemake --cores all --until prepare_data --config study={arguments.study}"
        )
    plan = settled_plan(plan, results / plan.name / "plan/controls.json")
    kept = KeptCosts(results, gpu, arguments.threads)
    prices = known_prices(plan, plan.variants, manifest, results, kept)
    wanted = [one for one in plan.variants if one not in plan.unsettled]
    missing = [one for one in wanted if one not in prices or (arguments.again and prices[one].how != RECORDED)]
    if missing:
        prices = measure_missing(plan, missing, manifest, results, kept, arguments)
    left = dict.fromkeys(plan.variants, 0.0) | work_left(examine(plan, results))
    if arguments.json:
        rows = {name: {**vars(price), "runs_left": left[name]} for name, price in prices.items()}
        print(json.dumps({"machine": kept.machine, "variants": rows}, indent=1))
    else:
        print(bill(plan, prices, left, kept.machine, arguments.jobs))


def measure_missing(
    plan: Plan,
    missing: list[str],
    manifest: Mapping[str, Any],
    results: Path,
    kept: KeptCosts,
    arguments: argparse.Namespace,
) -> dict[str, Price]:
    """Measure some variants, keep what was found, and return all prices."""
    forget_settings()
    from ablation.jobs.pricing import measure_costs

    print(f"timing a few steps of {plural(len(missing), 'variant')} ({kept.machine}) ...", file=sys.stderr, flush=True)
    specs = {name: plan.spec(name, plan.study.seeds[0]) for name in missing}
    processes = min(arguments.jobs, os.cpu_count() or 1)
    costs = measure_costs(
        specs, manifest, arguments.gpu, arguments.threads, processes, lambda line: print(line, file=sys.stderr)
    )
    shape, classes = manifest["shape"], len(manifest["classes"])
    kept.add({kept.key(specs[name], shape, classes): cost for name, cost in costs.items()})
    return known_prices(plan, plan.variants, manifest, results, kept)


def bill(plan: Plan, prices: Mapping[str, Price], left: Mapping[str, float], machine: str, jobs: int) -> str:
    """Write what a study costs, given how many runs of each variant are left to train."""
    rows = [
        {
            "variant": cut(name, 44),
            "to train": f"{left[name]:.3g}",
            "a run": duration(price.seconds) if price.seconds >= 10 else f"{price.seconds:.1f} s",
            "in all": duration(price.seconds * left[name]),
            "memory": file_size(int(price.memory * 1e6)) if price.memory else "-",
            "known from": price.how,
        }
        for name, price in prices.items()
    ]
    aligned = ["left", *["right"] * 4, "left"]
    table = tabulate(rows, headers="keys", disable_numparse=True, colalign=aligned) if rows else "nothing is known"
    total = sum(price.seconds * left[name] for name, price in prices.items())
    longest = max((price.seconds for name, price in prices.items() if left[name]), default=0.0)
    unknown = [name for name in plan.variants if name not in prices]
    memory = max((price.memory for price in prices.values() if price.memory), default=None)
    disk = sum(price.disk * len(plan.study.seeds) for price in prices.values() if price.disk)
    lines = [
        f"{plan.name} on {machine}: {total / 3600:.2f} {'GPU' if machine.endswith('GPU') else 'core'}-hours of training "
        f"({duration(total)}), about {duration(max(total / jobs, longest))} with {plural(jobs, 'job')} at once"
    ]
    if memory:
        lines.append(
            f"memory of a job up to {file_size(int(memory * 1e6))}; records of about {file_size(int(disk * 1e6))}"
        )
    if unknown:
        lines.append(f"of {plural(len(unknown), 'variant')} the price is not known: {', '.join(unknown[:5])}")
    return "\n".join([table, "", *lines])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument("study", help="a file of config/studies by name, or the path of one")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
    parser.add_argument("--jobs", type=int, help="trainings at once (one for each GPU, or all cores by their threads)")
    parser.add_argument("--threads", type=int, default=1, help="threads of a training, as the profile says (1)")
    parser.add_argument("--gpu", action=argparse.BooleanOptionalAction, default=count_gpus() > 0, help="use a GPU")
    parser.add_argument("--again", action="store_true", help="measure what was measured before, too")
    parser.add_argument("--json", action="store_true", help="write JSON")
