"""Diagnostics of a network in training: gradients, saturation, updates and drift, layer by layer, on a fixed probe batch.

They leave no trace: gradients are asked for beside those of the parameters, buffers are copies, and random numbers come
from a stream of their own. A run that is diagnosed trains to the same bits as one that is not.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import nn

from ablation.networks.kit import make_level

AFFINE = (nn.Conv2d, nn.Linear)
SMALLEST = torch.finfo(torch.float32).tiny

Quantities = dict[str, torch.Tensor]
Measure = Callable[[torch.Tensor, torch.Tensor], Quantities]  # of a layer's input and output


def norm(values: torch.Tensor) -> torch.Tensor:
    """Return the L2 norm in double precision: the square of a vanishing gradient underflows in single."""
    return torch.linalg.vector_norm(values.detach(), dtype=torch.float64)


def saturation(bounds: Mapping[str, Any], x: torch.Tensor, y: torch.Tensor) -> Quantities:
    """Measure an activation's output y of its input x, both (images, channels, ...).

    Parameters
    ----------
    bounds : mapping
        ``low``, ``high`` (None for no bound) and ``of`` (``input`` or ``output``), as
        `ablation.catalogue.factors.Saturation` has them.
    x, y : torch.Tensor

    Returns
    -------
    dict
        ``saturated``: share of the values at or beyond a bound; ``dead``: share of the channels of which every value is,
        for all images and positions.
    """
    values = x if bounds["of"] == "input" else y
    low, high = bounds["low"], bounds["high"]
    saturated = values <= (-math.inf if low is None else low)
    if high is not None:
        saturated |= values >= high
    # Counts by channel serve both; `all` over several dimensions is slow on the CPU.
    counts = saturated.sum(dim=(0, *range(2, saturated.dim())))
    return {
        "saturated": counts.sum() / saturated.numel(),
        "dead": (counts == saturated.numel() // len(counts)).double().mean(),
    }


def drift(layer: nn.modules.batchnorm._BatchNorm, before: Quantities, after: Quantities) -> Quantities:
    """Measure how far the running statistics of a batch norm are from those of a batch.

    Parameters
    ----------
    layer : torch.nn.modules.batchnorm._BatchNorm
    before, after : dict
        Its buffers before and after a pass of the batch in training mode. What the pass moved them by tells the statistics
        of the batch, which need not be computed again.

    Returns
    -------
    dict
        With the means m and unbiased variances v of the batch: ``mean_drift``, the mean over channels of
        ``|m - m_running| / sqrt(v_running + eps)``, and ``variance_drift``, that of
        ``|log((v + eps) / (v_running + eps))|``.
    """
    step = 1 / after["num_batches_tracked"] if layer.momentum is None else layer.momentum
    shift, growth = ((after[name] - before[name]) / step for name in ("running_mean", "running_var"))
    variance = before["running_var"] + layer.eps
    return {
        "mean_drift": (shift.abs() / variance.sqrt()).mean(),
        "variance_drift": (1 + growth / variance).log().abs().mean(),
    }


def by_source(module: nn.Module) -> Quantities:
    """Measure the first convolution of a module that names the sources of its input, as the layers of a DenseNet do.

    Parameters
    ----------
    module : torch.nn.Module
        Its ``sources`` says how many input channels come from each earlier layer, in their order.

    Returns
    -------
    dict
        ``source_0``, ``source_1``, ...: mean magnitude of the weights on the channels of that source (Huang et al.
        2017, figure 5).
    """
    conv = next(layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    parts = conv.weight.detach().split(tuple(module.sources), dim=1)
    return {f"source_{position}": part.abs().mean() for position, part in enumerate(parts)}


def later(x: torch.Tensor, y: torch.Tensor) -> Quantities:
    """Measure nothing yet: only the order of the call counts, and the rest is known after the pass."""
    return {}


class Probe:
    """Measures a network on a fixed batch without leaving a trace.

    Parameters
    ----------
    network : torch.nn.Module
        On the device of the images; any tree of modules.
    images, labels : torch.Tensor
        The probe: (n, channels, height, width) and (n,).
    loss : callable
        Maps the network's outputs in training mode and the labels to the scalar that training minimises.
    seed : int
        Of the random numbers (dropout) that a measurement draws: the same ones every time.
    bounds : mapping or None
        What counts as saturated, see `saturation`, of the layers that the level ``layer`` makes; None where nothing does.

    Attributes
    ----------
    remembered : dict of str to torch.Tensor
        The weights that the next measurement compares with, by layer; empty unless `remember` was called.
    """

    def __init__(
        self,
        network: nn.Module,
        images: torch.Tensor,
        labels: torch.Tensor,
        loss: Callable[[Any, torch.Tensor], torch.Tensor],
        seed: int,
        bounds: Mapping[str, Any] | None = None,
    ):
        self.network, self.images, self.labels, self.loss, self.seed = network, images, labels, loss, seed
        self.bounds = bounds
        self.activation = type(make_level(bounds["layer"])()) if bounds else None
        self.affine = {name: layer for name, layer in network.named_modules() if isinstance(layer, AFFINE)}
        self.remembered: dict[str, torch.Tensor] = {}

    def remember(self) -> None:
        """Keep a copy of the weights, which the next measurement compares with."""
        self.remembered = {name: layer.weight.detach().clone() for name, layer in self.affine.items()}

    def measure(self, epoch: int) -> list[dict[str, Any]]:
        """Measure every layer; the host waits for the device once, at the end.

        Returns
        -------
        list of dict
            A row a number: epoch; layer (the module's name); depth (its place, from 1, in the order of execution among
            the layers of its kind); kind, quantity and value, to six digits:

            - ``affine`` (convolutions and dense layers, by their weights without biases): ``gradient_norm``, L2, of the
              training loss; ``gradient_rms``, the same by the root of the number of weights; ``weight_norm``; and, after
              `remember`, ``update_norm``, that of the change since then, and ``update_ratio``, the same by the norm of
              the weights as they were;
            - ``activation``: see `saturation`;
            - ``norm`` (batch norms): see `drift`;
            - ``source`` (modules that name the sources of their input): see `by_source`.

            A module that is called several times is measured at its first call.
        """
        seen, loss = self._forward()
        names = list(seen["affine"])
        weights = [self.affine[name].weight for name in names]
        gradients = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        for name, weight, gradient in zip(names, weights, gradients, strict=True):
            seen["affine"][name] = self._affine(name, weight, gradient)
        self.remembered = {}
        rows, values = [], []
        for kind, layers in seen.items():
            for depth, (layer, quantities) in enumerate(layers.items(), 1):
                for quantity, value in quantities.items():
                    rows.append({"epoch": epoch, "layer": layer, "depth": depth, "kind": kind, "quantity": quantity})
                    values.append(value)
        numbers = torch.stack([value.double() for value in values]).tolist()
        return [{**row, "value": float(f"{number:.6g}")} for row, number in zip(rows, numbers, strict=True)]

    def _affine(self, name: str, weight: torch.Tensor, gradient: torch.Tensor) -> Quantities:
        size, gradient_norm = norm(weight), norm(gradient)
        found = {
            "gradient_norm": gradient_norm,
            "gradient_rms": gradient_norm / math.sqrt(weight.numel()),
            "weight_norm": size,
        }
        if name in self.remembered:
            update = norm(weight - self.remembered[name])
            found |= {"update_norm": update, "update_ratio": update / norm(self.remembered[name])}
        return found

    def _watched(self) -> Iterator[tuple[str, str, nn.Module, Measure]]:
        """List the modules by kind and name, each with what is measured when it is called."""
        for name, layer in self.network.named_modules():
            if isinstance(layer, AFFINE):
                yield "affine", name, layer, later
            if type(layer) is self.activation:
                yield "activation", name, layer, partial(saturation, self.bounds)
            if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.track_running_stats:
                yield "norm", name, layer, later
            if getattr(layer, "sources", None):
                yield "source", name, layer, lambda x, y, layer=layer: by_source(layer)

    def _forward(self) -> tuple[dict[str, dict[str, Quantities]], torch.Tensor]:
        """Pass the probe through the network; return what was seen by kind and layer, and the loss."""
        seen: dict[str, dict[str, Quantities]] = {"affine": {}, "activation": {}, "norm": {}, "source": {}}

        def note(kind: str, name: str, measure: Measure, _: nn.Module, inputs: tuple, output: Any) -> None:
            if name not in seen[kind]:
                with torch.no_grad():
                    seen[kind][name] = measure(inputs[0], output)

        device, training = self.images.device, self.network.training
        buffers = {name: buffer.clone() for name, buffer in self.network.named_buffers()}
        with ExitStack() as undo:
            undo.callback(self.network.train, training)
            for kind, name, layer, measure in self._watched():
                undo.callback(layer.register_forward_hook(partial(note, kind, name, measure)).remove)
            undo.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
            torch.manual_seed(self.seed)
            self.network.train()
            outputs = torch.func.functional_call(self.network, buffers, (self.images,))
            loss = self.loss(outputs, self.labels)
        for name in seen["norm"]:
            layer = self.network.get_submodule(name)
            before = dict(layer.named_buffers())
            seen["norm"][name] = drift(layer, before, {buffer: buffers[f"{name}.{buffer}"] for buffer in before})
        return seen, loss

    @staticmethod
    def gradient_ratio(rows: Sequence[Mapping[str, Any]]) -> float | None:
        """Return log10 of the first layer's gradient over the last one's, at the first epoch that was measured.

        Parameters
        ----------
        rows : sequence of mapping
            As `Probe.measure` returns them.

        Returns
        -------
        float or None
            Of the RMS gradients of the affine layers; very negative where the gradient vanishes on its way back. A first
            gradient of zero counts as the smallest normal float32. None without rows or without a last gradient.
        """
        flow = [row["value"] for row in rows if row["quantity"] == "gradient_rms" and row["epoch"] == rows[0]["epoch"]]
        if not flow or not all(map(math.isfinite, flow)) or flow[-1] == 0:
            return None
        return math.log10(max(flow[0], SMALLEST) / flow[-1])
