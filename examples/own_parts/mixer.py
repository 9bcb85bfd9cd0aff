"""An MLP-Mixer for small images, with a norm, a metric, an augmentation and a data set of its own.

Tolstikhin et al. 2021, "MLP-Mixer: an all-MLP architecture for vision", arXiv:2105.01601, figure 1. The tables are read
without running this file, so they hold literals alone and name code by its name.
"""

from math import prod

import numpy as np
import torch
from torch import nn

from ablation.data.images import Images

ARCHITECTURES = {
    "mixer": {
        "builder": "mixer",
        "text": "MLP-Mixer (Tolstikhin et al. 2021): dense layers mix patches and channels in turn; no dropout.",
        "layers": {"activation": "gelu", "norm": "layer", "output": "logits", "initialisation": "default"},
        "arguments": {
            "patch": {"reference": 2, "text": "Side of a patch in pixels; what no whole patch covers is left out."},
            "width": {"reference": 32, "text": "Channels of a patch (table 1: C); even.", "scales": True},
            "depth": {"reference": 2, "text": "Number of blocks."},
            "mixing": {
                "reference": "both",
                "choices": ("both", "channels", "patches"),
                "text": "What a block mixes: with `channels` alone, no patch sees another before the average.",
            },
        },
        "small": {"patch": 4, "width": 8, "depth": 1},
    },
}
LEVELS = {
    "norm": {
        "rms": {
            "make": "RootMeanSquare",
            "text": "Divide each pixel by the root mean square of its channels (Zhang and Sennrich 2019, equation 4).",
            "shifts": False,
        },
    },
}
METRICS = {
    "worst_class": {
        "label": "accuracy of the worst class",
        "unit": "%",
        "scale": 100,
        "digits": 1,
        "compute": "worst_class",
        "diverged": "chance",
    },
}
AUGMENTATIONS = {
    "noise": {"make": "noise", "text": "add normal noise of 10 per cent of a standard deviation", "example": 10},
}
DATA_SETS = {"stripes": {"reader": "read_stripes", "shape": (1, 8, 8), "classes": 2}}


class Mixing(nn.Module):
    """Mix the channels of each patch, or the patches of each channel, by two dense layers around a shortcut."""

    def __init__(self, layers, channels, features, hidden, along):
        super().__init__()
        self.along = along  # the axis that is mixed: 1 for channels, 2 for patches
        self.norm = layers.norm(channels, layers.epsilon)
        self.inner = nn.Linear(features, hidden)
        self.activation = layers.activation()
        self.outer = nn.Linear(hidden, features)

    def forward(self, x):
        """Map (batch, channels, rows, columns) to the same shape."""
        table = self.norm(x).flatten(2).transpose(self.along, 2)
        mixed = self.outer(self.activation(self.inner(table)))
        return x + mixed.transpose(self.along, 2).view_as(x)


def mixer(input_shape, classes, layers, *, patch, width, depth, mixing):
    """Build a Mixer; the hidden layers are half and four times as wide as a patch has channels (table 1)."""
    patches = prod(side // patch for side in input_shape[1:])
    # Its bias would be taken away again by the norms after it, if they shift: `layers.bias` knows.
    network = nn.Sequential()
    network.patches = layers.conv2d(input_shape[0], width, patch, stride=patch, padding=0, bias=layers.bias)
    for block in range(1, depth + 1):
        if mixing != "channels":
            network.add_module(f"patches{block}", Mixing(layers, width, patches, width // 2, along=2))
        if mixing != "patches":
            network.add_module(f"channels{block}", Mixing(layers, width, width, 4 * width, along=1))
    network.norm = layers.norm(width, layers.epsilon)
    network.average = nn.AdaptiveAvgPool2d(1)
    network.flatten = nn.Flatten()
    network.classifier = nn.Linear(width, classes)
    network.output = layers.output()
    return network


class RootMeanSquare(nn.Module):
    """RMSNorm: a gain and no shift."""

    def __init__(self, channels, epsilon):
        super().__init__()
        self.gain, self.epsilon = nn.Parameter(torch.ones(channels)), epsilon

    def reset_parameters(self):
        """Start as the identity; layers that are neither convolutions nor dense say so themselves."""
        nn.init.ones_(self.gain)

    def forward(self, x):
        """Map images (batch, channels, height, width) or vectors (batch, channels) to the same shape."""
        scale = x.square().mean(1, keepdim=True).add(self.epsilon).rsqrt()
        return x * scale * self.gain.view(-1, *[1] * (x.dim() - 2))


def worst_class(record, study):
    """Return the accuracy on the class that the network knows least; that of a run that diverged is stated in the table."""
    predictions = record["predictions"]
    return min(predictions.correct[predictions.labels == label].mean() for label in np.unique(predictions.labels))


def noise(images, percent, generator):
    """Add normal noise; images are standardised, so that a standard deviation is 1."""
    draw = torch.randn(images.shape, generator=generator, device=images.device)
    return images + percent / 100 * draw


def read_stripes(data, downloads):
    """Draw 400 images of stripes, upright or lying, in noise; `Images` says what a reader returns."""
    random, labels = np.random.default_rng(0), np.arange(400) % 2
    bright = (np.arange(8) + random.integers(4, size=(400, 1))) % 4 < 2  # columns two by two, from anywhere on
    shades = (200 * bright[:, None, :] + random.integers(56, size=(400, 8, 8))).astype(np.uint8)
    images = np.where(labels[:, None, None] == 1, shades.transpose(0, 2, 1), shades)
    return Images(images[:, None], labels, None, ("upright", "lying"), "drawn")
