"""Mirror a study to MLflow: while it trains (--follow), and to the end once it is done (--receipt)."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from ablation.jobs.shards import planned_runs
from ablation.records.store import Store
from ablation.study.studyfile import read_frozen, read_started
from ablation.support.files import write_whole
from ablation.tracking.address import Address, Redacted, refused

EVERY = 2.0  # seconds between two looks at the store
AGAIN = 30.0  # seconds to wait at most after failures while it trains
PAUSES = (5.0, 15.0, 30.0)  # seconds to wait after failures at the end: a server that is started again is back by then
LOOK = 10.0  # seconds between two looks whether another machine still mirrors this study
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


def open_mirror(arguments: argparse.Namespace, address: Address):
    """Return the mirror of the study; nothing is sent to MLflow yet."""
    from ablation.analysis.collection import read_sizes
    from ablation.tracking.lease import Lease
    from ablation.tracking.mirror import Mirror

    results = arguments.store.parent
    plan = read_started(arguments.study, arguments.answers) if arguments.follow else read_frozen(arguments.study)
    manifest = json.loads(arguments.manifest.read_text())
    runs = planned_runs(plan, manifest["digest"])
    artifacts = str((results / "mlartifacts" / plan.name).resolve()) if address.default else None
    lease = None if address.local else Lease(results)
    ledger = results / plan.name / "mlflow-ledger.json"
    sizes = read_sizes(arguments.variants)
    return Mirror(plan, runs, Store(arguments.store), manifest, sizes, address, artifacts, ledger, lease)


def ready(arguments: argparse.Namespace) -> bool:
    """Say whether the data of the study and the sizes of its controls are known by now."""
    planned = arguments.manifest.is_file() and arguments.variants.is_file()
    return planned and read_started(arguments.study, arguments.answers) is not None


def missing_module() -> str | None:
    """Name the module without which nothing can be mirrored by this Python; None if all are there."""
    try:
        import ablation.tracking.mirror  # noqa: F401
    except ModuleNotFoundError as error:
        return error.name
    return None


def say(text: str) -> None:
    """Print a line to the log at once."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def follow(arguments: argparse.Namespace, address: Address) -> None:
    """Mirror what grows until the parent process ends; a failure is logged and retried, and never disturbs the training."""
    from ablation.tracking.lease import one_writer

    lock, parent = arguments.store.parent / ".mirror.lock", arguments.parent
    mirror, said, pause = None, "", EVERY
    while os.getppid() == parent:
        if mirror or ready(arguments):
            try:
                mirror = mirror or open_mirror(arguments, address)
                with one_writer(lock):
                    mirror.sync()
                said, pause = "", EVERY
            except Exception as error:  # whatever is wrong with MLflow, the training goes on
                text = address.explain(error)
                if refused(error):
                    say(f"{text} The end of the study tries again.")
                    return
                if text != said:
                    say(f"{text} Trying again until it can.")
                said, pause = text, min(2 * pause, AGAIN)
        waited = 0.0
        while waited < pause and os.getppid() == parent:
            time.sleep(0.5)
            waited += 0.5
    if mirror:
        try:
            with one_writer(lock):
                if not mirror.sync():
                    mirror.pause()
                mirror.release()
        except Exception as error:
            say(address.explain(error))


def finish(arguments: argparse.Namespace, address: Address) -> None:
    """Mirror everything and write the receipt."""
    import pandas as pd

    from ablation.tracking.lease import one_writer
    from ablation.tracking.mirror import version

    mirror, table = open_mirror(arguments, address), pd.read_parquet(arguments.runs)

    def send() -> str:
        with one_writer(arguments.store.parent / ".mirror.lock"):
            if not mirror.sync():
                raise RuntimeError("not every run has a whole record")
            study_run = mirror.conclude(table, arguments.artifacts, arguments.layers)
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
        "runs": len(mirror.runs),
        "mlflow": version(),
        "generation": arguments.generation,
    }
    with write_whole(arguments.receipt) as file:
        file.write(json.dumps(receipt, indent=1).encode())
    print(f"MLflow at {address.public}: experiment {mirror.plan.name} is complete")


def persist(send, address: Address):
    """Retry what may fail for a while; each attempt continues where the last one ended.

    Nothing is retried where MLflow's own variable forbids it or the server refuses access. Another machine's lease is
    watched until it is renewed, which ends the attempts, or until it has expired and is taken over.
    """
    from ablation.tracking.lease import OtherWriterError

    pauses = list(PAUSES if os.environ[RETRIES] != "0" else ())
    waiting = False
    while True:
        try:
            return send()
        except OtherWriterError as error:
            if error.alive:
                raise
            if not waiting:
                say(f"{error} Looking for up to two minutes whether it still lives.")
            waiting = True
            time.sleep(LOOK)
        except Exception as error:
            if refused(error) or not pauses:
                raise
            say(f"{address.explain(error)} Trying again in {pauses[0]:.0f} s.")
            time.sleep(pauses.pop(0))


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
    parser.add_argument("--artifacts", type=Path, nargs="*", default=[], help="tables, figures, report")
    parser.add_argument("--layers", type=Path, help="folder of the variants' pages (Markdown)")
    parser.add_argument("--receipt", type=Path, help="receipt to write when all is mirrored (JSON)")
    parser.add_argument("--generation", type=int, default=0, help="how often the mirror of the receipt was lost")
