"""Checks of architectures and levels: each lists what is wrong, one sentence per problem, and nothing if all is well.

The architectures and levels of the catalogue pass them. `check_architecture` runs all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from functools import wraps
from itertools import combinations
from typing import Any

import torch

from ablation.jobs import subjects
from ablation.jobs.behaviour import (
    AFFINE,
    BATCH,
    CLASSES,
    Broken,
    answer,
    at,
    behave,
    construct,
    differing,
    doing,
    in_words,
    initialise_by,
    made_for,
    make,
    normalised_by,
    random_images,
    saved_and_loaded,
    shared,
)
from ablation.jobs.subjects import Subject
from ablation.networks.kit import Layers
from ablation.networks.layertable import shape_text, totals
from ablation.networks.tracing import layer_table
from ablation.study.levels import level_text
from ablation.study.schema import Recipe, nearest
from ablation.study.specs import code_spec
from ablation.training.evaluation import Part
from ablation.training.run import Run

TRAINING = Recipe(epochs=2, batch_size=8, lr=0.01, momentum=0.9, augmentation="translate1+colour10")
Inputs = Iterable[tuple[tuple[int, int, int], int]]


def check(sentences: Callable[..., Iterator[str]]) -> Callable[..., list[str]]:
    """Turn a generator of sentences into a check: their list, each led by what it is about, ended by what broke."""

    @wraps(sentences)
    def checked(subject: Subject, factor: str | None = None, level: Any = None, **how: Any) -> list[str]:
        case = () if factor is None else (factor, level)
        about = f"{subject.name}, {factor}.{level_text(level)}" if case else subject.name
        problems = []
        with torch.random.fork_rng(devices=[]):  # the caller keeps the random state
            try:
                for sentence in sentences(subject, *case, **how):
                    problems.append(f"{about}: {sentence}")
            except Broken as broken:
                problems.append(f"{about}: {in_words(broken, subject)}")
        return problems

    return checked


def listed(names: Iterable[str], what: str = "parameter") -> str:
    """Name what a problem is about: parameter 'a'; parameters 'a', 'b', 'c' and 4 more."""
    names = list(names)
    text = ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{what}{'s' * (len(names) > 1)} {text}"


@check
def check_entry(subject: Subject) -> Iterator[str]:
    """Check that the entry of the catalogue says what the builder takes and agrees with itself."""
    entry, known, sound = subject.entry, subject.catalogue.factors, True
    for factor, level in entry.layers.items():
        sound = sound and factor in known and level in subject.levels_of(factor)
        if factor not in known:
            yield f"found the layer factor {factor!r}, expected one of {', '.join(known)}{nearest(factor, known)}"
        elif level not in subject.levels_of(factor):
            allowed = subject.levels_of(factor)
            yield f"{factor}: found the reference level {level!r}, expected one of {', '.join(allowed)}"
    if "initialisation" not in entry.layers:
        sound = False
        yield "found no layer factor initialisation, expected it: every network has to be initialised"
    for argument in entry.arguments:
        allowed, value = entry.arguments[argument].choices, entry.references[argument]
        if allowed and value not in allowed:
            yield f"{argument}: found the reference value {value!r}, expected one of {', '.join(map(str, allowed))}"
        if argument in known or argument in Recipe.model_fields:
            yield f"found an argument {argument!r}, expected a name that is no layer factor and no entry of the recipe"
    unknown = [name for name in (*subject.small, *subject.others) if name not in entry.references]
    if unknown:
        yield f"found {listed(unknown, 'factor')} in the small form, expected factors of the architecture"
    for form, levels in (("reference", entry.references), ("small", subject.levels())):
        with doing(f"refusing the {form} form"):
            reason = not unknown and entry.refuse(levels)
        if reason:
            yield f"found a {form} form that is refused, expected one that can be built: {reason}"
    with doing(f"importing the builder {entry.builder!r}"):
        builder = subject.builder()
    if sound and not reason and not unknown:
        yield from arguments_taken(subject, builder)
    for argument in entry.arguments:
        if not subjects.other_values(subject, argument):
            yield f"{argument}: found no other value to check it with, expected one among `others`"


def arguments_taken(subject: Subject, builder: Callable) -> Iterator[str]:
    """Say which arguments of the entry a builder does not ask for, and whether it takes others."""
    spec = subject.spec(subject.levels())
    layers, stated = Layers.choose(spec["layers"]), spec["arguments"]

    def takes(arguments: Mapping[str, Any]) -> bool:
        try:
            with torch.device("meta"):
                builder((1, subject.side, subject.side), CLASSES, layers, **arguments)
        except TypeError:
            return False
        except Exception:
            return True  # what else goes wrong in building, other checks say
        return True

    if takes({**stated, "no_such_argument": 1}):
        yield "found a builder that takes any argument, expected that it refuses what the entry does not state"
    for name in stated:
        if takes({argument: value for argument, value in stated.items() if argument != name}):
            yield f"{name}: found a builder that can do without it, expected a keyword argument without default"
    if not takes(stated):
        names = ", ".join(stated) or "none"
        yield f"found a builder that does not take the arguments of its entry: {names}"


@check
def check_inputs(subject: Subject, inputs: Inputs | None = None) -> Iterator[str]:
    """Check that logits come out of every promised input in both modes.

    Parameters
    ----------
    subject : Subject
    inputs : iterable of (shape, classes), optional
        Without it, those of `ablation.jobs.subjects.promised_inputs` in the small form, and the published one in the
        reference form, which passes on the meta device.
    """
    promised = subjects.promised_inputs(subject.entry)
    cases = [("cpu", subject.levels(), *case) for case in (promised if inputs is None else inputs)]
    if inputs is None:
        cases.append(("meta", subject.entry.references, subject.entry.published, 1000))
    for device, levels, shape, classes in cases:
        try:
            with at(f"input {shape_text(shape)} with {classes} classes"), torch.device(device), torch.no_grad():
                network = construct(subject.spec(levels), shape, classes)
                for training in (True,) if device == "meta" else (False, True):  # training has all the outputs
                    answer(network, torch.zeros(2, *shape), training, classes)
        except Broken as broken:
            yield in_words(broken, subject)


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
        yield f"found the logits and gradients of {reference}, expected others: the level changes nothing"
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
    forms = {"the small form": levels}
    if "norm" in subject.entry.layers:
        forms = {f"norm.{norm}": {**levels, "norm": norm} for norm in subject.levels_of("norm")}
    biases, norm_after, images = {}, {}, random_images(BATCH, subject.side)
    for form, levels in forms.items():
        with at(form):
            network = construct(subject.spec(levels), tuple(images.shape[1:]))
            norm_after[form] = normalised_by(network, images)
        biases[form] = {name: m.bias is not None for name, m in network.named_modules() if isinstance(m, AFFINE)}
    sometimes = {name for found in norm_after.values() for name in found}
    for form in forms:
        redundant = [name for name in norm_after[form] if biases[form][name]]
        if redundant and not subject.biased:
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
    """Check that a training that is saved and resumed after an epoch ends as one at a stretch does, bit for bit."""
    spec = {
        "architecture": subject.spec(subject.levels()),
        "recipe": TRAINING.model_dump(),
        "code": code_spec(subject.catalogue, TRAINING.model_dump()),
        "seed": 0,
        "measures": {},
        "diagnostics": None,
    }
    images, labels = random_images(32, subject.entry.smallest_side), torch.arange(32) % CLASSES
    parts = {"train": Part(images[:24], labels[:24]), "validation": Part(images[24:], labels[24:])}
    with doing("training"):
        whole, resumed = (Run(spec, parts, CLASSES) for _ in range(2))
        torch.manual_seed(1)
        whole.epoch()
        state = saved_and_loaded(whole.state())
        whole.epoch()
    with doing("resuming the training"):
        torch.manual_seed(2)  # what other runs draw must not matter
        resumed.resume(state)
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
