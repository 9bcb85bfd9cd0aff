"""What images must be, before anything is made of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ablation.catalogue.sources import LEAST_SIDE, DataError
from ablation.data.folders import readable
from ablation.data.images import Images


def called(data: Mapping[str, Any]) -> str:
    """Return what messages call a data set: its name, or its folder if that is the user's own."""
    return readable(data["folder"] or data["name"])


def check_images(images: Any, name: str) -> None:
    """Refuse what a reader returned if it is no set of labelled images, as `Images` describes them.

    Raises
    ------
    DataError
        With what was found and what was expected.
    """
    if not isinstance(images, Images):
        raise DataError(f"{name}: found {type(images).__name__}, expected ablation.data.images.Images")
    pixels, labels, test = images.images, images.labels, images.test
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 4:
        raise DataError(f"{name}: found images {_form(pixels)}, expected uint8 (images, channels, height, width)")
    problems, count = [], len(pixels)
    if not pixels.size:
        problems.append(f"images {_form(pixels)}, expected one or more")
    elif min(pixels.shape[2:]) < LEAST_SIDE:
        problems.append(f"images {_form(pixels)}, expected {LEAST_SIDE} or more pixels a side")
    if not isinstance(labels, np.ndarray) or labels.dtype != np.int64 or labels.shape != (count,):
        problems.append(f"labels {_form(labels)}, expected int64 ({count},)")
    elif count and not 0 <= labels.min() <= labels.max() < len(images.classes):
        problems.append(
            f"labels from {labels.min()} to {labels.max()}, expected them within {len(images.classes)} classes"
        )
    if len(images.classes) < 2:
        problems.append(f"the classes {images.classes}, expected two or more")
    if test is not None and not _are_positions(test, count):
        problems.append(f"test {_form(test)}, expected positions of images, each once, and one at least")
    if images.files is not None and len(images.files) != count:
        problems.append(f"{len(images.files)} files, expected {count}")
    if problems:
        raise DataError(f"{name}: found {'; found '.join(problems)} ({images.source})")


def _form(found: Any) -> str:
    return f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__


def _are_positions(found: Any, count: int) -> bool:
    if not isinstance(found, np.ndarray) or not np.issubdtype(found.dtype, np.integer) or found.ndim != 1:
        return False
    return len(found) > 0 and len(np.unique(found)) == len(found) and 0 <= found.min() <= found.max() < count


def check_test(images: Images, test: np.ndarray, others: np.ndarray, name: str) -> None:
    """Refuse test images of which each is among the others, too: what they measure is no generalisation.

    Parameters
    ----------
    images : Images
    test, others : numpy.ndarray
        Positions of the test images, and of those that training and validation images are taken from.
    name : str
        Of the data set.
    """
    if np.isin(images.identity[test], images.identity[others]).all():
        first = test[0]
        twin = others[images.identity[others] == images.identity[first]][0]
        raise DataError(
            f"{name}: every one of the {len(test)} test images is among the images for training, too (such as "
            f"{images.name(first)} = {images.name(twin)}), expected others"
        )


def check_shades(mean: np.ndarray, std: np.ndarray, count: int, name: str) -> None:
    """Refuse to standardise a channel that has one single shade: to divide by its deviation, 0, gives no number.

    Parameters
    ----------
    mean, std : numpy.ndarray
        (channels,), in [0, 1], of the training images.
    count : int
        How many they are.
    name : str
        Of the data set.
    """
    constant = [
        f"channel {position + 1} (shade {round(255 * mean[position])})" for position in np.flatnonzero(std == 0)
    ]
    if constant:
        raise DataError(
            f"{name}: found one single shade in {', '.join(constant)} of {len(std)} in all {count} training images, which "
            "cannot be standardised, for its deviation is 0; state data.standardised: false, or use images without it"
        )
