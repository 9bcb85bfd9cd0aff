"""How well `ablation price` predicts: priced, trained and scored, study by study. Writes `price.md` beside it.

python benchmarks/price.py [--seeds 1] [--folder FOLDER] [STUDY ...]

A study is planned, priced by a few steps of each of its variants and then trained to its last record with fewer seeds: the
price of a run does not depend on how many there are. Fashion-MNIST is downloaded, or read where ABLATION_DATA says.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from ablation.records.environment import processor
from ablation.support.accounting import Start, read_starts
from ablation.support.formatting import duration

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[1]
SMALL = ("activations", "batch_norm", "growth_rate", "inception", "initialisation")
SMALL += ("kernels_and_depth", "mistakes", "pooling_and_head", "regularisation", "residual")
WANTED = 25  # per cent


def call(folder: Path, *command: str) -> None:
    """Run a command in the folder; one that fails ends the benchmark with the end of its log."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n" + "\n".join((done.stdout + done.stderr).splitlines()[-30:]))


def score(name: str, seeds: int, folder: Path) -> tuple[float, Start]:
    """Return how long pricing took, and what the start that trains was told and has spent."""
    text = (ROOT / f"config/studies/{name}.yaml").read_text(encoding="utf-8")
    fewer, count = re.subn(r"(?m)^seeds: .*$", f"seeds: {seeds}", text)
    if count != 1:
        sys.exit(f"config/studies/{name}.yaml: found {count} lines with seeds, expected one")
    (folder / f"{name}.yaml").write_text(fewer, encoding="utf-8")
    snakemake = [
        "snakemake",
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--cores",
        "all",
        "--config",
        f"study={name}.yaml",
    ]
    call(folder, *snakemake, "--until", "plan_study")
    before = time.perf_counter()
    call(folder, "ablation", "price", f"{name}.yaml")
    took = time.perf_counter() - before
    call(folder, *snakemake, "--until", "train_shard")
    return took, read_starts(folder / f"results/{name}/start/costs.jsonl")[-1]


def row(name: str, priced: float, predicted: float, taken: float) -> str:
    cells = [name, duration(priced), duration(predicted), duration(taken), f"{100 * (predicted / taken - 1):+.0f} %"]
    return f"| {' | '.join(cells)} |"


def page(rows: list[str], seeds: int) -> str:
    lines = "\n".join(rows)
    return f"""\
# How well the price predicts

| study | pricing took | predicted | taken | predicted against taken |
|---|---:|---:|---:|---:|
{lines}

Training, evaluation and diagnostics on one core, {"one seed" if seeds == 1 else f"{seeds} seeds"} of each variant.
Each study was priced by a few steps of each variant (`ablation price`), and then trained as a start trains it, on all cores
of the machine. Wanted: within {WANTED} %. Trainings of seconds show the machine as it is at the time: where its cores are
shared, the same training takes half as long again some minutes later.

Measured by `benchmarks/price.py` on {date.today()}, {processor()}, {os.cpu_count()} cores shared with others.
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", default=SMALL, help="names of studies (default: the ten small ones)")
    parser.add_argument("--seeds", type=int, default=1, help="of each variant (default: 1)")
    parser.add_argument("--folder", type=Path, help="where results are kept; else they are deleted")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="price-") as temporary:
        place = (arguments.folder or Path(temporary)).absolute()
        place.mkdir(parents=True, exist_ok=True)
        rows, seconds = [], []
        for study in arguments.studies:
            priced, start = score(study, arguments.seeds, place)
            seconds.append((priced, start.predicted or 0.0, start.work / start.threads))
            rows.append(row(study, *seconds[-1]))
            print(rows[-1], flush=True)
        rows.append(row("all", *map(sum, zip(*seconds, strict=True))))
    (HERE / "price.md").write_text(page(rows, arguments.seeds), encoding="utf-8")
