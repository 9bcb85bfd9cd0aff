"""Heads: from feature maps to logits."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ablation.networks.protocols import LayerKit


class GlobalAverage(nn.Module):
    """Average each channel over its pixels (Lin, Chen and Yan 2014, section 3.2)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, height, width) to (batch, channels)."""
        return x.mean(dim=(2, 3))


class Detached(nn.Linear):
    """Compute with weights that never learn. A mistake of the study notes (001), whose layer reads `weight.data`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, in_features) to (batch, out_features)."""
        return nn.functional.linear(x, self.weight.detach(), None if self.bias is None else self.bias.detach())


def gap(
    shape: tuple[int, int, int], classes: int, layers: LayerKit, hidden: Sequence[int] = (), dropout: float = 0.0
) -> nn.Module:
    """Average the maps and classify the averages; no hidden layers (Lin, Chen and Yan 2014, section 3.2)."""
    return nn.Sequential(
        OrderedDict(
            average=GlobalAverage(),
            dropout=layers.dropout(dropout),
            classifier=nn.Linear(shape[0], classes),
            output=layers.output(),
        )
    )


def dense(
    shape: tuple[int, int, int], classes: int, layers: LayerKit, hidden: Sequence[int] = (), dropout: float = 0.0
) -> nn.Module:
    """Flatten the maps and pass them through dense layers, each with its dropout (`Layers.dropout_first` says where).

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the maps.
    classes : int
        Number of outputs.
    layers : Layers
    hidden : sequence of int
        Units of the hidden layers; without any, the maps are classified directly, after the dropout.
    dropout : float
        Share of the units dropped in training.
    """
    channels, height, width = shape
    features = channels * height * width
    head = OrderedDict(flatten=nn.Flatten())
    if not hidden:
        head["dropout"] = layers.dropout(dropout)
    for position, units in enumerate(hidden, 1):
        pair = {f"dense{position}": layers.dense(features, units), f"dropout{position}": layers.dropout(dropout)}
        head.update(reversed(pair.items()) if layers.dropout_first else pair)
        features = units
    return nn.Sequential(head | OrderedDict(classifier=nn.Linear(features, classes), output=layers.output()))


class Supervised(nn.Module):
    """A network with auxiliary classifiers on maps in its middle (Szegedy et al. 2015, section 5).

    Parameters
    ----------
    body : torch.nn.Sequential
        From images to logits.
    auxiliary : mapping of str to torch.nn.Module
        From the maps after the layer of that name to logits; may be empty.
    """

    def __init__(self, body: nn.Sequential, auxiliary: Mapping[str, nn.Module]):
        super().__init__()
        self.body, self.auxiliary = body, nn.ModuleDict(auxiliary)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Return logits (batch, classes); in training, if there are auxiliary classifiers, theirs after the network's."""
        extra = []
        for name, layer in self.body.named_children():
            x = layer(x)
            if self.training and name in self.auxiliary:
                extra.append(self.auxiliary[name](x))
        return (x, *extra) if extra else x
