"""What no study wants is listed, then freed; what is wanted, may be, or is held stays."""

import json
from pathlib import Path

import predicted
import pytest
from specs import GOOD

from ablation.cli.entry import run as ablation
from ablation.jobs.shards import planned_runs
from ablation.jobs.trained import read_weights
from ablation.records.runs import read_run
from ablation.records.store import RECORD, WEIGHTS, NoWeightsError, Store
from ablation.study.studyfile import read_study
from ablation.support.digests import digest
from ablation.support.locks import hold

DIGEST = "d" * 32
OTHER = "ab" * 16  # the key of a record that no study has
CONTENT = {
    **{"variant": "old", "seed": 0, "status": "completed", "metrics": {}, "curves": []},
    **{"timings": {}, "environment": {}},
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a study, whose data are prepared, all its records, and one that no study wants."""
    monkeypatch.chdir(tmp_path)
    Path("config/studies").mkdir(parents=True)
    add_study("good")
    store = Store(Path("results/store"))
    for planned in runs("good"):
        store.write(planned.key, {**CONTENT, "variant": planned.variant, "spec": planned.spec}, predicted.files(True))
    spec = runs("good")[0].spec
    store.write(OTHER, {**CONTENT, "spec": spec}, {**predicted.files(True), WEIGHTS: b"w" * 5000})
    return store


def add_study(name, text=GOOD, digest=DIGEST):
    path = Path(f"config/studies/{name}.yaml")
    path.write_text(text)
    data = read_study(path).study.data.model_dump()
    Path(f"results/{name}").mkdir(parents=True)
    if digest:
        Path(f"results/{name}/data.json").write_text(json.dumps({"digest": digest, "data": data}))


def runs(name):
    return planned_runs(read_study(Path(f"config/studies/{name}.yaml")), DIGEST)


def keys(store):
    return {path.name for path in store.root.glob("??/*")}


def prune(capsys, *words):
    ablation(["prune", *words])
    said = capsys.readouterr()
    return said.out + said.err


def test_nothing_is_deleted_before_it_is_asked_for(project, capsys):
    before = {path: path.stat().st_mtime_ns for path in project.root.rglob("*")}
    said = prune(capsys)
    assert "1 item, " in said
    assert "kB. Nothing was deleted: --delete frees what is listed." in said
    assert "old" in said
    assert "no study has this run" in said
    assert {path: path.stat().st_mtime_ns for path in project.root.rglob("*")} == before


def test_what_no_study_wants_goes_and_all_else_stays(project, capsys):
    wanted = {planned.key for planned in runs("good")}
    assert "freed 1 item" in prune(capsys, "--delete")
    assert keys(project) == wanted
    assert all(project.is_whole(key) for key in wanted)
    assert "nothing to free" in prune(capsys)
    assert not list(project.root.glob(".pruned*"))


def test_records_of_a_study_that_was_changed_are_no_longer_wanted_but_those_it_kept(project, capsys):
    path, before = Path("config/studies/good.yaml"), {planned.key for planned in runs("good")}
    shard = {"variant": "lenet", "runs": [{"key": planned.key} for planned in runs("good") if planned.seed == 2]}
    Path("results/good/shards/lenet").mkdir(parents=True)
    Path("results/good/shards/lenet/0.json").write_text(json.dumps(shard))
    path.write_text(GOOD.replace("seeds: 3", "seeds: 2"))
    assert "good has other runs now" in prune(capsys, "--delete")
    kept = {planned.key for planned in runs("good")}
    assert keys(project) == kept < before


def test_a_study_elsewhere_counts_where_it_is_named(project, capsys):
    Path("elsewhere.yaml").write_text(GOOD)
    Path("config/studies/good.yaml").rename("moved.yaml")
    Path("results/good").rename("results/moved")
    add_study("other", GOOD.replace("batch_size: 64", "batch_size: 32"))
    assert "1 item" in prune(capsys, "moved.yaml")
    said = prune(capsys)
    assert f"{len(keys(project))} items" in said


def test_a_study_that_is_gone_is_named_with_its_records(project, capsys):
    shard = {"variant": "lenet", "runs": [{"key": OTHER}]}
    Path("results/gone/shards/lenet").mkdir(parents=True)
    Path("results/gone/shards/lenet/0.json").write_text(json.dumps(shard))
    assert "gone is neither in config/studies nor named" in prune(capsys)


def test_a_project_without_studies_is_refused(project):
    Path("config/studies/good.yaml").unlink()
    with pytest.raises(SystemExit, match="found no study in config/studies, and none is named: every record would go"):
        ablation(["prune", "--delete"])
    with pytest.raises(SystemExit, match=r"nowhere/store: found no store"):
        ablation(["prune", "--results", "nowhere"])
    with pytest.raises(SystemExit, match="--ignore: found gone, expected names of studies"):
        ablation(["prune", "--ignore", "gone"])


def test_a_broken_study_keeps_everything_unless_it_is_ignored(project, capsys):
    Path("config/studies/broken.yaml").write_text("title: 1")
    before = keys(project)
    said = prune(capsys, "--delete")
    assert "broken.yaml: it cannot be planned (config/studies/broken.yaml is not a study that can run: " in said
    assert "): 1 record that may be its stay" in said
    assert keys(project) == before
    prune(capsys, "--delete", "--ignore", "broken")
    assert OTHER not in keys(project)


def test_a_study_whose_data_are_not_known_keeps_the_records_of_its_runs(project, capsys):
    Path("results/good/data.json").unlink()
    said = prune(capsys, "--delete")
    number = len(runs("good"))
    assert (
        f"good: its data were not prepared here, so its runs have no keys yet: {number + 1} records that may be its"
        in said
    )
    assert OTHER in keys(project), "it has the spec of a run of the study"
    Path("config/studies/good.yaml").write_text(GOOD.replace("name: digits", "name: digits, test: 0.3"))
    prune(capsys, "--delete")
    assert keys(project) == set(), "records of other data cannot be its"


def test_the_prepared_data_count_where_the_receipt_is_gone(project, capsys):
    plan = read_study(Path("config/studies/good.yaml"))
    folder = Path("results/data", plan.data_folder)
    folder.mkdir(parents=True)
    Path("results/good/data.json").rename(folder / "manifest.json")
    assert "1 item" in prune(capsys)


def test_controls_whose_sizes_are_not_known_keep_what_may_be_theirs(project, capsys):
    text = GOOD.replace("factors: {residual: [none], lr: [0.01]}", "factors: {depth: [14]}\n    match: parameters")
    add_study("matched", text)
    plan = read_study(Path("config/studies/matched.yaml"))
    (control,) = (variant for variant in plan.variants if "parameters_of" in variant)
    spec = plan.settled(dict.fromkeys(plan.questions, 9)).spec(control, 0)
    project.remove(OTHER)
    project.write(OTHER, {**CONTENT, "spec": spec}, predicted.files(True))
    said = prune(capsys)
    assert "matched: the sizes of its controls were not sought here: 1 record that may be its stay" in said
    assert "nothing to free" in said
    Path("results/matched/plan").mkdir()
    answers = Path("results/matched/plan/controls.json")
    for edited in ("wide", 0, None, [8]):
        answers.write_text(json.dumps(dict.fromkeys(plan.questions, edited)))
        assert "1 record that may be its stay" in prune(capsys), edited
    answers.write_text(json.dumps(dict.fromkeys(plan.questions, 8)))
    assert "1 item" in prune(capsys)


def test_what_a_start_works_on_is_wanted(project, capsys):
    plan = read_study(Path("config/studies/good.yaml"))
    Path("config/studies/good.yaml").unlink()
    add_study("other", GOOD.replace("batch_size: 64", "batch_size: 32"))
    Path("results/good/start").mkdir()
    Path("results/good/start/study.json").write_text(plan.frozen())
    with hold(Path("results/good/start/lock"), what="the study good"):
        assert "1 item" in prune(capsys)
        Path("results/good/start/study.json").write_text("{")
        assert "good (which a start works on): " in prune(capsys)
    assert f"{len(keys(project))} items" in prune(capsys)


def test_a_run_that_is_held_is_left_alone(project, capsys):
    with project.lock(OTHER):
        said = prune(capsys, "--delete")
        assert f"left alone: run {OTHER} is held by process" in said
        assert "freed 0 items" in said
        assert project.is_whole(OTHER)


def test_freed_weights_leave_a_whole_record_that_says_so(project, capsys):
    said = prune(capsys, "--weights", "--delete")
    assert "freed 1 item, 5 kB" in said
    assert project.is_whole(OTHER)
    assert project.has(OTHER)
    run = read_run(project, OTHER)
    assert run.correct.tolist() == [True]
    assert (run.content["freed"], run.content["format"]) == ([WEIGHTS], 2)
    with pytest.raises(
        NoWeightsError, match=r"old, seed 0: its weights were freed .*; to have them trained again, delete"
    ):
        read_weights(project, OTHER)
    assert "nothing to free" in prune(capsys, "--weights")
    assert "1 item" in prune(capsys)


def test_what_interrupted_processes_left_is_freed_but_what_a_study_goes_on_with(project, capsys):
    wanted, running = runs("good")[0].key, project.root / ".running"
    project.remove(wanted)
    for key in (wanted, "cd" * 16, runs("good")[1].key):
        (running / key).mkdir(parents=True)
        (running / key / "state.pt").write_bytes(b"half-way")
    held = project.root / f".writing-{'ef' * 16}.host-1"
    for folder in (project.root / ".damaged/x-1", project.root / f".writing-{'01' * 16}.host-2"):
        folder.mkdir(parents=True)
        (folder / RECORD).write_text("{}")
    with project.lock("ef" * 16):
        held.mkdir()
        said = prune(capsys, "--delete")
    assert "set aside as damaged" in said
    assert "an interrupted training that no study wants" in said
    left = {path.name for path in running.iterdir()} - {"locks", "ef" * 16}
    assert left == {wanted}
    assert [path.name for path in project.root.glob(".writing*")] == [held.name]
    assert not list((project.root / ".damaged").iterdir())


def test_a_newer_record_stays_and_one_that_cannot_be_read_goes(project, capsys):
    folder, newer = project.folder(OTHER), {"format": 99, "key": OTHER}
    (folder / RECORD).write_text(json.dumps({**newer, "seal": digest(newer)}))
    assert "nothing to free" in prune(capsys)
    (folder / RECORD).write_text("{")
    prune(capsys, "--delete")
    assert OTHER not in keys(project)
