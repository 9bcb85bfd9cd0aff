"""Data sets that torchvision downloads and checks: MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100."""

import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ablation.catalogue.sources import DataError
from ablation.data.imagefolders import read_folder
from ablation.data.images import Images
from ablation.support.locks import CannotLockError, hold, is_held

SETTING = "ABLATION_DATA"
LOCK = "lock"  # in the folder of a download, held by its process
TIMEOUT = 30.0  # seconds without a byte, after which a host counts as unreachable
DATASET_CLASSES = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100"}
PLACES = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "cifar10": "cifar-10-batches-py",
    "cifar100": "cifar-100-python",
}


def raw_folder(downloads: Path) -> Path:
    """Return where the raw files of data sets lie: the folder of the setting ``ABLATION_DATA``, or that of downloads.

    Raises
    ------
    DataError
        If the setting names no folder: a typing error must not start a download.
    """
    stated = os.environ.get(SETTING)
    if stated and not Path(stated).is_dir():
        raise DataError(f"{SETTING}: found {stated!r}, expected a folder that is there")
    return Path(stated or downloads)


def clear_interrupted(name: str, root: Path) -> None:
    """Delete what killed processes have downloaded of a data set: whoever downloads holds a lock within its folder."""
    for folder in root.glob(f".{name}-*"):
        if (folder / LOCK).is_file() and not is_held(folder / LOCK, unknown=True):
            shutil.rmtree(folder, ignore_errors=True)


def fetch(name: str, root: Path) -> None:
    """Download a data set to a temporary folder, and move it to its place once torchvision has checked it.

    Raises
    ------
    DataError
        If that fails; nothing is left behind.
    """
    from torchvision import datasets

    previous_timeout, aside, locked = socket.getdefaulttimeout(), None, ExitStack()
    try:
        socket.setdefaulttimeout(TIMEOUT)  # torchvision sets none, and would wait forever for a silent firewall
        root.mkdir(parents=True, exist_ok=True)
        clear_interrupted(name, root)
        aside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
        with suppress(CannotLockError):  # then nobody can tell, and what a kill leaves stays
            locked.enter_context(hold(aside / LOCK, what=f"the download of {name}"))
        getattr(datasets, DATASET_CLASSES[name])(aside, download=True)
        os.sync()  # the files before their name: a power cut must not leave a name whose files are incomplete
        if not (root / PLACES[name]).exists():  # another process may have been faster
            os.rename(aside / PLACES[name], root / PLACES[name])
    except Exception as error:  # whatever a network, a mirror or a full disk answers
        raise DataError(
            f"{name}: found no {PLACES[name]} in {root}, and the download failed: {error}\n"
            f"Put the files there, or name a folder that has them by the environment variable {SETTING}."
        ) from None
    finally:
        socket.setdefaulttimeout(previous_timeout)
        locked.close()
        if aside:
            shutil.rmtree(aside, ignore_errors=True)


def _read_idx(name: str, raw: Path) -> Images:
    """Read the four files that MNIST and Fashion-MNIST consist of (LeCun et al. 1998; Xiao et al. 2017)."""
    import torchvision
    from torchvision.datasets.mnist import read_image_file, read_label_file

    def read(file: str, reader: Any) -> np.ndarray:
        # Only the downloads have checksums: these files may be the user's own, and torchvision only checks that they exist.
        try:
            return reader(str(raw / file)).numpy()
        except FileNotFoundError:
            raise DataError(f"{name}: {raw / file} is missing; {_hint(raw.parent)}") from None
        except Exception as error:  # torchvision asserts, indexes and views
            reason = str(error) or type(error).__name__
            raise DataError(f"{name}: {raw / file} is no whole IDX file ({reason}); {_hint(raw.parent)}") from None

    images = {part: read(f"{part}-images-idx3-ubyte", read_image_file) for part in ("train", "t10k")}
    labels = {part: read(f"{part}-labels-idx1-ubyte", read_label_file) for part in ("train", "t10k")}
    for part in images:
        if len(images[part]) != len(labels[part]):
            counts = f"{len(images[part])} images and {len(labels[part])} labels"
            raise DataError(f"{name}: found {counts} in {raw}/{part}-*, expected as many; {_hint(raw.parent)}")
    train = len(labels["train"])
    return Images(
        np.concatenate(list(images.values()))[:, None],
        np.concatenate(list(labels.values())).astype(np.int64),
        np.arange(train, train + len(labels["t10k"])),
        tuple(getattr(torchvision.datasets, DATASET_CLASSES[name]).classes),
        f"{raw}, read by torchvision {torchvision.__version__}",
    )


def _read_batches(name: str, place: Path) -> Images:
    """Read the files that CIFAR-10 and CIFAR-100 consist of (Krizhevsky 2009)."""
    import torchvision
    from torchvision.datasets.utils import check_integrity

    kind = getattr(torchvision.datasets, DATASET_CLASSES[name])
    expected = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
    wrong = [str(place / file) for file, md5 in expected if not check_integrity(place / file, md5)]
    if wrong:
        raise DataError(f"{name}: missing, or not with the published checksum: {', '.join(wrong)}; {_hint(place)}")
    train, test = (kind(place.parent, train=part) for part in (True, False))
    return Images(
        np.concatenate([train.data, test.data]).transpose(0, 3, 1, 2),
        np.array(train.targets + test.targets, np.int64),
        np.arange(len(train.targets), len(train.targets) + len(test.targets)),
        tuple(train.classes),
        f"{place}, read by torchvision {torchvision.__version__}",
    )


def _hint(place: Path) -> str:
    return f"delete {place} to download it anew, or set {SETTING} to a folder that has it whole"


def read_mnist(data: Mapping[str, Any], downloads: Path) -> Images:
    """Read MNIST or Fashion-MNIST, downloaded if need be."""
    root, name = raw_folder(downloads), data["name"]
    if not (root / PLACES[name]).exists():
        fetch(name, root)
    return _read_idx(name, root / PLACES[name] / "raw")


def read_cifar(data: Mapping[str, Any], downloads: Path) -> Images:
    """Read CIFAR-10 or CIFAR-100, downloaded if need be, or from a folder of images of its name.

    The names of the classes are in alphabetical order in the original files, too, so the labels are the same.
    """
    root, name = raw_folder(downloads), data["name"]
    if not (root / PLACES[name]).exists():
        if (root / name).is_dir():
            return read_folder(root / name)
        fetch(name, root)
    return _read_batches(name, root / PLACES[name])
