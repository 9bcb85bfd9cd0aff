"""Every check passes what is sound, and says in words what is not."""

from dataclasses import replace
from pathlib import Path

import broken
import pytest
import torch
from torch import nn

from ablation.catalogue.catalogue import OURS
from ablation.catalogue.entry import Architecture, Argument, Rule
from ablation.catalogue.factors import FACTORS, Level
from ablation.jobs import checks
from ablation.jobs.subjects import Subject, level_cases

LAYERS = {
    "activation": "relu",
    "norm": "batch",
    "norm_placement": "before",
    "head": "gap",
    "initialisation": "default",
}
LEVELS = {factor: entry.levels for factor, entry in FACTORS.items()}
ENTRY = Architecture("broken:sound", "A toy.", LAYERS, {"width": Argument(4, "Channels.")}, published=(3, 32, 32))


def toy(builder="sound", **options):
    """A subject with a builder of `broken`; `options` are of `Subject` or of its entry."""
    own = {key: options.pop(key) for key in list(options) if key in Subject.__dataclass_fields__}
    choices, scales = options.pop("choices", {}), options.pop("scales", ())
    arguments = options.pop("arguments", {"width": 4})
    options["arguments"] = {
        name: Argument(value, "It.", choices.get(name, ()), name in scales) for name, value in arguments.items()
    }
    if "refuse" in options:
        options["rules"] = (Rule("A rule.", options.pop("refuse")),)
    return Subject("toy", replace(ENTRY, builder=f"broken:{builder}", **options), **own)


def line(text):
    """The line of broken.py that holds a text."""
    lines = Path(broken.__file__).read_text().splitlines()
    (found,) = [number for number, content in enumerate(lines, 1) if text in content]
    return f"(broken.py, line {found})"


def test_a_sound_architecture_passes_every_check():
    before = torch.get_rng_state()
    assert checks.check_architecture(toy()) == []
    assert torch.equal(torch.get_rng_state(), before), "checks leave the random state as it was"


def test_every_level_of_every_layer_factor_is_tried():
    cases = level_cases(toy(excluded={"norm.lrn": "a reason"}))
    for factor, reference in LAYERS.items():
        left_out = {reference, "lrn"} if factor == "norm" else {reference}
        assert [level for name, level in cases if name == factor] == [n for n in LEVELS[factor] if n not in left_out]


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        (4, {}, [5]),
        (0.5, {}, [0.25]),
        (0.0, {}, [0.5]),
        (True, {}, [False]),
        ("a", {}, []),
        ("a", {"others": {"it": "b"}}, ["b"]),
        ("a", {"choices": {"it": ("a", "b", "c")}}, ["b", "c"]),
        (8, {"refuse": lambda levels: "not a multiple of 3" if levels["it"] % 3 else None}, [9]),
    ],
)
def test_other_values_of_an_argument_are_found(value, options, expected):
    assert [
        level for factor, level in level_cases(toy(arguments={"it": value}, **options)) if factor == "it"
    ] == expected


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (
            toy("nowhere"),
            [
                "importing the builder 'broken:nowhere' raised OwnCodeError: broken:nowhere: "
                "there is no such code: module 'broken' has no attribute 'nowhere'"
            ],
        ),
        (
            toy(arguments={"depth": 4}),
            ["found a builder that does not take the arguments of its entry: depth"],
        ),
        (
            toy(layers={**LAYERS, "norms": "batch"}),
            [
                f"found the layer factor 'norms', expected one of {', '.join(LEVELS)}; did you mean 'norm'?",
            ],
        ),
        (
            toy(layers={**LAYERS, "head": "average"}),
            ["head: found the reference level 'average', expected one of gap, dense"],
        ),
        (
            toy(layers={"norm": "batch"}),
            ["found no layer factor initialisation, expected it: every network has to be initialised"],
        ),
        (
            toy(choices={"width": (2, 8)}),
            ["width: found the reference value 4, expected one of 2, 8"],
        ),
        (
            toy("rated", arguments={"lr": 4}),
            ["found an argument 'lr', expected a name that is no layer factor and no entry of the recipe"],
        ),
        (
            toy(small={"depth": 2}),
            ["found factor 'depth' in the small form, expected factors of the architecture"],
        ),
        (
            toy(small={"width": 3}, refuse=lambda levels: "width is even" if levels["width"] % 2 else None),
            ["found a small form that is refused, expected one that can be built: width is even"],
        ),
        (
            toy("planned", arguments={"plan": "1-2"}),
            ["plan: found no other value to check it with, expected one among `others`"],
        ),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(subject, expected):
    assert checks.check_entry(subject) == [f"toy: {sentence}" for sentence in expected]


PADDING = f"building raised ValueError: no padding is known for 4 channels {line('raise ValueError(f')}"
LOST = f"raised ValueError: nothing is left of the maps {line('nothing is left')}"
# Shape and number of classes, and the mode of the first pass: the published input, which is the last, only trains.
INPUTS = [
    ("1x8x8", 2, "evaluation"),
    ("3x8x8", 10, "evaluation"),
    ("1x28x28", 10, "evaluation"),
    ("3x32x32", 100, "evaluation"),
    ("3x32x32", 1000, "training"),
]


@pytest.mark.parametrize(
    ("builder", "inputs", "expected"),
    [
        ("maps", INPUTS, "the forward pass in {1} mode returned a tensor of shape 2x{0}x1x1, expected logits of 2x{0}"),
        ("Pair", INPUTS[:4], "the forward pass in {1} mode returned an object of type tuple, expected logits of 2x{0}"),
        ("formula", INPUTS, "the builder returned an object of type function, expected a torch.nn.Module"),
        ("raising", INPUTS, PADDING),
        ("Cramped", INPUTS[:2], f"the forward pass in {{1}} mode {LOST}"),
    ],
)
def test_what_is_wrong_with_an_input_is_said(builder, inputs, expected):
    found = checks.check_inputs(toy(builder))
    assert found == [f"toy: at input {shape} with {n} classes, {expected.format(n, mode)}" for shape, n, mode in inputs]
    assert checks.check_architecture(toy(builder)) == found, "what cannot be built is not tried at other levels"


def test_a_promise_of_larger_inputs_alone_is_kept():
    assert checks.check_inputs(toy("Cramped", smallest_side=16)) == []


TWO_INITIALISATIONS = {f"initialisation.{name}": "a reason" for name in list(LEVELS["initialisation"])[2:]}
ARCHITECTURES = [
    (
        checks.check_gradients,
        toy("Dead"),
        [
            "found parameters 'unused.weight', 'unused.bias' without a gradient in training, "
            "expected that every parameter learns"
        ],
    ),
    (
        checks.check_gradients,
        toy("Infinite"),
        ["found parameter 'body.stem.conv.weight' with a gradient that is not finite, expected a finite one"],
    ),
    (
        checks.check_gradients,
        toy("Overflowing"),
        ["found logits that are not finite in evaluation mode, expected finite ones"],
    ),
    (
        checks.check_gradients,
        toy("Dead", untrained={("width", 4): ("unused", "head.")}),
        [
            "found parameters 'body.head.classifier.weight', 'body.head.classifier.bias' with a gradient, "
            "expected none: they are stated as untrained"
        ],
    ),
    (checks.check_gradients, toy("raising"), [PADDING]),
    (
        checks.check_gradients,
        toy("Cut"),
        [
            "the backward pass raised RuntimeError: "
            "element 0 of tensors does not require grad and does not have a grad_fn"
        ],
    ),
    (
        checks.check_initialisation,
        toy("Untyped"),
        ["initialising raised TypeError: layer '' (Untyped) has parameters ['gain'] and no initialisation"],
    ),
    (
        checks.check_initialisation,
        toy("Drawn"),
        [
            "found tensor 'noise' starting from other values in a second network, "
            "expected the same: the seed alone decides, not torch's global random state"
        ],
    ),
    (
        checks.check_initialisation,
        toy("Alike", excluded=TWO_INITIALISATIONS),
        ["found initialisation.xavier starting from the values of initialisation.default, expected others"],
    ),
    (
        checks.check_biases,
        toy("biased"),
        [
            f"found layer 'stem.conv' with a bias at norm.{norm}, expected none: the norm after has a shift"
            for norm in ("batch", "layer", "group")
        ],
    ),
    (
        checks.check_biases,
        toy("sound", layers={**LAYERS, "bias": "kept"}),
        [],
    ),
    (checks.check_scales, toy(scales=("width",)), []),
    (checks.check_scales, toy("narrow"), []),
    (
        checks.check_scales,
        toy("narrow", scales=("width",)),
        [
            "width: found 52 parameters, and 52 at twice the width, expected more: it is said to scale the network",
        ],
    ),
    (
        checks.check_scales,
        toy(choices={"width": (4, 8)}, scales=("width",)),
        ["width: found an argument that scales, expected a whole number without choices"],
    ),
    (
        checks.check_biases,
        toy("Unbiased"),
        [
            f"found layer 'body.stem.conv' without a bias at norm.{norm}, expected one: no norm after has a shift"
            for norm in ("lrn", "none")
        ],
    ),
    (
        checks.check_modes,
        toy("Random"),
        ["found other logits in training mode from the same weights, images and seed, expected the same"],
    ),
    (
        checks.check_modes,
        toy("Restless"),
        ["found other logits in evaluation mode the second time, expected the same: nothing is random there"],
    ),
    (
        checks.check_modes,
        toy("Comparing"),
        ["found other logits in evaluation mode for an image alone than for it among others, expected the same"],
    ),
    (
        checks.check_modes,
        toy("Counting"),
        ["found tensor 'passes' changed by evaluation mode, expected that it changes nothing"],
    ),
    (
        checks.check_state,
        toy("Forgetful"),
        [
            f"found other logits in {mode} mode after loading the state, expected the same: "
            "something that counts is neither parameter nor buffer"
            for mode in ("evaluation", "training")
        ],
    ),
    (
        checks.check_resume,
        toy("Forgetful"),
        [
            "found tensors 'body.stem.conv.weight', 'body.stem.norm.weight', 'body.stem.norm.bias' and 4 more "
            "different after resuming than without a break, expected equal ones"
        ],
    ),
    (
        checks.check_resume,
        toy("Exploding"),
        ["found losses that are not finite at lr 0.01, expected finite ones"],
    ),
    (
        checks.check_table,
        toy("Unlisted"),
        [
            "found 44 parameters in the layer table, expected the network's 94: "
            "a module whose parameters are used without calling it has no row"
        ],
    ),
]


@pytest.mark.parametrize(
    ("check", "subject", "expected"),
    ARCHITECTURES,
    ids=[f"{check.__name__}-{subject.entry.builder}" for check, subject, _ in ARCHITECTURES],
)
def test_what_is_wrong_with_an_architecture_is_said(check, subject, expected):
    assert check(subject) == [f"toy: {sentence}" for sentence in expected]


@pytest.mark.parametrize(
    ("subject", "factor", "level", "expected"),
    [
        (
            toy("deaf"),
            "activation",
            "tanh",
            "found the logits and gradients of activation.relu, expected others, or the level in `excluded`",
        ),
        (
            toy("planned", arguments={"plan": "1-2"}),
            "plan",
            "2-1",
            "found the logits and gradients of plan.1_2, expected others, or the level in `excluded`",
        ),
        (
            toy("wider"),
            "activation",
            "tanh",
            "found parameters 'stem.conv.weight', 'head.classifier.weight' missing or of another shape "
            "than at activation.relu, expected weights to be kept",
        ),
        (
            toy("moving"),
            "width",
            8,
            "found parameter '0.weight' starting from other values than at width.4, expected the same",
        ),
        (toy("raising"), "activation", "tanh", f"at activation.relu, {PADDING}"),
        (
            toy(refuse=lambda levels: "width is even" if levels["width"] % 2 else None),
            "width",
            5,
            "found nothing to check: width is even; expected in `given` what must hold beside it",
        ),
        (
            toy(small={"activation": "none"}),
            "norm_placement",
            "after",
            "found nothing to check: there is nothing to place without both a norm and an activation; "
            "expected in `given` what must hold beside it",
        ),
    ],
)
def test_what_is_wrong_with_a_level_is_said(subject, factor, level, expected):
    (found,) = checks.check_level(subject, factor, level)
    assert found.partition(": ")[::2] == (f"toy, {factor}.{str(level).replace('-', '_')}", expected)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (nn.Mish, []),
        (
            nn.ReLU,
            ["found the logits and gradients of activation.relu, expected others, or the level in `excluded`"],
        ),
        (nn.PReLU, []),  # with slopes, which start as it says itself
    ],
)
def test_a_level_of_ones_own_is_checked(made, expected):
    name = f"my_{made.__name__}"
    levels = {**LEVELS["activation"], name: Level(f"torch.nn:{made.__name__}", "Mine.")}
    own = replace(OURS, factors={**FACTORS, "activation": replace(FACTORS["activation"], levels=levels)})
    found = checks.check_level(toy(catalogue=own), "activation", name)
    assert found == [f"toy, activation.{name}: {text}" for text in expected]


def test_a_norm_of_ones_own_that_shifts_makes_biases_redundant_like_any():
    levels = {**LEVELS["norm"], "own": Level("broken:ShiftingNorm", "Mine.")}
    own = replace(OURS, factors={**FACTORS, "norm": replace(FACTORS["norm"], levels=levels)})
    assert checks.check_biases(toy(catalogue=own)) == []
    found = checks.check_biases(toy("biased", catalogue=own))
    assert any("at norm.own, expected none: the norm after has a shift" in sentence for sentence in found)


def test_what_must_hold_beside_a_level_is_found_or_given():
    assert checks.check_level(toy(small={"norm": "none"}), "norm_placement", "after") == []
    given = {"norm_placement": {"activation": "relu"}}
    assert checks.check_level(toy(small={"activation": "none"}, given=given), "norm_placement", "after") == []
