"""An experiment in MLflow's SQLite file, written without MLflow's client, which needs ten times as long for each run.

Only tables of the one revision that we know are written; whatever is in a file of another one is left to MLflow's client.
What is written at once is there wholly or not at all, whatever ends the process, and somebody who deletes the file or
puts another in its place is noticed before anything is written to it.
"""

import contextlib
import math
import os
import sqlite3
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from ablation.support.files import aside_name, aside_prefix
from ablation.tracking.address import Address
from ablation.tracking.experiment import KEY, KIND, NAME, Experiment, GoneError, Point, Run

REVISION = "dc11669786a5"  # of MLflow 3.17's tables (`alembic_version`)
BUSY = 20.0  # seconds to wait for another writer, such as the UI
MOST_PARAM, MOST_TAG = 6000, 8000  # characters of a value; MLflow's client cuts longer ones, too
CACHE = 65536  # kibibytes of the file in memory: a table of millions of points has indexes that are written everywhere
SCHEME = "sqlite:///"

POINT = """\
INSERT OR IGNORE INTO metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)"""
LATEST = """\
INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key, run_uuid) DO UPDATE
SET value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan
WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)"""
EXPERIMENT = """\
INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
VALUES (?, ?, 'active', ?, ?, 'default')"""
RUN = """\
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, source_version,
                  lifecycle_stage, artifact_uri, experiment_id)
VALUES (?, ?, 'UNKNOWN', '', '', 'unknown', 'RUNNING', ?, '', 'active', ?, ?)"""

# Of the many runs of seeds only the tags that tell what was sent.
SUMMARIES = "SELECT run_uuid FROM tags WHERE key = 'level' AND value IN ('study', 'variant')"
TOLD = f"key IN (?, 'status', 'superseded') OR run_uuid IN ({SUMMARIES})"


def open_database(address: Address, name: str, artifacts: str | None) -> "DatabaseExperiment | None":
    """Return an experiment that can be written without MLflow's client: found, restored or made.

    Parameters
    ----------
    address : Address
    name : str
    artifacts : str
        Where a new experiment keeps its artifacts.

    Returns
    -------
    DatabaseExperiment or None
        None for what is left to MLflow's client: a server, a file with other tables, artifacts that lie elsewhere than in
        files of this machine, and a new experiment that does not say where its artifacts shall lie.
    """
    path = Path(address.uri.removeprefix(SCHEME))
    if not address.uri.startswith(SCHEME) or "?" in address.uri:
        return None
    if not path.exists() or not path.stat().st_size:
        if artifacts is None:
            return None
        make_tables(path)
    database = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
    try:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute(f"PRAGMA cache_size = -{CACHE}")
        found = _find(database, name, artifacts) if _has_our_tables(database) else None
        if found and os.path.isabs(found[1] or ""):
            return DatabaseExperiment(path, database, *found)
    except BaseException:
        database.close()
        raise
    database.close()
    return None


def make_tables(path: Path) -> None:
    """Make an empty database as MLflow does, in a process of its own: MLflow keeps what it opened until its process ends.

    It appears under its name only when it is whole: tables of which some are missing cannot be mended by MLflow.

    Raises
    ------
    RuntimeError
        With the last line that MLflow said.
    """
    for left in path.parent.glob(
        f"{aside_prefix(path.name)}*"
    ):  # by one that was killed: one process mirrors at a time
        left.unlink(missing_ok=True)
    aside = path.with_name(aside_name(path.name))
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", f"{SCHEME}{aside}"]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise RuntimeError(f"its tables could not be made: {(done.stdout.strip().splitlines() or ['?'])[-1]}")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _has_our_tables(database: sqlite3.Connection) -> bool:
    tables = database.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchall()
    return bool(tables) and database.execute("SELECT * FROM alembic_version").fetchall() == [(REVISION,)]


def _find(database: sqlite3.Connection, name: str, artifacts: str | None) -> tuple[int, str] | None:
    """Return the id of an experiment and where its artifacts lie; it is made or restored if need be."""
    query = "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments WHERE name = ?"
    found = database.execute(query, (name,)).fetchone()
    if found is None:
        if artifacts is None:
            return None
        database.execute("BEGIN IMMEDIATE")
        row = (name, artifacts, _now(), _now())
        number = database.execute(EXPERIMENT, row).lastrowid
        tags = [(key, value, number) for key, value in KIND.items()]
        database.executemany("INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)", tags)
        database.execute("COMMIT")
        return number, artifacts
    if found[2] == "deleted":
        restored = "UPDATE experiments SET lifecycle_stage = 'active', last_update_time = ? WHERE experiment_id = ?"
        database.execute(restored, (_now(), found[0]))
    return found[:2]


class DatabaseExperiment(Experiment):
    """An experiment of a SQLite file whose artifacts are files of this machine.

    Parameters
    ----------
    path : Path
    database : sqlite3.Connection
        Without transactions of its own.
    number : int
    artifacts : str
        Where the experiment keeps its artifacts.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, number: int, artifacts: str):
        self.path, self.database, self.number, self.artifacts = path, database, number, artifacts
        self.id, self.file = str(number), _identity(path)
        self.data: dict[tuple[str, str], str] = {}  # ids of data sets by name and digest

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write all of the block in one transaction; a block within another one is part of it."""
        if self.database.in_transaction:
            yield
            return
        if _identity(self.path) != self.file:
            raise GoneError(f"{self.path} was deleted or replaced")
        self.database.execute("BEGIN IMMEDIATE")
        try:
            query = "SELECT 1 FROM experiments WHERE experiment_id = ? AND lifecycle_stage = 'active'"
            if not self.database.execute(query, (self.number,)).fetchone():
                raise GoneError(f"experiment {self.number} must be in the 'active' state: it was deleted")
            yield
            self.database.execute("COMMIT")
        except BaseException:
            self.data.clear()
            if self.database.in_transaction:
                self.database.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def runs(self) -> dict[str, list[Run]]:
        """Return all runs by key, deleted ones too; of their tags, those that tell what was sent."""
        tags, metrics = defaultdict(dict), defaultdict(dict)
        of_ours = "JOIN runs USING (run_uuid) WHERE experiment_id = ?"
        wanted = f"SELECT run_uuid, key, tags.value FROM tags {of_ours} AND ({TOLD})"
        for run, key, value in self.database.execute(wanted, (self.number, KEY)):
            tags[run][key] = value
        latest = f"SELECT run_uuid, key, value, is_nan FROM latest_metrics {of_ours}"
        for run, key, value, is_nan in self.database.execute(latest, (self.number,)):
            metrics[run][sys.intern(key)] = math.nan if is_nan else value
        columns = "run_uuid, status, lifecycle_stage, start_time, end_time, artifact_uri"
        query = f"SELECT {columns} FROM runs WHERE experiment_id = ?"
        found = defaultdict(list)
        for run, status, stage, *rest in self.database.execute(query, (self.number,)):
            if key := tags[run].get(KEY):
                found[key].append(Run(run, status, stage == "active", *rest, tags[run], metrics[run]))
        return found

    def create(self, tags: Mapping[str, str], start: int | None) -> tuple[str, str]:
        """Make a run."""
        run = uuid.uuid4().hex
        place = f"{self.artifacts.rstrip('/')}/{run}/artifacts"
        with self.together():
            self.database.execute(RUN, (run, tags[NAME], _now() if start is None else start, place, self.number))
            self._set_tags(run, tags)
        return run, place

    def log(
        self,
        run: str,
        points: Collection[Point] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping | None = None,
    ) -> None:
        """Add points, parameters and tags."""
        rows = [(run, name, *_stored(value), moment, step) for name, value, moment, step in points]
        rows = [(run, name, value, moment, step, is_nan) for run, name, value, is_nan, moment, step in rows]
        latest = {}
        for row in rows:
            name, value, moment, step = row[1:5]
            if name not in latest or (step, moment, value) > (latest[name][4], latest[name][3], latest[name][2]):
                latest[name] = row
        with self.together():
            self._expect_active(run)
            self.database.executemany(POINT, sorted(rows))  # as its indexes are
            self.database.executemany(LATEST, latest.values())
            named = [(run, name, value[:MOST_PARAM]) for name, value in (params or {}).items()]
            self.database.executemany("INSERT OR IGNORE INTO params (run_uuid, key, value) VALUES (?, ?, ?)", named)
            self._set_tags(run, tags or {})

    def _set_tags(self, run: str, tags: Mapping[str, str]) -> None:
        rows = [(run, name, value[:MOST_TAG]) for name, value in tags.items()]
        self.database.executemany("INSERT OR REPLACE INTO tags (run_uuid, key, value) VALUES (?, ?, ?)", rows)

    def _expect_active(self, run: str) -> None:
        found = self.database.execute("SELECT lifecycle_stage FROM runs WHERE run_uuid = ?", (run,)).fetchone()
        if found is None:
            raise GoneError(f"run {run} was not found")
        if found[0] != "active":
            raise GoneError(f"run {run} must be in the 'active' state: it was deleted")

    def remove_tags(self, run: str, names: Collection[str]) -> None:
        """Remove tags from a run."""
        with self.together():
            rows = [(run, name) for name in names]
            self.database.executemany("DELETE FROM tags WHERE run_uuid = ? AND key = ?", rows)

    def label(self, name: str, value: str) -> None:
        """Give the experiment a tag, unless it has it."""
        there = (name, value, self.number)
        query = "SELECT 1 FROM experiment_tags WHERE key = ? AND value = ? AND experiment_id = ?"
        if not self.database.execute(query, there).fetchone():
            with self.together():
                statement = "INSERT OR REPLACE INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)"
                self.database.execute(statement, there)

    def log_data(self, run: str, data: Mapping[str, str]) -> None:
        """Say what a run is trained on; the experiment has each data set once."""
        with self.together():
            source = self._data(data)
            edge = uuid.uuid4().hex
            statement = "INSERT OR IGNORE INTO inputs VALUES (?, 'DATASET', ?, 'RUN', ?, 0)"
            if self.database.execute(statement, (edge, source, run)).rowcount:
                self.database.execute("INSERT INTO input_tags VALUES (?, 'mlflow.data.context', 'training')", (edge,))

    def _data(self, data: Mapping[str, str]) -> str:
        """Return the id of a data set, added if need be."""
        name = data["name"], data["digest"]
        if name not in self.data:
            row = (uuid.uuid4().hex, self.number, *name, data["source"], data["profile"])
            self.database.execute("INSERT OR IGNORE INTO datasets VALUES (?, ?, ?, ?, 'ablation', ?, NULL, ?)", row)
            query = "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?"
            (self.data[name],) = self.database.execute(query, (self.number, *name)).fetchone()
        return self.data[name]

    def set_status(self, run: str, status: str, end: int | None = None) -> None:
        """Set the status of a run."""
        with self.together():
            self._expect_active(run)
            if status == "RUNNING":
                self.database.execute("UPDATE runs SET status = ? WHERE run_uuid = ?", (status, run))
            else:
                ended = (status, _now() if end is None else end, run)
                self.database.execute("UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", ended)

    def delete(self, run: str) -> None:
        """Delete a run."""
        with self.together():
            statement = "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE run_uuid = ?"
            self.database.execute(statement, (_now(), run))

    def restore(self, run: str) -> None:
        """Bring a deleted run back."""
        with self.together():
            statement = "UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE run_uuid = ?"
            self.database.execute(statement, (run,))

    def last_step(self, run: str, metric: str) -> int:
        """Return the last step at which a run has a metric."""
        query = "SELECT max(step) FROM metrics WHERE run_uuid = ? AND key = ?"
        return self.database.execute(query, (run, metric)).fetchone()[0]

    def upload(self, place: str, files: Mapping[str, bytes], folder: str | None = None) -> None:
        """Write files."""
        target = os.path.join(place, folder or "")
        os.makedirs(target, exist_ok=True)
        for name, content in files.items():
            with open(os.path.join(target, name), "wb") as file:
                file.write(content)


def _stored(value: float) -> tuple[float, bool]:
    """Return what a database holds of a number, and whether it is none: it knows neither NaN nor infinity."""
    if math.isnan(value):
        return 0.0, True
    return max(-sys.float_info.max, min(value, sys.float_info.max)), False


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell a file from another one of its name; None if it is not there."""
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_dev, found.st_ino
    return None


def _now() -> int:
    return time.time_ns() // 1_000_000
