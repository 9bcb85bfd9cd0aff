"""Record what the study resnet20_short found, beside the published protocol that it shortens.

Run it after the study: ``./do study resnet20_short && python benchmarks/resnet20_cifar10.py``. It writes
resnet20_cifar10.md beside it.
"""

from pathlib import Path

import pandas as pd

from ablation.statistics.estimates import summarise, welch
from ablation.study.studyfile import read_frozen

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results/resnet20_short"

PAGE = """\
# ResNet-20 and plain-20 on CIFAR-10, shortened

The published protocol (He et al. 2015, section 4.2) trains on 45,000 images for 64,000 steps of 128 and ends at 8.75 %
test error for ResNet-20 (table 6). This is a shortened form for a processor: {images:,} training images, {epochs} epochs of
{batch}, the rate {lr:g} divided by 10 at half and at three quarters, crop and flip, option A. It says nothing of the
published number; it shows that the protocol runs, and which way the shortcut points early in training.

| variant | runs | test accuracy | training accuracy | seconds of training |
|---|---:|---:|---:|---:|
{rows}

ResNet-20 minus plain-20: {effect:+.2f} points of test accuracy{interval}.

Measured on {device}, torch {torch}, threads a run: {threads}; the machine was shared.
"""


def row(variant: str, runs: pd.DataFrame) -> str:
    """Write a row of the table: means and standard deviations over seeds."""
    cells = []
    for metric in ("test_accuracy", "train_accuracy"):
        summary = summarise(runs[metric])
        cells.append(f"{100 * summary.mean:.2f} ± {100 * summary.sd:.2f} %")
    return f"| {variant} | {len(runs)} | {' | '.join(cells)} | {runs['training_seconds'].mean():.0f} |"


def main() -> None:
    """Read the runs and write the page."""
    plan = read_frozen(RESULTS / "plan/resnet20_short.json")
    runs = pd.read_parquet(RESULTS / "runs.parquet")
    recipe = plan.study.recipe
    split = pd.read_csv(next(RESULTS.parent.glob("data/cifar10-*/split.csv")))
    residual, plain = (runs.loc[runs["variant"] == variant, "test_accuracy"] for variant in plan.variants)
    effect = welch(residual.to_numpy(), plain.to_numpy())
    page = PAGE.format(
        images=(split["part"] == "train").sum(),
        epochs=recipe.epochs,
        batch=recipe.batch_size,
        lr=recipe.lr,
        rows="\n".join(row(variant, runs[runs["variant"] == variant]) for variant in plan.variants),
        effect=100 * effect.effect,
        interval=f" [{100 * effect.low:+.2f}, {100 * effect.high:+.2f}] (95 %, Welch, {len(residual)} seeds a side)",
        device=", ".join(sorted(runs["processor"].unique())),
        torch=", ".join(sorted(runs["torch"].unique())),
        threads=", ".join(sorted(map(str, runs["threads"].unique()))),
    )
    (HERE / "resnet20_cifar10.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
