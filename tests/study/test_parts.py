"""Parts of one's own: what a file of them may say, and what every mistake is answered with."""

import json
from pathlib import Path

import pytest
from specs import GOOD

from ablation.catalogue.catalogue import OURS
from ablation.jobs.shards import check_code, shard_spec
from ablation.study.parts import COLUMNS, PartsError, read_parts, with_parts
from ablation.study.studyfile import StudyFileError, read_frozen, read_study
from ablation.support.references import OwnCodeError

PARTS = '''\
"""Parts that are right."""
raise RuntimeError("this file is read, not run")
from torch import nn
ARCHITECTURES = {
    "toy": {
        "builder": "build",
        "text": "A toy.",
        "layers": {"norm": "rms", "activation": "relu", "output": "logits", "initialisation": "default"},
        "arguments": {"width": {"reference": 4, "text": "Channels."}, "kind": {"reference": "a", "text": "t", "choices": ("a", "b")}},
        "lacks": {"pooling": "it has no place for it"},
        "excluded": {"norm.batch": "it is small"},
        "published": (1, 8, 8),
        "small": {"width": 2},
    },
}
LEVELS: dict = {
    "norm": {"rms": {"make": "Norm", "text": "A norm.", "shifts": False}},
    "activation": {"elu": {"make": "torch.nn:ELU", "text": "ELU.", "arguments": {"alpha": 0.5}, "saturation": {"low": -0.4}}},
}
METRICS = {
    "worst": {"label": "worst class", "measure": "worst"},
    "halved": {"label": "half", "scale": 100, "compute": "halved"},
}
AUGMENTATIONS = {"noise": {"make": "noise", "text": "adds noise", "example": 10, "most": 50}}
DATA_SETS = {"noisy": {"reader": "read", "shape": (1, 8, 8), "classes": 2}}
if True:
    def build(): ...
try:
    import halved
except ImportError:
    halved = None
class Norm(nn.Module): ...
def worst(): return METRICS["worst"]
noise = read = worst
'''  # fmt: skip
STUDY = f"parts: [mine.py]\n{GOOD}".replace(
    "grid:", "  toy: {}\ngrid:\n  - {architectures: [toy], factors: {norm: [none], kind: [b]}}"
)


@pytest.fixture
def write(tmp_path):
    """Write a file of parts and a study beside it."""

    def write(parts=PARTS, study=STUDY):
        (tmp_path / "mine.py").write_text(parts)
        path = tmp_path / "mine.yaml"
        path.write_text(study)
        return path

    return write


def edited(text, *edits):
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_what_is_right_joins_the_catalogue_and_is_not_run(write):
    known, (parts,) = with_parts([write().with_suffix(".py")])
    toy, reference = known.architectures["toy"], f"{parts.path}:"
    assert toy.builder == reference + "build"
    assert toy.references == {**toy.layers, "width": 4, "kind": "a"}
    assert toy.lacks["pooling"] == "it has no place for it"
    assert toy.lacks["residual"] == "its entry does not list it"
    assert toy.published == (1, 8, 8)
    assert parts.of("ARCHITECTURES")[("toy",)].small == {"width": 2}
    assert known.factors["norm"].levels["rms"].spec() == {"make": reference + "Norm", "arguments": {}, "shifts": False}
    assert known.factors["activation"].levels["elu"].make == "torch.nn:ELU"
    assert known.factors["activation"].levels["elu"].saturation_spec()["low"] == -0.4
    assert known.metrics["worst"].measure == reference + "worst"
    assert known.metrics["halved"].compute == reference + "halved"
    assert known.augmentations["noise"].make == reference + "noise"
    assert known.sources["noisy"].shape == (1, 8, 8)
    assert known.parts == (parts.path,)
    assert "rms" not in OURS.factors["norm"].levels, "our catalogue stays as it is"


def test_a_file_is_named_relative_to_the_working_directory_where_it_lies_below(write, tmp_path, monkeypatch):
    write()
    assert read_parts(tmp_path / "mine.py").path == str(tmp_path / "mine.py")
    monkeypatch.chdir(tmp_path.parent)
    assert read_parts(tmp_path / "mine.py").path == f"{tmp_path.name}/mine.py"


def test_a_file_may_name_what_those_before_it_brought(tmp_path):
    first, second = (tmp_path / name for name in ("first.py", "second.py"))
    first.write_text('LEVELS = {"norm": {"rms": {"make": "torch.nn:Identity", "text": "t", "shifts": False}}}\n')
    second.write_text(PARTS.replace('"norm": {"rms": {"make": "Norm", "text": "A norm.", "shifts": False}},', ""))
    known, _ = with_parts([first, second])
    assert known.architectures["toy"].layers["norm"] == "rms"
    with pytest.raises(PartsError, match=r"layers\.norm: found 'rms', expected a level of norm: batch"):
        with_parts([second])


# Of the whole file, or of its end: what the message must say.
FILES = [
    ("", "found no table, expected one or more of ARCHITECTURES, LEVELS, METRICS, DATA_SETS, AUGMENTATIONS"),
    ("METRIC = {}", "as literal dicts; did you mean 'METRICS'?"),
    ("x = 1\ndef f(:", "mine.py, line 2: not valid Python: invalid syntax"),
    ("METRICS = metrics()", "line 1, METRICS: found 'metrics()', expected a literal"),
    ("METRICS = other", "METRICS: found 'other', expected a literal"),
    ("METRICS = {name: {} for name in 'ab'}", "METRICS: found \"{name: {} for name in 'ab'}\", expected a literal"),
    ("METRICS = {'a': {'label': str(1)}}", "line 1, METRICS.a.label: found 'str(1)', expected a literal"),
    ("METRICS = {'a': {'label': {1, 2}}}", "METRICS.a.label: found '{1, 2}', expected a literal"),
    ("METRICS = {'a': {'scale': 1e999}}", "METRICS.a.scale: found '1e309', expected a literal"),
    ("METRICS = None", "METRICS: found None, expected a dict"),
    ("METRICS = [1]", "METRICS: found [1], expected a dict"),
    ("METRICS = {'a': 3}", "line 1, METRICS.a: found 3, expected a dict"),
    ("LEVELS = {'norm': {'a': 3}}", "LEVELS.norm.a: found 3, expected a dict"),
    ("METRICS = {1: {}}", "METRICS: found '1' as a key (line 1), expected a text"),
    ("METRICS = {\n**x}", "METRICS: found '**x' as a key (line 2), expected a text"),
    ("METRICS = {\n'a': {},\n'a': {}}", "line 2, METRICS.a: found 'a' twice (line 3), expected it once"),
    ("METRICS = {}\nMETRICS = {}", "METRICS: found 'METRICS = {}' (line 2), expected it once, as a literal"),
    ("METRICS = {}\nMETRICS |= x", "METRICS: found 'METRICS |= x' (line 2), expected it once, as a literal"),
    ("METRICS = {}\nMETRICS['a'] = x", "found \"METRICS['a'] = x\" (line 2)"),
    ("METRICS = {}\nfor x in y:\n    METRICS.update(x)", "found 'for x in y:' (line 2)"),
    ("for METRICS in x: pass", "found 'for METRICS in x:' (line 1), expected it once, as a literal"),
    ("METRICS: dict", "found 'METRICS: dict' (line 1), expected it once, as a literal"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FILES, ids=[text[:30] for text, _ in FILES])
def test_a_file_that_holds_no_literal_tables_is_refused(write, text, expected):
    path = write(text).with_suffix(".py")
    with pytest.raises(PartsError) as caught:
        read_parts(path)
    assert str(caught.value).startswith(str(path))
    assert expected in str(caught.value)


MISTAKES = [
    # change of the good file, what the message must say
    ('"builder": "build"', '"bilder": "build"', ["line 6, ARCHITECTURES.toy.bilder: found an unknown key, expected one of builder, text", "; did you mean 'builder'?"]),
    ('        "builder": "build",\n', "", ["line 5, ARCHITECTURES.toy.builder: found nothing, expected this key"]),
    ('"builder": "build"', '"builder": "bild"', ["line 6, ARCHITECTURES.toy.builder: found 'bild', expected a function or class of this file, or module:name; did you mean 'build'?"]),
    ('"builder": "build"', '"builder": ""', ["ARCHITECTURES.toy.builder: found '', expected a function or class"]),
    ('"builder": "build"', '"builder": 3', ["ARCHITECTURES.toy.builder: found 3, expected text"]),
    ('"toy": {', '"my toy": {', ["line 5, ARCHITECTURES.my toy: found the name 'my toy', expected letters, digits and _"]),
    ('"toy": {', '"lenet": {', ["line 5, ARCHITECTURES.lenet: found 'lenet', which is taken: choose another name"]),
    ('"layers": {"norm"', '"layers": {"nrom"', ["line 8, ARCHITECTURES.toy.layers.nrom: found 'nrom', expected a factor: activation", "did you mean 'norm'?"]),
    ('"norm": "rms"', '"norm": "rsm"', ["line 8, ARCHITECTURES.toy.layers.norm: found 'rsm', expected a level of norm: batch", "did you mean 'rms'?"]),
    ('"output": "logits", ', "", ["line 8, ARCHITECTURES.toy.layers: found no output, expected a reference level of it"]),
    ('"reference": 4', '"refrence": 4', ["line 9, ARCHITECTURES.toy.arguments.width.refrence: found an unknown key, expected one of reference, text, choices, scales, most; did you mean 'reference'?"]),
    ('"reference": 4', '"reference": [4]', ["ARCHITECTURES.toy.arguments.width.reference: found [4], expected text or a whole number"]),
    ('"reference": "a"', '"scales": True, "reference": "a"', ["line 9, ARCHITECTURES.toy.arguments.kind.scales: found scales, with the reference 'a' and choices, expected it only of whole numbers without choices"]),
    ('"reference": "a"', '"reference": "c"', ["line 9, ARCHITECTURES.toy.arguments.kind.reference: found 'c', expected one of 'a', 'b'"]),
    ('"width": {"reference"', '"lr": {"reference"', ["ARCHITECTURES.toy.arguments.lr: found 'lr', expected another name: this is a layer factor"]),
    ('"width": {"reference"', '"norm": {"reference"', ["ARCHITECTURES.toy.arguments.norm: found 'norm', expected another name: this is a layer factor"]),
    ('{"pooling": "it', '{"poling": "it', ["line 10, ARCHITECTURES.toy.lacks.poling: found 'poling', expected a factor", "did you mean 'pooling'?"]),
    ('"norm.batch"', '"norm.bach"', ["line 11, ARCHITECTURES.toy.excluded.norm.bach: found 'bach', expected a level of norm", "did you mean 'batch'?"]),
    ('"norm.batch"', '"head.gap"', ["ARCHITECTURES.toy.excluded.head.gap: found 'head', expected factor.level of its layers: norm"]),
    ("(1, 8, 8),\n        \"small", "(1, 8),\n        \"small", ["line 12, ARCHITECTURES.toy.published: found [1, 8], expected more entries"]),
    ('{"width": 2}', '{"widht": 2}', ["line 13, ARCHITECTURES.toy.small.widht: found 'widht', expected one of its factors: norm", "did you mean 'width'?"]),
    ('"norm": {"rms"', '"nrom": {"rms"', ["line 17, LEVELS.nrom: found 'nrom', expected a factor: activation", "did you mean 'norm'?"]),
    ('"norm": {"rms"', '"norm": {"batch"', ["line 17, LEVELS.norm.batch: found 'batch', which is taken in norm"]),
    ('"norm": {"rms"', '"norm": {"r/s"', ["LEVELS.norm.r/s: found the name 'r/s', expected letters, digits, _ and ."]),
    (', "shifts": False', "", ["line 17, LEVELS.norm.rms: found no shifts, expected true or false"]),
    ('"builder": "build"', '"builder": "a:b:c"', ["found 'a:b:c', expected a function or class of this file, or module:name"]),
    ('"width": {"reference"', '"variant": {"reference"', ["found 'variant', expected another name: this is a layer factor"]),
    ('"shifts": False', '"shift": False', ["line 17, LEVELS.norm.rms.shift: found an unknown key", "did you mean 'shifts'?"]),
    ('"shifts": False', '"shifts": "no"', ["line 17, LEVELS.norm.rms.shifts: found 'no', expected true or false"]),
    ('"low": -0.4', '"lo": -0.4', ["line 18, LEVELS.activation.elu.saturation.lo: found an unknown key, expected one of low, high, of; did you mean 'low'?"]),
    ('"low": -0.4', '"of": "x"', ["LEVELS.activation.elu.saturation.of: found 'x', expected output, input"]),
    ('"scale": 100', '"scale": "100"', ["line 22, METRICS.halved.scale: found '100', expected a number"]),
    (', "measure": "worst"', "", ["line 21, METRICS.worst: found neither measure nor compute"]),
    ('"measure": "worst"', '"measure": "wurst"', ["METRICS.worst.measure: found 'wurst'", "did you mean 'worst'?"]),
    ('"measure": "worst"', '"measure": "worst", "needs": "diagnostic"', ["METRICS.worst.needs: found 'diagnostic', expected diagnostics or threshold; did you mean 'diagnostics'?"]),
    ('"worst": {"label"', '"test_loss": {"label"', ["METRICS.test_loss: found 'test_loss', which is taken"]),
    ('"worst": {"label"', '"seed": {"label"', ["METRICS.seed: found 'seed', which is taken"]),
    ('"worst": {"label"', '"norm": {"label"', ["METRICS.norm: found 'norm', which is taken"]),
    ('"noise": {"make"', '"noise10": {"make"', ["line 24, AUGMENTATIONS.noise10: found the name 'noise10', expected small letters and _ only"]),
    ('"noise": {"make"', '"none": {"make"', ["AUGMENTATIONS.none: found 'none', which is taken"]),
    ('"noise": {"make"', '"crop": {"make"', ["AUGMENTATIONS.crop: found 'crop', which is taken"]),
    ('"example": 10', '"example": 0', ["AUGMENTATIONS.noise.example: found 0, expected from 1 to 4,096"]),
    ('"example": 10', '"example": 1.5', ["AUGMENTATIONS.noise.example: found 1.5, expected a whole number"]),
    ('"noisy": {"reader"', '"digits": {"reader"', ["line 25, DATA_SETS.digits: found 'digits', which is taken"]),
    ('"classes": 2', '"classes": two', ["line 25, DATA_SETS.noisy.classes: found 'two', expected a literal"]),
    ('"classes": 2', '"class": 2', ["DATA_SETS.noisy.class: found an unknown key", "did you mean 'classes'?"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), MISTAKES, ids=[new[:40] or old for old, new, _ in MISTAKES])
def test_a_mistake_is_named_with_file_line_key_and_what_is_expected(write, old, new, expected):
    path = write(edited(PARTS, (old, new)))
    with pytest.raises(StudyFileError) as caught:
        read_study(path)
    message = str(caught.value)
    assert f"{path} is not a study that can run:\n  line 1, parts: {path.with_suffix('.py')}" in message
    for part in expected:
        assert part in message
    # What is named wrongly in one place is not there in another.
    assert message.count("\n") <= 3, "one mistake, one sentence"


def test_all_mistakes_are_named_at_once(write):
    text = edited(PARTS, ('"reference": 4', '"refrence": 4'), ('"low"', '"lo"'), ('"scale": 100', '"scale": []'))
    with pytest.raises(PartsError) as caught:
        read_parts(write(text).with_suffix(".py"))
    found = [line.split(":")[0].split(", ")[1] for line in str(caught.value).splitlines()[1:]]
    assert found == [
        "ARCHITECTURES.toy.arguments.width.reference",
        "ARCHITECTURES.toy.arguments.width.refrence",
        "LEVELS.activation.elu.saturation.lo",
        "METRICS.halved.scale",
    ]


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "mine.py").write_bytes(b"METRICS = '\xff'")
    with pytest.raises(PartsError, match=r"mine\.py: cannot be read as UTF-8 text"):
        read_parts(tmp_path / "mine.py")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("mine.py", "parts: found 'mine.py', expected a list"),
        ("[3]", "parts[0]: found 3, expected text"),
        ("[other.py]", "parts: {folder}/other.py: found no such file, expected a Python file with parts"),
        ("[mine.txt]", "parts: {folder}/mine.txt: found a file that ends in '.txt', expected a Python file, .py"),
        ("[mine.py, mine.py]", "METRICS.worst: found 'worst', which is taken"),
    ],
)
def test_a_study_says_which_of_its_parts_cannot_be_had(write, tmp_path, stated, expected):
    with pytest.raises(StudyFileError) as caught:
        read_study(write(study=STUDY.replace("[mine.py]", stated, 1)))
    assert str(caught.value).startswith(f"{tmp_path}/mine.yaml is not a study that can run:\n  line 1, parts")
    assert expected.format(folder=tmp_path) in str(caught.value)


OWN = edited(
    STUDY,
    ("name: digits", "name: noisy"),
    ("lr: 1e-1}", "lr: 1e-1, augmentation: noise20+flip}"),
    ("norm: [batch]", "norm: [batch, rms]"),
    ("seeds: 3", "seeds: 3\nmetrics: [test_accuracy, worst, halved]"),
)


def test_a_study_may_name_all_of_them_and_its_frozen_plan_keeps_them(write, tmp_path):
    path = write(study=OWN)
    plan = read_study(path)
    file = tmp_path / "mine.py"
    assert {"lenet-norm.rms", "toy-norm.none", "toy-kind.b"} <= set(plan.variants)
    assert plan.variants["toy"].levels["norm"] == "rms"
    spec = plan.spec("lenet-norm.rms", 0)
    assert spec["architecture"]["layers"]["norm"]["make"] == f"{file}:Norm"
    assert spec["code"]["augmentation"][0] == [f"{file}:noise", 20]
    assert plan.measures == {"worst": f"{file}:worst"}
    assert "measures" not in spec, "a metric is no part of what is trained"
    assert plan.source.reader == f"{file}:read"
    assert plan.data_folder.startswith("noisy-")
    path.with_suffix(".json").write_text(plan.frozen())
    again = read_frozen(path.with_suffix(".json"))
    assert json.loads(plan.frozen())["parts"] == [str(file)]
    assert again.catalogue == plan.catalogue
    assert again.variants == plan.variants
    shard = {"toy-kind.b": [0, 1]}
    assert shard_spec(again, shard) == shard_spec(plan, shard)


def test_a_frozen_plan_without_its_parts_is_refused(write, tmp_path):
    frozen = write().with_suffix(".json")
    frozen.write_text(read_study(frozen.with_suffix(".yaml")).frozen())
    (tmp_path / "mine.py").unlink()
    with pytest.raises(StudyFileError, match=r"mine\.py: found no such file"):
        read_frozen(frozen)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("norm: [none]", "norm: [batch]", "toy cannot have norm batch: it is small"),
        ("norm: [none]", "norm: [rsm]", "expected a level of norm: layer, group, lrn, none, rms; did you mean 'rms'?"),
        ("norm: [none]", "pooling: [max]", "'toy' (toy) cannot have the factor pooling: it has no place for it"),
        ("norm: [none]", "residual: [none]", "cannot have the factor residual: its entry does not list it"),
        ("kind: [b]", "kind: [c]", "found 'c', expected one of a, b"),
        ("kind: [b]", "kind: [b], width: [0]", "found 0, expected a whole number of 1 or more"),
        ("noise20", "noise60", "found 'noise20+flip', expected"),
        ("noise20", "noise", "each like crop4, translate4, flip, cutout8, colour20, noise10"),
        ("halved]", "halfed]", "metrics[2]: found 'halfed', expected a metric: test_accuracy"),
        ("name: noisy", "name: noisi", "data.name: found 'noisi', expected digits"),
        ("toy: {}", "toi: {}", "architectures.toi: found 'toi', expected an architecture: lenet"),
    ],
)
def test_a_study_is_refused_what_its_parts_do_not_offer(write, old, new, expected):
    with pytest.raises(StudyFileError) as caught:
        read_study(write(study=edited(OWN, (old, new))))
    assert expected.replace("noise20", new if old == "noise20" else "noise20") in str(caught.value)


def test_without_the_parts_the_same_study_names_nothing_of_theirs(write):
    with pytest.raises(StudyFileError, match=r"data\.name: found 'noisy', expected digits"):
        read_study(write(study=OWN.replace("parts: [mine.py]\n", "")))


def test_the_committed_example_shows_every_table_and_is_a_study():
    folder = Path(__file__).parents[2] / "examples/own_parts"
    plan = read_study(folder / "mixer.yaml")
    assert {place[0] for place in read_parts(folder / "mixer.py").entries} == {
        "ARCHITECTURES", "LEVELS", "METRICS", "DATA_SETS", "AUGMENTATIONS"
    }  # fmt: skip
    assert {"mixer-norm.rms", "mixer-mixing.channels", "mixer-augmentation.noise10"} <= set(plan.variants)
    assert not set(plan.metrics) & set(COLUMNS)


def test_editing_a_table_makes_the_frozen_study_another_one(tmp_path):
    study, parts = tmp_path / "study.yaml", tmp_path / "mine.py"
    parts.write_text(
        'METRICS = {"own": {"label": "own", "measure": "m"}}\n\ndef m(network, images, labels): return 0.0\n'
    )
    text = (
        "title: t\nquestion: q\nparts: [mine.py]\ndata: {name: digits}\nrecipe: {epochs: 1, batch_size: 64, lr: 0.1}\n"
    )
    study.write_text(text + "architectures: {lenet: {}}\nseeds: 1\nmetrics: [own]\nsmallest_effect: 0.01\n")
    before = read_study(study).frozen()
    assert read_study(study).frozen() == before
    parts.write_text(parts.read_text().replace('"label": "own"', '"label": "own", "scale": 100'))
    assert read_study(study).frozen() != before


@pytest.mark.parametrize("code", ["ablation.nonexistent:thing", "ablation.networks.norms:thing"])
def test_code_of_the_package_that_is_not_there_is_refused_with_its_line(write, code):
    path = write(PARTS.replace('"make": "torch.nn:ELU"', f'"make": "{code}"'))
    with pytest.raises(StudyFileError, match=rf"line 18.*{code}: (found no module|.* does not define 'thing')"):
        read_study(path)


def test_a_module_beside_the_parts_that_is_no_python_is_named_with_its_line(write, tmp_path):
    (tmp_path / "halved.py").write_text("x = 1\ndef halved(:\n")
    path = write(PARTS.replace("class Norm(nn.Module): ...", "class Norm(nn.Module):\n    factor = halved.factor"))
    with pytest.raises(OwnCodeError, match=r"halved\.py, line 2: cannot be read: "):
        check_code(read_study(path))
