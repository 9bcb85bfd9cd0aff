"""How images and weights lie in memory: by channels first (contiguous), or with the channels of a pixel side by side."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ablation.support.references import is_own

Layout = torch.memory_format


def choose_layout(spec: Mapping[str, Any]) -> Layout:
    """Return the memory layout that a run is trained in; it follows from the spec alone, so that records do.

    Channels last, in which most networks are 1.05 to 1.6 times as fast on a CPU, and only LeNet and ResNet with local
    response normalisation a tenth slower. Code of the author's own may call ``view`` on what it gets, which torch refuses
    of images that lie otherwise than their shape says: what sees images of such a run lies by channels first.

    Parameters
    ----------
    spec : mapping
        As `ablation.study.plan.Plan.spec` states it.
    """
    return torch.contiguous_format if any(map(is_own, seeing_images(spec))) else torch.channels_last


def seeing_images(spec: Mapping[str, Any]) -> Iterator[str]:
    """List the references to what images and maps pass through."""
    yield spec["architecture"]["builder"]
    yield from (level["make"] for level in spec["architecture"]["layers"].values())
    yield from (reference for reference, _ in spec["code"]["augmentation"])


def arrange(images: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Return images (n, channels, height, width) in a layout; those that lie so already are not copied.

    Of one channel or one pixel a side, the same memory can have the strides of both layouts. Torch chooses its kernels by
    the strides, and with them the bits, so these are always those of the layout.
    """
    _, channels, height, width = images.shape
    size = channels * height * width
    last = layout == torch.channels_last
    strides = (size, 1, width * channels, channels) if last else (size, height * width, width, 1)
    return images.contiguous(memory_format=layout).as_strided(images.shape, strides)


def gather(images: torch.Tensor, chosen: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Copy the chosen (k,) of arranged images into a batch of the same layout, in one pass over whole images."""
    if layout == torch.contiguous_format:
        return images.index_select(0, chosen)
    return images.permute(0, 2, 3, 1).index_select(0, chosen).permute(0, 3, 1, 2)
