"""Labelled images in memory."""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ablation.data.folders import readable


@dataclass(frozen=True)
class Images:
    """Labelled images.

    Attributes
    ----------
    images : numpy.ndarray
        uint8 (n, channels, height, width).
    labels : numpy.ndarray
        int64 (n,), from 0.
    test : numpy.ndarray or None
        Positions of the official test images; None where there is no official test set.
    classes : tuple of str
        The name of each label.
    source : str
        Where they were read and with what, for people.
    files : tuple of str or None
        The file of each image; None where images have no files of their own.
    """

    images: np.ndarray
    labels: np.ndarray
    test: np.ndarray | None
    classes: tuple[str, ...]
    source: str
    files: tuple[str, ...] | None = None

    @cached_property
    def identity(self) -> np.ndarray:
        """The position of the first image with the same pixels, for each: int64 (n,)."""
        first: dict[bytes, int] = {}
        digests = in_threads(_digest_pixels, self.images)
        return np.array([first.setdefault(found, position) for position, found in enumerate(digests)], np.int64)

    def name(self, position: int) -> str:
        """Return what people call the image at a position: its file if it has one."""
        return readable(self.files[position]) if self.files else f"image {position}"


def _digest_pixels(image: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).digest()


def in_threads(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Map items in threads, in order: Pillow decodes and resizes outside of Python's lock."""
    # On a cluster, a job has fewer processors than the machine.
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # In chunks: to hand a small image to a thread costs more than to read it.
    size = max(1, len(items) // (8 * count))
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    with ThreadPoolExecutor(count) as pool:
        return [
            result for results in pool.map(lambda chunk: [work(item) for item in chunk], chunks) for result in results
        ]


def resize(images: np.ndarray, side: int) -> np.ndarray:
    """Resize images to squares.

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (n, channels, height, width), of one channel or three.
    side : int
        Pixels.

    Returns
    -------
    numpy.ndarray
        uint8 (n, channels, side, side): bilinear, with antialiasing where it shrinks, as torchvision's ``Resize`` does
        it with Pillow's images. Images of that size already are returned as they are.
    """
    from PIL import Image

    if images.shape[2:] == (side, side):
        return images
    resized = np.empty((*images.shape[:2], side, side), np.uint8)

    def resize_channel(place: tuple[int, int]) -> None:
        # Channel by channel: the filter does not mix them, and each is an image that Pillow takes without copying.
        resized[place] = Image.fromarray(images[place]).resize((side, side), Image.Resampling.BILINEAR)

    in_threads(resize_channel, list(np.ndindex(images.shape[:2])))
    return resized
