import numpy as np
import pytest
from conftest import DIGITS

from ablation import datasets


def test_parts_are_stratified_and_do_not_overlap(digits):
    arrays, manifest = digits
    positions = [arrays[f"{part}_positions"] for part in ("train", "validation", "test")]
    assert sorted(np.concatenate(positions)) == list(range(1797))
    for part in ("validation", "test"):
        counts = np.bincount(arrays[f"{part}_labels"])
        assert counts.max() - counts.min() <= 2
    assert manifest["shape"] == [1, 8, 8]


def test_images_keep_all_their_shades(digits):
    assert len(np.unique(digits[0]["train_images"])) == 17


def test_statistics_are_those_of_the_training_images_alone(digits):
    arrays, manifest = digits
    assert manifest["mean"] == pytest.approx([arrays["train_images"].mean() / 255])
    assert manifest["std"] == pytest.approx([arrays["train_images"].std() / 255])


def test_the_digest_follows_the_split_and_nothing_else(digits):
    assert datasets.prepare(DIGITS)[1]["digest"] == digits[1]["digest"]
    other = datasets.prepare({**DIGITS, "split_seed": 1})
    assert other[1]["digest"] != digits[1]["digest"]
    assert not np.array_equal(other[0]["test_positions"], digits[0]["test_positions"])


def test_what_is_written_reads_the_same(digits, tmp_path):
    datasets.write(tmp_path / "data", *digits)
    arrays, manifest = datasets.read(tmp_path / "data")
    assert manifest == digits[1]
    assert all(np.array_equal(arrays[name], digits[0][name]) for name in digits[0])


def test_incomplete_data_are_refused(digits, tmp_path):
    datasets.write(tmp_path / "data", *digits)
    (tmp_path / "data" / "test_images.npy").unlink()
    with pytest.raises(datasets.DataError, match="prepare it anew"):
        datasets.read(tmp_path / "data")


def test_altered_data_are_refused(digits, tmp_path):
    datasets.write(tmp_path / "data", *digits)
    images = digits[0]["train_images"].copy()
    images[0, 0, 0, 0] ^= 1
    np.save(tmp_path / "data" / "train_images.npy", images)
    with pytest.raises(datasets.DataError, match="not what was written"):
        datasets.read(tmp_path / "data")
