"""Controls of equal size, claims about architectures, and warm starts: what they make of a study."""

import json
import math
import re
import subprocess
import sys

import pandas as pd
import pytest
import torch
from broken import LATE
from invented import invented_outcomes
from specs import make_spec

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.contrasts import contrast_table
from ablation.catalogue.architectures import CATALOGUE
from ablation.catalogue.metrics import FAILURE_RATES, METRICS
from ablation.jobs.controls import answer, match, sizes_reached
from ablation.jobs.measuring import measure as measure_network
from ablation.networks.build import build
from ablation.networks.initialisation import inherit
from ablation.networks.sizes import measure
from ablation.records.keys import run_key
from ablation.report.contrasttables import matched_text
from ablation.report.figures.style import variant_label
from ablation.report.figures.table import figures_of
from ablation.study.controls import settle
from ablation.study.studyfile import StudyFileError, read_frozen, read_study
from ablation.training.evaluation import Part, shift
from ablation.training.run import Run

STUDY = """\
title: A title
question: A question?
data: {name: digits}
recipe: {epochs: 2, batch_size: 64, lr: 0.1}
architectures:
  resnet: {builder: resnet_cifar, baseline: {depth: 8, width: 8}}
  densenet: {builder: densenet_cifar, baseline: {depth: 10, growth_rate: 4}}
  vgg11: {builder: vgg, baseline: {width: 4, hidden: 16}}
  vgg13: {builder: vgg, baseline: {depth: 13, width: 4, hidden: 16}}
grid:
  - architectures: [resnet]
    factors: {depth: [20]}
    match: parameters
  - architectures: [vgg13]
    factors: {warm_start: [vgg11]}
seeds: 2
smallest_effect: 0.01
claims:
  dense-efficient:
    statement: s
    source: t
    factor: architecture
    level: densenet
    against: resnet
    match: parameters
    metric: test_accuracy
    direction: greater
  dense-small:
    {statement: s, source: t, factor: architecture, level: densenet, against: resnet, metric: parameters, direction: less}
"""


@pytest.fixture
def read(tmp_path):
    def read(text=STUDY):
        (tmp_path / "mine.yaml").write_text(text)
        return read_study(tmp_path / "mine.yaml")

    return read


def settle_all(plan, **kept):
    return plan.settled(answer(plan.questions, (1, 8, 8), 10, **kept))


def sizes(plan, variant):
    return measure(plan.variants[variant].architecture_spec(), (1, 8, 8), 10)


@pytest.mark.parametrize("quantity", ["parameters", "multiply_adds"])
@pytest.mark.parametrize(
    ("larger", "name", "by"),
    [
        ({"depth": 20, "width": 8}, "resnet_cifar", "width"),
        ({"depth": 20, "width": 8}, "densenet_cifar", "growth_rate"),
        ({"depth": 8, "width": 3}, "alexnet", "width"),
    ],
)
def test_no_other_value_is_nearer_in_size(quantity, larger, name, by):
    variant, reference = make_spec("resnet_cifar", **larger)["architecture"], make_spec(name)["architecture"]
    step = reference["arguments"].get("groups", 1)
    found = match(variant, reference, quantity, by, (1, 8, 8), 10)
    wanted = measure(variant, (1, 8, 8), 10)[quantity]

    def distance(value):
        spec = {**reference, "arguments": {**reference["arguments"], by: value}}
        return abs(math.log(measure(spec, (1, 8, 8), 10)[quantity] / wanted))

    assert found % step == 0
    assert all(distance(found) <= distance(value) for value in (found - step, found + step) if value > 0)


def test_a_block_gives_its_variants_controls_of_equal_size(read):
    plan = settle_all(read())
    (matched,) = [contrast for contrast in plan.contrasts if contrast.matched]
    assert (matched.variant, matched.matched) == ("resnet-depth.20", "parameters")
    assert matched.reference == "resnet-width.parameters_of_depth.20"
    assert matched.factors == ("depth", "width")
    here, there = (sizes(plan, name)["parameters"] for name in (matched.variant, matched.reference))
    assert abs(math.log(here / there)) < 0.1
    assert abs(math.log(here / sizes(plan, "resnet")["parameters"])) > 0.5


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_architecture_can_be_scaled(name):
    assert any(argument.scales for argument in CATALOGUE[name].arguments.values())


def test_a_control_is_not_scaled_by_what_has_no_effect(read):
    block = "[vgg13]\n    factors: {depth: [16]}\n    match: parameters\n    by: hidden"
    text = STUDY.replace("{depth: 13, width: 4, hidden: 16}", "{depth: 13, width: 4, head: gap}")
    with pytest.raises(StudyFileError, match="by: found 'hidden', which would change nothing: head is gap"):
        read(text.replace("[vgg13]\n    factors: {warm_start: [vgg11]}", block))


def test_a_control_is_not_scaled_by_what_the_claim_gives(read):
    text = STUDY.replace("warm_start: [vgg11]", "width: [8]").replace("    level: densenet", "    level: vgg13")
    with pytest.raises(
        StudyFileError, match=r"given\.width: found 'width', which is scaled: expected only levels of other"
    ):
        read(
            text.replace(
                "    match: parameters\n    metric", "    match: parameters\n    given: {width: 8}\n    metric"
            )
        )


def test_a_size_that_no_value_reaches_is_said_with_how_far_off_it_is(read):
    """However few hidden units a VGG has, its convolutions alone are more than a small network's all."""
    by_hidden = "    against: vgg11\n    match: parameters\n    by: hidden\n"
    plan = settle_all(read(STUDY.replace("    against: resnet\n    match: parameters\n", by_hidden)))
    (near, far) = sorted(sizes_reached(plan, (1, 8, 8), 10), key=lambda text: "not reached" in text)
    wanted, least = (sizes(plan, name)["parameters"] for name in ("densenet", "vgg11-hidden.parameters_of_densenet"))
    assert plan.variants["vgg11-hidden.parameters_of_densenet"].levels["hidden"] == 1
    assert f"densenet has {wanted:,} parameters; its control" in far
    assert f"{least:,}: the size was not reached ({100 * (least / wanted - 1):+.1f} %)" in far
    assert near.startswith("resnet-depth.20 has ")
    row = pd.Series({"matched": "parameters", "size_ratio": least / wanted})
    assert matched_text(row) == f"unequal parameters, × {least / wanted:.2f}"
    assert matched_text(row.replace(least / wanted, 1.049)) == "equal parameters, × 1.05"


def test_where_a_norm_would_say_nothing_a_network_is_not_searched():
    small = make_spec("lenet", width=1, hidden=1, norm="none")["architecture"]
    assert (
        match(small, make_spec("lenet", width=1, norm="layer")["architecture"], "parameters", "hidden", (1, 28, 28), 10)
        > 1
    )


def test_a_claim_compares_architectures_of_equal_size(read):
    claims = dict(read().claims)
    assert claims["dense-efficient"].variants == ("densenet", "resnet-width.parameters_of_densenet")
    assert claims["dense-small"].variants == ("densenet", "resnet")


def test_a_plan_is_the_same_before_and_after_its_controls_are_found(read):
    plan = read()
    settled = settle_all(plan)
    assert list(plan.variants) == list(settled.variants)
    assert (plan.contrasts, plan.claims, plan.series, figures_of(plan)) == (
        settled.contrasts,
        settled.claims,
        settled.series,
        figures_of(settled),
    )
    for variant in plan.variants:
        assert settle(plan.spec(variant, 0), settled.answers) == settled.spec(variant, 0)
    controls = [variant for variant in settled.variants.values() if variant.control]
    assert [one.reference for one in plan.matched] == [
        "resnet-width.parameters_of_depth.20",
        "resnet-width.parameters_of_densenet",
    ]
    assert [type(variant.levels["width"]) for variant in controls] == [int, int]
    assert plan.spec(controls[0].id, 0) != settled.spec(controls[0].id, 0)


def test_planning_a_study_with_controls_imports_no_torch(read, tmp_path):
    read()
    code = (
        "import sys; from pathlib import Path; from ablation.study.studyfile import read_study; "
        f"plan = read_study(Path({str(tmp_path / 'mine.yaml')!r})); "
        "assert not {'torch', 'numpy'} & set(sys.modules); print(*plan.variants)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(read().variants)


def test_a_control_is_searched_for_once(read, tmp_path, monkeypatch):
    kept = tmp_path / "results" / "controls.json"
    first = settle_all(read(), kept=kept).answers
    monkeypatch.setattr("ablation.jobs.controls.match", lambda *asked: pytest.fail("searched again"))
    assert settle_all(read(), kept=kept).answers == first
    with pytest.raises(pytest.fail.Exception, match="searched again"):
        settle_all(read(STUDY.replace("depth: [20]", "depth: [14]")), kept=kept)
    for content in ("{", "[]", "null", '{"a": "b"}'):
        kept.write_text(content)
        with pytest.raises(pytest.fail.Exception, match="searched again"):
            settle_all(read(), kept=kept)


def test_a_network_that_cannot_be_built_costs_the_study_no_more_than_its_control(read, tmp_path, capsys):
    (tmp_path / "parts.py").write_text(LATE)
    kept = tmp_path / "controls.json"
    text = STUDY.replace("factors: {depth: [20]}", "factors: {norm: [late]}") + "parts: [parts.py]\n"
    plan = settle_all(read(text), kept=kept)
    assert "no control of" in capsys.readouterr().err
    assert plan.variants["resnet-width.parameters_of_norm.late"].levels["width"] == 8
    assert len(json.loads(kept.read_text())) == 1, "of what cannot be built, nothing is kept"
    failed, found = sorted(sizes_reached(plan, (1, 8, 8), 10), key=lambda text: text.startswith("densenet"))
    assert "is no control of resnet-norm.late" in failed
    assert "RuntimeError: found no file" in failed
    assert found.startswith("densenet has ")
    row = pd.Series({"matched": "parameters", "size_ratio": math.nan})
    assert matched_text(row) == "parameters are not known of both"


def test_a_frozen_plan_reads_as_it_was(read, tmp_path):
    googlenet = "googlenet: {baseline: {width: 8, blocks: 1-1-1}}"
    block = "[googlenet]\n    factors: {without: [5x5]}"
    text = STUDY.split("claims:")[0].replace("vgg11: {builder", f"{googlenet}\n  vgg11: {{builder", 1)
    plan = settle_all(read(text.replace("[resnet]\n    factors: {depth: [20]}", block)))
    (tmp_path / "frozen.json").write_text(plan.frozen())
    again = read_frozen(tmp_path / "frozen.json")
    assert "googlenet-width.parameters_of_without.5x5" in again.variants
    assert (again.name, again.variants, again.answers) == (plan.name, plan.variants, plan.answers)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"name": "x", "study": {}, "answers": {}}'])
def test_what_is_no_frozen_plan_is_said(tmp_path, content):
    (tmp_path / "frozen.json").write_text(content)
    with pytest.raises(StudyFileError, match=r"frozen\.json: not a frozen study .* write it anew"):
        read_frozen(tmp_path / "frozen.json")


def test_counted_metrics_are_sure(read):
    plan = settle_all(read())
    runs = pd.DataFrame(
        [
            {
                **{"variant": name, "seed": seed, "status": "completed", "metric_errors": None},
                **dict.fromkeys(FAILURE_RATES, 0.0),
                **{"test_accuracy": 0.5 + seed / 10, **sizes(plan, name)},
            }
            for name in plan.variants
            for seed in plan.study.seeds
        ]
    )
    found = {claim.claim: claim.tests[0] for claim in invented_outcomes(plan, runs).claims}["dense-small"]
    assert found.low == found.effect == found.high
    assert found.verdict == ("supported" if found.effect < 0 else "refuted")
    assert found.p_adjusted is None, "what is counted is no test"
    assert set(contrast_table(plan, RunsByVariant(runs))["matched"]) == {"", "parameters"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "match: parameters\n",
            "match: parameters\n    by: wdth\n",
            "by: found 'wdth', expected an argument in which 'resnet' (resnet_cifar) grows: width; did you mean 'width'?",
        ),
        (
            "match: parameters\n",
            "match: parameters\n    by: depth\n",
            "by: found 'depth', expected an argument in which",
        ),
        (
            "match: parameters\n",
            "match: parameters\n    by: dilation\n",
            "by: found 'dilation', expected an argument in",
        ),
        (
            "    match: parameters\n    metric",
            "    match: parameters\n    by: lr\n    metric",
            "claims.dense-efficient.by: found 'lr', expected an argument in which 'resnet' (resnet_cifar) grows: width",
        ),
        ("level: densenet\n", "level: desnet\n", "did you mean 'densenet'?"),
        ("against: resnet, metric", "against: densenet, metric", "expected two architectures"),
        ("warm_start: [vgg11]", "warm_start: [vgg12]", "found warm_start 'vgg12', expected a variant of this study"),
        ("warm_start: [vgg11]", "warm_start: [vgg13-warm_start.vgg13]", "expected a variant of this study"),
        ("metric: test_accuracy", "metric: epochs_to_threshold", "needs threshold"),
    ],
)
def test_mistakes_are_named(read, old, new, expected):
    assert old in STUDY
    with pytest.raises(StudyFileError, match=re.escape(expected)):
        read(STUDY.replace(old, new))


def test_a_warm_start_that_comes_back_to_itself_is_refused(read):
    text = STUDY.replace("{depth: 13, width: 4, hidden: 16}", "{depth: 13, width: 4, hidden: 16, warm_start: vgg13}")
    text = text.replace("warm_start: [vgg11]", "width: [8]")
    with pytest.raises(StudyFileError, match="comes back to 'vgg13'"):
        read(text)


def test_a_warm_start_names_its_source_by_content(read):
    plan = read()
    spec, fresh = plan.spec("vgg13-warm_start.vgg11", 1), plan.spec("vgg13", 1)
    assert spec["warm_start"] == plan.spec("vgg11", 1)
    assert fresh["warm_start"] is None
    assert spec["recipe"] == fresh["recipe"]
    other = {**spec, "warm_start": {**spec["warm_start"], "recipe": {**spec["warm_start"]["recipe"], "lr": 0.2}}}
    assert len({run_key(one, "d") for one in (spec, fresh, other)}) == 3


def test_a_warm_start_takes_what_fits_and_leaves_the_rest(parts):
    small, large = (make_spec("vgg", depth=depth, width=4, hidden=16) for depth in (11, 13))
    trained = {name: value + 1 for name, value in Run(small, parts, 10).network.state_dict().items()}
    fresh, warm = Run(large, parts, 10), Run(large, parts, 10, trained)
    for name, value in warm.network.state_dict().items():
        source = trained[name] if name in trained else fresh.network.state_dict()[name]
        assert torch.equal(value, source), name
    assert set(warm.network.state_dict()) - set(trained)


def test_a_warm_start_that_shares_nothing_is_an_error():
    network = build(make_spec("lenet")["architecture"], (1, 8, 8), 10)
    with pytest.raises(ValueError, match="no weights of the two networks"):
        inherit(network, {"elsewhere": torch.zeros(3)})


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("pixels", [1, -2])
def test_a_shift_moves_the_pixels_and_fills_with_zero(axis, pixels):
    images = torch.arange(1.0, 33.0).view(1, 2, 4, 4)
    moved = shift(images, pixels, axis)
    kept = 4 - abs(pixels)
    before, behind = (0, pixels) if pixels > 0 else (-pixels, 0)
    assert torch.equal(moved.narrow(axis, behind, kept), images.narrow(axis, before, kept))
    assert not moved.narrow(axis, 0 if pixels > 0 else kept, abs(pixels)).any()


def test_shifted_accuracy_is_that_of_shifted_images(parts):
    spec = make_spec("lenet", activation="relu", initialisation="kaiming")
    run = Run(spec, parts, 10)
    run.epoch()
    test = parts["test"]
    by_hand = []
    with torch.no_grad():
        for axis in (2, 3):
            for pixels in (1, -1):  # an eighth of eight
                moved = Part(shift(test.images, pixels, axis), test.labels)
                by_hand.append((run.network.eval()(moved.images).argmax(1) == moved.labels).float().mean().item())
    measures = {"shifted_accuracy": METRICS["shifted_accuracy"].measure}
    found, errors = measure_network(run.network.eval(), test, measures, 0)
    assert found == pytest.approx({"shifted_accuracy": sum(by_hand) / 4})
    assert not errors


def test_figures_say_what_a_control_is_as_large_as(read):
    plan = settle_all(read())
    assert variant_label(plan, "resnet-width.parameters_of_depth.20") == "width 15 (parameters of depth.20)"
    assert variant_label(plan, "resnet-depth.20") == "depth 20"
    assert variant_label(plan, "resnet") == "baseline"
