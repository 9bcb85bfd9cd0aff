"""Mirror a study to MLflow: while it trains (--follow), and to the end once it is done (--receipt)."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from ablation.commands import run
from ablation.files import write_whole
from ablation.shards import planned_runs
from ablation.store import Store
from ablation.studyfile import read_frozen, read_started

EVERY = 2.0  # seconds between two looks at the store
AGAIN = 30.0  # seconds to wait after a failure


def open_mirror(arguments: argparse.Namespace):
    """Connect to MLflow."""
    from ablation.tracking import Mirror, tracking_uri

    plan = read_started(arguments.study, arguments.answers) if arguments.follow else read_frozen(arguments.study)
    manifest = json.loads(arguments.manifest.read_text())
    uri, artifacts = tracking_uri(arguments.store.parent)
    if artifacts:
        artifacts = f"{artifacts}/{plan.name}"
    ledger = arguments.store.parent / plan.name / "mlflow-ledger.json"
    return Mirror(
        plan, planned_runs(plan, manifest["digest"]), Store(arguments.store), manifest, uri, artifacts, ledger
    )


def ready(arguments: argparse.Namespace) -> bool:
    """Say whether the start has got as far as to know its data and the sizes of its controls."""
    return arguments.manifest.is_file() and read_started(arguments.study, arguments.answers) is not None


def follow(arguments: argparse.Namespace) -> None:
    """Mirror what grows until the parent process ends; a failure is said and tried again, and disturbs nobody."""
    from ablation.tracking import one_writer

    parent, pause = arguments.parent, EVERY
    while os.getppid() == parent:
        if ready(arguments):
            try:
                with one_writer(arguments.store.parent / ".mirror.lock"):
                    # Opened anew each time: the final mirror may have written the ledger in between.
                    open_mirror(arguments).sync()
                pause = EVERY
            except Exception as error:  # whatever ails MLflow, training goes on
                print(f"MLflow could not be written, trying again in {AGAIN:.0f} s: {error}", file=sys.stderr)
                pause = AGAIN
        waited = 0.0
        while waited < pause and os.getppid() == parent:
            time.sleep(0.5)
            waited += 0.5
    if ready(arguments):
        with one_writer(arguments.store.parent / ".mirror.lock"):
            mirror = open_mirror(arguments)
            if not mirror.sync():
                mirror.pause()


def finish(arguments: argparse.Namespace) -> None:
    """Mirror everything and write the receipt."""
    import pandas as pd

    from ablation.tracking import one_writer, tracking_uri, version

    uri, _ = tracking_uri(arguments.store.parent)
    try:
        with one_writer(arguments.store.parent / ".mirror.lock"):
            mirror = open_mirror(arguments)
            mirror.sync()
            study_run = mirror.conclude(pd.read_parquet(arguments.runs), arguments.artifacts, arguments.layers)
    except Exception as error:  # said in a sentence: a server that is down is no bug
        sys.exit(
            f"MLflow at {uri} could not be written: {error}\n"
            f"The study itself is done: see {arguments.receipt.with_name('report.html')}. "
            "Start again to catch up with the mirror alone."
        )
    receipt = {
        "uri": uri,
        "experiment": mirror.plan.name,
        "run": study_run,
        "runs": len(mirror.runs),
        "mlflow": version(),
    }
    with write_whole(arguments.receipt) as file:
        file.write(json.dumps(receipt, indent=1).encode())
    print(f"MLflow at {uri}: experiment {mirror.plan.name} is complete")


def main(arguments: argparse.Namespace) -> None:
    """Follow or finish."""
    # A refused connection must not hold the mirror for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    follow(arguments) if arguments.follow else finish(arguments)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, required=True, help="the frozen study (JSON)")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="process whose end is the end")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the prepared data")
    parser.add_argument("--store", type=Path, required=True, help="folder of the store; MLflow's own lies beside it")
    parser.add_argument("--answers", type=Path, help="sizes that a study under way leaves open (JSON)")
    parser.add_argument("--follow", action="store_true", help="mirror what grows until the parent process ends")
    parser.add_argument("--runs", type=Path, help="table of runs (Parquet)")
    parser.add_argument("--artifacts", type=Path, nargs="*", default=[], help="tables, figures, report")
    parser.add_argument("--layers", type=Path, help="folder of the variants' pages (Markdown)")
    parser.add_argument("--receipt", type=Path, help="receipt to write when all is mirrored (JSON)")
    run(main, parser)
