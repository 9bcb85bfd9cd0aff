"""List the ledger of published numbers, or hold a study against those that its variants have."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from ablation.analysis.published.bestepoch import best_epoch_table
from ablation.analysis.published.comparison import Comparison, Match, compare_published, find_matches
from ablation.analysis.published.ledger import FOLDER, read_ledger
from ablation.analysis.published.numbers import Published
from ablation.analysis.published.table import comparison_table, ledger_table
from ablation.report.published import (
    best_epoch_rows,
    best_epoch_text,
    comparison_rows,
    ledger_rows,
    published_text,
    source_text,
    why_lines,
)
from ablation.study.plan import Plan
from ablation.study.studyfile import locate_study, read_frozen, read_study
from ablation.support.formatting import plural
from ablation.support.wording import UserError, listed, nearest, shown

EPILOG = """examples:
  ./do ablation published                               the ledger
  ./do ablation published --architecture resnet_cifar   that of an architecture of the catalogue
  ./do ablation published d2l_lenet                     a study: where published values fall among its runs, and why they may
                                                        differ; before it has results, what it will be held against
  ./do ablation published d2l_lenet --json              the same for programs
  ./do ablation published digits --best-epoch           what reporting the best epoch instead of the last would gain

A published test error is shown as an accuracy. `where` is the 95 % prediction interval of one more of our runs, or of the
mean, median or best of as many as the source has; the difference has a 95 % interval where both spreads are known (Welch).
"""


def choose(ledger: Mapping[str, Published], arguments: argparse.Namespace) -> dict[str, Published]:
    """Return the entries that the arguments ask for; raises UserError where they name what no entry has."""
    ways = {
        "architecture": lambda entry: {entry.architecture.builder, entry.architecture.name} - {None},
        "data": lambda entry: {entry.data},
        "metric": lambda entry: {entry.metric},
    }
    for option, names in ways.items():
        wanted = set(getattr(arguments, option))
        known = sorted({name for one in ledger.values() for name in names(one.entry)})
        for word in sorted(wanted - set(known)):
            expected = f"one of the ledger: {listed(known)}{nearest(word, known)}"
            raise UserError(f"--{option}: found {shown(word)}, expected {expected}")
        ledger = {name: one for name, one in ledger.items() if not wanted or names(one.entry) & wanted}
    return dict(ledger)


def read_results(plan_name: str, results: Path) -> tuple[Plan, pd.DataFrame, pd.DataFrame] | None:
    """Return the plan, the runs and the curves of a study's last start; None if it has not come to its tables."""
    place = results / plan_name
    tables = [place / "runs.parquet", place / "curves.parquet"]
    frozen = place / f"plan/{plan_name}.json"
    if not all(path.is_file() for path in (frozen, *tables)):
        return None
    return read_frozen(frozen), *map(pd.read_parquet, tables)


def print_why(matches: Iterable[tuple[Match, str]]) -> None:
    """Print entry by entry why numbers may differ; what is the same for several variants once."""
    printed: dict[tuple[str, ...], list[str]] = {}
    for match, best in matches:
        header = f"{match.published.id}: {source_text(match.published)}"
        said = (header, *filter(None, (*why_lines(match), best)))
        printed.setdefault(said, []).append(match.variant)
    for (header, *lines), variants in printed.items():
        print(f"\n{header}\n  against {', '.join(variants)}")
        for line in lines:
            print(f"  - {line}")


def hold_against(plan: Plan, ledger: Mapping[str, Published], found: list[Comparison] | None, results: Path) -> None:
    """Print a study's comparisons, or what it will be compared with once it has results."""
    matches = [one.match for one in found] if found is not None else find_matches(plan, ledger)
    if not matches:
        print(f"{plan.name}: no entry of the ledger has an architecture, its levels, data and metric of this study")
        return
    if found is None:
        print(
            f"{plan.name}: no results in {results} yet; {plural(len(matches), 'published number')} to hold them against"
        )
        rows = [
            {"variant": one.variant, "entry": one.published.id, "published": published_text(one.published)}
            for one in matches
        ]
    else:
        rows = comparison_rows(found)
    print(tabulate(rows, headers="keys", disable_numparse=True))
    print("\nWhat they rest on, and what the sources did otherwise:")
    best = [best_epoch_text(one) for one in found] if found is not None else [""] * len(matches)
    print_why(zip(matches, best, strict=True))


def print_best_epochs(name: str, runs: pd.DataFrame, curves: pd.DataFrame, as_json: bool) -> None:
    """Print what reporting the best epoch would gain, variant by variant."""
    table = best_epoch_table(runs, curves)
    if as_json:
        print(as_records(table))
    elif table.empty:
        print(f"{name}: no run has an accuracy on validation images after its epochs, so the gain cannot be measured")
    else:
        print(tabulate(best_epoch_rows(table), headers="keys", disable_numparse=True))


def as_records(table: pd.DataFrame) -> str:
    """Write a table as a JSON list of its rows."""
    return table.to_json(orient="records", indent=1, force_ascii=False)


def main(arguments: argparse.Namespace) -> None:
    """List the ledger, or compare; nothing is changed."""
    ledger = choose(read_ledger(*filter(None, (FOLDER, arguments.ledger))), arguments)
    if not arguments.study:
        if arguments.best_epoch:
            raise UserError("--best-epoch: found no study, expected one with results")
        rows = ledger_rows(ledger)
        print(as_records(ledger_table(ledger)) if arguments.json else tabulate(rows, "keys", disable_numparse=True))
        return
    path = locate_study(arguments.study)
    there = read_results(path.stem, arguments.results)
    if arguments.best_epoch:
        if not there:
            raise UserError(f"{path.stem}: found no results in {arguments.results}, expected them: start the study")
        print_best_epochs(path.stem, *there[1:], arguments.json)
        return
    plan = there[0] if there else read_study(path)
    found = compare_published(*there, ledger) if there else None
    if arguments.json:
        print(as_records(comparison_table(found or [])))
    else:
        hold_against(plan, ledger, found, arguments.results)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument(
        "study", nargs="?", help="a file of config/studies by name, or the path of one; without it, the ledger"
    )
    parser.add_argument("--architecture", nargs="+", default=[], help="a name of the catalogue, or the source's own")
    parser.add_argument("--data", nargs="+", default=[], help="a data set")
    parser.add_argument("--metric", nargs="+", default=[], help="a metric")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
    parser.add_argument(
        "--ledger", type=Path, help="a folder with published numbers of your own beside ours (YAML files)"
    )
    parser.add_argument(
        "--best-epoch",
        action="store_true",
        help="what each variant of a study would gain by reporting its best epoch, measured on the validation images",
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
