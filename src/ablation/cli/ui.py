"""Look at the runs in the MLflow UI, on this machine alone.

Others reach it through a tunnel of theirs: ssh -L 5000:127.0.0.1:5000 THIS-MACHINE. A server for many is MLflow's own,
with a database of its own, passwords (--app-name basic-auth, which needs mlflow[auth]), a reverse proxy for TLS before
it, and the names that it answers to (--allowed-hosts mlflow.example.org); trainings then name it in MLFLOW_TRACKING_URI.
"""

import argparse
import os
import socket
import sys
from pathlib import Path

from ablation.tracking.address import Address
from ablation.tracking.view import experiments, link

HOST, PORT = "127.0.0.1", 5000


def is_free(port: int) -> bool:
    """Say whether a port of this machine is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose_port(wanted: int | None) -> int:
    """Return the port that was asked for, or the first free one; exits with a sentence if it is taken."""
    if wanted is None:
        return next((port for port in range(PORT, PORT + 100) if is_free(port)), PORT)
    if not is_free(wanted):
        sys.exit(f"port {wanted} is taken by another program: name another one, or none to use one that is free")
    return wanted


def say_tables(place: str, address: Address, results: Path) -> None:
    """Print for each study the address of the table of its variants."""
    for name, experiment in experiments(address, results):
        print(f"variants of {name}: {link(place, experiment)}")


def main(arguments: argparse.Namespace) -> None:
    """Replace this process by the MLflow server, or say where the runs are."""
    address = Address.of(arguments.results)
    if address.uri.startswith(("http://", "https://")):
        print(f"MLFLOW_TRACKING_URI names a server, where the runs are: open {address.public}")
        say_tables(address.public, address, arguments.results)
        return
    if address.default and not (arguments.results / "mlflow.db").exists():
        sys.exit(f"there are no runs yet: {arguments.results / 'mlflow.db'} comes with the first training")
    port = choose_port(arguments.port)
    if arguments.port is None and port != PORT:
        print(f"port {PORT} is taken by another program")
    place = f"http://{HOST}:{port}"
    print(f"the runs of {address.public}: open {place} (Ctrl-C ends it)")
    say_tables(place, address, arguments.results)
    sys.stdout.flush()  # this process is about to be another one
    environment = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": address.uri,  # not among the arguments, which every user of the machine can read
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    environment.pop("MLFLOW_TRACKING_URI", None)
    words = ["server", "--host", HOST, "--port", str(port), "--workers", "1"]
    os.execve(sys.executable, [sys.executable, "-m", "mlflow", *words], environment)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("port", type=int, nargs="?", help=f"port (the first free one from {PORT} on)")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results (results)")
