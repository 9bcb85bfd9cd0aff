"""What a study can decide with its seeds is said before it is run."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from invented import MANIFEST

from ablation.analysis.detection import detectable
from ablation.cli import entry
from ablation.jobs.registration import register
from ablation.report.detection import power_sentence
from ablation.statistics.power import Design, power_of_difference, power_of_equivalence
from ablation.study.studyfile import read_study

STUDY = """\
title: t
question: q
data: {name: digits}
recipe: {epochs: 2, batch_size: 64, lr: 0.1}
architectures: {lenet: {baseline: {activation: relu}}}
grid: [{factors: {activation: [tanh]}}]
seeds: 4 # the replicates
metrics: [test_accuracy, parameters]
claims:
  better: {LIKE, metric: test_accuracy, direction: greater}
  same: {LIKE, metric: test_accuracy, direction: equivalent}
  size: {LIKE, metric: parameters, direction: less}
""".replace("LIKE", "statement: s, source: s, factor: activation, level: tanh, against: relu")


@pytest.fixture(name="study")
def make_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(STUDY)
    return tmp_path / "small.yaml"


def rows(capsys, *options):
    entry.run(["power", "small.yaml", "--json", *options])
    return json.loads(capsys.readouterr().out)


def test_a_stated_spread_gives_the_effect_that_is_found_in_four_of_five_studies(study, capsys):
    better, same = rows(capsys, "--spread", "test_accuracy=0.01")
    assert better["alpha"] == 0.05 / 2, "what is counted is no test"
    design = Design(0.01, 4, 0.01, 4)
    assert power_of_difference(better["effect"], design, better["alpha"]) == pytest.approx(0.8, abs=1e-6)
    assert power_of_equivalence(0.0, same["margin"], design, same["alpha"]) == pytest.approx(0.8, abs=1e-6)
    assert better["smallest_p"] == pytest.approx(2 / 70)


def test_earlier_runs_tell_the_spread_and_what_the_images_add(study, capsys):
    plan, folder, rng = read_study(study), study.parent / "results/small", np.random.default_rng(0)
    folder.mkdir(parents=True)
    chances = {variant: np.linspace(0.2, 1, 60)[:: 1 - 2 * place] for place, variant in enumerate(plan.variants)}
    examples = np.array([rng.random(60) < chances[variant] for variant in plan.variants for _ in range(3)])
    table = [(variant, seed, "completed", None, None) for variant in plan.variants for seed in range(3)]
    runs = pd.DataFrame(table, columns=["variant", "seed", "status", "metric_errors", "error"])
    runs.assign(test_accuracy=examples.mean(axis=1)).to_parquet(folder / "runs.parquet")
    np.save(folder / "examples.npy", examples)
    better, _ = rows(capsys)
    spreads = examples.mean(axis=1).reshape(2, 3).std(axis=1, ddof=1)
    assert better["source"] == "earlier runs of its variants"
    assert better["sd"] == pytest.approx(np.sqrt((spreads**2).mean()))
    over_seeds = rows(capsys, "--spread", f"test_accuracy={better['sd']}")[0]
    assert better["effect"] > over_seeds["effect"], "the choice of images counts, too"
    other = read_study(study)
    (study.parent / "other.yaml").write_text(study.read_text())
    (folder / "data.json").write_text(json.dumps({**MANIFEST, "data": other.study.data.model_dump()}))
    like = detectable(read_study(study.parent / "other.yaml"), study.parent / "results")[0]
    assert like.source == "other variants"
    assert like.sd == pytest.approx(np.median(spreads))


def test_without_any_run_it_says_what_is_missing(study, capsys):
    entry.run(["power", "small.yaml"])
    text = capsys.readouterr().out
    assert "Without earlier runs, --spread METRIC=STANDARD_DEVIATION states how much seeds differ." in text
    assert "no p-value below 0.029" in text
    sentence = power_sentence(read_study(study), detectable(read_study(study), study.parent / "results"))
    assert sentence.startswith(
        "4 seeds per variant, 2 tests of claims: how small a difference they can find is not known"
    )


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("test_acuracy=1", "did you mean 'test_accuracy'"),
        ("test_accuracy=-1", "a positive number"),
        ("test_accuracy", "number"),
    ],
)
def test_a_spread_that_is_none_is_refused(study, stated, message):
    with pytest.raises(SystemExit) as error:
        entry.run(["power", "small.yaml", "--spread", stated])
    assert re.search(message, str(error.value.code))


def test_fresh_seeds_are_asked_for_in_the_study_file(study, capsys):
    folder = study.parent / "results/small"
    options = ["register", "small.yaml", "--fresh-seeds"]
    entry.run(options)
    assert "so they stay: [0, 1, 2, 3]" in capsys.readouterr().out
    (folder / "shards/lenet").mkdir(parents=True)
    seen = {"runs": [{"variant": "lenet", "seed": seed} for seed in range(4)]}
    (folder / "shards/lenet/0.json").write_text(json.dumps(seen))
    study.write_text(study.read_text().replace("direction: greater", "direction: less"))
    register(read_study(study), folder)
    entry.run(["register", "small.yaml"])
    assert "better: registered" in (text := capsys.readouterr().out)
    assert "exploratory: results of 4 of its 4 seeds were there" in text
    entry.run(options)
    assert "exploratory" not in capsys.readouterr().out
    assert "seeds: [4, 5, 6, 7] # the replicates\n" in study.read_text()
    assert read_study(study).study.seeds == (4, 5, 6, 7)


def test_seeds_that_stand_on_several_lines_are_left_to_their_author(study, capsys):
    study.write_text(study.read_text().replace("seeds: 4 # the replicates", "seeds:\n  - 0\n  - 1"))
    shard = study.parent / "results/small/shards/lenet"
    shard.mkdir(parents=True)
    (shard / "0.json").write_text(json.dumps({"runs": [{"variant": "lenet", "seed": 0}]}))
    with pytest.raises(SystemExit) as error:
        entry.run(["register", "small.yaml", "--fresh-seeds"])
    assert "expected one to write fresh seeds on: seeds: [2, 3]" in str(error.value.code)
