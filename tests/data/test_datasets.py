import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from specs import DIGITS

from ablation.catalogue.sources import SOURCES, DataError, input_shape
from ablation.data import datasets
from ablation.data.images import Images, resize
from ablation.data.splits import split_table, take_by_class


def positions(data):
    return {part: set(datasets.split(datasets.load(data), data)[part].tolist()) for part in ("train", "test")}


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


def test_statistics_are_those_of_each_channel():
    images = np.random.default_rng(0).integers(0, 256, (300, 3, 4, 5), dtype=np.uint8)
    images[:, 1] //= 2
    mean, std = datasets.channel_statistics(images)
    assert mean == pytest.approx(images.mean(axis=(0, 2, 3)) / 255)
    assert std == pytest.approx(images.std(axis=(0, 2, 3)) / 255)


def test_the_digest_follows_the_split_and_nothing_else(digits):
    assert datasets.prepare(DIGITS)[1]["digest"] == digits[1]["digest"]
    other = datasets.prepare({**DIGITS, "split_seed": 1})
    assert other[1]["digest"] != digits[1]["digest"]
    assert not np.array_equal(other[0]["test_positions"], digits[0]["test_positions"])


def test_the_digest_does_not_follow_the_source(digits):
    arrays, manifest = digits
    assert datasets.data_digest(arrays, {**manifest, "source": "another version"}) == manifest["digest"]


def test_a_fraction_is_taken_class_by_class_and_leaves_the_test_whole(digits):
    arrays, manifest = datasets.prepare({**DIGITS, "fraction": 0.1})
    assert np.array_equal(arrays["test_positions"], digits[0]["test_positions"])
    used = np.concatenate([arrays["train_labels"], arrays["validation_labels"]])
    everything = np.concatenate([digits[0]["train_labels"], digits[0]["validation_labels"]])
    assert np.abs(np.bincount(used) - 0.1 * np.bincount(everything)).max() <= 0.5
    assert manifest["counts"]["validation"] == pytest.approx(0.2 * len(used), abs=5)


def test_smaller_subsets_lie_within_larger_ones():
    small, middle, large = (positions({**DIGITS, "validation": 0, "per_class": count}) for count in (5, 20, 100))
    assert small["train"] < middle["train"] < large["train"]
    assert len(middle["train"]) == 200
    assert small["test"] == large["test"]


def test_more_images_of_a_class_than_there_are_is_refused_by_name():
    with pytest.raises(
        DataError, match=r"data\.per_class of digits: expected 145 .* found fewer of 0 \(142\), 2 \(142\)"
    ):
        datasets.prepare({**DIGITS, "per_class": 145})


def test_a_class_without_training_images_is_refused_by_name():
    with pytest.raises(DataError, match=r"expected 1 or more training images of each class, .* 0 \(0\), 1"):
        datasets.prepare({**DIGITS, "per_class": 1})


def test_without_validation_everything_else_is_for_training(digits, tmp_path):
    arrays, manifest = datasets.prepare({**DIGITS, "validation": 0})
    assert manifest["counts"]["validation"] == 0
    assert manifest["counts"]["train"] == digits[1]["counts"]["train"] + digits[1]["counts"]["validation"]
    assert arrays["validation_images"].shape == (0, 1, 8, 8)
    datasets.write(tmp_path, arrays, manifest)
    assert datasets.read(tmp_path)[1] == manifest


@pytest.mark.parametrize("side", [8, 11, 24])
def test_images_are_resized_as_torchvision_does(side, digits):
    from PIL import Image
    from torchvision.transforms import Resize

    data = {**DIGITS, "side": side}
    arrays, manifest = datasets.prepare(data)
    assert manifest["shape"] == [1, side, side] == list(input_shape(data))
    expected = Resize((side, side))(Image.fromarray(digits[0]["test_images"][3, 0]))
    assert np.array_equal(arrays["test_images"][3, 0], np.asarray(expected))


def test_colours_are_resized_together_as_torchvision_does():
    from PIL import Image
    from torchvision.transforms import Resize

    images = np.random.default_rng(0).integers(0, 256, (5, 3, 20, 30), dtype=np.uint8)
    expected = Resize((9, 9))(Image.fromarray(images[2].transpose(1, 2, 0)))
    assert np.array_equal(resize(images, 9)[2].transpose(1, 2, 0), np.asarray(expected))


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        ({"name": "digits", "side": None}, (1, 8, 8)),
        ({"name": "cifar100", "side": None}, (3, 32, 32)),
        ({"name": "fashion_mnist", "side": 224}, (1, 224, 224)),
        ({"name": "folder", "side": 32}, None),
    ],
)
def test_the_shape_of_the_input_is_known_without_reading(data, shape):
    assert input_shape(data) == shape


def test_what_is_not_what_its_name_promises_is_refused(monkeypatch):
    def read(_, __):
        return Images(np.zeros((2, 3, 9, 9), np.uint8), np.array([0, 1]), None, ("a", "b"), "somewhere")

    monkeypatch.setattr(datasets, "read_digits", read)
    with pytest.raises(DataError, match=r"digits: found .*\(3, 9, 9\) in 2 classes, expected \(1, 8, 8\) in 10"):
        datasets.prepare(DIGITS)


def test_a_number_of_images_is_taken_of_each_class():
    labels = np.array([0] * 10 + [1] * 5)
    taken = take_by_class(labels, 3, np.random.default_rng(0))
    assert np.bincount(labels[taken]).tolist() == [3, 3]


def test_the_split_is_written_down_for_people(digits, tmp_path):
    arrays, manifest = digits
    datasets.write(tmp_path, arrays, manifest)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "split.csv").read_text())))
    assert [int(row["position"]) for row in rows] == list(range(1797))
    for part, count in manifest["counts"].items():
        listed = [row for row in rows if row["part"] == part]
        assert len(listed) == count
        assert [int(row["class"]) for row in listed] == arrays[f"{part}_labels"].tolist()


def test_the_split_names_files_where_images_have_them(digits):
    files = tuple(f"{position}.png" for position in range(1797))
    source = replace(datasets.load(DIGITS), files=files)
    rows = list(csv.DictReader(io.StringIO(split_table(digits[0], digits[1]["classes"], source))))
    assert all(row["file"] == f"{row['position']}.png" for row in rows)
    assert {row["identical_to"] for row in rows} == {""}


def test_what_is_written_reads_the_same(digits, tmp_path):
    datasets.write(tmp_path / "data", *digits)
    arrays, manifest = datasets.read(tmp_path / "data")
    assert manifest == digits[1]
    assert all(np.array_equal(arrays[name], digits[0][name]) for name in digits[0])


def test_incomplete_data_are_refused(digits, tmp_path):
    datasets.write(tmp_path / "data", *digits)
    (tmp_path / "data" / "test_images.npy").unlink()
    with pytest.raises(DataError, match=r"test_images.npy: found no file, expected [0-9]+\); start again to"):
        datasets.read(tmp_path / "data")


def test_altered_data_are_refused(digits, tmp_path):
    datasets.write(tmp_path / "data", *digits)
    images = digits[0]["train_images"].copy()
    images[0, 0, 0, 0] ^= 1
    np.save(tmp_path / "data" / "train_images.npy", images)
    with pytest.raises(DataError, match="not what was written"):
        datasets.read(tmp_path / "data")


@pytest.fixture
def prepare(tmp_path):
    """Prepare the digits for one study more, and return the receipt and when the arrays were written."""

    def prepare(made_with="code"):
        folder, receipt = tmp_path / "data/digits", tmp_path / "receipt.json"
        options = {
            "--spec": json.dumps(DIGITS),
            "--source": SOURCES["digits"].text(),
            "--made-with": made_with,
            "--folder": folder,
            "--receipt": receipt,
        }
        command = [
            sys.executable,
            "-m",
            "ablation",
            "data",
            *(str(word) for pair in options.items() for word in pair),
        ]
        subprocess.run(command, check=True, capture_output=True)
        return json.loads(receipt.read_text()), (folder / "train_images.npy").stat().st_mtime_ns

    return prepare


def test_studies_share_prepared_data_and_each_has_a_receipt(prepare, tmp_path, digits):
    receipt, written = prepare()
    assert receipt["digest"] == digits[1]["digest"]
    assert prepare() == (receipt, written)
    assert prepare("other code")[1] > written


def test_damaged_data_are_prepared_anew(prepare, tmp_path):
    receipt, written = prepare()
    path = tmp_path / "data/digits/test_labels.npy"
    path.write_bytes(path.read_bytes()[:-1])
    again, rewritten = prepare()
    assert (again, rewritten > written) == (receipt, True)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"test": np.arange(6) < 2}, "test bool (6,), expected positions of images, each once"),
        ({"test": np.array([0, 0])}, "test int64 (2,), expected positions"),
        ({"test": np.array([6])}, "test int64 (1,), expected positions"),
        ({"labels": np.zeros(5, np.int64)}, "labels int64 (5,), expected int64 (6,)"),
        ({"labels": np.zeros(6, np.int32)}, "labels int32 (6,), expected int64 (6,)"),
        ({"images": np.zeros((6, 1, 8, 8))}, "images float64 (6, 1, 8, 8), expected uint8"),
        ({"images": [[0]]}, "images list, expected uint8"),
        ({"images": np.zeros((0, 1, 8, 8), np.uint8)}, "images uint8 (0, 1, 8, 8), expected one or more"),
        ({"images": np.zeros((6, 0, 8, 8), np.uint8)}, "images uint8 (6, 0, 8, 8), expected one or more"),
        ({"images": np.zeros((6, 1, 8, 7), np.uint8)}, "images uint8 (6, 1, 8, 7), expected 8 or more pixels a side"),
        ({"labels": [0] * 6}, "labels list, expected int64 (6,)"),
        ({"labels": np.array([0, 1, 2, 0, 0, 0])}, "labels from 0 to 2, expected them within 2 classes"),
        ({"labels": np.array([0, 1, -1, 0, 0, 0])}, "labels from -1 to 1, expected them within 2 classes"),
        ({"classes": ("a",)}, "the classes ('a',), expected two or more"),
        ({"test": []}, "test list, expected positions"),
        ({"test": np.zeros(0, np.int64)}, "test int64 (0,), expected positions of images, each once, and one at least"),
        ({"test": np.array([[0]])}, "test int64 (1, 1), expected positions"),
        ({"files": ("a.png",)}, "1 files, expected 6"),
    ],
)
def test_what_a_reader_returns_is_checked(change, expected):
    images = Images(np.zeros((6, 1, 8, 8), np.uint8), np.zeros(6, np.int64), None, ("a", "b"), "made up")
    datasets.check_images(images, "own")
    with pytest.raises(DataError, match=re.escape(expected)):
        datasets.check_images(replace(images, **change), "own")


def test_where_a_folder_of_images_lies_does_not_count(digits):
    arrays, manifest = digits
    moved = {**manifest, "data": {**manifest["data"], "folder": "elsewhere"}}
    assert datasets.data_digest(arrays, moved) == datasets.data_digest(arrays, manifest)
