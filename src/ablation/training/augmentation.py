"""Augmentations: what happens to each training image, with a draw of its own."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

from ablation.support.references import resolve


def crop(images: torch.Tensor, pixels: int, generator: torch.Generator) -> torch.Tensor:
    """Pad each image by `pixels` on every side with zeros and crop it back at random (He et al. 2015, 4.2).

    Zero is the mean colour of standardised images; of others, black.
    """
    return _cut(functional.pad(images, (pixels,) * 4), images.shape, pixels, generator)


def translate(images: torch.Tensor, pixels: int, generator: torch.Generator) -> torch.Tensor:
    """Pad each image by `pixels` on every side with its own mirror and crop it back at random (Jordan 2024).

    As in airbench (arXiv:2404.00498): it shifts as `crop` does, with the same draws, but no edge of a foreign colour
    comes in. The mirror leaves out the outermost row or column itself, so `pixels` is less than the side of the image.
    """
    return _cut(functional.pad(images, (pixels,) * 4, mode="reflect"), images.shape, pixels, generator)


def _cut(padded: torch.Tensor, shape: torch.Size, pixels: int, generator: torch.Generator) -> torch.Tensor:
    """Cut a window of `shape` out of each image that is padded by `pixels`, with its own draw of the place."""
    count, channels, height, width = shape
    top, left = torch.randint(0, 2 * pixels + 1, (2, count), generator=generator, device=padded.device)
    by_pixel = padded.permute(0, 2, 3, 1).contiguous()  # as images lie with channels last
    # A view of all windows of each image: from each, one is copied whole.
    image, row, column, channel = by_pixel.stride()
    places = (count, 2 * pixels + 1, 2 * pixels + 1)
    windows = by_pixel.as_strided((*places, height, width, channels), (image, row, column, row, column, channel))
    return windows[torch.arange(count, device=padded.device), top, left].permute(0, 3, 1, 2)


def flip(images: torch.Tensor, _: int, generator: torch.Generator) -> torch.Tensor:
    """Mirror each image left to right with probability one half."""
    mirrored = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < 0.5
    return torch.where(mirrored, images.flip(-1), images)


def cutout(images: torch.Tensor, pixels: int, generator: torch.Generator) -> torch.Tensor:
    """Set a square of `pixels` a side, centred anywhere, to zero, as `crop` pads (DeVries and Taylor 2017)."""
    count, _, height, width = images.shape
    centre = torch.rand(2, count, 1, generator=generator, device=images.device)

    def inside(centre: torch.Tensor, side: int) -> torch.Tensor:
        start = (centre * side).floor() - pixels // 2
        place = torch.arange(side, device=images.device)
        return (place >= start) & (place < start + pixels)

    square = inside(centre[0], height)[:, None, :, None] & inside(centre[1], width)[:, None, None, :]
    return images.masked_fill(square, 0)


def colour(images: torch.Tensor, percent: int, generator: torch.Generator) -> torch.Tensor:
    """Change brightness, contrast and saturation of each image, in this order, by up to `percent` per cent each.

    After torchvision's ``ColorJitter``, but on normalised images, which know no black and no white: with three draws
    from the uniform distribution between -percent / 100 and +percent / 100,

    - brightness adds the first to every pixel (the unit is a standard deviation of the training pixels),
    - contrast multiplies the distance of every pixel from the mean of its channel over the image by 1 + the second,
    - saturation multiplies the distance of every pixel from its mean over the channels by 1 + the third, which leaves
      images of one channel as they are.

    Nothing is cut off at the ends of the scale.
    """
    draws = torch.rand(3, len(images), 1, 1, 1, generator=generator, device=images.device)
    brightness, contrast, saturation = (2 * draws - 1) * (percent / 100)
    middle = images.mean((2, 3), keepdim=True)
    images = images + brightness + contrast * (images - middle)
    return images + saturation * (images - images.mean(1, keepdim=True))


def make_augmentation(steps: Sequence[Sequence[Any]]) -> Callable[[torch.Tensor, torch.Generator], torch.Tensor]:
    """Make the augmentation that the spec of a run states.

    Parameters
    ----------
    steps : sequence of (str, int)
        Reference and amount (pixels or per cent) of each, in their order.

    Returns
    -------
    callable
        Maps images (batch, channels, height, width), as the network takes them, and a generator on their device to
        images of the same shape; every image has its own draw.
    """
    made = [(resolve(reference), amount) for reference, amount in steps]

    def augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        for step, amount in made:
            images = step(images, amount, generator)
        return images

    return augment
