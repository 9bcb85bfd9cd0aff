"""Compare a study with the runs that the editions of Dive into Deep Learning printed: d2l_lenet or d2l_lenet_bn.

Run it after the study: ``./do study d2l_lenet && python benchmarks/d2l.py d2l_lenet``. It writes <study>.md beside it; the
printed runs are those of the ledger of published numbers.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from ablation.analysis.published.ledger import FOLDER
from ablation.statistics.estimates import Effect, summarise, welch

HERE = Path(__file__).parent
METRICS = ("test_accuracy", "train_accuracy")  # then the training loss
MODELS = {"d2l_lenet": "lenet", "d2l_lenet_bn": "lenet_bn"}  # by study, in the table of printed runs
# By study: the title, the section of the book, and what is to be known of the printed runs.
STUDIES = {
    "d2l_lenet": (
        "LeNet on Fashion-MNIST",
        """\
The protocol is that of the book's section 7.6 in its PyTorch editions: 60,000 training images with shades from 0 to 1,
sigmoid and average pooling, Xavier's initialisation, plain SGD at a rate of 0.9, batches of 256, ten epochs, the test
accuracy of the last.""",
    ),
    "d2l_lenet_bn": (
        "Batch-norm LeNet on Fashion-MNIST",
        """\
The protocol is that of the book's section on batch normalisation (8.5) in its PyTorch editions: 60,000 training images with
shades from 0 to 1, both convolutions unpadded, batch norm after each convolution and hidden dense layer, which keep their
biases (44,878 parameters), sigmoid, Xavier's initialisation, plain SGD at a rate of 1, batches of 256, ten epochs, the test
accuracy of the last. The editions had max pooling first (the English one until June 2021, the Chinese one until September,
the notebooks for Colab throughout) and average pooling since: a natural ablation. No printed run states its pooling; it
follows from edition and date, and training accuracy and loss fall with it.

Compared are the runs with torch's layer. Those with the layer that the book writes itself are listed and not compared: it
normalises by the batch at hand whenever gradients are enabled, as they seem to have been in the test of early editions,
whose figures are the higher ones.""",
    ),
}
PAGE = """\
# {title}, against the printed runs of Dive into Deep Learning

{protocol}
The study is `config/studies/{study}.yaml`; the printed runs, of editions between {first} and
{last}, are in the ledger of published numbers, `src/ablation/analysis/published/d2l_fashion_mnist.csv` (from the outputs
stored in the book's notebooks, which round to three digits).

| | runs | test accuracy | training accuracy | training loss |
|---|---:|---:|---:|---:|
{rows}

{agreement}
Training accuracy and loss are means over the last epoch while it trains.
{ablation}
Ours: {device}, torch {torch}, threads a run: {threads}, {seconds:.0f} s of training a run on average, on a shared machine.
"""


def read(study: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read our runs and the printed ones, with the same columns; ours are measured in training as the book does."""
    folder = HERE.parent / "results" / study
    ours, curves = pd.read_parquet(folder / "runs.parquet"), pd.read_parquet(folder / "curves.parquet")
    last = curves[curves["epoch"] == curves["epoch"].max()]
    ours = ours.drop(columns=["train_accuracy", "train_loss"], errors="ignore")
    ours = ours.merge(last[["variant", "seed", "train_accuracy", "train_loss"]], on=["variant", "seed"])
    return ours, printed_runs(study)


def printed_runs(study: str) -> pd.DataFrame:
    """Read the printed runs by the study's protocol, each with the variant of the study that it is a run of."""
    runs = pd.read_csv(FOLDER / "d2l_fashion_mnist.csv")
    runs = runs[(runs["model"] == MODELS[study]) & (runs["epochs"] == 10)]
    return runs.assign(variant=runs["pooling"].map({"max": "lenet-pooling.max"}).fillna("lenet"))


def row(name: str, runs: pd.DataFrame) -> str:
    """Write a row of the table: means and standard deviations over runs."""
    accuracies = (summarise(runs[metric]) for metric in METRICS)
    cells = [f"{100 * summary.mean:.2f} ± {100 * summary.sd:.2f} %" for summary in accuracies]
    loss = summarise(runs["train_loss"])
    return f"| {name} | {loss.n} | {' | '.join(cells)} | {loss.mean:.3f} ± {loss.sd:.3f} |"


def interval(effect: Effect) -> str:
    """Write a difference of accuracies in points, with its interval."""
    return f"{100 * effect.effect:+.2f} points [{100 * effect.low:+.2f}, {100 * effect.high:+.2f}]"


def agreement(name: str, a: np.ndarray, b: np.ndarray) -> str:
    """Say whether anything tells two samples of test accuracies apart: ours and the printed one."""
    effect, ks, levene = welch(a, b), stats.ks_2samp(a, b).pvalue, stats.levene(a, b).pvalue
    agrees = min(ks, levene) > 0.05 and effect.low < 0 < effect.high
    spread = f"{100 * a.std(ddof=1):.2f} against {100 * b.std(ddof=1):.2f} points"
    return (
        f"Difference of the mean test accuracies{name}: {interval(effect)} (95 %, Welch). Spread: {spread}. A\n"
        f"Kolmogorov-Smirnov test of the two samples gives p = {ks:.2f}, Levene's test of their spreads p = {levene:.2f}: "
        f"{'nothing tells the samples apart' if agrees else 'the samples differ'}."
    )


def ablation(samples: dict[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """Say what each variant changes against the baseline, in our runs and in the printed ones; empty without variants."""
    (baseline, reference), *others = samples.items()
    lines = [
        f"\n`{variant}` minus `{baseline}` in test accuracy: ours {interval(welch(sides[0], reference[0]))}, printed "
        f"{interval(welch(sides[1], reference[1]))}.\n"
        for variant, sides in others
    ]
    return "".join(lines)


def page(study: str) -> str:
    """Write the page of a study."""
    (title, protocol), (ours, printed) = STUDIES[study], read(study)
    variants, rows, samples = sorted(printed["variant"].unique(), key=len), [], {}
    for variant in variants:
        mine, theirs = (runs[runs["variant"] == variant] for runs in (ours, printed))
        name = f", `{variant}`" * (len(variants) > 1)
        rows.append(row(f"this project{name}", mine))
        own = theirs[theirs["layer"] == "book"]
        torchs = theirs.drop(own.index)
        rows.append(row(f"printed{name}", torchs))
        if len(own):
            rows.append(row(f"printed{name}, the book's own layer", own))
        samples[variant] = (mine["test_accuracy"].to_numpy(), torchs["test_accuracy"].to_numpy())
    texts = [agreement(f", `{variant}`" * (len(variants) > 1), *sides) for variant, sides in samples.items()]
    return PAGE.format(
        study=study,
        title=title,
        protocol=protocol,
        first=printed["date"].min()[:4],
        last=printed["date"].max()[:4],
        rows="\n".join(rows),
        agreement="\n\n".join(texts),
        ablation=ablation(samples),
        device=", ".join(sorted(ours["processor"].unique())),
        torch=", ".join(sorted(ours["torch"].unique())),
        threads=", ".join(map(str, sorted(ours["threads"].unique()))),
        seconds=ours["training_seconds"].mean(),
    )


def main() -> None:
    """Write and show the page of the study that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=STUDIES)
    study = parser.parse_args().study
    text = page(study)
    (HERE / f"{study}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
