"""Study files: what they may say, and what every mistake is answered with."""

import itertools
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from specs import GOOD

from ablation.catalogue.architectures import CATALOGUE
from ablation.catalogue.catalogue import OURS
from ablation.jobs.shards import planned_runs, shard_spec
from ablation.study.studyfile import StudyFileError, locate_study, read_study, study_schema
from ablation.study.yamlfile import compose

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "config/studies").glob("*.yaml"))

CLAIM = """\
claims:
  relu-better:
    {statement: s, source: t, factor: activation, level: relu, against: sigmoid, metric: test_accuracy, direction: greater}
"""


@pytest.fixture
def read(tmp_path):
    def read(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return read_study(path)

    return read


def change(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


def test_variants_are_named_by_what_they_change(read):
    plan = read(GOOD)
    assert list(plan.variants) == [
        "lenet",
        "lenet-activation.sigmoid",
        "lenet-activation.tanh",
        "lenet-norm.batch",
        "resnet",
        "resnet-residual.none",
        "resnet-lr.0.01",
    ]
    assert plan.spec("resnet-lr.0.01", 2)["recipe"]["lr"] == 0.01
    assert plan.variants["lenet"].levels["lr"] == 0.1, "1e-1 is a number"
    assert plan.runs == 21


def test_full_factorial_combines_and_compares_with_matched_variants(read):
    plan = read(GOOD.replace("norm: [batch]}", "norm: [batch]}\n    design: full_factorial"))
    assert "lenet-activation.tanh-norm.batch" in plan.variants
    pairs = {(c.variant, c.reference): c.factors for c in plan.contrasts}
    both = "lenet-activation.tanh-norm.batch"
    assert pairs[both, "lenet"] == ("activation", "norm")
    assert pairs[both, "lenet-norm.batch"] == ("activation",)
    assert pairs[both, "lenet-activation.tanh"] == ("norm",)


def test_exclusions_drop_all_variants_that_have_the_levels(read):
    text = GOOD.replace(
        "norm: [batch]}", "norm: [batch]}\n    design: full_factorial\n    exclude: [{activation: tanh, norm: batch}]"
    )
    assert "lenet-activation.tanh-norm.batch" not in read(text).variants
    assert "lenet-activation.tanh" in read(text).variants


def test_variants_can_be_listed_one_by_one(read):
    text = change("factors: {residual: [none], lr: [0.01]}", "variants: [{residual: none, norm: none, width: 4}]")
    assert "resnet-norm.none-residual.none-width.4" in read(text).variants


def test_ids_do_not_depend_on_the_order_of_the_file(read):
    swapped = change("activation: [sigmoid, tanh], norm: [batch]", "norm: [batch], activation: [tanh, sigmoid]")
    assert set(read(swapped).variants) == set(read(GOOD).variants)


def test_words_of_old_yaml_are_words(read):
    plan = read(change("A title", "on"))
    assert plan.study.title == "on"


@pytest.mark.parametrize(
    "levels",
    ["{momentum: 0.9, nesterov: true}", "{optimizer: adam, betas: [0.8, 0.99]}", "{epochs: 9, warmup_epochs: 5}"],
)
def test_entries_of_the_recipe_may_change_together(read, levels):
    assert len(read(change("factors: {residual: [none], lr: [0.01]}", f"variants: [{levels}]")).variants) == 6


def test_small_numbers_are_written_out_in_ids(read):
    assert "resnet-lr.0.00001" in read(change("lr: [0.01]", "lr: [1e-5]")).variants


def test_a_series_is_drawn_for_what_costs_parameters(read):
    assert read(change("lr: [0.01]", "lr: [0.01, 0.02, 0.03]")).series == []
    assert read(change("lr: [0.01]", "width: [4, 2]")).series == [
        ("resnet", "width", ["resnet-width.2", "resnet-width.4", "resnet"])
    ]


def test_the_frozen_study_expands_to_the_same_runs(read):
    plan = read(GOOD + CLAIM)
    frozen = read(plan.study.model_dump_json(), "frozen.json")
    assert frozen.variants == plan.variants
    assert frozen.claims == plan.claims
    assert shard_spec(frozen, {"resnet-lr.0.01": [1]}) == shard_spec(plan, {"resnet-lr.0.01": [1]})


@pytest.mark.parametrize("name", ["store", "data", "downloads", "mlartifacts"])
def test_names_of_other_folders_of_results_are_refused(name):
    with pytest.raises(StudyFileError, match="folder of all studies"):
        locate_study(name)


def test_claims_become_contrasts_where_the_study_has_them(read):
    plan = read(GOOD + CLAIM)
    ((name, test),) = plan.claims
    assert (name, test.kind, test.cells) == (
        "relu-better",
        "difference",
        (("lenet", 1), ("lenet-activation.sigmoid", -1)),
    )


def test_seeds_can_be_listed(read):
    plan = read(change("seeds: 3", "seeds: [7, 1, 9]"))
    assert plan.study.seeds == (7, 1, 9)
    runs = json.loads(shard_spec(plan, {"lenet": [7, 1]}))["runs"]
    assert [(run["variant"], run["spec"]["seed"]) for run in runs] == [("lenet", 7), ("lenet", 1)]


def test_runs_are_told_which_epochs_to_diagnose_and_have_keys_of_their_own(read):
    plan = read(change("seeds: 3", "seeds: 3\ndiagnostics: [3, 0]\nmetrics: [test_accuracy, gradient_ratio]"))
    (run,) = json.loads(shard_spec(plan, {"lenet": [0]}))["runs"]
    assert run["spec"]["diagnostics"]["epochs"] == [0, 3]
    assert read(plan.study.model_dump_json(), "frozen.json").study == plan.study
    keys = {found.key for study in (plan, read(GOOD)) for found in planned_runs(study, "data")[:1]}
    assert len(keys) == 2


def test_epochs_to_diagnose_fit_the_shortest_training(read):
    with pytest.raises(StudyFileError, match=r"diagnostics\[0\]: found 3, expected an epoch from 0 to 2"):
        read(change("lr: [0.01]", "epochs: [2]") + "diagnostics: [3]\n")


MISTAKES = [
    # change of the good file, what the message must say
    ("seeds: 3", "sedes: 3", ["sedes: unknown key 'sedes'; did you mean 'seeds'?", "seeds: this key is missing"]),
    ("lr: 1e-1", "learning: 1", ["line 4, recipe.learning: unknown key", "allowed: epochs, batch_size"]),
    ("lr: 1e-1", "lr: fast", ["line 4, recipe.lr: found 'fast', expected a number"]),
    ("lr: 1e-1", "lr: true", ["recipe.lr: found true"]),
    ("lr: 1e-1", "lr: -1", ["recipe.lr: found -1, expected a number above 0"]),
    ("epochs: 3", "epochs: 2.5", ["recipe.epochs: found 2.5"]),
    ("lr: 1e-1", "lr: 1, schedule: cosin", ["found 'cosin', expected constant, ", "; did you mean 'cosine'?"]),
    ("lr: 1e-1", "lr: 1, nesterov: true", ["nesterov needs the optimizer sgd with a momentum above 0"]),
    ("lr: 1e-1", "lr: 1, augmentation: flop", ["recipe.augmentation: found 'flop', expected none, or parts joined by +, each like crop4, "]),
    ("lr: [0.01]", "augmentation: [translate8]", ["found the augmentation 'translate8', expected translate by less than the 8 pixels"]),
    ("lr: 1e-1", "lr: 1, augmentation: colour101", ["recipe.augmentation: found 'colour101'"]),
    ("lr: [0.01]", "augmentation: [crop0]", ["grid[1].factors.augmentation[0]: found 'crop0', expected none, or parts"]),
    ("name: digits", "name: digit", ["data.name: found 'digit', expected digits, ", "; did you mean 'digits'?"]),
    ("name: digits", "name: folder", ["line 3, data: folder is missing"]),
    ("name: digits", "name: mnist, folder: x", ["folder belongs to the data set 'folder', and the name is 'mnist'"]),
    ("name: digits", "name: digits, side: 7", ["data.side: found 7, expected 8 or more"]),
    ("name: digits", "name: digits, fraction: 0", ["data.fraction: found 0"]),
    ("name: digits", "name: digits, fraction: 0.5, per_class: 9", ["data: found fraction and per_class, expected one"]),
    ("seeds: 3", "seeds: 3\nmetrics: [validation_los]", ["did you mean 'validation_loss'?"]),
    ("name: digits}", "name: digits, validation: 0}\nmetrics: [test_loss, validation_loss]", ["line 4, metrics[1]: found 'validation_loss', but data.validation is 0"]),
    ("builder: resnet_cifar", "builder: resnet_cifra", ["architectures.resnet.builder: found 'resnet_cifra'", "did you mean 'resnet_cifar'?"]),
    ("  lenet: {", "  lente: {", ["line 6, architectures.lente: found 'lente', expected an architecture", "did you mean 'lenet'?"]),
    ("activation: relu}", "activation: rellu}", ["baseline.activation: found 'rellu', expected a level of activation", "did you mean 'relu'?"]),
    ("[sigmoid, tanh]", "[sigmod, tanh]", ["line 10, grid[0].factors.activation[0]: found 'sigmod'", "did you mean 'sigmoid'?"]),
    ("[sigmoid, tanh]", "[]", ["grid[0].factors.activation: found no level, expected at least one"]),
    ("[sigmoid, tanh]", "[tanh, tanh]", ["found the level 'tanh' twice"]),
    ("[sigmoid, tanh]", "[relu]", ["found only the baseline's level 'relu', expected another one"]),
    ("norm: [batch]", "residual: [none]", ["'lenet' (lenet) cannot have the factor residual: it has no blocks to add a shortcut around"]),
    ("norm: [batch]", "width: [big]", ["grid[0].factors.width[0]: found 'big', expected a whole number"]),
    ("norm: [batch]", "momentum: [2]", ["factors.momentum[0]: found 2"]),
    ("lr: [0.01]", "betas: [[0.8, 0.9]]", ["betas belong to adam and adamw, and the optimizer is sgd"]),
    ("lr: [0.01]", "depth: [9]", ["depth must be 6n + 2"]),
    ("architectures: [lenet]", "architectures: [lanet]", ["grid[0].architectures[0]: found 'lanet'", "did you mean 'lenet'?"]),
    ("norm: [batch]}", "norm: [batch]}\n    exclude: [{norm: none}]\n    design: full_factorial", ["an exclusion of the baseline of 'lenet'"]),
    ("    factors: {residual: [none], lr: [0.01]}", "    design: full_factorial", ["states either factors or variants"]),
    ("seeds: 3", "seeds: 0", ["line 13, seeds:"]),
    ("seeds: 3", "seeds: [1, 1]", ["seeds: found [1, 1], expected every entry once"]),
    ("seeds: 3", "seeds: 3\nmetrics: [test_acuracy]", ["metrics[0]: found 'test_acuracy'", "did you mean 'test_accuracy'?"]),
    ("seeds: 3", "seeds: 3\nseeds: 4", ["found the key 'seeds' twice (line 14)"]),
    ("seeds: 3", "seeds: 3\ndiagnostics: [0, 4]", ["line 14, diagnostics[1]: found 4, expected an epoch from 0 to 3"]),
    ("seeds: 3", "seeds: 3\ndiagnostics: [-1]", ["diagnostics[0]: found -1"]),
    ("seeds: 3", "seeds: 3\ndiagnostics: [1, 1]", ["diagnostics: found [1, 1], expected every entry once"]),
    ("seeds: 3", "seeds: 3\ndiagnostics: true", ["diagnostics: found true"]),
    ("seeds: 3", "seeds: 3\nmetrics: [gradient_ratio]", ["metrics[0]: found 'gradient_ratio', which needs diagnostics"]),
    ("title: A title", "title: [A title", ["line", "not valid YAML"]),
    ("resnet: {builder", "../resnet: {builder", ["found the name '../resnet', expected letters, digits and _ only"]),
    ("smallest_effect: 0.01", "metrics: [test_loss]", ["smallest_effect: this key is missing"]),
    ("smallest_effect: 0.01", "smallest_effect: 1e999", ["smallest_effect: found"]),
    ("lr: 1e-1", "lr: 1, nesterov: yes", ["recipe.nesterov: found 'yes'"]),
    ("lr: 1e-1", "lr: \"0.1\"", ["recipe.lr: found '0.1'"]),
    ("lr: 1e-1", "lr: 1, optimizer: adam, betas: [0.8]", ["recipe.betas[1]: found [0.8], expected more entries"]),
    ("lr: 1e-1", "lr: 1, optimizer: adam, betas: [0.8, 0.9, 0.9]", ["recipe.betas: found 3 entries, expected 2 or fewer"]),
    ("lr: [0.01]", "optimizer: [adam], betas: [[0.8]]", ["factors.betas[0]: found [0.8], expected more entries"]),
    ("lr: [0.01]", "epochs: [true, 0, 100001]", ["epochs[0]: found true", "epochs[1]: found 0, expected 1", "epochs[2]: found 100001, expected 100,000 or less"]),
    ("lr: 1e-1", "lr: 1, optimizer: adam, betas: [5, 7]", ["recipe.betas[0]: found 5"]),
    ("seeds: 3", "seeds: [true, false]", ["seeds[0]: found true"]),
    ("seeds: 3", "seeds: []", ["found [], expected a whole number from 1 to 10,000, or a list"]),
    ("title: A title", "? [a, b]\n: x", ["found a list or mapping as a key (line 1)"]),
    ("title: A title", "title: &a [*a]", ["found a reference to itself"]),
    ("norm: [batch]}", "norm: [batch]}\n    exclude: [{}]", ["grid[0].exclude[0]: found {}"]),
    ("norm: [batch]}", "norm: [batch]}\n    exclude: [{norm: group}]", ["which no variant of 'lenet' has"]),
    ("    factors: {residual: [none], lr: [0.01]}", "    variants: [{width: 8}]", ["found the baseline of 'resnet'"]),
    ("    factors: {residual: [none], lr: [0.01]}", "    variants: [{width: 4}, {width: 4}]", ["'resnet-width.4' twice"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), MISTAKES, ids=[new[:40] or old for old, new, _ in MISTAKES])
def test_a_mistake_is_named_with_file_key_and_what_is_allowed(read, old, new, expected, tmp_path):
    with pytest.raises(StudyFileError) as caught:
        read(change(old, new))
    message = str(caught.value)
    assert "mine.yaml" in message
    for part in expected:
        assert part in message
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"], "a bad file creates nothing"


CLAIM_MISTAKES = [
    ("level: relu", "level: reluu", "claims.relu-better.level: found 'reluu'"),
    ("factor: activation", "factor: activaton", "did you mean 'activation'?"),
    ("against: sigmoid", "against: gelu", "the study has no variant 'lenet-activation.gelu'"),
    ("source: t", "source: t, given: {norm: bach}", "claims.relu-better.given.norm: found 'bach'"),
    ("source: t", "source: t, given: {activation: relu}", "found the factor of the claim itself"),
    ("against: sigmoid", "against: relu", "expected two levels"),
    ("metric: test_accuracy", "metric: accuracy", "claims.relu-better.metric: found 'accuracy'"),
    (
        "metric: test_accuracy",
        "metric: gradient_ratio",
        "claims.relu-better.metric: found 'gradient_ratio', which needs",
    ),
    ("direction: greater", "direction: up", "found 'up', expected greater, less"),
    ("source: t", "source: t, architectures: [resnet]", "the study has no variant 'resnet-activation.sigmoid'"),
    ("relu-better:", "Relu better:", "small letters, digits and - only"),
]


@pytest.mark.parametrize(("old", "new", "expected"), CLAIM_MISTAKES)
def test_a_claim_that_cannot_be_tested_is_refused(read, old, new, expected):
    assert old in CLAIM
    with pytest.raises(StudyFileError, match=re.escape(expected)):
        read(GOOD + CLAIM.replace(old, new))


def test_a_claim_on_validation_images_that_are_not_there_is_refused(read):
    text = GOOD.replace("name: digits", "name: digits, validation: 0") + CLAIM.replace("test_acc", "validation_acc")
    with pytest.raises(StudyFileError, match=r"claims\.relu-better\.metric: .* data\.validation is 0"):
        read(text)


def test_all_mistakes_are_named_at_once(read):
    with pytest.raises(StudyFileError) as caught:
        read(GOOD.replace("lr: 1e-1", "lr: fast").replace("seeds: 3", "seeds: x").replace("title", "titel"))
    assert len(re.findall(r"\n  ", str(caught.value))) >= 4


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n", "\x00"])
def test_a_file_that_is_no_mapping_is_refused(read, text):
    with pytest.raises(StudyFileError, match=r"mine\.yaml"):
        read(text)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyFileError, match="UTF-8"):
        read_study(tmp_path / "x.yaml")


@pytest.mark.parametrize("name", ["../digits", "a/b", "", "Digits", "/tmp/x", "../x/..yaml"])
def test_a_name_that_would_leave_its_folder_is_refused(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(StudyFileError, match="study: found"):
        locate_study(name)


def test_a_missing_study_is_answered_with_the_nearest(monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(StudyFileError, match=r"no such file config/studies/digit\.yaml; did you mean 'digits'\?"):
        locate_study("digit")


def header(path):
    """The entries of the comment at the top of a study file, such as `Asks`; each may go on for some lines."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), path.read_text().splitlines()[1:])
    words = re.split(r"^([A-Z][a-z ]+): ", "\n".join(line[1:].strip() for line in lines), flags=re.MULTILINE)
    assert not words[0].strip()
    return {word: " ".join(said.split()) for word, said in zip(words[1::2], words[2::2], strict=True)}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_of_the_project_is_valid_and_its_header_leaves_the_outcome_to_its_page(path):
    """What came out is computed (`ablation publish`): typed by hand, it goes stale."""
    assert read_study(path).runs
    said, page = header(path), f"docs/studies/{path.stem}.md"
    assert list(said) == ["Asks", "Costs", "Outcome"]
    if (ROOT / page).exists():
        assert said["Outcome"].split(" and ")[0] == page
    else:
        assert said["Outcome"] == "none yet; validated and priced, but not run."
    named = re.findall(r"\S+\.md", said["Outcome"])
    assert [other for other in named if not (ROOT / other).is_file()] == []


def test_the_committed_schema_is_the_one_of_the_models():
    committed = json.loads((ROOT / "workflow/schemas/study.schema.json").read_text())
    assert committed == study_schema(), "run ./do schema"


def test_every_key_of_a_study_is_described():
    def undescribed(name, model):
        return [f"{name}.{key}" for key, entry in model.get("properties", {}).items() if not entry.get("description")]

    schema = study_schema()
    models = {"Study": schema, **schema["$defs"]}
    assert not [key for name, model in models.items() for key in undescribed(name, model)]


def test_the_schema_accepts_the_studies():
    for path in STUDIES:
        jsonschema.validate(yaml.safe_load(path.read_text()), study_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(change("seeds: 3", "sedes: 3")), study_schema())


def keyed(*key):
    """The part of the schema that speaks of a key."""
    schema = study_schema()
    for part in key:
        inner = schema["properties"][part] if isinstance(part, str) else schema["items"]
        options = [inner, *inner.get("anyOf", [])]
        found = next((option["$ref"] for option in options if "$ref" in option), None)
        schema = study_schema()["$defs"][found.rpartition("/")[2]] if found else inner
    return schema


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        (keyed("data", "name"), OURS.sources),
        (keyed("metrics", 0), OURS.metrics),
        (study_schema()["$defs"]["Claim"]["properties"]["metric"], OURS.metrics),
        (study_schema()["$defs"]["StudyArchitecture"]["properties"]["builder"], CATALOGUE),
    ],
    ids=["data sets", "metrics", "metrics of claims", "builders"],
)
def test_the_schema_offers_names_and_takes_those_of_parts_of_ones_own(schema, names):
    assert json.dumps({"enum": list(names)}) in json.dumps(schema)
    jsonschema.validate("something_of_my_own", schema)


# A value that is just allowed, and one that is not, for editors as for the reader.
BOUNDS = [
    ("data: {name: digits", "data: {name: digits, side: %s", (8, 4096), (7, 4097, 8.5, "x")),
    ("data: {name: digits", "data: {name: digits, per_class: %s", (1, 10_000_000), (0, 10_000_001, -1)),
    ("data: {name: digits", "data: {name: digits, validation: %s", (0, 0.9), (1, -0.1)),
    ("data: {name: digits", "data: {name: digits, split_seed: %s", (0, 2**63 - 1), (-1, 2**64)),
    ("epochs: 3", "epochs: %s", (1, 100_000), (0, 100_001, 1.5)),
    ("batch_size: 64", "batch_size: %s", (1, 1_000_000), (0, 1_000_001)),
    ("lr: 1e-1", "lr: %s", (0.1, 100000), (0, 100001, -1, "fast")),
    ("lr: 1e-1", "lr: 0.1, weight_decay: %s", (0, 1000), (-0.1, 1e9)),
    ("lr: 1e-1", "lr: 0.1, milestones: %s", ([0.5], []), ([0.5] * 101, 0.5)),
    ("seeds: 3", "seeds: %s", (1, 10_000, [5], [2**63 - 1]), (0, 10_001, [], [-1], [2**64], [1, 1], "x")),
    ("seeds: 3", "seeds: 3\nthreshold: %s", (0.5,), (0, 1)),
    ("smallest_effect: 0.01", "smallest_effect: %s", (0.01, 5), (0, -1)),
    ("title: A title", "title: %s", ("x",), ("", "   ", "x" * 301, 3)),
    ("question: A question?", "question: %s", ("x",), ("", "x" * 5001)),
    ("seeds: 3", "seeds: 3\ndiagnostics: %s", ([0], []), ([-1], [100_001], 3)),
    ("- architectures: [lenet]", "- architectures: %s", (["lenet"],), ([], "lenet")),
]


@pytest.mark.parametrize(("old", "new", "allowed", "refused"), BOUNDS, ids=[new for _, new, _, _ in BOUNDS])
def test_the_schema_and_the_reader_have_the_same_bounds(read, old, new, allowed, refused):
    validator = jsonschema.Draft202012Validator(study_schema())
    for value in (*allowed, *refused):
        text = change(old, new.replace("%s", json.dumps(value)))
        assert validator.is_valid(compose(text).content) == (value in allowed), value
        if value in allowed:
            read(text)
        else:
            with pytest.raises(StudyFileError):
                read(text)


def test_without_a_smallest_effect_the_first_metric_says_it(read):
    text = change("smallest_effect: 0.01\n", "")
    assert read(text).smallest_effect == OURS.metrics["test_accuracy"].smallest_effect == 0.01
    assert read(GOOD.replace("smallest_effect: 0.01", "smallest_effect: 0.5")).smallest_effect == 0.5
    assert read(text + "metrics: [epochs_to_threshold]\nthreshold: 0.9\n").smallest_effect == 1
    with pytest.raises(StudyFileError, match=r"smallest_effect: this key is missing: test_loss has no default"):
        read(text + "metrics: [test_loss, test_accuracy]\n")


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_number_of_an_architecture_has_a_bound_that_no_published_network_reaches(read, name):
    start = GOOD.split("architectures:")[0]
    for factor, argument in CATALOGUE[name].arguments.items():
        if type(argument.reference) in (int, float) and not argument.choices:
            assert argument.largest(factor) >= 10 * argument.reference
            with pytest.raises(
                StudyFileError, match=rf"baseline\.{factor}: found 1000000000(\.0)?, expected [\d,]+ or less"
            ):
                read(f"{start}architectures: {{{name}: {{baseline: {{{factor}: 1000000000}}}}}}\nseeds: 1\n")


@pytest.mark.parametrize(
    ("builder", "plan"),
    [("vgg_plan", "1x1 1x1001"), ("vgg_plan", " ".join(["1x1"] * 51)), ("vgg_plan", "1x" + "9" * 5000), ("vgg_plan", "١x1"),
     ("densenet", "6-1001"), ("densenet", "-".join("1" * 51)), ("densenet", "9" * 5000)],
)  # fmt: skip
def test_plans_that_no_machine_holds_are_refused(read, builder, plan):
    start = GOOD.split("architectures:")[0]
    with pytest.raises(StudyFileError, match=r"plan must name"):
        read(f"{start}architectures: {{{builder}: {{baseline: {{plan: '{plan}'}}}}}}\nseeds: 1\n")


def test_every_builder_of_the_catalogue_can_be_a_study(read):
    for name in CATALOGUE:
        text = GOOD.split("architectures:")[0] + f"architectures: {{{name}: {{}}}}\nseeds: 1\nsmallest_effect: 0.1\n"
        assert list(read(text).variants) == [name]
