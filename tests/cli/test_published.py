"""The verb that lists published numbers and holds studies against them."""

import json
import re

import pandas as pd
import pytest
from invented import invented_curves, invented_runs

from ablation.analysis.published.ledger import read_ledger
from ablation.cli import entry
from ablation.study.studyfile import read_study

STUDY = """\
title: Small
question: q
data: {name: fashion_mnist, validation: 0.1, standardised: false}
recipe: {epochs: 3, batch_size: 256, lr: 0.9}
architectures:
  lenet: {baseline: {initialisation: xavier}}
grid: [{factors: {activation: [tanh]}}]
seeds: 3
smallest_effect: 0.01
"""
OWN = """\
lenet-lab:
  architecture: {name: LeNet, builder: lenet, levels: {activation: tanh}}
  data: fashion_mnist
  metric: test_accuracy
  unit: percent
  printed: 88
  protocol: {epoch: best_on_test}
  source: Our own lab
  place: page 7
  sure: [unverified]
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A study without results, and a folder with a number of one's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/studies").mkdir(parents=True)
    (tmp_path / "config/studies/small.yaml").write_text(STUDY)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/lab.yaml").write_text(OWN)
    return tmp_path


@pytest.fixture
def finished(checkout):
    """The same study with tables, of whose second variant one run diverged."""
    plan = read_study(checkout / "config/studies/small.yaml")
    (checkout / "results/small/plan").mkdir(parents=True)
    (checkout / "results/small/plan/small.json").write_text(plan.frozen())
    runs = invented_runs(plan)
    runs.to_parquet(checkout / "results/small/runs.parquet")
    invented_curves(runs).to_parquet(checkout / "results/small/curves.parquet")
    return runs


def printed(capsys, *words):
    entry.run(["published", *words])
    return capsys.readouterr().out


def test_the_ledger_is_listed(checkout, capsys):
    lines = printed(capsys).splitlines()
    assert len(lines) == len(read_ledger()) + 2
    (line,) = [line for line in lines if line.startswith("resnet110-he2015 ")]
    assert "93.39 ± 0.16 (mean of 5)" in line
    assert line.endswith("read")


@pytest.mark.parametrize(
    "options",
    [
        ("--architecture", "densenet_cifar"),
        ("--architecture", "ResNet-20"),
        ("--data", "mnist"),
        ("--metric", "parameters"),
    ],
)
def test_the_ledger_is_listed_in_part(checkout, capsys, options):
    found = pd.DataFrame(json.loads(printed(capsys, *options, "--json")))
    column = {"ResNet-20": "architecture", "densenet_cifar": "builder"}.get(options[1], options[0][2:])
    assert set(found[column]) == {options[1]}
    everything = pd.DataFrame(json.loads(printed(capsys, "--json")))
    assert len(found) == (everything[column] == options[1]).sum()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--architecture", "densnet_cifar"],
            "--architecture: found 'densnet_cifar', expected .* mean 'densenet_cifar'",
        ),
        (["--data", "digits"], "--data: found 'digits', expected one of the ledger: cifar10"),
        (["--ledger", "nowhere"], "nowhere: found no file of published numbers"),
        (["--best-epoch"], "--best-epoch: found no study, expected one with results"),
        (["small", "--best-epoch"], "small: found no results in results, expected them"),
        (["nothing"], "no such file config/studies/nothing.yaml"),
    ],
)
def test_what_there_is_not_is_said_in_a_sentence(checkout, options, message):
    with pytest.raises(SystemExit) as error:
        entry.run(["published", *options])
    assert re.search(message, str(error.value))


def test_a_study_without_results_learns_what_it_will_be_held_against(checkout, capsys):
    text = printed(capsys, "small")
    assert "no results in results yet; 1 published number to hold them against" in text
    assert "  - training length: 3 epochs (theirs: 10 epochs)\n  - training images: 54,000 (theirs: 60,000)" in text
    assert json.loads(printed(capsys, "small", "--json")) == []


def test_a_study_is_held_against_the_ledger_and_numbers_of_ones_own(finished, capsys):
    text = printed(capsys, "small", "--ledger", "own")
    lines = {line.split()[1]: line for line in text.splitlines() if line.startswith("lenet")}
    mean = 100 * finished.loc[finished["variant"] == "lenet", "test_accuracy"].mean()
    assert f"{mean:.2f} ± " in lines["lenet-d2l"]
    assert "80.36 ± 1.54 (mean of 198)" in lines["lenet-d2l"]
    assert "above [" in lines["lenet-d2l"]
    assert "(3 runs, 1 diverged)" in lines["lenet-lab"]
    assert "lenet-lab: Our own lab: page 7 (unverified)" in text
    assert "epoch that counts: last epoch (theirs: best epoch, chosen on the test images)" in text
    assert (
        "best epoch minus last on our validation images: +66.67 points (n = 2 of 3; the others did not finish)" in text
    )


def test_programs_read_the_comparison(finished, capsys):
    (row,) = json.loads(printed(capsys, "small", "--json"))
    assert (row["variant"], row["entry"], row["where"]) == ("lenet", "lenet-d2l", "above")
    assert row["effect_low"] < row["effect"] < row["effect_high"]


def test_the_best_epoch_is_an_option(finished, capsys):
    line = printed(capsys, "small", "--best-epoch").splitlines()[-1]
    assert line.split()[:2] == ["lenet-activation.tanh", "+66.67"]
    assert line.endswith("2 of 3")
    rows = json.loads(printed(capsys, "small", "--best-epoch", "--json"))
    assert [(row["variant"], row["n"]) for row in rows] == [("lenet", 3), ("lenet-activation.tanh", 2)]


def test_a_study_that_nobody_published_is_told_so(checkout, capsys):
    path = checkout / "config/studies/small.yaml"
    path.write_text(STUDY.replace("fashion_mnist", "digits"))
    assert "small: no entry of the ledger has an architecture" in printed(capsys, "small")
