"""Kill a study again and again, and compare what it ends in with an undisturbed run. Writes `chaos.md` with `--table`.

python benchmarks/chaos.py [--kills 20] [--seed 0] [--cores 2] [--epochs 60] [--table]

A small study runs in a folder of its own, once undisturbed; then each start is hit by `kill -9` at a random moment: one of
its trainings, Snakemake alone (its trainings live on), any one process, or all of them. The next start is a plain one. When
no kill is left, or a start was faster than its kill, the study comes to its end; weights, predictions, curves and verdicts
then have to equal those of the undisturbed run, times apart.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAME = "chaos"
STUDY = """title: A study that is killed again and again
question: Does a study end in the same results, whatever is killed on its way?
data: {{name: digits}}
recipe: {{epochs: {epochs}, batch_size: 64, lr: 0.1, momentum: 0.9, schedule: cosine, augmentation: crop1}}
architectures:
  lenet: {{baseline: {{activation: relu, pooling: max}}}}
grid:
  - factors: {{activation: [sigmoid], norm: [batch]}}
seeds: {seeds}
metrics: [test_accuracy, test_loss]
smallest_effect: 0.01
claims:
  relu-better:
    {{statement: ReLU is better than sigmoid., source: study notes, factor: activation, level: relu, against: sigmoid,
     metric: test_accuracy, direction: greater}}
"""
STARTING, TRAINING, ENDING = "starts", "trains", "ends"
VICTIMS = ("a training", "Snakemake", "one process", "all")
TIMES = ("seconds", "time", "images_per_second")  # what no two runs have in common
PATIENCE = 900.0  # seconds that a start may take


def copy(folder: Path) -> Path:
    """Lay what git tracks, or will track, into a folder, with nothing that was made."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@dataclass
class Project:
    """A copy of the project with the study, and the starts in it."""

    folder: Path
    cores: int
    starts: list[Path] = field(default_factory=list)  # their logs

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def start(self) -> subprocess.Popen:
        """Start the study as anybody would: no --unlock, nothing cleared."""
        hidden = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "MLFLOW_TRACKING_URI")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        self.starts.append(self.folder.with_name(f"{self.folder.name}-start{len(self.starts) + 1}.log"))
        command = [sys.executable, "-m", "snakemake", "--cores", str(self.cores), "--config", f"study={NAME}"]
        with open(self.starts[-1], "w") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def processes(self) -> list[int]:
        """List the processes that work in the folder, also those whose start is gone."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                # One that has ended, and that nobody has asked for its status, has no folder.
                if (process / "cwd").readlink() == self.folder:
                    found.append(int(process.name))
        return found

    def trainings(self) -> list[int]:
        """List the processes that train a run at this moment: those that hold its lock."""
        found, alive = set(), set(self.processes())
        for path in self.results.glob("store/.running/locks/*"):
            with suppress(OSError, ValueError, KeyError):
                found.add(json.loads(path.read_bytes())["pid"])
        return sorted(found & alive)

    def recorded(self) -> int:
        return len(list(self.results.glob("store/??/*/record.json")))


def kill(processes: list[int]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def strike(project: Project, start: subprocess.Popen, wanted: str, draws: random.Random) -> str:
    """Kill what is wanted, or if there is none of it at the moment something else; return what."""
    if wanted == "a training" and (trainings := project.trainings()):
        kill([draws.choice(trainings)])
        return wanted
    if wanted == "Snakemake":
        kill([start.pid])
        return wanted
    if wanted == "one process" and (processes := sorted(project.processes())):
        kill([draws.choice(processes)])
        return wanted
    while processes := project.processes():
        kill(processes)
        start.poll()
        time.sleep(0.02)
    return "all"


def wait_until(condition, start: subprocess.Popen) -> bool:
    """Wait for a condition; not if the start ends before."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if start.poll() is not None:
            return False
        if time.monotonic() > end:
            sys.exit(f"a start that lasts longer than {PATIENCE:.0f} s")
        time.sleep(0.05)
    return start.poll() is None


def undisturbed(project: Project, runs: int) -> dict[str, float]:
    """Run the study without any kill; return the seconds of each phase, from which the moments of kills are drawn."""
    begin = time.monotonic()
    start = project.start()
    wait_until(lambda: project.trainings(), start)
    trains = time.monotonic()
    wait_until(lambda: project.recorded() == runs, start)
    ends = time.monotonic()
    if start.wait(PATIENCE):
        sys.exit(project.starts[-1].read_text())
    return {STARTING: trains - begin, TRAINING: ends - trains, ENDING: time.monotonic() - ends}


def disturbed(project: Project, kills: list[tuple[str, str]], lengths: dict[str, float], draws, runs: int) -> Counter:
    """Kill in start after start, as long as there are kills and the study has not ended; then let it end."""
    struck: Counter = Counter()
    # Of training, a part that leaves some for the kills to come; of the end, less than would let most starts reach it.
    most = {STARTING: lengths[STARTING], TRAINING: lengths[TRAINING] / 8}
    most[ENDING] = 0.7 * (lengths[STARTING] + lengths[ENDING])
    start = project.start()
    while kills:
        phase, wanted = kills[0]
        if phase == TRAINING:
            wait_until(lambda: project.trainings(), start)
        elif phase == ENDING:
            wait_until(lambda: project.recorded() == runs, start)
        delay = draws.uniform(0, most[phase])
        with suppress(subprocess.TimeoutExpired):
            start.wait(delay)
        if start.poll() is None:
            struck[phase, victim := strike(project, start, wanted, draws)] += 1
            kills.pop(0)
            print(
                f"start {len(project.starts)}: kill -9 of {victim}, {delay:.1f} s into the time that it {phase}; "
                f"{project.recorded()} of {runs} runs are recorded",
                flush=True,
            )
            with suppress(subprocess.TimeoutExpired):
                start.wait(1)
        if start.poll() == 0:
            break
        if start.poll() is not None:
            start = project.start()
    if start.wait(PATIENCE):  # it was hit itself, or one of its jobs
        start = project.start()
    if start.wait(PATIENCE):
        sys.exit(f"start {len(project.starts)}, which nobody disturbed, failed:\n{project.starts[-1].read_text()}")
    print(f"start {len(project.starts)}: came to its end", flush=True)
    return struck


def timeless(content):
    """Return plain data without what differs between any two runs."""
    if isinstance(content, dict):
        return {key: timeless(value) for key, value in content.items() if not any(word in key for word in TIMES)}
    return [timeless(value) for value in content] if isinstance(content, list) else content


def outcome(project: Project) -> dict[str, object]:
    """Return all that a study ends in, times apart, by name."""
    found: dict[str, object] = {}
    for path in project.results.glob("store/??/*/record.json"):
        record, key = json.loads(path.read_bytes()), path.parent.name
        for name in ("seal", "environment"):
            record.pop(name)
        record["files"] = sorted(record["files"])
        found[f"record of {record['variant']}, seed {record['seed']}"] = (key, timeless(record))
        for file in path.parent.glob("*.safetensors"):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            found[f"{file.name} of {record['variant']}, seed {record['seed']}"] = digest
    study = project.results / NAME
    for path in [*study.glob("*.csv"), *study.glob("tables/*.csv")]:
        found[path.name] = [timeless(row) for row in csv.DictReader(path.read_text().splitlines())]
    for path in study.glob("shards/**/*.json"):
        found[str(path.relative_to(study))] = json.loads(path.read_bytes())
    found["runs in MLflow"] = json.loads((study / "mlflow.json").read_bytes())["runs"]
    return found


def left_behind(project: Project) -> list[str]:
    """List what no finished study has: places of runs in training, and files on their way."""
    store = project.results / "store"
    running = [path for path in store.glob(".running/*") if path.name != "locks"]
    aside = list(project.results.rglob(f".*.{os.uname().nodename}-*"))
    return [str(path.relative_to(project.results)) for path in [*running, *aside]]


def wrong(expected: dict[str, object], project: Project) -> list[str]:
    """Say what differs from the undisturbed run, and what was left."""
    end = time.monotonic() + 60
    while project.processes() and time.monotonic() < end:
        time.sleep(0.1)
    found = outcome(project)
    names = sorted(expected.keys() | found.keys())
    return [
        *(f"{name}: differs" for name in names if expected.get(name) != found.get(name)),
        *(f"{name}: left behind" for name in left_behind(project)),
        *(f"process {process}: lives on" for process in project.processes()),
    ]


def table(struck: Counter, arguments: argparse.Namespace, outcomes: int, rounds: int, runs: int) -> str:
    """Return the page with the kills by moment and victim."""
    phases = (STARTING, TRAINING, ENDING)
    rows = [
        f"| {victim} | {' | '.join(str(struck[phase, victim]) for phase in phases)} |"
        for victim in VICTIMS
        if any(struck[phase, victim] for phase in phases)
    ]
    processor = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line)
    command = " ".join(f"--{name} {getattr(arguments, name)}" for name in ("kills", "seed", "epochs", "seeds"))
    return f"""# A study that is killed again and again

{arguments.kills} times `kill -9` at random moments over a study of {runs} runs; every start was a plain one: no `--unlock`,
nothing cleared. The study came to its end {"by itself" if rounds == 1 else f"{rounds} times, each time from nothing"},
and all {outcomes} things that were compared (weights, predictions, curves, results of shards, tables and verdicts)
equalled those of an undisturbed run, times apart. Nothing was left behind.

| killed | while it starts | while it trains | while it ends |
|---|---:|---:|---:|
{chr(10).join(rows)}

*Snakemake* alone: its trainings live on beside the next start. *One process*: any, such as the shell of a job or the mirror.
Made by `benchmarks/chaos.py {command} --table` on {os.cpu_count()} cores of
{processor.split(": ")[1]}; Snakemake {version("snakemake")}, torch {version("torch")}, Python {sys.version.split()[0]}.
"""


def plan_kills(count: int, draws: random.Random) -> list[tuple[str, str]]:
    """Draw the moments and the victims; those at the end of the study come last, for it has but one."""
    phases = draws.choices((STARTING, TRAINING, ENDING), weights=(3, 5, 3), k=count)
    phases.sort(key=ENDING.__eq__)
    return [(phase, draws.choice([*VICTIMS, "all"] if phase == TRAINING else VICTIMS[1:])) for phase in phases]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments and victims")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=4, help="of the study: three runs each")
    parser.add_argument("--folder", type=Path, help="where it is done and left; a folder that is deleted afterwards")
    parser.add_argument("--table", action="store_true", help="write benchmarks/chaos.md")
    arguments = parser.parse_args()
    draws, runs = random.Random(arguments.seed), 3 * arguments.seeds
    folder = (arguments.folder or Path(tempfile.mkdtemp(prefix="chaos-"))).resolve()

    def project(name: str) -> Project:
        shutil.copytree(pristine, folder / name)
        return Project(folder / name, arguments.cores)

    pristine = copy(folder / "pristine")  # all runs are of the same code, whatever is edited meanwhile
    study = STUDY.format(epochs=arguments.epochs, seeds=arguments.seeds)
    (pristine / f"config/studies/{NAME}.yaml").write_text(study)

    calm = project("undisturbed")
    lengths, expected = undisturbed(calm, runs), outcome(calm)
    print("undisturbed:", ", ".join(f"{phase} {seconds:.0f} s" for phase, seconds in lengths.items()), flush=True)
    kills, struck, rounds = plan_kills(arguments.kills, draws), Counter(), 0
    while kills:
        rounds += 1
        hit = project(f"killed{rounds}")
        struck += disturbed(hit, kills, lengths, draws, runs)
        if mistakes := wrong(expected, hit):
            sys.exit("\n".join([f"{hit.folder}: not what the undisturbed run ended in", *mistakes]))
    text = table(struck, arguments, len(expected), rounds, runs)
    print(f"\n{text}")
    if arguments.table:
        (ROOT / "benchmarks/chaos.md").write_text(text)
    if not arguments.folder:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
