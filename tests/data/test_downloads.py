import hashlib
import os
import pickle
import urllib.request

import numpy as np
import pytest
import torchvision
from imagefiles import fill

from ablation.catalogue.sources import DataError
from ablation.data import datasets
from ablation.data.downloads import SETTING
from ablation.study.schema import Data
from ablation.support.locks import hold

ALPHABETICAL = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The offline folder of the setting, and no network."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv(SETTING, str(folder))
    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    return folder


def no_network(*_, **__):
    raise OSError("there is no network here")


def load(name):
    return datasets.load(Data(name=name).model_dump())


def write_idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(head + array.tobytes())


def write_mnist(raw, train=30, test=20):
    raw.mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = np.broadcast_to(labels[:, None, None], (count, 28, 28)).copy()
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", labels)


def write_cifar(monkeypatch, root):
    """Write batches in the form of CIFAR-10 and make torchvision expect their checksums."""
    kind, place = torchvision.datasets.CIFAR10, root / "cifar-10-batches-py"
    place.mkdir(parents=True)

    def write(file, content):
        content = pickle.dumps(content)
        (place / file).write_bytes(content)
        return [file, hashlib.md5(content).hexdigest()]

    def batch(labels):
        rows = np.repeat(np.array(labels, np.uint8)[:, None], 3072, axis=1)
        return {"data": rows, "labels": list(labels)}

    monkeypatch.setattr(kind, "train_list", [write(f"data_batch_{n}", batch(range(10))) for n in range(1, 6)])
    monkeypatch.setattr(kind, "test_list", [write("test_batch", batch(range(10)))])
    file, md5 = write("batches.meta", {"label_names": ALPHABETICAL})
    monkeypatch.setattr(kind, "meta", {"filename": file, "key": "label_names", "md5": md5})


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_idx_files_of_the_offline_folder_are_read(root, name, folder):
    write_mnist(root / folder / "raw")
    images = load(name)
    assert images.images.shape == (50, 1, 28, 28)
    assert images.labels.tolist() == images.images[:, 0, 5, 5].tolist()
    assert images.test.tolist() == list(range(30, 50))
    assert len(images.classes) == 10
    assert "torchvision" in images.source


@pytest.mark.parametrize("size", [0, 3, 10, 500])
def test_a_truncated_file_is_named(root, size):
    write_mnist(root / "MNIST/raw")
    path = root / "MNIST/raw/t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"mnist: .*t10k-images-idx3-ubyte is no whole IDX file"):
        load("mnist")


def test_a_missing_file_is_named(root):
    write_mnist(root / "MNIST/raw")
    (root / "MNIST/raw/train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="train-labels-idx1-ubyte is missing"):
        load("mnist")


def test_images_and_labels_of_different_number_are_refused(root):
    write_mnist(root / "MNIST/raw")
    write_idx(root / "MNIST/raw/t10k-labels-idx1-ubyte", np.zeros(19, np.uint8))
    with pytest.raises(DataError, match=r"found 20 images and 19 labels in .*t10k"):
        load("mnist")


def test_batches_of_the_offline_folder_are_read(root, monkeypatch):
    write_cifar(monkeypatch, root)
    images = load("cifar10")
    assert images.images.shape == (60, 3, 32, 32)
    assert images.labels.tolist() == images.images[:, 2, 5, 5].tolist()
    assert images.test.tolist() == list(range(50, 60))


def test_every_batch_that_is_not_the_published_one_is_named(root, monkeypatch):
    write_cifar(monkeypatch, root)
    (root / "cifar-10-batches-py/data_batch_2").write_bytes(b"half")
    (root / "cifar-10-batches-py/test_batch").unlink()
    with pytest.raises(DataError, match=r"published checksum: .*data_batch_2, .*test_batch; delete"):
        load("cifar10")


def test_cifar_may_lie_as_images(root):
    fill(root / "cifar10/train", ALPHABETICAL, count=2, size=(32, 32))
    fill(root / "cifar10/test", ALPHABETICAL, count=1, size=(32, 32))
    images = load("cifar10")
    assert list(images.classes) == ALPHABETICAL
    assert len(images.test) == 10


def test_images_under_the_name_of_cifar_must_be_like_it(root):
    fill(root / "cifar10", ("cat", "dog"), size=(32, 32))
    with pytest.raises(DataError, match=r"cifar10: .* in 2 classes, expected .* in 10"):
        load("cifar10")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "cifar100"])
def test_a_failed_download_says_where_it_looked_and_leaves_nothing(root, name):
    with pytest.raises(DataError) as caught:
        load(name)
    message = str(caught.value)
    assert message.startswith(f"{name}: found no ")
    assert all(part in message for part in (str(root), SETTING, "there is no network here"))
    assert not list(root.iterdir())


def test_an_interrupted_download_leaves_nothing(root, monkeypatch):
    def download(self):
        os.makedirs(self.raw_folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(torchvision.datasets.MNIST, "download", download)
    with pytest.raises(KeyboardInterrupt):
        load("mnist")
    assert not list(root.iterdir())


def test_a_download_takes_its_place_when_it_is_whole(tmp_path, monkeypatch):
    def download(self):
        assert not (tmp_path / "results/downloads/MNIST").exists()
        write_mnist(type(tmp_path)(self.raw_folder))

    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torchvision.datasets.MNIST, "download", download)
    assert len(load("mnist").labels) == 50
    assert [path.name for path in (tmp_path / "results/downloads").iterdir()] == ["MNIST"]
    monkeypatch.delattr(torchvision.datasets.MNIST, "download")
    assert len(load("mnist").labels) == 50, "the second time nothing is downloaded"


def test_what_a_killed_download_left_goes_and_what_is_being_downloaded_stays(tmp_path, monkeypatch):
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        torchvision.datasets.MNIST, "download", lambda self: write_mnist(type(tmp_path)(self.raw_folder))
    )
    killed, living, other = (tmp_path / "results/downloads" / name for name in (".mnist-a", ".mnist-b", ".cifar10-c"))
    for folder in (killed, living, other):
        folder.mkdir(parents=True)
        (folder / "lock").touch()
    with hold(living / "lock", what="the download"):
        load("mnist")
    assert not killed.exists()
    assert living.exists()
    assert other.exists()


def test_a_setting_that_names_no_folder_starts_no_download(tmp_path, monkeypatch):
    monkeypatch.setenv(SETTING, str(tmp_path / "typo"))
    with pytest.raises(DataError, match=f"{SETTING}: found .*typo', expected a folder that is there"):
        load("mnist")
