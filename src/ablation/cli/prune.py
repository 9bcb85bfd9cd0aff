"""Free what no study wants of the stored records: a list first; --delete frees what it lists.

Wanted is every run of the studies in config/studies, of those that are named, and of those that a start works on: with the
code, the data and the sizes of today. Records whose code or spec was changed since are not wanted any more. What a
process holds is left alone.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from tabulate import tabulate

from ablation.jobs.pruning import Item, find_unwanted, find_wanted, free
from ablation.records.store import Store
from ablation.study.studyfile import STUDIES, locate_study
from ablation.support.formatting import file_size, plural

EPILOG = """examples:
  ./do ablation prune                        list what no study in config/studies wants
  ./do ablation prune my/study.yaml --delete free it, but for what this study wants, too
  ./do ablation prune --weights --delete     free the weights alone: tables can still be made of the records
  ./do ablation prune --ignore old           as if config/studies/old.yaml were not there
"""


def study_files(named: list[str], ignored: list[str]) -> list[Path]:
    """Return the files of all studies that count; exits with a sentence where that cannot be meant."""
    there = sorted(STUDIES.glob("*.yaml"))
    unknown = sorted(set(ignored) - {path.stem for path in there})
    if unknown:
        sys.exit(f"--ignore: found {', '.join(unknown)}, expected names of studies in {STUDIES}")
    files = [path for path in there if path.stem not in ignored]
    files += [path for path in map(locate_study, named) if path not in files]
    if not files:
        sys.exit(
            f"found no study in {STUDIES}, and none is named: every record would go. Start in the project's folder"
        )
    return files


def listed(items: list[Item]) -> str:
    """Write items as a table, those of a kind in a row."""
    counts, sizes = Counter(), Counter()
    for item in items:
        row = (item.kind, item.study or "–", item.variant or "–", item.why)
        counts[row] += 1
        sizes[row] += item.size
    rows = [(*row[:3], counts[row], file_size(sizes[row]), row[3]) for row in sorted(counts)]
    return tabulate(
        rows, ["what", "study", "variant", "count", "size", "why"], colalign=["left"] * 3 + ["right"] * 2 + ["left"]
    )


def main(arguments: argparse.Namespace) -> None:
    """List or free what no study wants."""
    results, store = arguments.results, Store(arguments.results / "store")
    if not store.root.is_dir():
        sys.exit(f"{store.root}: found no store, expected a folder of records; --results names the folder of results")
    wanted = find_wanted(study_files(arguments.studies, arguments.ignore), results)
    items = find_unwanted(store, wanted, results, arguments.weights)
    for sentence in wanted.sentences():
        print(sentence, file=sys.stderr)
    if not items:
        print("nothing to free: every record is wanted, or may be")
        return
    print(listed(items))
    total = f"{plural(len(items), 'item')}, {file_size(sum(item.size for item in items))}"
    if not arguments.delete:
        print(f"\n{total}. Nothing was deleted: --delete frees what is listed.")
        return
    kept = {item.path: why for item in items if (why := free(store, item))}
    for path, why in kept.items():
        print(f"{path}: left alone: {why}", file=sys.stderr)
    freed = [item for item in items if item.path not in kept]
    print(f"\nfreed {plural(len(freed), 'item')}, {file_size(sum(item.size for item in freed))}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument("studies", nargs="*", metavar="STUDY", help="studies elsewhere that count, too: files")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results (results)")
    parser.add_argument(
        "--ignore", nargs="+", default=[], metavar="STUDY", help="studies in config/studies that do not count"
    )
    parser.add_argument("--weights", action="store_true", help="of records, free the weights alone")
    parser.add_argument("--delete", action="store_true", help="free what is listed")
