import os

import numpy as np
import pytest
from imagefiles import fill, save, shade
from PIL import Image

from ablation.catalogue.sources import DataError
from ablation.data import datasets
from ablation.data.folders import fingerprint
from ablation.data.imagefolders import read_folder
from ablation.study.schema import Data


def test_classes_are_folders_in_the_order_of_their_names(tmp_path):
    images = read_folder(fill(tmp_path))
    assert images.classes == ("bee", "cat", "dog")
    assert images.labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert images.images.shape == (15, 3, 8, 8)
    assert images.images[:, 0, 0, 0].tolist() == [shade(label, place) for label in range(3) for place in range(5)]
    assert images.files[5] == "cat/0.png"
    assert images.test is None


def test_a_test_folder_is_the_official_test_set(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path / "test", count=2)
    images = read_folder(tmp_path)
    assert images.test.tolist() == list(range(15, 21))
    assert images.files[15] == "test/bee/0.png"
    assert images.labels[15:].tolist() == [0, 0, 1, 1, 2, 2]


def test_other_files_and_hidden_ones_are_ignored(tmp_path):
    fill(tmp_path)
    for name in ("README.md", ".DS_Store", "bee/.hidden.png", "bee/notes.txt", ".cache/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no image")
    assert len(read_folder(tmp_path).labels) == 15


def test_a_class_may_have_folders_within(tmp_path):
    fill(tmp_path)
    save(tmp_path / "bee/images/deep.JPEG", np.zeros((8, 8, 3), np.uint8))
    assert "bee/images/deep.JPEG" in read_folder(tmp_path).files


@pytest.mark.parametrize(("channels", "expected"), [(1, 1), (3, 3), (4, 3)])
def test_grey_images_have_one_channel_and_all_others_three(tmp_path, channels, expected):
    assert read_folder(fill(tmp_path, channels=channels)).images.shape[1] == expected


def test_one_coloured_image_makes_all_of_them_coloured(tmp_path):
    fill(tmp_path, channels=1)
    save(tmp_path / "cat/colour.png", np.zeros((8, 8, 3), np.uint8))
    assert read_folder(tmp_path).images.shape[1] == 3


def test_every_damaged_empty_and_odd_file_is_named_at_once(tmp_path):
    fill(tmp_path, size=(16, 16))
    (tmp_path / "bee/0.png").write_bytes(b"")
    (tmp_path / "bee/1.png").write_text("no image")
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    save(tmp_path / "cat/2.png", noise)
    (tmp_path / "cat/2.png").write_bytes((tmp_path / "cat/2.png").read_bytes()[:-400])
    save(tmp_path / "dog/3.png", noise[:12])
    save(tmp_path / "dog/4.png", np.zeros((16, 16), np.uint16))
    (tmp_path / "dog/5.png").symlink_to(tmp_path / "nowhere.png")
    assert fingerprint(tmp_path), "problems are for those who read"
    with pytest.raises(DataError) as caught:
        read_folder(tmp_path)
    lines = str(caught.value).splitlines()
    assert "6 problems" in lines[0]
    for line, expected in zip(
        lines[1:],
        [
            "bee/0.png: an empty file",
            "bee/1.png: no image that can be read (of no known format)",
            "cat/2.png: no image that can be read (",
            "dog/3.png: found 16x12 pixels, expected 16x16",
            "dog/4.png: found pixels of mode I;16, expected 8 bits per channel",
            "dog/5.png: no image that can be read ([Errno 2] No such file",
        ],
        strict=True,
    ):
        assert expected in line


def test_many_problems_are_counted(tmp_path):
    fill(tmp_path, count=10)
    for path in tmp_path.glob("*/*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"30 problems(.|\n)*and 10 more"):
        read_folder(tmp_path)


def test_images_that_are_no_squares_are_named_unless_they_are_resized(tmp_path):
    fill(tmp_path, size=(8, 12))
    with pytest.raises(DataError, match=r"bee/0.png: found 12x8 pixels, expected a square; set data\.side"):
        read_folder(tmp_path)
    assert read_folder(tmp_path, side=10).images.shape == (15, 3, 10, 10)


def test_images_are_resized_as_torchvision_does(tmp_path):
    from torchvision.transforms import Resize

    fill(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (31, 17, 3), dtype=np.uint8)
    save(tmp_path / "bee/0.png", noise)
    expected = np.asarray(Resize((9, 9))(Image.fromarray(noise)))
    assert np.array_equal(read_folder(tmp_path, side=9).images[0].transpose(1, 2, 0), expected)


def empty_class(folder):
    (fill(folder) / "ant").mkdir()


def stray_image(folder):
    save(fill(folder) / "stray.png", np.zeros((8, 8), np.uint8))


def third_part(folder):
    for part in ("train", "test", "val"):
        fill(folder / part)


def class_of_the_test_alone(folder):
    fill(folder / "train")
    fill(folder / "test", classes=("cat", "dog", "bee", "owl"))


def one_class(folder):
    fill(folder, classes=("cat",))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (empty_class, "ant: a class without images"),
        (stray_image, "stray.png: lies in no class"),
        (third_part, "found val beside train and test"),
        (class_of_the_test_alone, "train/owl: a class without images"),
        (one_class, "found the classes: cat, expected two or more"),
    ],
)
def test_a_folder_of_another_form_is_refused(tmp_path, make, expected):
    make(tmp_path)
    with pytest.raises(DataError, match=expected):
        read_folder(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such folder of images"):
        read_folder(tmp_path / "nowhere")


def test_a_study_can_have_its_own_folder(tmp_path):
    fill(tmp_path, count=10)
    data = Data(name="folder", folder=str(tmp_path), side=12).model_dump()
    images = datasets.load(data)
    arrays, manifest = datasets.arrange(images, data)
    assert manifest["counts"] == {"train": 18, "validation": 6, "test": 6}
    assert manifest["shape"] == [3, 12, 12]
    datasets.write(tmp_path / "prepared", arrays, manifest, images)
    assert "0,bee/0.png,bee," in (tmp_path / "prepared/split.csv").read_text()


def test_the_fingerprint_follows_names_sizes_and_times(tmp_path):
    seen = [fingerprint(tmp_path / "nowhere"), fingerprint(fill(tmp_path))]
    assert fingerprint(tmp_path) == seen[-1]
    (tmp_path / "notes.txt").write_text("not an image")
    assert fingerprint(tmp_path) == seen[-1]
    os.utime(tmp_path / "bee/0.png", ns=(0, 1))
    seen.append(fingerprint(tmp_path))
    (tmp_path / "bee/0.png").rename(tmp_path / "bee/9.png")
    seen.append(fingerprint(tmp_path))
    assert len(set(seen)) == len(seen)
