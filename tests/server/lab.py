"""A private PostgreSQL and MLflow servers on it: for the tests of this folder, and for a look by hand.

    python tests/server/lab.py start    # says where the server is
    python tests/server/lab.py stop

Everything lies in one folder and listens on 127.0.0.1 alone, at ports that were free.
"""

import argparse
import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(tempfile.gettempdir()) / f"ablation-server-{os.getuid()}"


def missing() -> str | None:
    """Say what keeps the servers from being started here; None if nothing does."""
    if postgres_folder() is None:
        return "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    if os.getuid() == 0 and postgres_user() is None:
        return "PostgreSQL does not run as root, and there is no user postgres"
    for module in ("psycopg2", "flask_wtf"):
        if subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode:
            return f"{module} is not installed (uv sync --group server)"
    return None


def postgres_folder() -> Path | None:
    """Find PostgreSQL's programs: on the PATH, or where Debian puts them."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    return versions[-1].parent if versions else None


def postgres_user() -> str | None:
    """Name the account that runs PostgreSQL in root's place."""
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return None


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """A cluster of its own in a folder."""

    def __init__(self, folder: Path, port: int | None = None):
        self.folder, self.port, self.programs = folder, port or free_port(), postgres_folder()
        self.root = {"user": postgres_user(), "group": postgres_user(), "extra_groups": []} if not os.getuid() else {}

    def _run(self, program: str, *arguments: str) -> None:
        with open(self.folder.parent / "postgres.log", "ab") as log:
            subprocess.run(
                [self.programs / program, *arguments],
                check=True,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                **self.root,
            )

    def start(self) -> None:
        """Make the cluster and start it."""
        self.folder.mkdir(mode=0o700)
        if self.root:
            shutil.chown(self.folder, self.root["user"], self.root["group"])
        self._run("initdb", "-D", "data", "-U", "mlflow", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "server.log", "-o", options, "start")

    def database(self, name: str) -> str:
        """Make an empty database and return its address."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "mlflow", name)
        # SQLAlchemy 2.1 takes a bare postgresql:// for another driver.
        return f"postgresql+psycopg2://mlflow@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        if (self.folder / "data/postmaster.pid").exists():
            self._run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")


def make_tables(database: str) -> None:
    """Prepare an empty database for MLflow; a server would do it too, and several at once get in each other's way."""
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", database]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"no tables in {database}: {done.stderr}")


class Server:
    """An MLflow server that can be killed and started again at the same place.

    Parameters
    ----------
    folder : Path
        For logs and artifacts.
    database : str
        Address of a database with tables.
    password : str
        The administrator's (`admin`), if the server shall ask for one.
    """

    def __init__(self, folder: Path, database: str, password: str | None = None):
        self.folder, self.database, self.port, self.group = folder, database, free_port(), None
        self.uri = f"http://127.0.0.1:{self.port}"
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")},
            **quiet,
        }
        self.options = []
        folder.mkdir()
        if password:
            users = folder / "users.ini"
            users.write_text(
                "[mlflow]\ndefault_permission = READ\nadmin_username = admin\n"
                f"admin_password = {password}\ndatabase_uri = sqlite:///{folder / 'users.db'}\n"
                "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
                "auth_cache_ttl_seconds = 60\n"  # else every request waits for the password to be hashed
            )
            self.options = ["--app-name", "basic-auth"]
            self.environment |= {"MLFLOW_AUTH_CONFIG_PATH": str(users), "MLFLOW_FLASK_SERVER_SECRET_KEY": "secret"}

    def _mlflow(self, *arguments: str) -> subprocess.Popen:
        with open(self.folder / "server.log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "mlflow", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,  # its workers are stopped with it, as a process group
            )

    def start(self, wait: bool = True) -> None:
        """Start the server, and wait until it answers."""
        place = ["--artifacts-destination", str(self.folder / "artifacts"), "--workers", "1"]
        where = ["--host", "127.0.0.1", "--port", str(self.port)]
        process = self._mlflow("server", "--backend-store-uri", self.database, *place, *where, *self.options)
        self.group, self.process = process.pid, process
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until the server answers."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"the MLflow server did not come up: see {self.folder / 'server.log'}")

    def gc(self) -> None:
        """Remove for good what was deleted."""
        if self._mlflow("gc", "--backend-store-uri", self.database, "--tracking-uri", self.uri).wait():
            raise RuntimeError(f"mlflow gc failed: see {self.folder / 'server.log'}")

    def kill(self) -> None:
        """Kill it with all its workers, as a machine that loses its power does."""
        if self.group:
            stop_group(self.group)
            self.process.wait()
            self.group = None


def stop_group(group: int) -> None:
    """Kill a process group that was started here."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def main() -> None:
    """Start a server for a look by hand, or stop it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--folder", type=Path, default=HERE, help=f"where everything lies ({HERE})")
    parser.add_argument("--password", help="let the server ask for the password of admin, this one")
    arguments = parser.parse_args()
    state = arguments.folder / "state.json"
    if arguments.action == "stop":
        if not state.exists():
            sys.exit(f"nothing runs in {arguments.folder}")
        known = json.loads(state.read_text())
        stop_group(known["group"])
        Postgres(arguments.folder / "postgres", known["port"]).stop()
        shutil.rmtree(arguments.folder)
        return
    if missing():
        sys.exit(missing())
    if state.exists():
        sys.exit(f"a server runs already in {arguments.folder}")
    shutil.rmtree(arguments.folder, ignore_errors=True)  # of a start that failed; its logs were to be read
    arguments.folder.mkdir(mode=0o711)
    postgres = Postgres(arguments.folder / "postgres")
    server = None
    try:
        postgres.start()
        database = postgres.database("mlflow")
        make_tables(database)
        server = Server(arguments.folder / "mlflow", database, arguments.password)
        server.start()
    except BaseException:
        if server:
            server.kill()
        postgres.stop()
        raise
    state.write_text(json.dumps({"group": server.group, "port": postgres.port}))
    print(f"{server.uri}    export MLFLOW_TRACKING_URI={server.uri}    logs: {arguments.folder}")


if __name__ == "__main__":
    main()
