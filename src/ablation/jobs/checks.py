"""Checks of architectures and levels: each lists what is wrong, one sentence per problem, and nothing if all is well.

The architectures and levels of the catalogue pass them. `check_architecture` runs all of them.
"""

from collections.abc import Iterator
from copy import deepcopy
from itertools import combinations
from typing import Any

import torch

from ablation.jobs import subjects
from ablation.jobs.behaviour import (
    AFFINE,
    BATCH,
    CLASSES,
    answer,
    at,
    behave,
    construct,
    differing,
    doing,
    initialise_by,
    made_for,
    make,
    normalised_by,
    random_images,
    saved_and_loaded,
    shared,
    shifting_norm,
)
from ablation.jobs.entrychecks import check_entry, check_inputs, check_scales
from ablation.jobs.sentences import check, listed
from ablation.jobs.subjects import Subject
from ablation.networks.layertable import totals
from ablation.networks.tracing import layer_table
from ablation.study.levels import level_text
from ablation.study.schema import Recipe
from ablation.study.specs import code_spec
from ablation.training.evaluation import Part
from ablation.training.run import Run
from ablation.training.turns import finish

TRAINING = Recipe(epochs=2, batch_size=8, lr=0.01, momentum=0.9, augmentation="translate1+colour10")


@check
def check_initialisation(subject: Subject) -> Iterator[str]:
    """Check that every parameter can be initialised, by the seed alone, and by every level of initialisation otherwise."""
    spec, starts = subject.spec(subject.levels()), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        network = make(spec, subject.side)
        starts.append(dict([*network.named_parameters(), *network.named_buffers()]))
    drawn = differing(*starts)
    if drawn:
        wanted = "the same: the seed alone decides, not torch's global random state"
        yield f"found {listed(drawn, 'tensor')} starting from other values in a second network, expected {wanted}"
    found = {}
    for level in subject.levels_of("initialisation"):
        with at(f"initialisation.{level}"):
            initialise_by(network, subject.catalogue.factors["initialisation"].levels[level].spec())
        found[level] = {key: parameter.detach().clone() for key, parameter in network.named_parameters()}
    for one, other in combinations(found, 2):
        if not differing(found[one], found[other]):
            yield f"found initialisation.{other} starting from the values of initialisation.{one}, expected others"


@check
def check_gradients(subject: Subject, factor: str | None = None, level: Any = None) -> Iterator[str]:
    """Check that logits are finite and that every parameter learns, in the small form or with one level changed."""
    levels = subject.levels() if factor is None else {**subject.levels_beside(factor), factor: level}
    found = behave(subject, levels)
    for mode in ("training", "evaluation"):
        if not all(torch.isfinite(logits).all() for logits in getattr(found, mode)):
            yield f"found logits that are not finite in {mode} mode, expected finite ones"
    parts = [part for (f, named), parts in subject.untrained.items() if levels.get(f) == named for part in parts]
    expected = {key for key in found.start if any(part in key for part in parts)}
    untrained = found.start.keys() - found.gradients.keys()
    if untrained - expected:
        dead = [key for key in found.start if key in untrained - expected]
        yield f"found {listed(dead)} without a gradient in training, expected that every parameter learns"
    if expected - untrained:
        alive = [key for key in found.start if key in expected - untrained]
        yield f"found {listed(alive)} with a gradient, expected none: they are stated as untrained"
    infinite = [key for key, gradient in found.gradients.items() if not torch.isfinite(gradient).all()]
    if infinite:
        yield f"found {listed(infinite)} with a gradient that is not finite, expected a finite one"


@check
def check_level(subject: Subject, factor: str, level: Any) -> Iterator[str]:
    """Check that a level changes something beside the small form, and nothing else than what its factor is about."""
    given = subject.levels_beside(factor)
    changed = {**given, factor: level}
    reason = subject.entry.refuse(changed) or subject.entry.ineffective(changed).get(factor)
    if reason:
        yield f"found nothing to check: {reason}; expected in `given` what must hold beside it"
        return
    reference = f"{factor}.{level_text(given[factor])}"
    with at(reference):
        before = behave(subject, given)
    after = behave(subject, changed)
    if after.equals(before):
        yield f"found the logits and gradients of {reference}, expected others, or the level in `excluded`"
    if factor != "initialisation":
        common = shared(before.start, after.start)
        moved = [key for key in common if not torch.equal(before.start[key], after.start[key])]
        if moved:
            yield f"found {listed(moved)} starting from other values than at {reference}, expected the same"
    if factor in subject.entry.layers:
        weights = {key: value.shape for key, value in before.start.items() if value.dim() > 1}
        lost = [key for key, shape in weights.items() if key not in after.start or after.start[key].shape != shape]
        lost = lost and [key for key in lost if key not in made_for(factor, subject, given)]
        if lost:
            yield f"found {listed(lost)} missing or of another shape than at {reference}, expected weights to be kept"


@check
def check_biases(subject: Subject) -> Iterator[str]:
    """Check that a layer has a bias unless a norm with a shift follows, at every level of the factor norm."""
    levels = subject.levels_beside("norm")
    if "norm_placement" in levels:
        levels["norm_placement"] = "before"  # after the activation, a norm makes no bias redundant
    if "bias" in levels:
        levels["bias"] = "by_norm"  # the other level is there to keep what is redundant
    forms = {"the small form": levels}
    if "norm" in subject.entry.layers:
        forms = {f"norm.{norm}": {**levels, "norm": norm} for norm in subject.levels_of("norm")}
    biases, norm_after, images = {}, {}, random_images(BATCH, subject.side)
    for form, levels in forms.items():
        with at(form):
            spec = subject.spec(levels)
            network = construct(spec, tuple(images.shape[1:]))
            norm_after[form] = normalised_by(network, images, shifting_norm(spec))
        biases[form] = {name: m.bias is not None for name, m in network.named_modules() if isinstance(m, AFFINE)}
    sometimes = {name for found in norm_after.values() for name in found}
    for form in forms:
        redundant = [name for name in norm_after[form] if biases[form][name]]
        if redundant:
            yield f"found {listed(redundant, 'layer')} with a bias at {form}, expected none: the norm after has a shift"
        bare = [name for name, bias in biases[form].items() if name in sometimes - norm_after[form].keys() and not bias]
        if bare:
            yield f"found {listed(bare, 'layer')} without a bias at {form}, expected one: no norm after has a shift"


@check
def check_modes(subject: Subject) -> Iterator[str]:
    """Check that the seed alone decides on what training computes, and that evaluation is a function of each image."""
    spec, images = subject.spec(subject.levels()), random_images(BATCH, subject.side)
    with torch.no_grad():
        network = make(spec, subject.side)
        twin = deepcopy(network)
        if not all(map(torch.equal, *(answer(one, images, training=True) for one in (network, twin)))):
            yield "found other logits in training mode from the same weights, images and seed, expected the same"
        before = {key: value.clone() for key, value in network.state_dict().items()}
        (first,), (second,) = (answer(network, images, training=False, seed=seed) for seed in (1, 2))
        (alone,) = answer(network, images[:1], training=False, seed=2)
        if not torch.equal(first, second):
            yield "found other logits in evaluation mode the second time, expected the same: nothing is random there"
        elif not torch.allclose(alone, first[:1], rtol=1e-3, atol=1e-4 * float(first.abs().max())):
            yield "found other logits in evaluation mode for an image alone than for it among others, expected the same"
        changed = differing(before, network.state_dict())
        if changed:
            yield f"found {listed(changed, 'tensor')} changed by evaluation mode, expected that it changes nothing"


@check
def check_state(subject: Subject) -> Iterator[str]:
    """Check that a network that loads the state of a trained one answers as that does."""
    spec, images = subject.spec(subject.levels()), random_images(BATCH, subject.side)
    trained, fresh = (make(spec, subject.side, seed) for seed in (0, 1))
    with torch.no_grad():
        answer(trained, images, training=True)
        with doing("saving and loading the state"):
            fresh.load_state_dict(saved_and_loaded(trained.state_dict()))
        for training in (False, True):
            if not all(map(torch.equal, *(answer(network, images, training) for network in (trained, fresh)))):
                mode = "training" if training else "evaluation"
                reason = "something that counts is neither parameter nor buffer"
                yield f"found other logits in {mode} mode after loading the state, expected the same: {reason}"


@check
def check_resume(subject: Subject) -> Iterator[str]:
    """Check that a training that is saved and resumed within an epoch ends as one at a stretch does, bit for bit."""
    spec = {
        "architecture": subject.spec(subject.levels()),
        "recipe": TRAINING.model_dump(),
        "code": code_spec(subject.catalogue, TRAINING.model_dump()),
        "seed": 0,
        "diagnostics": None,
    }
    images, labels = random_images(32, subject.entry.smallest_side), torch.arange(32) % CLASSES
    parts = {"train": Part(images[:24], labels[:24]), "validation": Part(images[24:], labels[24:])}
    states = []
    with doing("training"):
        whole, resumed = (Run(spec, parts, CLASSES) for _ in range(2))
        torch.manual_seed(1)
        finish(whole.train_epoch(), lambda: states.append(saved_and_loaded(whole.state())))
        whole.epoch()
    with doing("resuming the training"):
        torch.manual_seed(2)  # what other runs draw must not matter
        resumed.resume(states[1])  # after two steps of three
        resumed.epoch()
        resumed.epoch()
    if whole.diverged:
        yield f"found losses that are not finite at lr {TRAINING.lr}, expected finite ones"
    else:
        apart = differing(whole.network.state_dict(), resumed.network.state_dict())
        if apart:
            yield f"found {listed(apart, 'tensor')} different after resuming than without a break, expected equal ones"


@check
def check_table(subject: Subject) -> Iterator[str]:
    """Check that the layers can be traced, and that their parameters are those of the network."""
    spec, shape = subject.spec(subject.levels()), (1, subject.side, subject.side)
    with torch.device("meta"):
        network = construct(spec, shape)
    expected = sum(parameter.numel() for parameter in network.parameters())
    with doing("tracing the layers"):
        found = totals(layer_table(network, shape))["parameters"]
    if found != expected:
        reason = "a module whose parameters are used without calling it has no row"
        yield f"found {found} parameters in the layer table, expected the network's {expected}: {reason}"


WHOLE = (
    check_initialisation,
    check_gradients,
    check_biases,
    check_modes,
    check_state,
    check_scales,
    check_resume,
    check_table,
)


def check_architecture(subject: Subject) -> list[str]:
    """Run all checks of an architecture; levels are tried once it can be built in its small form.

    Returns
    -------
    list of str
        Sentences; empty if all is well.
    """
    problems = check_entry(subject) or check_inputs(subject)
    if problems:
        return problems
    problems = [problem for checking in WHOLE for problem in checking(subject)]
    for factor, level in subjects.level_cases(subject):
        problems += check_level(subject, factor, level)
        problems += check_gradients(subject, factor, level)
    return problems
