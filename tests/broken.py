"""Small architectures for the checks: one that is sound, and others that are each wrong in one way."""

from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from ablation.networks.heads import GlobalAverage
from ablation.networks.norms import BatchNorm
from ablation.networks.stack import Stack


def sound(input_shape, classes, layers, *, width):
    body = Stack(input_shape)
    body.add("stem", layers.conv_norm_activation(body.channels, width))
    body.add("head", layers.classify(body.shape, classes))
    return body.network()


class Wrapper(nn.Module):
    """The sound network, for a module to do something wrong with."""

    def __init__(self, *arguments, width):
        super().__init__()
        self.body = sound(*arguments, width=width)

    def forward(self, x):
        return self.body(x)


class Dead(Wrapper):
    def __init__(self, *arguments, width):
        super().__init__(*arguments, width=width)
        self.unused = nn.Linear(2, 2)


class Infinite(Wrapper):
    def forward(self, x):
        return self.body(x) + 0 * (0 * self.body.stem.conv.weight).abs().sqrt().sum()


class Overflowing(Wrapper):
    def forward(self, x):
        return self.body(x) / (1 if self.training else 0)


class Cut(Wrapper):
    def forward(self, x):
        return self.body(x).detach()


class Exploding(Wrapper):
    def forward(self, x):
        return 1e20 * self.body(x)


def narrow(input_shape, classes, layers, *, width):
    return sound(input_shape, classes, layers, width=2)


def deaf(input_shape, classes, layers, *, width):
    return sound(input_shape, classes, replace(layers, activation=nn.ReLU), width=width)


def wider(input_shape, classes, layers, *, width):
    return sound(input_shape, classes, layers, width=width + (layers.activation is nn.Tanh))


class Shifted(BatchNorm):
    def __init__(self, start):
        self.start = start
        super().__init__(1)

    def reset_parameters(self):
        super().reset_parameters()
        nn.init.constant_(self.weight, self.start)


def moving(input_shape, classes, layers, *, width):
    return nn.Sequential(Shifted(1 / width), sound((1, *input_shape[1:]), classes, layers, width=width))


def maps(input_shape, classes, layers, *, width):
    return nn.Sequential(sound(input_shape, classes, layers, width=width), nn.Unflatten(1, (classes, 1, 1)))


class Pair(Wrapper):
    def forward(self, x):
        return self.body(x), self.body(x)


def formula(input_shape, classes, layers, *, width):
    return lambda images: images


def raising(input_shape, classes, layers, *, width):
    raise ValueError(f"no padding is known\nfor {width} channels")


class Cramped(Wrapper):
    def forward(self, x):
        if x.shape[-1] < 16:
            raise ValueError("nothing is left of the maps")
        return self.body(x)


class Untyped(Wrapper):
    def __init__(self, *arguments, width):
        super().__init__(*arguments, width=width)
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.gain * self.body(x)


class Alike(nn.Module):
    """Nothing in it is affine, so that all initialisations are the same."""

    def __init__(self, input_shape, classes, layers, *, width):
        super().__init__()
        self.norm, self.average = BatchNorm(input_shape[0]), GlobalAverage()
        self.register_buffer("sizes", torch.arange(1.0, classes + 1))

    def forward(self, x):
        return self.average(self.norm(x) ** 2).mean(1, keepdim=True) * self.sizes


class Drawn(Wrapper):
    def __init__(self, *arguments, width):
        super().__init__(*arguments, width=width)
        self.register_buffer("noise", torch.randn(1))

    def forward(self, x):
        return self.body(x + self.noise)


class Forgetful(Wrapper):
    """What it has learned of the images lies in a plain attribute, which no state holds."""

    mean = torch.zeros(())

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean()
        return self.body(x - self.mean)


class Restless(Wrapper):
    def forward(self, x):
        return functional.dropout(self.body(x), 0.5)


class Counting(Wrapper):
    def __init__(self, *arguments, width):
        super().__init__(*arguments, width=width)
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x):
        self.passes += 1
        return self.body(x)


class Comparing(Wrapper):
    def forward(self, x):
        return self.body(x - x.mean(0))


class Random(Wrapper):
    """What it draws in training comes from a generator of its own, which goes on from one network to the next."""

    generator = torch.Generator().manual_seed(0)

    def forward(self, x):
        return self.body(x + torch.rand(1, generator=self.generator) if self.training else x)


def biased(input_shape, classes, layers, *, width):
    return sound(input_shape, classes, replace(layers, bias=True), width=width)


class Unbiased(Wrapper):
    def __init__(self, *arguments, width):
        super().__init__(*arguments, width=width)
        self.body.stem.conv.register_parameter("bias", None)


class ShiftingNorm(nn.Module):
    """A sound norm that is none of torch's: a gain and a shift."""

    def __init__(self, channels, epsilon):
        super().__init__()
        self.gain, self.shift = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def reset_parameters(self):
        nn.init.ones_(self.gain)
        nn.init.zeros_(self.shift)

    def forward(self, x):
        each = (-1, *[1] * (x.dim() - 2))
        return x / x.std() * self.gain.view(each) + self.shift.view(each)


class Unlisted(Wrapper):
    def forward(self, x):
        features = self.body.head.average(self.body.stem(x))
        return functional.linear(features, self.body.head.classifier.weight, self.body.head.classifier.bias)


def planned(input_shape, classes, layers, *, plan):
    return sound(input_shape, classes, layers, width=4)


def rated(input_shape, classes, layers, *, lr):
    return sound(input_shape, classes, layers, width=lr)


# A file of parts whose norm cannot be built, for studies of which one network is to fail by itself.
LATE = """
import torch

LEVELS = {"norm": {"late": {"make": "Late", "text": "A norm that needs a file.", "shifts": False}}}


class Late(torch.nn.Module):
    def __init__(self, channels, epsilon):
        raise RuntimeError("found no file")
"""
