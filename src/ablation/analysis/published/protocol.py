"""What a study does otherwise than the source of a published number, in words: why the two may differ."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ablation.analysis.published.entries import EPOCHS, STATISTICS
from ablation.analysis.published.numbers import Published
from ablation.catalogue.catalogue import OURS
from ablation.study.plan import Plan
from ablation.study.schema import Data

TRAINING_IMAGES = {"mnist": 60_000, "fashion_mnist": 60_000, "cifar10": 50_000, "cifar100": 50_000}
SAME = (
    0.01  # lengths and counts that differ by less are the same: a split goes class by class, an epoch ends on a batch
)
NOT_STATED = "not stated"
UNSAID = ("label_smoothing",)  # what a source without it does not speak of
# What a source has to say so that its number can be had again: the words of a difference, and where an entry states it.
NEEDED = {
    "training length": ("epochs", "steps"),
    "learning rate": ("lr",),
    "schedule": ("schedule",),
    "optimiser": ("optimizer",),
    "weight decay": ("weight_decay",),
    "batch size": ("batch_size",),
    "augmentation": ("augmentation",),
    "initialisation": ("initialisation",),
    "training images": ("train_images",),
    "epoch that counts": ("epoch",),
}


@dataclass(frozen=True)
class Difference:
    """What a study and a source do differently."""

    what: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"{self.what}: {self.ours} (theirs: {self.theirs})"


def protocol_diff(plan: Plan, variant: str, published: Published) -> tuple[Difference, ...]:
    """Say what a variant's training and its source's differ in, the most telling first.

    What the source does not state is no difference; `unstated` names it. Of what is counted, such as parameters, only the
    network can differ.

    Parameters
    ----------
    plan : Plan
    variant : str
        Its id.
    published : Published
        A number of the same architecture.
    """
    levels, others = plan.variants[variant].levels, published.entry.protocol.others
    found = []
    if "network" in others:
        found.append(Difference("network", "as our catalogue builds it", others["network"]))
    if not plan.metrics[published.entry.metric].exact:
        found += _of_training(plan, levels, published)
        found += _of_data(plan.study.data, published)
        found += _of_choice(published)
    return tuple(found)


def unstated(published: Published) -> tuple[str, ...]:
    """Name what the source does not say of its training; nothing of what is counted."""
    if OURS.metrics[published.entry.metric].exact:
        return ()
    protocol = published.entry.protocol
    own = {name for name in ("steps", "train_images", "epoch", "initialisation") if getattr(protocol, name) is not None}
    known = {*published.recipe, *own, *protocol.others}
    return tuple(what for what, names in NEEDED.items() if not known & {*names, what})


def train_images(data: Data) -> int | None:
    """Count the images that a study trains on, without its data; None where only the data know."""
    if data.name not in TRAINING_IMAGES:
        return None
    share = data.fraction * TRAINING_IMAGES[data.name]
    if data.per_class is not None:
        share = data.per_class * OURS.sources[data.name].classes
    return round(share * (1 - data.validation))


def _of_training(plan: Plan, levels: Mapping[str, Any], published: Published) -> Iterator[Difference]:
    theirs, protocol = published.recipe, published.entry.protocol
    if levels["warm_start"] != "none":
        yield Difference("start", f"the weights of {levels['warm_start']}", "afresh")
    yield from _length(plan, levels, published)
    yield from _entry("learning rate", "lr", levels, theirs)
    yield from _schedule(levels, theirs, protocol.others)
    yield from _warm_up(levels, theirs, protocol.others)
    stated = {name: theirs.get(name, levels[name]) for name in ("optimizer", "momentum", "nesterov", "betas")}
    if _optimiser(stated) != _optimiser(levels):
        yield Difference("optimiser", _optimiser(levels), _optimiser(stated))
    yield from _entry("weight decay", "weight_decay", levels, theirs)
    yield from _entry("label smoothing", "label_smoothing", levels, theirs)
    yield from _entry("batch size", "batch_size", levels, theirs)
    if "augmentation" in protocol.others:
        yield Difference("augmentation", levels["augmentation"], protocol.others["augmentation"])
    else:
        yield from _entry("augmentation", "augmentation", levels, theirs)
    ours = levels.get("initialisation")
    if protocol.initialisation not in (None, ours):
        yield Difference("initialisation", str(ours), protocol.initialisation)


def _entry(what: str, name: str, levels: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[Difference]:
    """Compare an entry of the recipe that stands for itself."""
    if name in theirs and theirs[name] != levels[name]:
        yield Difference(what, _text(levels[name]), _text(theirs[name]))
    elif name not in theirs and name in UNSAID and levels[name]:
        yield Difference(what, _text(levels[name]), NOT_STATED)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= SAME * max(a, b)


def _length(plan: Plan, levels: Mapping[str, Any], published: Published) -> Iterator[Difference]:
    """Compare epochs or, where the source counts steps, these."""
    epochs, theirs, images = levels["epochs"], published.entry.protocol.steps, train_images(plan.study.data)
    if "epochs" in published.recipe:
        if published.recipe["epochs"] != epochs:
            yield Difference("training length", f"{epochs} epochs", f"{published.recipe['epochs']} epochs")
    elif theirs is not None:
        ours = epochs * math.ceil(images / levels["batch_size"]) if images else None
        if ours is None or not _same(ours, theirs):
            steps = f" ({ours:,} steps)" if ours else ""
            yield Difference("training length", f"{epochs} epochs{steps}", f"{theirs:,} steps")


def _schedule(levels: Mapping[str, Any], theirs: Mapping[str, Any], others: Mapping[str, str]) -> Iterator[Difference]:
    if "schedule" in others:
        yield Difference("schedule", _schedule_text(levels), others["schedule"])
    elif "schedule" in theirs:
        stated = {**levels, **{name: theirs[name] for name in ("schedule", "milestones", "gamma") if name in theirs}}
        if _schedule_text(stated) != _schedule_text(levels):
            yield Difference("schedule", _schedule_text(levels), _schedule_text(stated))


def _schedule_text(recipe: Mapping[str, Any]) -> str:
    if recipe["schedule"] != "step":
        return recipe["schedule"]
    shares = " and ".join(f"{100 * share:g} %" for share in recipe["milestones"])
    return f"times {recipe['gamma']:g} after {shares} of training"


def _warm_up(levels: Mapping[str, Any], theirs: Mapping[str, Any], others: Mapping[str, str]) -> Iterator[Difference]:
    ours, stated = levels["warmup_epochs"], theirs.get("warmup_epochs")
    if "warm-up" in others:
        yield Difference("warm-up", _warm_up_text(ours), others["warm-up"])
    elif (stated or 0) != ours:
        yield Difference("warm-up", _warm_up_text(ours), NOT_STATED if stated is None else _warm_up_text(stated))


def _warm_up_text(epochs: float) -> str:
    return f"{epochs:g} {'epoch' if epochs == 1 else 'epochs'} from zero" if epochs else "none"


def _optimiser(recipe: Mapping[str, Any]) -> str:
    if recipe["optimizer"] != "sgd":
        return f"{recipe['optimizer']}, betas {recipe['betas'][0]:g} and {recipe['betas'][1]:g}"
    momentum = f"momentum {recipe['momentum']:g}" if recipe["momentum"] else "no momentum"
    return f"sgd, {momentum}" + (", Nesterov's" if recipe["nesterov"] else "")


def _of_data(data: Data, published: Published) -> Iterator[Difference]:
    protocol = published.entry.protocol
    ours = "each channel standardised" if data.standardised else "shades from 0 to 1"
    if "preprocessing" in protocol.others:
        yield Difference("preprocessing", ours, protocol.others["preprocessing"])
    elif protocol.standardised not in (None, data.standardised):
        theirs = "each channel standardised" if protocol.standardised else "shades from 0 to 1"
        yield Difference("preprocessing", ours, theirs)
    shape = OURS.sources[data.name].shape
    sides = [side or (shape[1] if shape else None) for side in (data.side, protocol.side)]
    if sides[0] != sides[1]:
        yield Difference("input", f"{sides[0]} pixels a side", f"{sides[1]} pixels a side")
    images = train_images(data)
    if protocol.train_images is not None and not (images and _same(images, protocol.train_images)):
        yield Difference("training images", f"{images:,}" if images else "not known", f"{protocol.train_images:,}")


def _of_choice(published: Published) -> Iterator[Difference]:
    protocol = published.entry.protocol
    if protocol.epoch not in (None, "last"):
        yield Difference("epoch that counts", EPOCHS["last"], EPOCHS[protocol.epoch])
    if published.statistic == "best":
        of = f" {published.runs}" if published.runs else ""
        yield Difference(
            "run that counts", "all", STATISTICS["best"].replace("the runs", f"{of.strip() or 'the'} runs")
        )
    if "evaluation" in protocol.others:
        yield Difference("evaluation", "each test image by itself, once", protocol.others["evaluation"])
