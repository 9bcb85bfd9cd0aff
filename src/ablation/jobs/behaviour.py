"""The behaviour of a subject's networks (starting values, logits, gradients), and what breaks them in words."""

import inspect
import io
import json
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ablation.jobs.subjects import Subject
from ablation.networks.build import build
from ablation.networks.initialisation import initialise
from ablation.networks.kit import Layers, make_level
from ablation.networks.layertable import shape_text
from ablation.training.objective import objective

BATCH, CLASSES = 8, 10
AFFINE = nn.Conv2d | nn.Linear
NORMS = nn.modules.batchnorm._BatchNorm | nn.GroupNorm


class Broken(Exception):
    """What keeps a check from going on; if it has a cause, the message says what was being done."""


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Note what was being done when somebody else's code raised."""
    try:
        yield
    except Exception as error:
        raise Broken(what) from error


@contextmanager
def at(where: str) -> Iterator[None]:
    """Add to what breaks in the block where it did: at which level or input."""
    try:
        yield
    except Broken as broken:
        raise Broken(f"at {where}, {broken}") from broken.__cause__


def in_words(broken: Broken, subject: Subject) -> str:
    """Say what broke: with the exception's text and, where it passed through the builder's folder, the last line there."""
    error = broken.__cause__
    if error is None:
        return str(broken)
    text = f"{broken} raised {type(error).__name__}: {' '.join(str(error).split())}"
    try:
        folder = Path(inspect.getfile(subject.builder())).parent
    except Exception:  # a builder that cannot be imported stands nowhere
        return text
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == folder]
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else text


def kind(value: Any) -> str:
    """Name what came in place of something else."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {shape_text(value.shape) or '()'}"
    return f"an object of type {type(value).__name__}"


def construct(spec: Mapping[str, Any], shape: tuple[int, int, int], classes: int = CLASSES) -> nn.Module:
    """Build a network; its weights are whatever torch drew."""
    with doing("building"):
        network = build(spec, shape, classes)
    if not isinstance(network, nn.Module):
        raise Broken(f"the builder returned {kind(network)}, expected a torch.nn.Module")
    return network


def initialise_by(network: nn.Module, level: Mapping[str, Any], seed: int = 0) -> None:
    """Initialise a network by a level of the factor initialisation, as its spec states it."""
    with doing("initialising"):
        initialise(network, seed, make_level(level))


def make(spec: Mapping[str, Any], side: int, seed: int = 0) -> nn.Module:
    """Build and initialise a network for images of one channel."""
    network = construct(spec, (1, side, side))
    initialise_by(network, spec["layers"]["initialisation"], seed)
    return network


def random_images(count: int, side: int) -> torch.Tensor:
    """Draw images of one channel, the same every time."""
    return torch.randn(count, 1, side, side, generator=torch.Generator().manual_seed(0))


def answer(
    network: nn.Module, images: torch.Tensor, training: bool, classes: int = CLASSES, seed: int = 0
) -> tuple[torch.Tensor, ...]:
    """Return the logits of a network, in training mode followed by those of its auxiliary classifiers.

    Parameters
    ----------
    network : torch.nn.Module
    images : torch.Tensor
        (batch, channels, height, width).
    training : bool
        The mode, in which the network remains.
    classes : int
    seed : int
        Of torch's global random state, which dropout draws from.

    Raises
    ------
    Broken
        If the pass raises, or returns something else than logits (batch, classes).
    """
    mode = f"the forward pass in {'training' if training else 'evaluation'} mode"
    torch.manual_seed(seed)
    with doing(mode):
        outputs = network.train(training)(images)
    outputs = outputs if training and isinstance(outputs, tuple) else (outputs,)
    for output in outputs:
        if not isinstance(output, torch.Tensor) or output.shape != (len(images), classes):
            wanted = shape_text((len(images), classes))
            raise Broken(f"{mode} returned {kind(output)}, expected logits of {wanted}")
    return outputs


@dataclass(frozen=True)
class Behaviour:
    """What a network starts from and does.

    Attributes
    ----------
    start : dict of str to torch.Tensor
        Its parameters after initialisation.
    gradients : dict of str to torch.Tensor
        Of the loss by each parameter that it reaches, after one pass in training mode.
    training, evaluation : tuple of torch.Tensor
        Its logits in both modes.
    """

    start: dict[str, torch.Tensor]
    gradients: dict[str, torch.Tensor]
    training: tuple[torch.Tensor, ...]
    evaluation: tuple[torch.Tensor, ...]

    def equals(self, other: "Behaviour") -> bool:
        """Whether both give the same logits and learn in the same way, whatever their parameters are called."""
        return (
            len(self.training) == len(other.training)
            and all(map(torch.equal, (*self.training, *self.evaluation), (*other.training, *other.evaluation)))
            and self.gradients.keys() == other.gradients.keys()
            and all(torch.equal(gradient, other.gradients[key]) for key, gradient in self.gradients.items())
        )


def behave(subject: Subject, levels: Mapping[str, Any]) -> Behaviour:
    """Build, initialise and run a network at these levels, or remember what came of it."""
    return _behave(json.dumps(subject.spec(levels)), subject.side)


@lru_cache(maxsize=32)
def _behave(spec: str, side: int) -> Behaviour:
    torch.manual_seed(0)  # what a builder draws by itself is no level's doing
    network, images = make(json.loads(spec), side), random_images(BATCH, side)
    start = {key: parameter.detach().clone() for key, parameter in network.named_parameters()}
    training = answer(network, images, training=True)
    with doing("the backward pass"):
        objective(training, torch.arange(BATCH) % CLASSES, {"label_smoothing": 0.0}).backward()
    gradients = {key: p.grad for key, p in network.named_parameters() if p.grad is not None}
    with torch.no_grad():
        evaluation = answer(network, images, training=False)
    return Behaviour(start, gradients, tuple(logits.detach() for logits in training), evaluation)


def shared(before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]) -> list[str]:
    """List the parameters that two networks have in common.

    Names and shapes agree, and so do the shapes of the weights of their layers, which bound a bias, too.
    """

    def shapes(start: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
        return {key.rpartition(".")[0]: value.shape for key, value in start.items() if value.dim() > 1}

    here, there = shapes(before), shapes(after)
    both = [key for key in before if key in after and before[key].shape == after[key].shape]
    return [key for key in both if here.get(key.rpartition(".")[0]) == there.get(key.rpartition(".")[0])]


def differing(here: Mapping[str, torch.Tensor], there: Mapping[str, torch.Tensor]) -> list[str]:
    """List the names under which two states do not hold the same values."""
    return [
        key for key in here | there if key not in here or key not in there or not torch.equal(here[key], there[key])
    ]


def saved_and_loaded(state: Mapping[str, Any]) -> dict[str, Any]:
    """Write a state as a checkpoint is written, and read it back."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def made_for(factor: str, subject: Subject, levels: Mapping[str, Any]) -> set[str]:
    """Name the parameters of the modules that the kit makes for a factor, wherever the network puts them."""
    spec, made = subject.spec(levels), []
    layers = Layers.choose(spec["layers"])
    factory = getattr(layers, factor, None)
    if not callable(factory):
        return set()

    def note(*args: Any, **kwargs: Any) -> Any:
        module = factory(*args, **kwargs)
        made.append(module)
        return module

    builder, noting = subject.builder(), replace(layers, **{factor: note})
    with doing("building"):
        network = builder((1, subject.side, subject.side), CLASSES, noting, **spec["arguments"])
    found = {id(parameter) for module in made if isinstance(module, nn.Module) for parameter in module.parameters()}
    return {key for key, parameter in network.named_parameters() if id(parameter) in found}


def shifting_norm(spec: Mapping[str, Any]) -> type[nn.Module] | None:
    """Return the kind of the norm that the kit of a spec makes, if it shifts by its own word: it may be anybody's."""
    layers = Layers.choose(spec["layers"])
    shifts = "norm" in spec["layers"] and spec["layers"]["norm"]["shifts"]
    return type(layers.norm(4, layers.epsilon)) if shifts else None


def normalised_by(network: nn.Module, images: torch.Tensor, own: type[nn.Module] | None = None) -> dict[str, str]:
    """Map each convolution and dense layer whose output goes straight into a norm with a shift to this norm."""
    made, found = {}, {}

    def note(name: str, module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        made[id(output)] = (name, output)  # the tensor, too: an identity is one only as long as it lives

    def meet(name: str, module: nn.Module, inputs: tuple) -> None:
        if id(inputs[0]) in made:
            found[made[id(inputs[0])][0]] = name

    for name, module in network.named_modules():
        if isinstance(module, AFFINE):
            module.register_forward_hook(partial(note, name))
        elif (isinstance(module, NORMS) and module.bias is not None) or type(module) is own:
            module.register_forward_pre_hook(partial(meet, name))
    with torch.no_grad():
        answer(network, images, training=True)
    return found
