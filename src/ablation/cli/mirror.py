"""Mirror a study to MLflow: while it trains (--follow), and to the end once it is done (--receipt)."""

import argparse
import importlib.util
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.jobs.registration import FILE as REGISTERED
from ablation.jobs.shards import planned_runs
from ablation.records.changes import Changes
from ablation.records.store import Store
from ablation.study.plan import Plan
from ablation.study.studyfile import read_frozen, read_started
from ablation.support.files import write_whole
from ablation.tracking.address import LEDGER, RETRIES, Address, Redacted

if TYPE_CHECKING:
    from ablation.tracking.conclusion import Results
    from ablation.tracking.mirror import Mirror

NEEDED = ("mlflow", "numpy", "pandas", "safetensors")  # the Python that runs Snakemake may have none of them
LOCK = ".mirror.lock"  # beside the store


class Opening:
    """Makes the mirror of a study that trains, once there is something to send and the study is known.

    That is something new in the store, or claims that were registered since anything was last sent, which MLflow is told
    before their runs end. Until then it looks at times of files and reads none twice: planning a large study takes seconds.
    A start that trains nothing and registers nothing has nothing to follow, and costs nothing.
    """

    def __init__(self, arguments: argparse.Namespace, address: Address):
        self.arguments, self.address = arguments, address
        self.changes = Changes(Store(arguments.store))
        self.changes.look()
        registered, sent = (stamp(arguments.manifest.with_name(name)) for name in (REGISTERED, LEDGER))
        self.changed = registered is not None and (sent is None or sent < registered)
        self.stamps: list[tuple[int, int] | None] = []

    def __call__(self) -> "Mirror | None":
        """Return the mirror; None as long as there is nothing new, or the data or controls are not known."""
        self.changed = self.changed or bool(self.changes.look())
        given = self.arguments
        paths = (given.study, given.manifest, given.variants, *([given.answers] if given.answers else []))
        stamps = [stamp(path) for path in paths]
        if not self.changed or stamps == self.stamps or None in stamps[:3]:
            return None
        self.stamps = stamps
        plan = read_started(given.study, given.answers)
        return plan and make_mirror(given, self.address, plan)


def stamp(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from a later one of its name; None if there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino


def make_mirror(arguments: argparse.Namespace, address: Address, plan: Plan) -> "Mirror":
    """Return the mirror of a study; nothing is sent to MLflow yet."""
    from ablation.analysis.collection import read_sizes
    from ablation.tracking.lease import Lease
    from ablation.tracking.mirror import Mirror

    results = arguments.store.parent
    manifest = json.loads(arguments.manifest.read_text())
    runs = planned_runs(plan, manifest["digest"])
    artifacts = str((results / "mlartifacts" / plan.name).resolve()) if address.default else None
    lease = None if address.local else Lease(results)
    sizes = read_sizes(arguments.variants)
    folder = results / plan.name
    return Mirror(plan, runs, Store(arguments.store), manifest, sizes, address, artifacts, folder, lease)


def missing_module() -> str | None:
    """Name the module without which nothing can be mirrored by this Python; None if all are there."""
    return next((name for name in NEEDED if importlib.util.find_spec(name) is None), None)


def follow(arguments: argparse.Namespace, address: Address) -> None:
    """Mirror what grows until the parent process ends."""
    from ablation.tracking import attempts

    lock = arguments.store.parent / LOCK
    attempts.follow(Opening(arguments, address), lock, address, arguments.parent)


def finish(arguments: argparse.Namespace, address: Address) -> None:
    """Mirror everything and write the receipt."""
    from ablation.tracking.attempts import persist
    from ablation.tracking.lease import one_writer
    from ablation.tracking.view import link

    mirror, results = make_mirror(arguments, address, read_frozen(arguments.study)), read_results(arguments)
    lock = arguments.store.parent / LOCK

    def send() -> str:
        with one_writer(lock):
            if not mirror.sync():
                raise RuntimeError("not every run has a whole record")
            study_run = mirror.conclude(results)
            mirror.release()
        return study_run

    try:
        study_run = persist(send, address)
    except Exception as error:  # reported in a sentence: a server that is down is no bug
        sys.exit(
            f"{address.explain(error)}\nThe study itself is done: see {arguments.receipt.with_name('report.html')}. "
            "Start again to catch up with the mirror alone."
        )
    receipt = {
        "uri": address.public,
        "experiment": mirror.plan.name,
        "run": study_run,
        "table": link(address.public, mirror.ledger.experiment),
        "runs": len(mirror.runs),
        "mlflow": version("mlflow"),
    }
    with write_whole(arguments.receipt) as file:
        file.write(json.dumps(receipt, indent=1).encode())
    print(f"MLflow at {address.public}: experiment {mirror.plan.name} is complete")


def read_results(arguments: argparse.Namespace) -> "Results":
    """Read what there is of a study that is done."""
    import numpy as np
    import pandas as pd

    from ablation.analysis.contrasts import read_table
    from ablation.analysis.outcomes import read_outcomes
    from ablation.tracking.conclusion import Results

    return Results(
        runs=pd.read_parquet(arguments.runs),
        comparison=read_table(arguments.comparison),
        outcomes=read_outcomes(arguments.verdicts),
        artifacts=[*arguments.artifacts, arguments.comparison, arguments.verdicts],
        examples=np.load(arguments.examples, mmap_mode="r"),
        layers=arguments.layers,
    )


def main(arguments: argparse.Namespace) -> None:
    """Follow or finish."""
    if arguments.follow:
        missing = missing_module()
        if missing:
            print(
                "MLflow shows the runs of this study only at its end, when the rule mirror_records sends them: "
                f"{sys.executable} has no {missing}.",
                file=sys.stderr,
            )
            return
    if arguments.log:
        log = os.open(arguments.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(log, 1)
        os.dup2(log, 2)
    address = Address.of(arguments.store.parent)
    os.environ.update(address.environment)
    sys.stdout, sys.stderr = Redacted(sys.stdout, address), Redacted(sys.stderr, address)
    # A refused connection must not hold the mirror for minutes.
    os.environ.setdefault(RETRIES, "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    follow(arguments, address) if arguments.follow else finish(arguments, address)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="process whose end is the end")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the prepared data")
    parser.add_argument("--variants", type=Path, required=True, help="table of variants with their sizes (CSV)")
    parser.add_argument("--store", type=Path, required=True, help="folder of the store; MLflow's own lies beside it")
    parser.add_argument("--answers", type=Path, help="sizes that a study under way leaves open (JSON)")
    parser.add_argument("--follow", action="store_true", help="mirror what grows until the parent process ends")
    parser.add_argument("--log", type=Path, help="file for what is said while it follows, instead of the terminal")
    parser.add_argument("--runs", type=Path, help="table of runs (Parquet)")
    parser.add_argument("--examples", type=Path, help="which test images each run has right (NumPy)")
    parser.add_argument("--comparison", type=Path, help="comparison of the variants (CSV)")
    parser.add_argument("--verdicts", type=Path, help="verdicts of the claims (JSON)")
    parser.add_argument("--artifacts", type=Path, nargs="*", default=[], help="other tables, figures, report")
    parser.add_argument("--layers", type=Path, help="folder of the variants' pages (Markdown)")
    parser.add_argument("--receipt", type=Path, help="receipt to write when all is mirrored (JSON)")
