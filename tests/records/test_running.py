"""The state of an interrupted training: read as it was written, or not at all; and what killed processes leave."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ablation.jobs.starts import clear_leftovers
from ablation.jobs.training import load_state
from ablation.records.running import DamagedStateError, Running
from ablation.records.store import Store

KEY, OTHER = "ab" * 16, "cd" * 16
CPU = torch.device("cpu")
STATE = {"network": {"weight": torch.arange(1000.0)}, "curves": [{"epoch": 1}]}


@pytest.fixture
def running(tmp_path):
    (tmp_path / KEY).mkdir()
    running = Running(tmp_path / KEY)
    running.write_state(lambda file: torch.save(STATE, file))
    return running


def test_a_state_reads_as_it_was_written(running):
    state = load_state(running, CPU)
    assert state["curves"] == STATE["curves"]
    assert torch.equal(state["network"]["weight"], STATE["network"]["weight"])


def test_no_state_is_none(tmp_path):
    assert load_state(Running(tmp_path / KEY), CPU) is None


@pytest.mark.parametrize("place", [0, 5, 20, 60, 90, 0.5, 0.9, -1])
def test_one_damaged_byte_is_found_wherever_it_is(running, capfd, place):
    content = bytearray(running.state.read_bytes())
    content[int(place * len(content)) if isinstance(place, float) else place] ^= 1
    running.state.write_bytes(content)
    with pytest.raises(DamagedStateError):
        running.read_state()
    assert load_state(running, CPU) is None
    assert "state.pt: cannot be used" in capfd.readouterr().err


def test_a_state_that_was_cut_short_is_found(running):
    content = running.state.read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 1):
        running.state.write_bytes(content[:length])
        with pytest.raises(DamagedStateError):
            running.read_state()


def test_the_state_of_another_run_is_not_taken(running):
    other = Running(running.folder.with_name(OTHER))
    other.write_state(lambda file: torch.save(STATE, file))
    running.state.write_bytes(other.state.read_bytes())
    with pytest.raises(DamagedStateError, match=f"the state of the run {OTHER}, expected its own"):
        running.read_state()


def test_a_state_of_another_version_is_not_taken(running):
    torch.save(STATE, running.state)
    with pytest.raises(DamagedStateError, match="of another version"):
        running.read_state()


def dead():
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def aside(path, number, host=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{host or socket.gethostname()}-{number}")
    made.write_text("half")
    return made


def test_who_gets_the_lock_of_a_run_clears_what_was_cut_off_and_keeps_the_state(tmp_path, running):
    store = Store(tmp_path)
    with store.lock(KEY) as place:
        place.write_state(lambda file: torch.save(STATE, file))
    aside(place.state, dead())
    for name in (f".writing-{KEY}.some-host-1", f".pruned-{KEY}.some-host-2", f".writing-{OTHER}.some-host-1"):
        (tmp_path / name).mkdir()
    with store.lock(KEY) as place:
        assert [path.name for path in place.folder.iterdir()] == ["state.pt"]
    assert [path.name for path in tmp_path.glob(".*-*.some-host-*")] == [f".writing-{OTHER}.some-host-1"]


def test_a_start_clears_what_the_dead_left_and_nothing_of_the_living(tmp_path):
    store, study, gone = Store(tmp_path / "store"), tmp_path / "study", dead()
    left = [aside(study / "shards/lenet/0.json", gone), aside(study / "data.json", gone)]
    kept = [
        aside(study / "shards/lenet/1.json", os.getpid()),
        aside(study / "shards/lenet/2.json", gone, host="another"),
        aside(study / "notes", "x"),
        Path(study / ".own"),
    ]
    kept[-1].write_text("mine")
    for key in (KEY, OTHER):
        (store.root / f".writing-{key}.{socket.gethostname()}-{gone}").mkdir(parents=True)
        (store.root / f".writing-{key}.another-{gone}").mkdir()
        (store.root / ".running" / key).mkdir(parents=True)
    store.write(KEY, {}, {})
    with store.lock(OTHER):
        clear_leftovers(store, study)
        (store.root / f".writing-{OTHER}.{socket.gethostname()}-{os.getpid()}").mkdir()
        clear_leftovers(store, study)
    assert not [path for path in left if path.exists()]
    assert [path for path in kept if path.exists()] == kept
    assert sorted(path.name for path in (store.root / ".running").iterdir()) == [OTHER, "locks"]
    assert {path.name for path in store.root.glob(".writing*")} == {
        f".writing-{OTHER}.{socket.gethostname()}-{os.getpid()}",
        f".writing-{KEY}.another-{gone}",  # a machine whose locks may not be seen here
    }
