"""How a study is cut into shards."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ablation.jobs.cutting import MOST_TEXT, Cut, cut, runs_of
from ablation.jobs.inventory import cut_before
from ablation.jobs.outline import Outline
from ablation.jobs.shards import shard_spec
from ablation.study.studyfile import read_study

STUDIES = sorted((Path(__file__).parents[2] / "config/studies").glob("*.yaml"))
TEXT = """\
title: t
question: q
data: {name: digits}
recipe: {epochs: 1, batch_size: 64, lr: 0.1}
architectures:
  small: {builder: vgg, baseline: {width: 4, hidden: 16}}
  lenet: {}
grid:
  - {architectures: [small], factors: {depth: [13], warm_start: [small-depth.13]}}
seeds: [3, 1, 2]
smallest_effect: 0.01
"""
BY = Cut(size=2)


def make_plan(folder, text=TEXT):
    (folder / "t.yaml").write_text(text)
    return read_study(folder / "t.yaml")


@pytest.fixture(name="plan")
def read_plan(tmp_path):
    return make_plan(tmp_path)


def all_runs(shards):
    return [run for shard in shards.values() for run in runs_of(shard)]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
@pytest.mark.parametrize("prices", ["none", "some", "all"])
def test_every_run_is_in_one_shard_and_after_what_it_starts_from(path, prices):
    plan = read_study(path)
    known = {variant: 1.0 + n % 7 for n, variant in enumerate(plan.variants) if prices == "all" or n % 3 == 0}
    shards = cut(plan, Cut(size=3, slots=2), {} if prices == "none" else known)
    runs = all_runs(shards)
    assert sorted(runs) == sorted((variant, seed) for variant in plan.variants for seed in plan.study.seeds)
    assert list(shards) == ["{}/{}".format(*runs_of(shard)[0]) for shard in shards.values()]
    outline, seen = Outline.of(plan, shards, []), set()
    while len(seen) < len(shards):  # without end, if shards waited for each other
        ready = {name for name in shards if set(outline.starts.get(name, [])) <= seen}
        assert ready > seen
        seen = ready


def test_without_prices_some_seeds_of_one_variant_are_a_shard(plan):
    shards = cut(plan, BY, {})
    assert shards == {f"{variant}/{seeds[0]}": {variant: seeds} for variant in plan.variants for seeds in ([3, 1], [2])}


def test_short_runs_share_a_shard_and_long_ones_have_their_own(plan):
    prices = dict.fromkeys(plan.variants, 10.0) | {"lenet": 100.0}
    shards = cut(plan, replace(BY, seconds=60), prices)
    assert shards["small/3"] == {"small": [3, 1, 2], "small-depth.13": [3, 1, 2]}
    assert [shard for shard in shards.values() if "lenet" in shard] == [{"lenet": [3]}, {"lenet": [1]}, {"lenet": [2]}]


def test_each_core_has_some_shards_whatever_they_cost(plan):
    shards = cut(plan, replace(BY, slots=2), dict.fromkeys(plan.variants, 0.1))
    assert len(shards) >= 8
    assert len(cut(plan, replace(BY, slots=1), dict.fromkeys(plan.variants, 0.1))) < len(shards)


@pytest.mark.parametrize("price", [None, 1.0, 3000.0])
def test_many_short_trainings_are_few_jobs(plan, price):
    prices = dict.fromkeys(plan.variants, price) if price else {}
    shards = cut(plan, Cut(size=1, seconds=1.0, most=4), prices)
    runs = len(all_runs(shards))
    # Runs that start from others are apart, so that two shards may be not quite full. Two hours hold two runs of 3,000 s.
    assert len(shards) <= 4 + 2 if price != 3000.0 else runs / 2 <= len(shards) <= runs / 2 + 2


def test_the_frozen_spec_of_a_shard_fits_on_a_command_line(tmp_path):
    plan = make_plan(tmp_path, TEXT.replace("[3, 1, 2]", f"{list(range(1000))}"))
    shards = cut(plan, replace(BY, seconds=1e9), dict.fromkeys(plan.variants, 0.001))
    assert max(len(shard_spec(plan, shard)) for shard in shards.values()) < 1.05 * MOST_TEXT


def test_what_has_come_to_a_result_stays_as_it_is(plan, tmp_path):
    first = cut(plan, BY, {})
    (tmp_path / "start").mkdir()
    (tmp_path / "start/outline.json").write_text(Outline.of(plan, first, []).text())
    for done in ("lenet/3", "small/2"):
        path = tmp_path / f"shards/{done}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    kept = cut_before(tmp_path)
    assert kept == [{"small": [2]}, {"lenet": [3, 1]}]
    again = cut(plan, Cut(size=3, seconds=1e9), dict.fromkeys(plan.variants, 1.0), kept)
    assert again["lenet/3"] == first["lenet/3"]
    assert again["small/2"] == first["small/2"]
    assert sorted(all_runs(again)) == sorted(all_runs(first))
    assert len(again) < len(first)
    fewer = make_plan(tmp_path, TEXT.replace("[3, 1, 2]", "[3, 2]"))
    assert cut(fewer, BY, {}, kept)["lenet/3"] == {"lenet": [3, 2]}, "1 is not wanted any more"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"shards": 3}', '{"shards": {"lenet/0": 3}}', json.dumps({"shards": [[0]]})]
)
def test_where_the_outline_is_lost_the_results_say_how_the_study_was_cut(tmp_path, text):
    (tmp_path / "start").mkdir()
    (tmp_path / "start/outline.json").write_text(text)
    path = tmp_path / "shards/lenet/0.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert cut_before(tmp_path) == []
    runs = [{"variant": "lenet", "seed": 0}, {"variant": "vgg", "seed": 0}, {"variant": "lenet", "seed": 1}]
    path.write_text(json.dumps({"runs": runs}))
    assert cut_before(tmp_path) == [{"lenet": [0, 1], "vgg": [0]}]


def test_a_shard_whose_runs_start_from_each_other_now_is_cut_anew(tmp_path):
    together = {"small": [3, 1], "lenet": [3, 1]}
    assert cut(make_plan(tmp_path), BY, {}, [together])["small/3"] == together
    text = TEXT.replace(
        "{builder: vgg, baseline: {width: 4, hidden: 16}}", "{builder: lenet, baseline: {warm_start: lenet}}"
    )
    text = text.partition("grid:")[0] + "seeds" + text.partition("seeds")[2]
    shards = cut(make_plan(tmp_path, text), BY, {}, [together])
    assert shards["small/3"] == {"small": [3, 1]}
    assert shards["lenet/3"] == {"lenet": [3, 1]}
