"""Compare the study d2l_lenet with the 198 runs that the editions of Dive into Deep Learning printed.

Run it after the study: ``./do study d2l_lenet && python benchmarks/d2l_lenet.py``. It writes d2l_lenet.md beside it.
"""

from pathlib import Path

import pandas as pd
from scipy import stats

from ablation.statistics.estimates import summarise, welch

HERE = Path(__file__).parent
RUNS = HERE.parent / "results/d2l_lenet/runs.parquet"
PRINTED = HERE / "d2l_lenet_printed.csv"

PAGE = """\
# LeNet on Fashion-MNIST, against the printed runs of Dive into Deep Learning

The protocol is that of the book's section 7.6 in its PyTorch editions: 60,000 training images with shades from 0 to 1,
sigmoid and average pooling, Xavier's initialisation, plain SGD at a rate of 0.9, batches of 256, ten epochs, the test
accuracy of the last. The study is `config/studies/d2l_lenet.yaml`; the printed runs, of editions between {first} and
{last}, are in `d2l_lenet_printed.csv` (from the outputs stored in the book's notebooks, which round to three digits).

| | runs | test accuracy | training accuracy | training loss |
|---|---:|---:|---:|---:|
{rows}

Difference of the mean test accuracies: {effect:+.2f} points [{low:+.2f}, {high:+.2f}] (95 %, Welch). Spread: {spread}. A
Kolmogorov-Smirnov test of the two samples gives p = {ks:.2f}, Levene's test of their spreads p = {levene:.2f}: {said}.
Training accuracy and loss are means over the last epoch while it trains.

Ours: {device}, torch {torch}, threads a run: {threads}, {seconds:.0f} s of training a run on average, on a shared machine.
"""


def row(name: str, runs: pd.DataFrame) -> str:
    """Write a row of the table: means and standard deviations over runs."""
    accuracies = (summarise(runs[metric]) for metric in ("test_accuracy", "train_accuracy"))
    cells = [f"{100 * summary.mean:.2f} ± {100 * summary.sd:.2f} %" for summary in accuracies]
    loss = summarise(runs["train_loss"])
    return f"| {name} | {loss.n} | {' | '.join(cells)} | {loss.mean:.3f} ± {loss.sd:.3f} |"


def main() -> None:
    """Read both samples and write the page."""
    ours, printed = pd.read_parquet(RUNS), pd.read_csv(PRINTED)
    curves = pd.read_parquet(RUNS.with_name("curves.parquet"))
    last = curves[curves["epoch"] == curves["epoch"].max()].set_index("seed")
    for metric in ("train_accuracy", "train_loss"):  # as the book measures them
        ours[metric] = ours["seed"].map(last[metric])
    a, b = ours["test_accuracy"].to_numpy(), printed["test_accuracy"].to_numpy()
    effect = welch(a, b)
    ks, levene = stats.ks_2samp(a, b).pvalue, stats.levene(a, b).pvalue
    agrees = min(ks, levene) > 0.05 and effect.low < 0 < effect.high
    threads = int(ours["threads"].iloc[0])
    page = PAGE.format(
        first=printed["date"].min()[:4],
        last=printed["date"].max()[:4],
        rows="\n".join([row("this project", ours), row("printed", printed)]),
        effect=100 * effect.effect,
        low=100 * effect.low,
        high=100 * effect.high,
        spread=f"{100 * a.std(ddof=1):.2f} against {100 * b.std(ddof=1):.2f} points",
        ks=ks,
        levene=levene,
        said="nothing tells the samples apart" if agrees else "the samples differ",
        device=", ".join(sorted(ours["processor"].unique())),
        torch=", ".join(sorted(ours["torch"].unique())),
        threads=threads,
        seconds=ours["training_seconds"].mean(),
    )
    (HERE / "d2l_lenet.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
