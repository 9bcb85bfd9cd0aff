"""Folders of images for the tests."""

import numpy as np
from PIL import Image


def shade(label, place):
    return 20 * label + place


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def fill(folder, classes=("cat", "dog", "bee"), count=5, size=(8, 8), channels=3):
    """Write images of one shade each: its class by name, and its place."""
    for label, name in enumerate(sorted(classes)):
        for place in range(count):
            pixels = np.full((*size, channels) if channels > 1 else size, shade(label, place), np.uint8)
            save(folder / name / f"{place}.png", pixels)
    return folder
