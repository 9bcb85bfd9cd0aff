"""Initialisation: applied after building, each parameter from a stream of its own.

A level of the factor `initialisation` is a function ``level(layer, weight_stream, bias_stream)`` that fills an affine
layer in place. Norms start as the identity whatever the level.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import nn

from ablation.networks.randomness import stream

Affine = nn.Conv2d | nn.Linear


def parts(layer: Affine) -> tuple[torch.Tensor, ...]:
    """Return the weights of each group of a convolution, as views; those of any other layer in one.

    Groups are convolutions side by side, each on its own channels (Krizhevsky, Sutskever and Hinton 2012, section 3.5): an
    input reaches the outputs of its group alone, so that fan-out and orthogonality are those of a group.
    """
    return layer.weight.chunk(layer.groups if isinstance(layer, nn.Conv2d) else 1)


def fill_bias(layer: Affine, generator: torch.Generator) -> None:
    """Draw the bias uniformly within one over the root of the fan-in, as torch does."""
    if layer.bias is not None:
        bound = 1 / math.sqrt(layer.weight[0].numel())
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)


def clear_bias(layer: Affine) -> None:
    """Set the bias to zero."""
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def default(layer: Affine, weight_stream: torch.Generator, bias_stream: torch.Generator) -> None:
    """Initialise as torch does: weights and bias uniform within one over the root of the fan-in."""
    nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=weight_stream)
    fill_bias(layer, bias_stream)


def xavier(layer: Affine, weight_stream: torch.Generator, bias_stream: torch.Generator) -> None:
    """Glorot and Bengio 2010, equation 16: uniform weights; the bias stays torch's, as in the d2l protocol."""
    for weight in parts(layer):
        nn.init.xavier_uniform_(weight, generator=weight_stream)
    fill_bias(layer, bias_stream)


def kaiming(layer: Affine, weight_stream: torch.Generator, bias_stream: torch.Generator) -> None:
    """He, Zhang, Ren and Sun 2015 ("Delving deep into rectifiers"), equation 10: normal weights by fan-in, no bias."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=weight_stream)
    clear_bias(layer)


def orthogonal(layer: Affine, weight_stream: torch.Generator, bias_stream: torch.Generator) -> None:
    """Saxe, McClelland and Ganguli 2014, section 3: orthonormal rows (or columns) of the flattened kernel, no bias."""
    for weight in parts(layer):
        nn.init.orthogonal_(weight, generator=weight_stream)
    clear_bias(layer)


def kaiming_out(layer: Affine, weight_stream: torch.Generator, bias_stream: torch.Generator) -> None:
    """Initialise as the study notes' AlexNet does (001): He's normal by fan-out, dense layers normal of 0.01, no bias."""
    if isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, std=0.01, generator=weight_stream)
    else:
        for weight in parts(layer):
            nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu", generator=weight_stream)
    clear_bias(layer)


def gaussian(layer: Affine, weight_stream: torch.Generator, bias_stream: torch.Generator, std: float) -> None:
    """Krizhevsky, Sutskever and Hinton 2012, section 5: normal weights of a fixed standard deviation, no bias."""
    nn.init.normal_(layer.weight, std=std, generator=weight_stream)
    clear_bias(layer)


def half_zero(layer: Affine, weight_stream: torch.Generator, bias_stream: torch.Generator) -> None:
    """Initialise as the study notes' example does (001): dense weights within ±10, those within ±5 set to zero."""
    default(layer, weight_stream, bias_stream)
    if isinstance(layer, nn.Linear):
        nn.init.uniform_(layer.weight, -10, 10, generator=weight_stream)
        layer.weight.mul_(layer.weight.abs() >= 5)


@torch.no_grad()
def inherit(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> list[str]:
    """Start from the weights of another network (Simonyan and Zisserman 2015, section 3.1).

    Parameters
    ----------
    network : torch.nn.Module
        Filled in place wherever it has a parameter or a buffer of the same name and shape.
    weights : mapping of str to torch.Tensor
        The state of a trained network.

    Returns
    -------
    list of str
        The names that were filled.

    Raises
    ------
    ValueError
        If there is none: such a start would change nothing.
    """
    state = network.state_dict()
    shared = [name for name, value in state.items() if name in weights and weights[name].shape == value.shape]
    if not any(state[name].is_floating_point() for name in shared):
        raise ValueError("warm start: no weights of the two networks have the same name and shape")
    for name in shared:
        state[name].copy_(weights[name])
    return shared


@torch.no_grad()
def initialise(network: nn.Module, seed: int, level: Callable) -> None:
    """Give every parameter of a network its starting value.

    Convolutions and dense layers start as the level says; layers whose parameters are vectors, such as norms, by their
    own ``reset_parameters``.

    Parameters
    ----------
    network : torch.nn.Module
        Filled in place.
    seed : int
        The replicate; the stream of each parameter is named by it and by the parameter's name in the network.
    level : callable
        A level of the factor ``initialisation``.

    Raises
    ------
    TypeError
        If a layer has parameters and no initialisation is known for its kind.
    """
    for name, layer in network.named_modules():
        own = dict(layer.named_parameters(recurse=False))
        if not own:
            continue
        if isinstance(layer, Affine):
            level(
                layer,
                stream(seed, "initialisation", f"{name}.weight"),
                stream(seed, "initialisation", f"{name}.bias"),
            )
        elif hasattr(layer, "reset_parameters") and all(value.dim() < 2 for value in own.values()):
            # Gains, shifts and slopes, of a norm or of a layer of one's own, which knows what it starts as.
            layer.reset_parameters()
        else:
            raise TypeError(f"layer {name!r} ({type(layer).__name__}) has parameters {[*own]} and no initialisation")
