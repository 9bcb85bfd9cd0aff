from ablation.jobs.progress import Watch
from ablation.records.store import Store

KEYS = ["ab" * 16, "cd" * 16]
FILES = {"predictions.safetensors": b"", "weights.safetensors": b""}


def test_progress_counts_runs_and_epochs_and_says_what_is_left(tmp_path):
    store = Store(tmp_path)
    watch = Watch(dict.fromkeys(KEYS, 4), store)
    assert watch.line(0.0) == "", "nothing has begun"
    with store.lock(KEYS[0]) as running:
        running.write_curves([{"epoch": 1}, {"epoch": 2}])
        assert watch.line(10.0) == "0 of 2 runs done, 1 in training  25 % of all epochs, about 30 s left"
        store.write(KEYS[0], {}, FILES)
    assert watch.line(20.0) == "1 of 2 runs done, 0 in training  50 % of all epochs, about 20 s left"
    assert watch.line(20.0) == "", "nothing is new"
    store.write(KEYS[1], {}, FILES)
    assert watch.line(40.0) == "", "the end is said by others"


def test_what_was_done_before_does_not_count_as_speed(tmp_path):
    store = Store(tmp_path)
    store.write(KEYS[0], {}, FILES)
    watch = Watch(dict.fromkeys(KEYS, 4), store)
    assert watch.line(0.0) == "1 of 2 runs done, 0 in training"
    with store.lock(KEYS[1]) as running:
        running.write_curves([{"epoch": 1}])
        assert watch.line(10.0).endswith("62 % of all epochs, about 30 s left")


def test_runs_weigh_what_they_cost(tmp_path):
    store = Store(tmp_path)
    watch = Watch(dict.fromkeys(KEYS, 4), store, {KEYS[0]: 10.0, KEYS[1]: 90.0}, jobs=2)
    assert watch.line(0.0) == "0 of 2 runs done, 0 in training  0 % of all epochs, about 50 s left", (
        "by the prices alone"
    )
    store.write(KEYS[0], {}, FILES)
    assert watch.line(20.0) == "1 of 2 runs done, 0 in training  50 % of all epochs, about 3 min 00 s left", (
        "at this pace"
    )


def test_a_price_that_is_not_known_leaves_epochs_to_count(tmp_path):
    store = Store(tmp_path)
    watch = Watch(dict.fromkeys(KEYS, 4), store, {KEYS[0]: 10.0})
    assert watch.line(0.0) == ""
    store.write(KEYS[0], {}, FILES)
    assert watch.line(20.0) == "1 of 2 runs done, 0 in training  50 % of all epochs, about 20 s left"
