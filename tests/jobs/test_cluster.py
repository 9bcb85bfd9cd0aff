"""What is said of a start on a cluster, on machines without one."""

from pathlib import Path

import pytest

from ablation.jobs import cluster
from ablation.jobs.cluster import ClusterError, ask, check_cluster, read_minutes, read_partitions

LISTED = """\
gpu*|up|2-00:00:00|gpu:a100:4(S:0-1)
gpu*|up|2-00:00:00|gpu:h100:8,shard:h100:80
cpu|up|infinite|(null)
test|up|30:00|gpu:2
old|down|1:00:00|(null)
"""
ROOT = Path(__file__).parents[2]
TRAIN = {"gpu": 1, "runtime": 240, "slurm_account": "lab", "slurm_partition": "gpu"}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of commands that answer as a cluster does; a test may take one away or let it answer otherwise."""
    monkeypatch.setenv("PATH", f"{tmp_path}")

    def write(name, text="", code=0):
        (tmp_path / name).write_text(f"#!/bin/sh\ncode={code}\n/bin/cat <<'END'\n{text}END\nexit $code\n")
        (tmp_path / name).chmod(0o755)

    for name in (*cluster.COMMANDS, "sacct"):
        write(name)
    write("sinfo", LISTED)
    write("sacctmgr", "lab\nteaching\n")
    write.folder = tmp_path
    return write


def said(requests, profile="slurm"):
    with pytest.raises(ClusterError) as raised:
        check_cluster(requests, profile)
    return str(raised.value).splitlines()


def test_a_start_that_can_succeed_is_let_go(site):
    check_cluster({"train_shard": TRAIN}, "slurm")
    check_cluster({"train_shard": {**TRAIN, "gpu_model": "a100"}}, "slurm")
    check_cluster({"train_shard": {**TRAIN, "gpu": 0, "gres": "gpu:h100:1"}}, "slurm")
    check_cluster({"train_shard": {**TRAIN, "slurm_partition": "gpu,cpu"}}, "slurm")
    check_cluster({"train_shard": {**TRAIN, "gpu": 0, "slurm_partition": "cpu"}}, "slurm-cpu")
    check_cluster({"train_shard": {"gpu": 1}}, "slurm")
    check_cluster({"write_report": {"gpu": 0}}, "slurm")
    check_cluster({}, "slurm-cpu")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"slurm_partition": "gqu"},
            ["found the partition 'gqu', expected one of cpu, gpu, old, test; did you mean 'gpu'"],
        ),
        ({"slurm_account": "lap"}, ["found the account 'lap', expected one of lab, teaching; did you mean 'lab'?"]),
        ({"slurm_partition": "cpu"}, ["train_shard asks for a GPU, and the partition cpu has none"]),
        (
            {"slurm_partition": "old", "runtime": 60, "gpu": 0},
            ["the profile is slurm, but train_shard asks for no GPU", "the partition old takes no jobs at present"],
        ),
        ({"slurm_partition": "test"}, ["the partition test allows 30 minutes, and longer jobs would wait for ever"]),
        (
            {"gpu_model": "h200"},
            ["train_shard asks for a GPU of the kind 'h200', and the partition gpu has a100, h100; did"],
        ),
        (
            {"gpu": 0, "gres": "gpu:v100:1"},
            ["train_shard asks for a GPU of the kind 'v100', and the partition gpu has a100, h100"],
        ),
        ({"gres": "gpu:1"}, ["train_shard asks for GPUs twice: gpu=1 and gres=gpu:1"]),
        ({"slurm_partition": "test", "runtime": 20, "gpu_model": "h200"}, None),
        ({"slurm_cluster": "other", "slurm_partition": "theirs"}, None),
    ],
    ids=[
        "partition",
        "account",
        "no GPU",
        "down",
        "time",
        "kind",
        "kind in gres",
        "twice",
        "kinds untold",
        "another cluster",
    ],
)
def test_what_cannot_succeed_is_said_in_a_sentence(site, changes, expected):
    requests = {"train_shard": {**TRAIN, **changes}}
    if expected is None:
        check_cluster(requests, "slurm")
        return
    for line, start in zip(said(requests), expected, strict=True):
        assert line.startswith(start)


def test_arrays_would_wait_for_ever(site):
    with pytest.raises(ClusterError, match=r"^--slurm-array-jobs=train_shard: .* waits for ever"):
        check_cluster({"train_shard": TRAIN}, "slurm", "train_shard")


def test_every_reason_is_said_once(site):
    lines = said(
        {
            "train_shard": {**TRAIN, "slurm_partition": "x"},
            "write_report": {"slurm_partition": "x", "slurm_account": "y"},
        }
    )
    assert [line[:14] for line in lines] == ["found the part", "found the acco"]


@pytest.mark.parametrize("profile", ["default", None, "mine"])
def test_another_profile_laid_over_it_is_noticed(site, profile):
    assert "start with --workflow-profile profiles/slurm" in said({"train_shard": TRAIN}, profile)[0]


def test_the_profile_without_gpus_and_a_request_for_one_contradict_each_other(site):
    lines = said({"train_shard": TRAIN}, "slurm-cpu")
    assert lines == [
        "the profile is slurm-cpu, but train_shard asks for a GPU: start with --workflow-profile profiles/slurm"
    ]


def test_no_default_partition_lists_those_there_are(site):
    site("sinfo", LISTED.replace("*", ""))
    lines = said({"train_shard": {"gpu": 1, "slurm_account": "lab"}})
    assert lines[0].endswith("add --default-resources slurm_partition=…, one of cpu, gpu, old, test")


def test_commands_that_are_missing_are_named(site):
    for name in ("sbatch", "squeue"):
        (site.folder / name).unlink()
    assert said({"train_shard": TRAIN})[0].startswith("not found on this machine: sbatch, squeue. Start where")


def test_without_sacct_an_account_has_to_be_named(site):
    (site.folder / "sacct").unlink()
    check_cluster({"train_shard": TRAIN}, "slurm")
    assert "add --default-resources slurm_account=…" in said({"train_shard": {"gpu": 1}})[0]


@pytest.mark.parametrize("answer", [{"text": ""}, {"text": "", "code": 1}])
def test_a_cluster_that_keeps_no_accounts_takes_any(site, answer):
    site("sacctmgr", **answer)
    check_cluster({"train_shard": {**TRAIN, "slurm_account": "any"}}, "slurm")
    (site.folder / "sacctmgr").unlink()
    check_cluster({"train_shard": {**TRAIN, "slurm_account": "any"}}, "slurm")


def test_a_controller_that_does_not_answer_is_said(site, monkeypatch):
    (site.folder / "sinfo").write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2\nexit 1\n")
    assert said({"train_shard": TRAIN}) == ["Slurm does not answer: sinfo says: Unable to contact slurm controller"]
    (site.folder / "sinfo").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    with pytest.raises(ClusterError, match="took longer"):
        ask("sinfo")


def test_partitions_and_times_are_read():
    partitions, default = read_partitions(LISTED)
    assert default == "gpu"
    assert (partitions["gpu"].gpus, partitions["gpu"].gpu_models) == (12, {"a100", "h100"})
    assert (partitions["test"].gpus, partitions["test"].gpu_models) == (2, set())
    assert [read_minutes(time) for time in ("infinite", "30:00", "1:00:00", "2-00:00:00", "1-12:30:30")] == [
        None,
        30,
        60,
        2880,
        2190.5,
    ]


def test_the_profiles_differ_in_their_gpus_alone():
    def settings(profile):
        text = (ROOT / f"profiles/{profile}/config.yaml").read_text().replace(f"profiles/{profile}", "profiles/…")
        return "\n".join(line.split(" #")[0] for line in text.splitlines() if not line.lstrip().startswith("#"))

    assert settings("slurm") == settings("slurm-cpu")
