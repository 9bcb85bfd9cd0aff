"""A study is given away as one archive, and its tables are made again from it in another place."""

import json
import re
import shutil
import sys
import zipfile
from pathlib import Path

import predicted
import pytest
from rocrate.rocrate import ROCrate

from ablation.cli import entry, recompute
from ablation.jobs.bundling import ABOUT
from ablation.jobs.registration import register
from ablation.jobs.shards import planned_runs
from ablation.records.archive import MANIFEST, unpack, write_archive
from ablation.records.crate import METADATA
from ablation.records.environment import KIND
from ablation.records.store import RECORD, WEIGHTS, Store
from ablation.study.studyfile import read_study
from ablation.support import references
from ablation.support.locks import hold

PARTS = """\
import helper

LEVELS = {"activation": {"own": {"make": "own", "text": "t"}}}
METRICS = {"share": {"compute": "share", "label": "share of right ones", "unit": "%", "scale": 100, "smallest_effect": 0.1}}


def own():
    raise NotImplementedError


def share(record, study):
    if record["seed"] == 2:
        raise ValueError("not of this seed")
    return helper.mean(record["predictions"].correct)
"""
STUDY = """\
title: Tables that are made again
question: Do they come out the same?
parts: [parts/own.py]
data: {name: digits}
recipe: {epochs: 2, batch_size: 64, lr: 0.1}
architectures: {lenet: {baseline: {activation: relu}}}
grid: [{architectures: [lenet], factors: {activation: [tanh, own, sigmoid]}}]
seeds: 3
metrics: [test_accuracy, test_loss, share]
claims:
  own-better:
    {statement: s, source: s, factor: activation, level: own, against: relu, metric: share, direction: greater}
"""
MANIFEST_OF_DATA = {"digest": "d" * 32, "classes": ["a", "b"], "counts": {"train": 9, "test": 4}, "source": "made up"}
STATUSES = {("lenet-activation.tanh", 0): "diverged", ("lenet-activation.sigmoid", 1): "failed"}


def record(run):
    """A record of a run that nobody trained, and its files."""
    status = STATUSES.get((run.variant, run.seed), "completed")
    rows = [{"epoch": e, "train_loss": 1 / e, "train_accuracy": 0.4, "seconds": 0.5, "time": 1.8e9 + e} for e in (1, 2)]
    timings = ("train_seconds", "evaluate_seconds", "diagnostics_seconds", "images_per_second")
    content = {
        **{"variant": run.variant, "seed": run.seed, "spec": run.spec, "status": status, "curves": rows},
        **{"metrics": {"train_loss": 0.5}, "timings": dict.fromkeys(timings, 1.5)},
        **{
            "environment": {
                **dict.fromkeys(KIND, "x"),
                "python": "3.11.9",
                "numpy": "2.1",
                "git": "abc",
                "host": "here",
            }
        },
    }
    if status == "failed":
        error = dict.fromkeys(("type", "message", "where", "traceback"), "none")
        return {**content, "metrics": {}, "error": {**error, "time": 1.8e9}}, {}
    place = sum(map(ord, run.variant)) % 3
    return content, predicted.files(*(image != place or run.seed == 1 for image in range(4)))


def finish(results, plan, file):
    """Write what a start of a study leaves behind."""
    place, store = results / plan.name, Store(results / "store")
    register(plan, place)
    runs = planned_runs(plan, MANIFEST_OF_DATA["digest"])
    shards = {variant: [run for run in runs if run.variant == variant] for variant in plan.variants}
    texts = {
        "tables/older.csv": "of a version that wrote another table",
        f"plan/{plan.name}.json": plan.frozen(),
        "plan/variants.csv": "\n".join(
            ["variant,parameters,multiply_adds", *(f"{name},10," for name in plan.variants)]
        ),
        "plan/layers.csv": "variant,name\n",
        "data.json": json.dumps(MANIFEST_OF_DATA),
        "report.html": "<html>",
        "start/origin.json": json.dumps({"study": str(file), "results": str(place)}),
        "start/outline.json": json.dumps({"shards": {f"{name}/0": {} for name in shards}, "variants": list(shards)}),
        "start/costs.jsonl": '\n{"start": 1799999000.0}\n\n{"verb": "report", "time": 1800000100.0}\n{"cut',
        "shards/lenet-dropped.level/0.json": '{"runs": []}',
    }
    for variant, own in shards.items():
        for run in own:
            store.write(run.key, *record(run))
        named = [{"variant": variant, "seed": run.seed, "key": run.key, "status": "completed"} for run in own]
        texts[f"shards/{variant}/0.json"] = json.dumps({"runs": named})
    for name, text in texts.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    recompute.make_again(place, place, store.root)
    return place


@pytest.fixture(scope="module")
def author(tmp_path_factory):
    """A folder with the results of a study with parts of its author's own, of which runs diverged and failed."""
    folder = tmp_path_factory.mktemp("author")
    (folder / "parts").mkdir()
    (folder / "parts/own.py").write_text(PARTS)
    (folder / "parts/helper.py").write_text("def mean(right):\n    return float(right.mean())\n")
    (folder / "parts/unused.py").write_text("")
    (folder / "made.yaml").write_text(STUDY)
    finish(folder / "results", read_study(folder / "made.yaml"), folder / "made.yaml")
    return folder


@pytest.fixture(scope="module")
def bundled(author):
    """The archive of that study."""
    bundle(author)
    return author / "results/made/made.zip"


def run(*words):
    """Run a verb as a process of its own does, which has imported nothing of anybody's yet."""
    sys.modules.pop("helper", None)
    sys.path[:] = [folder for folder in sys.path if Path(folder) not in references.FOLDERS]
    references.import_file.cache_clear()
    entry.run(list(map(str, words)))


def bundle(author, *options):
    run("bundle", "made", "--results", author / "results", *options)


def remade(archive, *options, code=0):
    """Make the tables of an archive again, which ends with a code."""
    if not code:
        return run("recompute", archive, "--trust", *options)
    with pytest.raises(SystemExit) as ended:
        run("recompute", archive, "--trust", *options)
    assert ended.value.code == code or isinstance(ended.value.code, str)
    return ended.value.code


def changed(archive, target, change):
    """Write an archive whose files were changed, with digests that fit: somebody meant it."""
    with zipfile.ZipFile(archive) as old:
        files = {name: old.read(name) for name in old.namelist() if name != MANIFEST}
    change(files)
    write_archive(target, files)
    return target


def test_an_archive_is_checked_when_it_is_written_and_has_the_same_bytes_again(author, bundled, tmp_path, capsys):
    bundle(author, "--output", tmp_path / "again.zip")
    said = capsys.readouterr().out
    assert (tmp_path / "again.zip").read_bytes() == bundled.read_bytes()
    assert "again.zip: 12 runs without weights" in said
    assert "15 of 15 files equal" in said


def test_it_has_what_tables_are_made_of_and_neither_weights_nor_what_others_need(bundled):
    names = set(zipfile.ZipFile(bundled).namelist())
    inner = {name.removeprefix("results/made/") for name in names}
    assert {"data.json", "plan/made.json", "registered.jsonl", "runs.parquet", "tables/comparison.tex"} <= inner
    assert {"study/made.yaml", "study/parts/own.py", "study/parts/helper.py"} <= names
    assert {"Snakefile", "uv.lock", "environment.yml", "workflow/rules/train.smk", ABOUT, METADATA} <= names
    assert sum(name.endswith(f"/{RECORD}") for name in names) == 12
    assert not [
        name
        for name in names
        if "unused" in name or "dropped" in name or "older" in name or name.endswith((WEIGHTS, ".npy.zip"))
    ]


def test_weights_come_along_if_they_are_asked_for(author, tmp_path, capsys):
    bundle(author, "--weights", "--output", tmp_path / "heavy.zip")
    assert "15 of 15 files equal" in capsys.readouterr().out
    names = zipfile.ZipFile(tmp_path / "heavy.zip").namelist()
    assert sum(name.endswith(WEIGHTS) for name in names) == 11, "a run that failed has none"


def test_it_is_a_workflow_run_crate(bundled):
    crate = ROCrate(bundled)
    assert (crate.name, crate.description) == ("Tables that are made again", "Do they come out the same?")
    assert {one.id for one in crate.root_dataset["conformsTo"]} >= {"https://w3id.org/ro/wfrun/workflow/0.5"}
    assert crate.license.id == "https://spdx.org/licenses/MIT"
    assert "author" not in crate.root_dataset
    assert "ComputationalWorkflow" in crate.mainEntity.type
    assert {one["name"] for one in crate.mainEntity["softwareRequirements"]} == {"Python", "NumPy", "PyTorch"}
    action = crate.root_dataset["mentions"]
    assert (action.type, action["instrument"].id) == ("CreateAction", "Snakefile")
    assert (action["startTime"], action["endTime"]) == ("2027-01-15T07:43:20+00:00", "2027-01-15T08:01:40+00:00")
    assert {one.id for one in action["object"]} >= {"study/made.yaml", "results/made/data.json"}
    assert {one.id for one in action["result"]} >= {"results/made/contrasts.csv", "results/store/"}
    listed = {one.id for one in crate.data_entities}
    names = set(zipfile.ZipFile(bundled).namelist()) - {METADATA}
    assert {one for one in listed if not one.endswith("/")} <= names
    assert all(name in listed or any(name.startswith(one) for one in listed if one.endswith("/")) for name in names)


def test_its_tables_are_made_again_where_nothing_of_its_author_is(author, bundled, tmp_path, capsys, monkeypatch):
    (tmp_path / "else").mkdir()
    archive = shutil.copy(bundled, tmp_path / "else/made.zip")
    monkeypatch.chdir(tmp_path / "else")
    author.rename(author.with_name("gone"))
    try:
        remade(archive, "--into", "unpacked")
    finally:
        author.with_name("gone").rename(author)
    said = capsys.readouterr().out
    assert "every file is what its digest says" in said
    assert re.search(r"here is ablation .*: the same code, also that trains the runs", said)
    assert "verdicts, made again: 1 " in said
    assert "15 of 15 files equal, numbers within a relative difference of 1e-09" in said
    assert (tmp_path / "else/unpacked/recomputed/made/contrasts.csv").is_file()
    with pytest.raises(SystemExit, match="unpacked: found a folder with files, expected an empty one or none"):
        run("recompute", archive, "--into", "unpacked")


def test_a_number_that_was_changed_is_found(bundled, tmp_path, capsys):
    def improve(files):
        text = files["results/made/contrasts.csv"].decode().splitlines()
        cells = text[1].split(",")
        place = text[0].split(",").index("effect")
        text[1] = ",".join([*cells[:place], "0.75", *cells[place + 1 :]])
        files["results/made/contrasts.csv"] = "\n".join(text).encode()

    remade(changed(bundled, tmp_path / "better.zip", improve), code=1)
    said = capsys.readouterr().out
    assert re.search(r"differs  contrasts\.csv: row 1 \(.*\), effect: 0\.75, made again -?0\.\d+; 1 of", said)
    assert "14 of 15 files equal" in said


def test_a_table_that_nothing_makes_is_found(bundled, tmp_path, capsys):
    remade(
        changed(bundled, tmp_path / "more.zip", lambda files: files.update({"results/made/tables/x.csv": b"a"})), code=1
    )
    assert "differs  tables/x.csv: not made again" in capsys.readouterr().out


def test_another_version_of_the_code_is_said(bundled, tmp_path, capsys):
    def older(files):
        about = json.loads(files[ABOUT])
        about["code"]["compare"], about["revision"] = "0" * 32, "abcdef"
        files[ABOUT] = json.dumps(about).encode()
        name = "results/made/data.json"
        files[name] = files[name].replace(b"d" * 32, b"e" * 32)

    remade(changed(bundled, tmp_path / "older.zip", older))
    said = capsys.readouterr().out
    assert "revision abcdef" in said
    assert (
        "another version of the code that makes the tables (compare); it would train 12 of the runs in another way"
        in said
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: files.pop(ABOUT), f"found no {ABOUT} in it that ablation bundle wrote"),
        (
            lambda files: files.update({ABOUT: b'{"format": 99, "version": "7"}'}),
            "found format 99, expected 1: use ablation 7",
        ),
        (lambda files: files.update({"results/made/plan/made.json": b"{}"}), "its plan cannot be read by this version"),
        (
            lambda files: files.pop(
                next(name for name in files if name.endswith(RECORD) and b'"seed": 0,' in files[name])
            ),
            "cannot be used: record",
        ),
    ],
)
def test_what_cannot_be_made_again_is_said(bundled, tmp_path, change, said):
    assert said in remade(changed(bundled, tmp_path / "odd.zip", change), code=1)


def with_about(**changes):
    """A change of what an archive says of itself."""
    return lambda files: files.update({ABOUT: json.dumps({**json.loads(files[ABOUT]), **changes}).encode()})


def with_key(files):
    """Let a shard name a folder instead of a record."""
    name = "results/made/shards/lenet/0.json"
    shard = json.loads(files[name])
    shard["runs"][0]["key"] = "../../../elsewhere"
    files[name] = json.dumps(shard).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_about(study="../../elsewhere"), f"found no {ABOUT} in it"),
        (with_about(parts=["../own.py"]), f"found no {ABOUT} in it"),
        (with_about(parts=["/etc/own.py"]), f"found no {ABOUT} in it"),
        (with_about(more=1), f"found no {ABOUT} in it"),
        (with_key, "a run of lenet cannot be used: found the key '../../../elsewhere', expected 32 hexadecimal digits"),
    ],
)
def test_an_archive_cannot_reach_beyond_its_folder(bundled, tmp_path, change, said):
    (tmp_path / "own.py").write_text("")
    archive = changed(bundled, tmp_path / "bad.zip", change)
    assert said in remade(archive, "--into", tmp_path / "into", code=1)


def test_code_in_an_archive_runs_only_where_it_is_trusted(bundled, tmp_path):
    with pytest.raises(SystemExit, match=r"author's own \(study/parts/own\.py:share\), which would run here"):
        run("recompute", bundled, "--into", tmp_path / "into")
    assert "helper" not in sys.modules


@pytest.fixture
def copied(author, tmp_path):
    shutil.copytree(author, tmp_path / "copy")
    origin = tmp_path / "copy/results/made/start/origin.json"
    origin.write_text(origin.read_text().replace(str(author), str(tmp_path / "copy")))
    return tmp_path / "copy"


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (
            "made.yaml",
            lambda text: text.replace("seeds: 3", "seeds: 4"),
            "made.yaml: it was changed since its last start",
        ),
        ("made.yaml", lambda text: "seeds: no", "made.yaml is not a study that can run"),
        ("results/made/report.html", None, "found no report.html, expected a finished study: start made again"),
        (
            "results/made/contrasts.csv",
            lambda text: text.replace("0", "1", 1),
            "made by another version of the code than",
        ),
    ],
)
def test_a_study_that_is_not_finished_or_was_changed_is_not_given_away(copied, name, change, said):
    path = copied / name
    path.write_text(change(path.read_text())) if change else path.unlink()
    with pytest.raises(SystemExit, match=said):
        bundle(copied)


def test_a_study_on_which_a_start_works_is_not_given_away(copied):
    with (
        hold(copied / "results/made/start/lock", what="the study made"),
        pytest.raises(SystemExit, match="a start works on"),
    ):
        bundle(copied)


def test_a_damaged_record_is_not_given_away(copied):
    path = next(Path(copied / "results/store").glob(f"*/*/{RECORD}"))
    path.write_text(path.read_text().replace("0.5", "0.6", 1))
    with pytest.raises(SystemExit, match=r"record\.json is not what was written: start made again"):
        bundle(copied)


def test_digests_are_those_of_the_files(bundled, tmp_path):
    assert len(unpack(bundled, tmp_path / "out")) == len(zipfile.ZipFile(bundled).namelist()) - 1
