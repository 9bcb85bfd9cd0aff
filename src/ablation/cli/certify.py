"""Train a sample of a study's runs again, and say of each whether it comes out the same.

A run is trained from the spec in its record with the code of today, by as many processor threads, in a folder of its own;
the store stays as it is. On the same kind of machine every bit has to be equal: weights, predictions, and curves but for
their times. Elsewhere (another device, processor, number of threads or version of torch), the loss of the first step has
to be equal within rounding, and the final test accuracy and training loss have to lie where another seed of the
variant would with 99 % certainty; with one seed that cannot be judged, and is said. All else is different: the first epoch
whose curves differ is named, and the command ends with 1.
"""

import argparse
import importlib.metadata
import platform
import shutil
import sys
from pathlib import Path

from ablation.jobs.certifying import Certifying, choose
from ablation.jobs.lookup import RESULTS, NotThereError, find_study, trained_runs
from ablation.jobs.stopping import Stop
from ablation.records.certificate import FILE, counted, has_different, write_certificate
from ablation.records.store import DamagedRecordError
from ablation.support.formatting import plural
from ablation.support.locks import CannotLockError, LockHeldError, hold, tell

EPILOG = """examples:
  ./do ablation certify digits               three runs, of different architectures where there are some
  ./do ablation certify digits --sample 20   more of them; --seed 1 chooses others
  ./do ablation certify digits --threads 2   as if on another machine: other bits, judged by the spread over seeds
"""


def main(arguments: argparse.Namespace) -> None:
    """Train the sample again, print and write what became of it."""
    place = find_study(arguments.study, arguments.results)
    scratch = place / "certify"
    try:
        with hold(scratch / "lock", what=f"the certifying of {place.name}", wait=False):
            certify(arguments, place, scratch)
    except (LockHeldError, CannotLockError) as error:
        sys.exit(str(error))
    except DamagedRecordError as error:
        sys.exit(f"{error}: ablation scrub sets it aside, and the next start of {place.name} trains it again")


def certify(arguments: argparse.Namespace, place: Path, scratch: Path) -> None:
    """Train the sample in the scratch folder, where an interrupted training goes on; exits with 1 if a run is different."""
    runs = trained_runs(place)
    if not runs:
        raise NotThereError(f"{place.name}: found no trained run: start the study first")
    sample = choose(runs, arguments.sample, arguments.seed)
    tell(f"{place.name}: trains {plural(len(sample), 'run')} of {len(runs)} again")
    # What another machine or torch, or this one with other threads, left of an interrupted training is not gone on with.
    asked = ["recorded" if value is None else str(value) for value in (arguments.threads, arguments.gpus)]
    kind = "-".join([platform.node(), importlib.metadata.version("torch"), *asked])
    certifying = Certifying(place, runs, Stop(), arguments.threads, arguments.gpus)
    certificate = certifying.certify(sample, scratch / kind, lambda line: print(line, flush=True))
    certificate["sample"] = {"asked": arguments.sample, "seed": arguments.seed, "of": len(runs)}
    write_certificate(place / FILE, certificate)
    shutil.rmtree(scratch / kind, ignore_errors=True)
    print(f"{place.name}: {counted(certificate)}; {place / FILE} says so, and after the next start the report")
    if has_different(certificate):
        sys.exit(1)


def positive(text: str) -> int:
    """Read a number of at least 1."""
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of at least 1")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument("study", help="a study with results, by its name or its file")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of all results")
    parser.add_argument("--sample", type=positive, default=3, metavar="N", help="runs to train again (3)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="chooses the sample (0)")
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="processor threads, in the place of those that each record states"
    )
    parser.add_argument(
        "--gpus",
        type=int,
        choices=[0, 1],
        help="0: the CPU; 1: a GPU; without it, as in each record where there is one",
    )
