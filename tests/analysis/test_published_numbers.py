"""The ledger of published numbers: what it states, what mistakes in it are answered with, and studies held against it."""

import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml

from ablation.analysis.published.bestepoch import best_epoch_gains, best_epoch_table
from ablation.analysis.published.comparison import compare_published, find_matches
from ablation.analysis.published.entries import SURE
from ablation.analysis.published.ledger import FOLDER, LedgerError, ledger_schema, read_file, read_ledger
from ablation.analysis.published.protocol import NOT_STATED, protocol_diff, unstated
from ablation.analysis.published.table import COMPARISON_COLUMNS, ledger_table, published_table
from ablation.catalogue.catalogue import OURS
from ablation.networks.sizes import measure
from ablation.statistics.estimates import welch
from ablation.statistics.external import place
from ablation.study.plan import Plan
from ablation.study.schema import Study
from ablation.study.specs import architecture_spec
from ablation.study.studyfile import read_study

ROOT = Path(__file__).parents[2]
LEDGER = read_ledger()
COMPARABLE = [name for name, one in LEDGER.items() if one.entry.architecture.builder and one.entry.data in OURS.sources]
COUNTED = [  # where the network is ours
    name
    for name, one in LEDGER.items()
    if OURS.metrics[one.entry.metric].exact and "network" not in one.entry.protocol.others
]
each_entry = pytest.mark.parametrize("name", LEDGER)

ENTRY = """\
resnet20-somebody:
  architecture: {name: ResNet-20, builder: resnet_cifar, levels: {depth: 20}}
  data: cifar10
  metric: test_accuracy
  unit: error_percent
  printed: 8.75
  protocol: {recipe: {lr: 0.1}, initialisation: kaiming}
  source: Somebody 2020
  place: table 1
  sure: [read]
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "mine.yaml").write_text(text)
        return read_file(tmp_path / "mine.yaml")

    return read


# --- What it states ---


@each_entry
def test_every_entry_says_where_it_stands_and_how_sure_it_is(name):
    entry = LEDGER[name].entry
    assert entry.source.strip()
    assert entry.place.strip()
    assert set(entry.sure) <= set(SURE)
    assert "unverified" not in entry.sure, "nothing from memory"


@each_entry
def test_every_value_is_one_that_its_metric_can_have(name):
    published = LEDGER[name]
    values = published.each or ((published.value,) if not math.isnan(published.value) else ())
    assert values or published.sd > 0
    assert all(0 < value <= (1 if OURS.metrics[published.entry.metric].unit == "%" else 1e9) for value in values)


@each_entry
def test_every_architecture_is_one_of_the_catalogue_with_levels_that_make_sense(name):
    published, builder = LEDGER[name], LEDGER[name].entry.architecture.builder
    if builder is None:
        assert published.levels == {}
    else:
        entry = OURS.architectures[builder]
        assert set(published.levels) == set(entry.references) - {"initialisation"}
        assert entry.refuse({**entry.references, **published.levels}) is None


@pytest.mark.parametrize("name", COUNTED)
def test_printed_sizes_are_those_of_our_networks(name):
    published = LEDGER[name]
    builder, shape = published.entry.architecture.builder, OURS.sources[published.entry.data].shape
    spec = architecture_spec(OURS, builder, {"initialisation": "default", **published.levels})
    assert abs(measure(spec, shape, 10)[published.entry.metric] - published.value) <= published.resolution


def test_every_printed_run_of_the_textbook_belongs_to_one_entry():
    rows = pd.read_csv(FOLDER / "d2l_fashion_mnist.csv")
    entries = [one for one in LEDGER.values() if one.entry.table]
    assert len(rows) == sum(one.runs for one in entries) == 1293
    chosen = sum((rows[list(one.entry.table.rows)] == pd.Series(one.entry.table.rows)).all(axis=1) for one in entries)
    assert (chosen == 1).all()


@pytest.mark.parametrize(
    ("name", "mean", "sd", "runs"),
    [
        ("lenet-d2l", 0.8036, 0.0154, 198),
        ("alexnet-d2l", 0.8785, 0.0066, 140),
        ("resnet18-d2l", 0.9009, 0.0319, 134),
        ("densenet-d2l", 0.8640, 0.0574, 130),
    ],
)
def test_printed_runs_have_the_spread_that_was_found_of_them(name, mean, sd, runs):
    published = LEDGER[name]
    assert (published.value, published.sd, published.runs) == (
        pytest.approx(mean, abs=5e-5),
        pytest.approx(sd, abs=5e-5),
        runs,
    )


@pytest.mark.parametrize(
    ("spread", "sd"),
    [
        ("{of: sd, printed: 0.2}", 0.002),
        ("{of: se, printed: 0.2}", 0.004),
        ("{of: unstated, printed: 0.2}", math.nan),
        ("{of: range, low: 8.5, high: 9}", math.nan),
    ],
)
def test_a_spread_is_a_standard_deviation_only_where_the_source_lets_it_be(read, spread, sd):
    text = f"{ENTRY}  statistic: mean\n  runs: 4\n  spread: {spread}\n"
    assert read(text)["resnet20-somebody"].sd == pytest.approx(sd, nan_ok=True)


# --- What is refused ---


def change(old, new):
    assert old in ENTRY
    return ENTRY.replace(old, new)


ADDED = ENTRY.rstrip("\n") + "\n  "
MISTAKES = {
    "": "found null, expected a mapping of entries by name",
    "- 1": "expected a mapping of entries by name",
    "a: [": "not valid YAML",
    change("printed", "printd"): r"line 6, resnet20-somebody.printd: unknown key 'printd'; did you mean 'printed'",
    change("resnet20-somebody", "ResNet 20"): r"found the name 'ResNet 20', expected small letters",
    change(
        "builder: resnet_cifar", "builder: resnet_cifr"
    ): r"architecture.builder: found 'resnet_cifr', expected .*; did you",
    change("depth: 20", "depth: 21"): "depth must be 6n",
    change("depth: 20", "depht: 20"): r"architecture.levels.depht: found 'depht', expected .*; did you mean 'depth'",
    change("depth: 20", "norm: bach"): r"architecture.levels.norm: found 'bach', expected a level of norm",
    change("depth: 20", "lr: 0.1"): r"architecture.levels.lr: found 'lr', expected",
    change("depth: 20", "initialisation: kaiming"): "architecture.levels.initialisation: found",
    change(", builder: resnet_cifar", ""): "levels.depth: found a level without a builder, expected none",
    change("data: cifar10", "data: cifar"): r"data: found 'cifar', expected .*imagenet.*; did you mean 'cifar10'",
    change("test_accuracy", "test_acuracy"): r"metric: found 'test_acuracy', expected .*; did you mean 'test_accuracy'",
    change("unit: error_percent", "unit: errors"): r"unit: found 'errors', expected fraction, percent",
    change(
        "unit: error_percent", "unit: millions"
    ): r"unit: found 'millions' of test_accuracy, expected fraction, percent",
    change(
        "printed: 8.75", "printed: 108.75"
    ): "printed: found -0.0875 as test accuracy, expected a value that it can have",
    change("printed: 8.75", "printed: .inf"): "found .inf .*, expected a finite number",
    change("printed: 8.75", "printed: true"): "printed: found true, expected a number",
    change("printed: 8.75", "each: [8.75, 130]"): "each: found -0.3 as test accuracy",
    change("  printed: 8.75\n", ""): "found no number, expected printed, each, table or, at least, a spread",
    ADDED + "each: [8.7]": "found printed and each, expected one of them",
    ADDED + "runs: 5": r"found the number of one run and 5 runs, expected what it is of them \(statistic\)",
    ADDED + "statistic: mean\n  runs: 1": "found the mean of 1 run, expected 2 or more",
    ADDED + "statistic: mean\n  spread: {of: se, printed: 0.1}": "runs: this key is missing: the standard error",
    ADDED + "spread: {of: range, printed: 0.1}": "spread: found printed of range, expected low and high",
    ADDED + "spread: {of: sdd, printed: 0.1}": r"spread.of: found 'sdd', expected sd, se.*; did you mean 'sd'",
    change("lr: 0.1", "lrr: 0.1"): r"protocol.recipe.lrr: found 'lrr', expected an entry of a recipe: epochs",
    change("lr: 0.1", "augmentation: crop"): r"protocol.recipe.augmentation: found 'crop', expected none, or parts",
    change("kaiming", "kaming"): r"protocol.initialisation: found 'kaming', expected .*; did you mean 'kaiming'",
    change("  sure: [read]\n", ""): "sure: this key is missing",
    change("[read]", "[]"): "sure: found .*, expected one entry or more",
    change("[read]", "[certain]"): r"sure\[0\]: found 'certain', expected read, official",
    ENTRY
    + ENTRY.replace("resnet20-somebody", "again").replace(
        "8.75", "8.8"
    ): "again: found the same as in 'resnet20-somebody'",
    change(
        "printed: 8.75", "table: {file: no.csv, column: a, rows: {b: 1}}"
    ): r"table.file: found 'no.csv': No such file",
    change(
        "printed: 8.75", "table: {file: runs.csv, column: test_acc, rows: {model: a}}"
    ): r"found the column 'test_acc', expected",
    change(
        "printed: 8.75", "table: {file: runs.csv, column: test, rows: {model: c}}"
    ): r"table.rows: found no row with",
    change(
        "printed: 8.75", "table: {file: runs.csv, column: model, rows: {model: a}}"
    ): r"could not convert .*, expected numbers",
}


@pytest.mark.parametrize("text", MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_answered_with_file_entry_and_key(read, tmp_path, text):
    (tmp_path / "runs.csv").write_text("model,test\na,8.1\nb,8.2\n")
    with pytest.raises(LedgerError, match=MISTAKES[text]) as error:
        read(text)
    assert str(tmp_path / "mine.yaml") in str(error.value)


def test_entries_of_several_files_have_different_names(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(ENTRY)
    with pytest.raises(LedgerError, match=r"two.yaml: found 'resnet20-somebody', which another file has"):
        read_ledger(tmp_path)
    with pytest.raises(LedgerError, match="found no file of published numbers"):
        read_ledger(tmp_path / "none")


# --- The schema ---


def test_the_committed_schema_is_the_one_of_the_models():
    committed = json.loads((ROOT / "workflow/schemas/published.schema.json").read_text())
    assert committed == ledger_schema(), "run ./do schema"


def test_the_schema_accepts_the_ledger_and_describes_every_key():
    for path in sorted(FOLDER.glob("*.yaml")):
        jsonschema.validate(yaml.safe_load(path.read_text()), ledger_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(change("printed", "printd")), ledger_schema())
    keys = [
        (name, key, entry)
        for name, model in ledger_schema()["$defs"].items()
        for key, entry in model["properties"].items()
    ]
    assert [f"{name}.{key}" for name, key, entry in keys if not entry.get("description")] == []


# --- Studies held against it ---


def study_of(published, data=(), **recipe):
    """A study that does what the source of a published number did, as far as it says, but for what is given."""
    protocol = published.entry.protocol
    stated = {"epochs": 10, "batch_size": 128, "lr": 0.1, "momentum": 0.5 if "nesterov" in published.recipe else 0.0}
    initialisation = {"initialisation": protocol.initialisation} if protocol.initialisation else {}
    return Plan(
        Study.model_validate(
            {
                "title": "t",
                "question": "q",
                "data": {
                    "name": published.entry.data,
                    "validation": 0,
                    "side": protocol.side,
                    "standardised": protocol.standardised is not False,
                    **dict(data),
                },
                "recipe": {**stated, **published.recipe, **recipe},
                "architectures": {
                    "it": {
                        "builder": published.entry.architecture.builder,
                        "baseline": {**published.levels, **initialisation},
                    }
                },
                "seeds": 3,
            }
        ),
        "mine",
    )


@pytest.mark.parametrize("name", COMPARABLE)
def test_a_study_that_does_what_the_source_did_finds_the_number_and_no_difference_in_the_training(name):
    plan = study_of(LEDGER[name])
    (match,) = [one for one in find_matches(plan, LEDGER) if one.published.id == name]
    others = set(LEDGER[name].entry.protocol.others)
    steps = {"training length"} if LEDGER[name].entry.protocol.steps else set()
    assert {one.what for one in match.differences} <= others | steps | {"epoch that counts", "run that counts"}


@pytest.mark.parametrize("levels", [{"depth": 32}, {"norm": "none"}, {"residual": "none"}, {"width": 8}])
def test_another_network_is_no_match(levels):
    published = LEDGER["resnet20-he2015"]
    plan = study_of(published)
    study = plan.study.model_dump()
    study["architectures"]["it"]["baseline"].update(levels)
    other = Plan(Study.model_validate(json.loads(json.dumps(study))), "mine")
    assert "resnet20-he2015" not in {one.published.id for one in find_matches(other, LEDGER)}
    assert "resnet20-he2015" in {one.published.id for one in find_matches(plan, LEDGER)}


def test_another_data_set_is_no_match():
    study = study_of(LEDGER["resnet20-he2015"], {"name": "cifar100"})
    assert find_matches(study, LEDGER) == []


CHANGES = {
    "training length": {"epochs": 20},
    "learning rate": {"lr": 0.3},
    "schedule": {"schedule": "cosine"},
    "warm-up": {"warmup_epochs": 1.0},
    "optimiser": {"momentum": 0.5},
    "weight decay": {"weight_decay": 0.01},
    "batch size": {"batch_size": 64},
    "augmentation": {"augmentation": "flip"},
    "label smoothing": {"label_smoothing": 0.1},
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_entry_of_the_recipe_that_differs_is_said_with_both_sides(what):
    published = LEDGER["lenet-d2l"]
    (found,) = protocol_diff(study_of(published, **CHANGES[what]), "it", published)
    assert found.what == what
    assert found.ours != found.theirs
    assert (found.theirs == NOT_STATED) == (what == "label smoothing")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ({"standardised": True}, "preprocessing"),
        ({"side": 32}, "input"),
        ({"validation": 0.1}, "training images"),
        ({"per_class": 100}, "training images"),
    ],
)
def test_data_that_differ_are_said(data, what):
    published = LEDGER["lenet-d2l"]
    assert [one.what for one in protocol_diff(study_of(published, data), "it", published)] == [what]


@pytest.mark.parametrize(("validation", "epochs", "differs"), [(0.1, 182, False), (0.0, 164, False), (0.1, 91, True)])
def test_epochs_are_held_against_steps_by_the_images_of_an_epoch(validation, epochs, differs):
    published = LEDGER["resnet20-he2015"]
    found = protocol_diff(study_of(published, {"validation": validation}, epochs=epochs), "it", published)
    assert ("training length" in {one.what for one in found}) == differs


def test_differences_stand_in_the_order_of_what_they_tell():
    published = LEDGER["resnet110-akamaster"]
    found = protocol_diff(study_of(published, {"validation": 0.1}, epochs=50, batch_size=64), "it", published)
    assert [one.what for one in found] == [
        "training length",
        "warm-up",
        "batch size",
        "preprocessing",
        "training images",
        "epoch that counts",
    ]


def test_what_the_source_does_not_say_is_named_and_is_no_difference():
    assert unstated(LEDGER["lenet-d2l"]) == ()
    assert unstated(LEDGER["resnet20-he2015"]) == ("training images", "epoch that counts")
    assert "augmentation" not in unstated(LEDGER["nin-augmented-lin2014"]), "it is said in words"
    assert unstated(LEDGER["resnet20-parameters-he2015"]) == ()


@pytest.mark.parametrize(
    ("study", "variant", "names"),
    [
        ("d2l_lenet", "lenet", ["lenet-d2l"]),
        ("d2l_lenet_bn", "lenet-pooling.max", ["lenet-norm-max-d2l"]),
        ("residual_full", "resnet-depth.32", ["resnet32-he2015", "resnet32-parameters-he2015"]),
        ("growth_rate_full", "densenet", ["densenet-40-12-augmented-huang2017"]),
        ("growth_rate_full", "densenet-augmentation.none-dropout.0.2", ["densenet-40-12-plain-huang2017"]),
        ("pooling_and_head_full", "vgg", ["vgg11-quarter-d2l"]),
    ],
)
def test_our_studies_by_published_protocols_do_as_these_say(study, variant, names):
    matches = find_matches(read_study(ROOT / f"config/studies/{study}.yaml"), LEDGER)
    same = [one.published.id for one in matches if one.variant == variant and not one.differences]
    assert same == names


def tables(plan, accuracies, statuses=None, curves=((0.5, 0.8, 0.7),) * 9):
    """Runs and curves of the one variant of a plan."""
    statuses = statuses or ["completed"] * len(accuracies)
    runs = [
        {"variant": "it", "seed": seed, "status": status, "test_accuracy": accuracy, "parameters": 269_722}
        for seed, (accuracy, status) in enumerate(zip(accuracies, statuses, strict=True))
    ]
    epochs = [
        {"variant": "it", "seed": seed, "epoch": epoch, "validation_accuracy": value}
        for seed, values in zip(range(len(runs)), curves, strict=False)
        for epoch, value in enumerate(values, 1)
    ]
    return pd.DataFrame(runs), pd.DataFrame(epochs, columns=["variant", "seed", "epoch", "validation_accuracy"])


def compare(name, accuracies, **given):
    plan = study_of(LEDGER[name])
    found = compare_published(plan, *tables(plan, accuracies, **given), {name: LEDGER[name]})
    (comparison,) = found
    return comparison


def test_one_published_run_falls_into_the_prediction_interval_of_ours():
    found = compare("resnet20-he2015", [0.90, 0.91, 0.92])
    assert found.placement.where == "within"
    assert found.placement.n == 3
    assert found.effect is None
    assert compare("resnet20-he2015", [0.80, 0.81, 0.82]).placement.where == "above"


def test_printed_runs_are_compared_as_runs():
    ours = np.array([0.80, 0.81, 0.82, 0.79])
    expected = welch(ours, np.array(LEDGER["lenet-d2l"].each))
    effect = compare("lenet-d2l", ours).effect
    assert (effect.effect, effect.low, effect.high) == pytest.approx((expected.effect, expected.low, expected.high))


def test_a_mean_with_its_spread_is_compared_by_its_summary():
    effect = compare("resnet110-he2015", [0.93, 0.935, 0.94]).effect
    assert effect.effect == pytest.approx(0.935 - 0.9339)
    assert effect.low < effect.effect < effect.high


def test_the_best_of_several_runs_is_placed_as_such():
    ours = [0.93, 0.935, 0.94]
    mean, best = (compare(f"resnet110-{name}", ours).placement for name in ("he2015", "best-he2015"))
    assert mean.high < best.high
    assert mean.low < best.low
    assert best.percentile < place(0.9357, np.array(ours)).percentile


def test_one_run_of_ours_places_nothing():
    found = compare("lenet-d2l", [0.8])
    assert (found.placement.where, found.effect) == ("unknown", None)


def test_what_is_counted_is_compared_exactly():
    found = compare("resnet20-parameters-he2015", [0.9, 0.9])
    assert found.effect.effect == pytest.approx(269_722 - 270_000)
    assert abs(found.effect.effect) <= found.match.published.resolution
    assert (found.placement, found.best_epoch) == (None, None)


def test_diverged_runs_are_counted_and_have_no_gain():
    found = compare("resnet20-akamaster", [0.90, 0.91, math.nan], statuses=["completed", "completed", "diverged"])
    assert (found.ours.n, found.counts.runs) == (2, 3)
    assert (found.best_epoch.gain.n, found.best_epoch.left_out) == (2, 1)


def test_the_best_epoch_gains_what_the_curves_say():
    curves = [(0.5, 0.8, 0.7), (0.5, 0.6, 0.9), (0.9, 0.8, 0.85)]
    best = compare("resnet20-akamaster", [0.90, 0.91, 0.92], curves=curves).best_epoch
    assert best.gain.mean == pytest.approx((0.1 + 0 + 0.05) / 3)
    assert best.gain.low < best.gain.mean < best.gain.high
    values = np.array([0.90 + 0.1, 0.91, 0.92 + 0.05])
    assert best.placement.low < values.mean() < best.placement.high
    assert compare("resnet20-he2015", [0.90, 0.91, 0.92], curves=curves).best_epoch is None


@pytest.mark.parametrize("curves", [(), ((None, None),) * 3])
def test_without_validation_images_the_gain_is_not_known(curves):
    best = compare("resnet20-akamaster", [0.90, 0.91, 0.92], curves=curves).best_epoch
    assert (best.gain.n, best.left_out, best.placement) == (0, 3, None)


def test_the_gain_is_measured_for_every_variant():
    plan = study_of(LEDGER["resnet20-he2015"])
    runs, curves = tables(plan, [0.9, 0.9, 0.9], curves=[(0.5, 0.8, 0.7), (0.5, 0.6, 0.9), (0.9, 0.8, 0.85)])
    other = runs.assign(variant="other", status=["completed", "diverged", "stuck"])
    found = best_epoch_table(pd.concat([runs, other]), pd.concat([curves, curves.assign(variant="other")]))
    assert found["variant"].tolist() == ["it", "other"]
    assert found["n"].tolist() == [3, 2]
    assert found["gain"].tolist() == pytest.approx([0.05, 0.075])
    assert best_epoch_table(runs, curves.assign(validation_accuracy=None)).empty


def test_epochs_may_stand_in_any_order():
    curves = pd.DataFrame({"seed": 0, "epoch": [3, 1, 2], "validation_accuracy": [0.7, 0.5, 0.8]})
    assert best_epoch_gains(curves).tolist() == pytest.approx([0.1])


def test_a_report_finds_all_of_it_in_one_frame():
    plan = study_of(LEDGER["resnet110-akamaster"])
    table = published_table(plan, *tables(plan, [0.93, 0.94, 0.95]))
    assert tuple(table) == COMPARISON_COLUMNS
    rows = table.set_index("entry")
    assert {"resnet110-he2015", "resnet110-akamaster", "resnet110-parameters-he2015"} <= set(rows.index)
    assert rows.loc["resnet110-akamaster", "best_epoch_gain"] == pytest.approx(0.1)
    assert math.isnan(rows.loc["resnet110-he2015", "best_epoch_gain"])
    assert rows.loc["resnet110-he2015", "published_runs"] == 5
    assert rows.loc["resnet110-akamaster", "differences"].startswith("warm-up: none (theirs: ")


def test_a_study_without_a_published_number_has_an_empty_frame():
    plan = study_of(LEDGER["resnet20-he2015"], {"name": "cifar100"})
    table = published_table(plan, *tables(plan, [0.5, 0.6]))
    assert table.empty
    assert tuple(table) == COMPARISON_COLUMNS


def test_the_ledger_is_a_frame_too():
    table = ledger_table(LEDGER).set_index("entry")
    assert len(table) == len(LEDGER)
    assert table.loc["resnet110-he2015", "value"] == pytest.approx(0.9339)
    assert table.loc["small-resnet-4-jordan2023", "sd"] == pytest.approx(0.0056)
