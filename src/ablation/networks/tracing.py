"""What a network consists of: every layer with its output, size and receptive field, traced without computing anything.

Receptive fields follow Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks"
(Distill), section "Arbitrary computation graphs": of a tensor one knows which pixels its first position sees and how far
apart its positions look; where paths join, the pixels of all of them count.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

from ablation.networks.layertable import LayerRow, shape_text

aten = torch.ops.aten


class Span(NamedTuple):
    """What a tensor sees along one axis of the image, in pixels; padding has negative positions.

    Attributes
    ----------
    first, last : int
        The pixels between which its first position looks.
    step : int
        How far apart neighbouring positions look; zero where all look at the same.
    """

    first: int
    last: int
    step: int

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.last - self.first + 1

    def slide(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> "Span":
        """Return what a window sees that slides over the tensor (Araujo et al. 2019, equations 1 to 3)."""
        reach = (kernel - 1) * dilation - padding
        return Span(self.first - padding * self.step, self.last + reach * self.step, self.step * stride)

    def collapse(self, positions: int, side: int) -> "Span":
        """Return what all `positions` together see of an image of `side` pixels."""
        return Span(max(self.first, 0), min(self.last + (positions - 1) * self.step, side - 1), 0)

    def join(self, other: "Span") -> "Span":
        """Return what two paths together see."""
        return Span(min(self.first, other.first), max(self.last, other.last), max(self.step, other.step))


Field = tuple[Span, Span]  # along height and width


def _pair(value: Any) -> tuple[int, int]:
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    return values if len(values) == 2 else values * 2


def _slide(field: Field, x: torch.Tensor, stated: Mapping[str, Any]) -> Field:
    """Convolve or pool."""
    kernel = stated["weight"].shape[-2:] if "weight" in stated else _pair(stated["kernel_size"])
    stride = _pair(stated.get("stride") or kernel)
    windows = zip(kernel, stride, _pair(stated.get("padding", 0)), _pair(stated.get("dilation", 1)), strict=True)
    return tuple(span.slide(*window) for span, window in zip(field, windows, strict=True))


def _adapt(field: Field, x: torch.Tensor, stated: Mapping[str, Any]) -> Field:
    """Pool to a given side: windows as wide as they must be to reach both edges."""
    spans = []
    for span, side, wanted in zip(field, x.shape[-2:], _pair(stated["output_size"]), strict=True):
        stride = max(side // wanted, 1)
        spans.append(span.slide(max(side - (wanted - 1) * stride, 1), stride))
    return tuple(spans)


def _pad(field: Field, x: torch.Tensor, stated: Mapping[str, Any]) -> Field:
    """Pad, or crop where the padding is negative; it is stated from the last axis backwards, two ends per axis."""
    padding = [*(stated["pad"] if "pad" in stated else stated["padding"]), 0, 0, 0, 0]
    return tuple(
        Span(span.first - before * span.step, span.last - before * span.step, span.step)
        for span, before in zip(field, (padding[2], padding[0]), strict=True)
    )


def _slice(field: Field, x: torch.Tensor, stated: Mapping[str, Any]) -> Field:
    """Take every n-th row or column from a start on."""
    axis = stated.get("dim", 0) % x.dim() - (x.dim() - 2)
    if axis < 0:
        return field
    start = stated.get("start") or 0
    start = max(start + x.shape[axis - 2], 0) if start < 0 else start
    moved = Span(field[axis].first + start * field[axis].step, field[axis].last + start * field[axis].step, 0)
    moved = moved._replace(step=field[axis].step * stated.get("step", 1))
    return tuple(moved if place == axis else span for place, span in enumerate(field))


SPATIAL_OPERATIONS = {
    aten.convolution.default: _slide,
    aten.max_pool2d_with_indices.default: _slide,
    aten.avg_pool2d.default: _slide,
    aten._adaptive_avg_pool2d.default: _adapt,
    aten.adaptive_max_pool2d.default: _adapt,
    aten.constant_pad_nd.default: _pad,
    aten.reflection_pad2d.default: _pad,
    aten.replication_pad2d.default: _pad,
    aten.slice.Tensor: _slice,
}


def _tensors(values: Iterable[Any]) -> list[torch.Tensor]:
    """List the tensors among arguments or results, also those within lists."""
    flat = [inner for value in values for inner in (value if isinstance(value, list | tuple) else [value])]
    return [value for value in flat if isinstance(value, torch.Tensor)]


class ReceptiveFields(TorchDispatchMode):
    """Follows every operation on an image and records the receptive field of each tensor.

    Operations that keep height and width see what their inputs see together: additions, concatenations, activations,
    and norms, whose statistics are by convention not counted. What is flattened or averaged sees all that its positions
    see, and so does, as an upper bound, the result of an unknown operation.

    Parameters
    ----------
    image : torch.Tensor
        (batch, channels, height, width).
    """

    def __init__(self, image: torch.Tensor):
        super().__init__()
        self.sides = image.shape[-2:]
        # Keep the tensor beside its field: its id is unique only as long as it lives.
        self._fields: dict[int, tuple[torch.Tensor, Field]] = {id(image): (image, (Span(0, 0, 1), Span(0, 0, 1)))}

    def __getitem__(self, tensor: torch.Tensor) -> Field:
        return self._fields[id(tensor)][1]

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Run an operation and record the receptive field of its results."""
        kwargs = kwargs or {}
        result = operation(*args, **kwargs)
        seen = [tensor for tensor in _tensors([*args, *kwargs.values()]) if id(tensor) in self._fields]
        results = _tensors([result])
        if not seen or not results:
            return result
        if operation in SPATIAL_OPERATIONS and seen[0].dim() >= 4:
            stated = dict(zip((argument.name for argument in operation._schema.arguments), args, strict=False))
            field = SPATIAL_OPERATIONS[operation](self[seen[0]], seen[0], stated | kwargs)
        else:
            along = zip(*(self._spread(tensor, results[0]) for tensor in seen), strict=True)
            field = tuple(self._together(spans, side) for spans, side in zip(along, self.sides, strict=True))
        for tensor in results:
            self._fields[id(tensor)] = (tensor, field)
        return result

    def _spread(self, tensor: torch.Tensor, result: torch.Tensor) -> Field:
        """Return what each position of the result sees through one input."""
        kept = (False, False)
        if tensor.dim() >= 4 and result.dim() >= 4:
            kept = [before == after for before, after in zip(tensor.shape[-2:], result.shape[-2:], strict=True)]
        positions = tensor.shape[-2:] if tensor.dim() >= 4 else (1, 1)
        return tuple(
            span if same else span.collapse(count, side)
            for span, same, count, side in zip(self[tensor], kept, positions, self.sides, strict=True)
        )

    @staticmethod
    def _together(spans: Iterable[Span], side: int) -> Span:
        """Join the paths; one that sees the whole image makes the others, and their padding, irrelevant."""
        whole = Span(0, side - 1, 0)
        return whole if whole in spans else reduce(Span.join, spans)


def kind_of(layer: nn.Module) -> str:
    """Name a layer readably: Conv 3x3/2, MaxPool 2x2/2, GroupNorm, 8 groups, Dropout 0.5, Linear."""
    text = type(layer).__name__.removesuffix("2d")
    kernel = getattr(layer, "kernel_size", None)
    if kernel is not None:
        text += f" {shape_text(_pair(kernel))}"
        stride = _pair(getattr(layer, "stride", 1))
        if stride != (1, 1):
            text += f"/{stride[0] if stride[0] == stride[1] else shape_text(stride)}"
        if _pair(getattr(layer, "dilation", 1)) != (1, 1):
            text += f", dilation {max(_pair(layer.dilation))}"
    if isinstance(getattr(layer, "p", None), float):
        text += f" {layer.p:g}"
    groups = getattr(layer, "num_groups", None) or (getattr(layer, "groups", 1) if kernel is not None else 1)
    if groups > 1 or hasattr(layer, "num_groups"):
        text += f", {groups} group{'s' * (groups > 1)}"
    return text


def count_multiply_adds(layer: nn.Module, output: torch.Tensor) -> int:
    """Count the multiply-adds of a convolution or dense layer for one image, without bias additions; others have none.

    Each output value is a dot product with one filter (of the channels of its group), or with one row of the matrix.
    """
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        return 0
    return output[0].numel() * layer.weight[0].numel()


def _own_parameters(network: nn.Module) -> dict[str, int]:
    """Count the parameters of each module itself; shared ones count in the first module that has them."""
    counts, seen = {}, set()
    for name, module in network.named_modules():
        sizes = {id(p): p.numel() for p in module.parameters(recurse=False) if id(p) not in seen}
        seen |= set(sizes)
        counts[name] = sum(sizes.values())
    return counts


@torch.no_grad()
def _trace(
    network: nn.Module, input_shape: tuple[int, int, int], training: bool
) -> tuple[list[tuple[str, LayerRow]], set[str]]:
    """List the layers of one pass with their modules' names, in the order in which they end, and all modules that ran."""
    parameters = _own_parameters(network)
    # Two images: batch norm in training refuses one.
    image = torch.empty(2, *input_shape, device="meta")
    fields = ReceptiveFields(image)
    # Outputs so far, as (tensor, number of changes in place): a module that returns another's output has no row.
    known = {(id(image), image._version)}
    calls, layers, ran = Counter(), [], set()

    def record(name: str, module: nn.Module, output: Any) -> None:
        ran.add(name)
        outputs = _tensors([output])
        version = (id(outputs[0]), outputs[0]._version)
        if version in known and not parameters[name]:
            return
        known.add(version)
        calls[name] += 1
        repeated = calls[name] > 1
        layer = LayerRow(
            (name or "output") + (f" ({calls[name]})" if repeated else ""),
            kind_of(module),
            tuple(outputs[0].shape[1:]),
            0 if repeated else parameters[name],
            count_multiply_adds(module, outputs[0]),
            tuple(span.size for span in fields[outputs[0]]),
        )
        layers.append((name, layer))

    hooks = [
        module.register_forward_hook(lambda module, _, output, name=name: record(name, module, output))
        for name, module in network.named_modules()
    ]
    state = {name: value.to("meta") for name, value in [*network.named_parameters(), *network.named_buffers()]}
    before = {module: module.training for module in network.modules()}
    network.train(training)
    try:
        with torch.device("meta"), fields:  # also tensors that the forward pass creates
            functional_call(network, state, image)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in before.items():
            module.training = mode
    return layers, ran


def layer_table(network: nn.Module, input_shape: tuple[int, int, int]) -> list[LayerRow]:
    """List the layers of a network in the order of execution, on the meta device: nothing is computed or changed.

    A layer is a module that computes an output of its own: also a block that adds or concatenates the outputs of its
    parts, but neither a sequence nor `Identity` nor what has no effect in training (`Dropout(0)`).

    Parameters
    ----------
    network : torch.nn.Module
        On any device; maps (batch, channels, height, width) to logits, in training perhaps to several.
    input_shape : tuple of int
        Channels, height and width in pixels.

    Returns
    -------
    list of LayerRow
    """
    layers, _ = _trace(network, input_shape, training=True)
    _, at_inference = _trace(network, input_shape, training=False)
    return [replace(layer, training_only=name not in at_inference) for name, layer in layers]
