"""Splits of any sizes: what lies within what, and images that stand on both sides."""

import csv
import io

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from imagefiles import save

from ablation.catalogue.sources import DataError
from ablation.data import datasets
from ablation.data.imagefolders import read_folder
from ablation.data.images import Images
from ablation.data.manifests import describe_identical
from ablation.data.splits import find_twins, split
from ablation.study.schema import Data


def labelled(sizes, test=None):
    """Images of the given number per class, in no order, no two alike."""
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    pixels = np.zeros((len(labels), 1, 8, 8), np.uint8)
    pixels[:, 0, 0, :4] = np.arange(len(labels), dtype=np.uint32)[:, None].view(np.uint8)
    classes = tuple(map(str, range(len(sizes))))
    return Images(pixels, labels.astype(np.int64), test, classes, "made up")


def split_of(source, **entries):
    try:
        return split(source, Data(name="digits", **entries).model_dump())
    except DataError:  # of some class nothing is left to train on
        return None


amounts = st.one_of(
    st.fractions(0, 1).map(float).filter(bool).map(lambda share: {"fraction": share}),
    st.integers(1, 40).map(lambda count: {"per_class": count}),
)


@given(
    st.lists(st.integers(3, 60), min_size=2, max_size=4),
    st.floats(0, 0.95),
    st.floats(0.01, 0.9),
    st.lists(amounts, min_size=2, max_size=4),
    st.integers(0, 3),
)
@example([7, 9], 0.5, 0.2, [{"fraction": 0.5}, {"fraction": 1.0}], 0)
def test_no_image_is_for_validation_in_one_part_and_for_training_in_another(sizes, validation, test, parts, seed):
    source = labelled(sizes)
    common = {"validation": validation, "test": test, "split_seed": seed}
    found = [(part, split_of(source, **common, **part)) for part in [*parts, {"fraction": 1.0}]]
    found = [(part, positions) for part, positions in found if positions]
    training, held = (
        set().union(*(positions[name].tolist() for _, positions in found)) for name in ("train", "validation")
    )
    assert not training & held
    for part, positions in found:
        every = np.concatenate(list(positions.values()))
        assert len(np.unique(every)) == len(every)
        assert np.array_equal(positions["test"], found[0][1]["test"])
        assert_counts(source, positions, part, validation)
    by_size = sorted((positions for _, positions in found), key=lambda p: len(p["train"]) + len(p["validation"]))
    for label in range(len(sizes)):
        for name in ("train", "validation"):
            own = [set(p[name][source.labels[p[name]] == label].tolist()) for p in by_size]
            assert all(a <= b or b <= a for a in own for b in own), "one lies within the other"


def assert_counts(source, positions, part, validation):
    """The counts are those that the study states."""
    everything = np.bincount(source.labels) - np.bincount(source.labels[positions["test"]])
    held = np.bincount(source.labels[positions["validation"]], minlength=len(everything))
    used = np.bincount(source.labels[positions["train"]]) + held
    assert used.tolist() == [part.get("per_class") or max(1, round(part["fraction"] * count)) for count in everything]
    assert held.tolist() == [max(1, round(validation * count)) if validation else 0 for count in used]


@given(st.lists(st.integers(1, 5), min_size=2, max_size=3), st.floats(0, 0.95), amounts)
def test_classes_of_a_few_images_are_split_or_refused_in_words(sizes, validation, part):
    positions = split_of(labelled(sizes), validation=validation, **part)
    if positions:
        assert all(np.bincount(labelled(sizes).labels[positions["train"]], minlength=len(sizes)) > 0)


def test_all_images_are_split_as_ever():
    """What is done for parts of the images changes nothing for studies that use all."""
    positions = split(datasets.load(Data(name="digits").model_dump()), Data(name="digits").model_dump())
    assert positions["train"][:6].tolist() == [0, 1, 2, 3, 4, 5]
    assert positions["validation"][:6].tolist() == [13, 30, 38, 39, 47, 50]
    assert positions["test"][:6].tolist() == [10, 11, 23, 26, 27, 34]


def test_twins_are_found_in_an_earlier_part_training_first():
    identity = np.array([0, 1, 0, 1, 4, 0, 4])
    parts = {"train": np.array([0, 1]), "validation": np.array([2, 4]), "test": np.array([3, 5, 6])}
    assert find_twins(identity, parts) == {
        "train": {},
        "validation": {2: ("train", 0)},
        "test": {3: ("train", 1), 5: ("train", 0), 6: ("validation", 4)},
    }


def test_identical_images_have_one_identity_whatever_lies_in_memory():
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    images[4], images[5] = images[1], images[1]
    for pixels in (images.transpose(0, 3, 1, 2), np.ascontiguousarray(images.transpose(0, 3, 1, 2))):
        source = Images(pixels, np.zeros(6, np.int64), None, ("a", "b"), "made up")
        assert source.identity.tolist() == [0, 1, 2, 3, 1, 1]


@pytest.fixture
def twins(tmp_path):
    """A folder with a test set, of which two images are training images, too."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    for place in range(10):
        for offset, name in ((0, "cat"), (10, "dog")):
            save(tmp_path / f"train/{name}/{place}.png", pixels[offset + place])
            save(tmp_path / f"test/{name}/{place}.png", pixels[20 + offset + place])
    for place in (3, 4):
        save(tmp_path / f"test/dog/{place}.png", pixels[place])
    return tmp_path


def test_identical_images_on_both_sides_are_counted_and_named(twins, tmp_path):
    data = Data(name="folder", folder=str(twins), validation=0).model_dump()
    source = read_folder(twins)
    arrays, manifest = datasets.arrange(source, data)
    pairs = [["test/dog/3.png", "train/cat/3.png"], ["test/dog/4.png", "train/cat/4.png"]]
    assert manifest["identical"] == [{"part": "test", "within": "train", "images": 2, "examples": pairs}]
    assert describe_identical(manifest) == [
        "2 of 20 test images are training images, too: test/dog/3.png = train/cat/3.png, test/dog/4.png = train/cat/4.png"
    ]
    datasets.write(tmp_path / "prepared", arrays, manifest, source)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "prepared/split.csv").read_text())))
    named = {row["file"]: rows[int(row["identical_to"])]["file"] for row in rows if row["identical_to"]}
    assert named == dict(pairs)


def test_test_images_that_are_all_among_the_training_images_are_refused(twins):
    source = read_folder(twins)
    first = np.flatnonzero(np.arange(40) < 20)
    same = Images(np.concatenate([source.images[first]] * 2), source.labels, source.test, source.classes, "made up")
    for entries in ({}, {"fraction": 0.2}):
        data = Data(name="digits", **entries).model_dump()
        with pytest.raises(
            DataError, match=r"digits: every one of the 20 test images is among .* \(such as image 20 = image 0"
        ):
            datasets.arrange(same, data)


@pytest.mark.parametrize(("standardised", "refused"), [(True, True), (False, False)])
def test_a_channel_of_one_shade_is_refused_where_it_would_be_standardised(standardised, refused):
    source = labelled([20, 20])
    pixels = np.repeat(source.images, 3, 1)
    pixels[:, 1] = 51
    flat = Images(pixels, source.labels, None, source.classes, "made up")
    data = Data(name="digits", standardised=standardised).model_dump()
    if refused:
        with pytest.raises(
            DataError, match=r"digits: found one single shade in channel 2 \(shade 51\) of 3 .*standardised: false"
        ):
            datasets.arrange(flat, data)
    else:
        assert np.isfinite(datasets.arrange(flat, data)[1]["std"]).all()


@given(st.integers(2, 2000), st.integers(0, 254))
def test_one_pixel_of_another_shade_is_enough_for_finite_numbers(count, shade):
    images = np.full((count, 1, 8, 8), shade, np.uint8)
    images[-1, 0, 0, 0] += 1
    mean, std = datasets.channel_statistics(images)
    assert std[0] > 0
    assert np.isfinite((images[-1] / 255 - mean) / std).all()
