"""Read every byte of the results again and compare it with its digest: what a disk lost is named, and made again.

Looked at are the records of the store, the states of interrupted trainings, the prepared data, and all that jobs wrote for
studies. A damaged record is set aside, and the next start trains that run again; damaged data and results are made anew by
the next start, too. The command ends with 1 if something was damaged.
"""

import argparse
import sys
from itertools import chain
from pathlib import Path

from ablation.jobs.lookup import RESULTS, NotThereError, find_data, find_study, read_json, trained_runs
from ablation.jobs.scrubbing import Scrub, looked_at
from ablation.support.locks import tell

EPILOG = """examples:
  ./do ablation scrub                 everything in results
  ./do ablation scrub digits          the records, the data and the output of one study
  ./do ablation scrub --report-only   name what is damaged, and leave it as it is
"""


def main(arguments: argparse.Namespace) -> None:
    """Look at a study, or at everything; exits with 1 if something is damaged."""
    results = arguments.results
    scrub = Scrub(results, arguments.report_only, tell)
    if arguments.study:
        place = find_study(arguments.study, results)
        keys, places = set(trained_runs(place).values()), [place]
        try:
            data = [find_data(read_json(place / "data.json")["digest"], place)]
        except NotThereError:  # gone, or without a manifest: the next start prepares them
            data = []
    elif (results / "store").is_dir():
        keys = {folder.name for folder in (results / "store").glob("[0-9a-f][0-9a-f]/*")}
        data = [path.parent for path in sorted((results / "data").glob("*/manifest.json"))]
        places = [path.parent for path in sorted(results.glob("*/seals"))]
    else:
        sys.exit(
            f"{results / 'store'}: found no store, expected a folder of records; --results names the folder of results"
        )
    found = chain(scrub.records(sorted(keys)), scrub.states(), scrub.data(data), scrub.studies(places))
    for sentence in found:
        print(sentence, flush=True)
    print(f"{looked_at(len(keys), len(data), len(places))}: {scrub.damaged or 'nothing'} damaged")
    if scrub.damaged:
        sys.exit(1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument(
        "study", nargs="?", help="a study with results, by its name or its file; without it, everything"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of all results")
    parser.add_argument("--report-only", "--dry-run", action="store_true", help="leave what is damaged as it is")
