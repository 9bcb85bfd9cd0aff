"""What a study of 2,000 variants x 5 seeds costs beside its training, stage by stage. Writes `scale.md` beside it.

python benchmarks/scale/scale.py [--folder FOLDER] [--variants 250 500 1000 2000] [--workflow 250 500]

A folder that is given keeps the invented records (some 500 MB at 2,000 variants), so that a second call measures at once.
Each stage is a process of its own, of which the wall clock, the processor's time and the largest memory are taken. With
--workflow, also Snakemake's dry run and a start that has nothing to do, for studies of so many variants.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
READ = """\
import sys
from pathlib import Path
from ablation.jobs.shards import check_code
from ablation.study.studyfile import read_study
check_code(read_study(Path(sys.argv[1])))
"""
KEYS = """\
import json, sys
from pathlib import Path
from ablation.jobs.inventory import outlook, run_states
from ablation.records.store import Store
from ablation.study.studyfile import read_frozen
plan, manifest = read_frozen(Path(sys.argv[1])), json.loads(Path(sys.argv[2]).read_text())
print(outlook(plan, run_states(plan, manifest, Store(Path(sys.argv[3]))), 1, {}))
"""
# What a study that was mirrored has beside its tables; the seals name no file but of the shards, which are the many.
FINISHED = """\
import json, sys
from pathlib import Path
from ablation.jobs.cutting import Cut, cut
from ablation.jobs.shards import shard_spec
from ablation.study.studyfile import read_frozen
from ablation.support.seals import write_seal
place = Path(sys.argv[1])
plan = read_frozen(place / f"plan/{place.name}.json")
(place / "mlflow.json").write_text(json.dumps({"uri": "https://nowhere.invalid"}))
for name in sys.argv[2:]:
    (place / "seals").mkdir(exist_ok=True)
    write_seal(place / f"seals/{name}.json", [])
for name, runs in cut(plan, Cut(5), {}).items():
    spec, shard = place / f"specs/{name}.json", place / f"shards/{name}.json"
    seal = place / f"seals/train_shard/{name}.json"
    for path in (spec, seal):
        path.parent.mkdir(parents=True, exist_ok=True)
    spec.write_text(shard_spec(plan, runs) + "\\n")
    write_seal(seal, [shard])
"""
RULES = ("prepare_data", "plan_study", "list_layers", "collect_records", "compare_variants", "write_tables")
RULES += ("draw_figures", "write_report", "mirror_records")
COLLECTED = ("runs", "curves", "diagnostics", "classes")
# The largest number of seconds by the wall clock that is wanted of the largest study, and of which stages together.
WANTED = {
    5: ("read and plan",),
    20: ("plan", "layers"),
    60: ("collect", "compare", "tables"),
    10: ("dry run",),
    15: ("start with nothing to do",),
    3: ("open the report",),
}


class Cost(NamedTuple):
    """Seconds by the clock and of the processor, and the largest MiB of its processes."""

    wall: float
    cpu: float
    memory: float


def measure(command: list, log: Path, cwd: Path | None = None) -> Cost:
    """Run a command to its end; what fails ends the benchmark with the end of its log."""
    hidden = ("PYTHONDONTWRITEBYTECODE", "MLFLOW_TRACKING_URI")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    start = time.perf_counter()
    with open(log, "w") as file:
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=file,
            stderr=file,
            cwd=cwd,
            env={**environment, "PYTHONPATH": f"{ROOT / 'src'}"},
        )
        _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        sys.exit(f"{command[:6]} …\n" + "".join(log.read_text().splitlines(keepends=True)[-30:]))
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def stages(place: Path, study: Path) -> dict[str, list]:
    """Return the command of each stage, as the rules call it."""
    plan, receipt, store = place / "plan", place / "data.json", place.parent / "store"
    python, call = sys.executable, [sys.executable, "-m", "ablation"]
    frozen, manifest = ["--study", plan / f"{place.name}.json"], ["--manifest", receipt]
    variants = ["--variants", plan / "variants.csv"]
    collected = [word for name in COLLECTED for word in (f"--{name}", place / f"{name}.parquet")]
    runs, estimated = collected[:2], [word for n in ("contrasts", "claims") for word in (f"--{n}", place / f"{n}.csv")]
    tables = [*collected, *estimated, "--comparison", place / "tables/comparison.csv", "--layers", plan / "layers.csv"]
    texts = {"csv": "comparison.csv", "markdown": "comparison.md", "latex": "comparison.tex"}
    texts |= {"summary": "summary.txt", "mixture": "mixture.txt"}
    written = [word for name, file in texts.items() for word in (f"--{name}", place / "tables" / file)]
    examples, shards = ["--examples", place / "examples.npy"], ["--shards", *sorted(place.glob("shards/*/*.json"))]
    drawn = ["--figures", place / "figures"]
    return {
        "read and plan": [python, "-c", READ, study],
        "keys, and what is there": [python, "-c", KEYS, frozen[1], receipt, store],
        "plan": [*call, "plan", *frozen, *manifest, *variants, "--unmeasured", plan / "unmeasured.json"],
        "layers": [*call, "layers", *frozen, *manifest, "--layers", plan / "layers.csv", "--folder", plan / "layers"],
        "collect": [*call, "collect", *frozen, *manifest, *variants, "--store", store, *collected, *examples, *shards],
        "compare": [*call, "compare", *frozen, *runs, *estimated],
        "tables": [*call, "tables", *frozen, *runs, *estimated[:2], *written],
        "figures": [*call, "figures", *frozen, *tables, "--folder", place / "figures"],
        "report": [*call, "report", *frozen, *manifest, *tables, *drawn, "--report", place / "report.html"],
    }


def browse(page: Path, log: Path) -> Cost | None:
    """Open the page in Chromium, without a window, until its scripts have run; None without it."""
    browser = shutil.which("chromium")
    if not browser:
        return None
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        measure([browser, *options, "--dump-dom", "about:blank"], log)  # its own start is no property of the page
        return measure([browser, *options, "--dump-dom", page.absolute().as_uri()], log)


def workflow(folder: Path, place: Path, study: Path, log: Path) -> dict[str, Cost]:
    """Measure a dry run and a start of a study of which all is done, as far as Snakemake and the seals can tell."""
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "2"]
    config = ["--config", f"study={study}", "results=results"]
    measure([sys.executable, "-c", FINISHED, place, *RULES], log)
    measure([*snakemake, "--touch", *config], log, folder)
    if "Nothing to be done" not in (found := dry_run(snakemake, config, log, folder))[1]:
        sys.exit(f"{log}: Snakemake has something to do")
    return {"dry run": found[0], "start with nothing to do": measure([*snakemake, *config], log, folder)}


def dry_run(snakemake: list, config: list, log: Path, folder: Path) -> tuple[Cost, str]:
    """Measure a dry run, and return what it says, too."""
    return measure([*snakemake, "--dry-run", *config], log, folder), log.read_text()


def line(name: str, costs: dict[int, Cost | None], sizes: list[int], wanted: str) -> str:
    cells = [f"{cost.wall:.1f} ({cost.cpu:.1f})" if (cost := costs.get(size)) else "" for size in sizes]
    found = [cost for cost in costs.values() if cost]
    growth = f"{found[-1].cpu / found[0].cpu:.1f}" if len(found) > 1 else ""
    memory = max((cost.memory for cost in found), default=0)
    return f"| {name} | {' | '.join(cells)} | {growth} | {memory:.0f} | {wanted} |"


def table(found: dict[str, dict[int, Cost | None]], sizes: list[int]) -> list[str]:
    """Write a row per stage, and one for stages of which a sum is wanted."""
    wanted = {names: limit for limit, names in WANTED.items()}
    rows = [
        line(name, costs, sizes, str(wanted.get((name,), ""))) for name, costs in found.items() if any(costs.values())
    ]
    for names, limit in wanted.items():
        if len(names) > 1:
            sums = {size: [found[name][size] for name in names] for size in sizes}
            costs = {
                size: Cost(sum(c.wall for c in parts), sum(c.cpu for c in parts), max(c.memory for c in parts))
                for size, parts in sums.items()
            }
            rows.append(line(f"*{' + '.join(names)}*", costs, sizes, str(limit)))
    return rows


def text(rows: list[str], sizes: list[int], place: Path, load: float) -> str:
    head = [f"{size:,}" for size in sizes]
    largest = max((path.stat().st_size for path in (place / "figures").iterdir()), default=0) / 1e6
    processor = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line)
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "pandas", "matplotlib", "snakemake"))
    lines = "\n".join(rows)
    report = (place / "report.html").stat().st_size / 1e6
    return f"""\
# What a large study costs beside its training

A full factorial of two architectures, 5 seeds each, with invented records of 50 epochs and 359 test images, as
`benchmarks/scale/invent.py` writes them. Seconds by the wall clock, in brackets those of the processor, by the number of
variants; growth is that of the processor's seconds from {head[0]} to {head[-1]} variants.

| stage | {" | ".join(head)} | growth | MiB | wanted (s) |
|---|{"---:|" * (len(sizes) + 3)}
{lines}

At {head[-1]} variants the report has {report:.1f} MB, the largest file of a figure {largest:.1f} MB. Every stage includes
its imports: those of torch in `plan` and `layers`, of pandas and matplotlib after them.

Measured by `benchmarks/scale/scale.py` on {os.cpu_count()} cores of {processor.split(":")[1].strip()}, with a load of
{load:.1f} by all that ran on the machine; Python {platform.python_version()}, {versions}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where records and results are kept; else they are deleted")
    parser.add_argument("--variants", type=int, nargs="+", default=[250, 500, 1000, 2000])
    parser.add_argument("--workflow", type=int, nargs="*", default=[])
    arguments = parser.parse_args()
    found: dict[str, dict[int, Cost | None]] = {}
    loads = []
    with tempfile.TemporaryDirectory(prefix="scale-") as temporary:
        folder = (arguments.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "log.txt"
        for size in sorted(arguments.variants):
            study, place = folder / f"scale{size}.yaml", folder / f"results/scale{size}"
            # In a process of its own: what this one holds would count as the memory of those that it starts.
            measure([sys.executable, HERE / "invent.py", folder, size], log)
            for made in ("tables", "figures", "plan/layers"):
                (place / made).mkdir(parents=True, exist_ok=True)
            costs = {name: measure(command, log) for name, command in stages(place, study).items()}
            costs["open the report"] = browse(place / "report.html", log)
            if size in arguments.workflow:
                costs |= workflow(folder, place, study, log)
            for name, cost in costs.items():
                found.setdefault(name, {})[size] = cost
                print(size, name, cost, flush=True)
            loads.append(os.getloadavg()[0])
        rows = table(found, sorted(arguments.variants))
        content = text(rows, sorted(arguments.variants), place, sum(loads) / len(loads))
    (HERE / "scale.md").write_text(content)
    print(content)


if __name__ == "__main__":
    main()
