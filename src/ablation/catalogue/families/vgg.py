"""The catalogue's entries of VGG, and the parser of plans; `ablation.networks.families.vgg` builds them."""

import re

from ablation.catalogue.entry import (
    CONVOLUTIONAL,
    COUNT,
    DENSE_HEAD,
    DROPOUT_SHARE,
    Architecture,
    Argument,
    Family,
    Levels,
    Rule,
    refuse_many,
    refuse_unreadable,
)

# Columns A, B, D and E of table 1, by weighted layers: 3x3 convolutions x the multiple of 64 channels of each stage.
COLUMNS = {
    11: "1x1 1x2 2x4 2x8 2x8",
    13: "2x1 2x2 2x4 2x8 2x8",
    16: "2x1 2x2 3x4 3x8 3x8",
    19: "2x1 2x2 4x4 4x8 4x8",
}


def parse_plan(plan: str) -> tuple[tuple[int, int], ...]:
    """Read a plan such as ``1x1 1x2 2x4``: for each stage the number of convolutions and the multiple of the width.

    Raises
    ------
    ValueError
        If it is written otherwise, or a number is below one.
    """
    stages = [re.fullmatch(f"({COUNT})x({COUNT})", stage) for stage in plan.split()]
    expected = "plan must name stages as convolutions x multiples of the width, such as '1x1 1x2 2x4'"
    if not stages or not all(stages):
        raise ValueError(expected)
    counts = tuple((int(stage[1]), int(stage[2])) for stage in stages)
    refuse_many(len(counts), max(map(max, counts)), expected)
    return counts


def longest_stage(levels: Levels) -> tuple[int, str]:
    """Return the 3x3 convolutions of the longest stage, before `kernel` takes the place of any, and the plan's name."""
    if "plan" in levels:
        plan, name = levels["plan"], f"plan {levels['plan']!r}"
    else:
        plan, name = COLUMNS[levels["depth"]], f"depth {levels['depth']}"
    return max(count for count, _ in parse_plan(plan)), name


def refuse_kernel(levels: Levels) -> str | None:
    """Refuse a kernel that finds no stack of 3x3 convolutions to stand for."""
    (longest, name), stack = longest_stage(levels), (levels["kernel"] - 1) // 2
    if longest < stack:
        return f"kernel {levels['kernel']} stands for a stack of {stack} 3x3 convolutions, which {name} does not have"
    return None


def refuse_tied(levels: Levels) -> str | None:
    """Refuse a tie where no stage has two convolutions that could be one."""
    (longest, name), stack = longest_stage(levels), (levels["kernel"] - 1) // 2
    if levels["tied"] and longest // stack < 3:
        return f"tied needs a stage of three convolutions or more, which {name} does not have"
    return None


LAYERS = {**DENSE_HEAD, "bias": "kept", "dropped": "units"}
ARGUMENTS = {
    "hidden": Argument(4096, "Units of the two dense layers (published: 4096).", scales=True),
    "dropout": Argument(0.5, "Share of the dense units dropped in training (published: 0.5)."),
    "kernel": Argument(
        3, "3 as published; 5 or 7 in place of stacks of 3x3 with the same receptive field.", choices=(3, 5, 7)
    ),
    "dilation": Argument(1, "Pixels between the taps of a kernel (published: 1)."),
    "tied": Argument(
        False,
        "Whether the convolutions of a stage, from its second on, are one and the same (study notes, 001: gradients of "
        "tied layers add up).",
    ),
}
RULES = (
    Rule(
        "`kernel` 5 or 7 takes the place of two or three 3x3 convolutions, which some stage must have.", refuse_kernel
    ),
    Rule(
        "`tied` needs a stage of three convolutions or more, counted after `kernel` has taken the place of some.",
        refuse_tied,
    ),
    DROPOUT_SHARE,
)
PLAN_RULE = Rule(
    "`plan` names stages as convolutions x multiples of the width, such as 1x1 1x2 2x4.",
    refuse_unreadable("plan", parse_plan),
)

FAMILY = Family(
    """VGG (Simonyan and Zisserman 2015, table 1): stages of 3x3 convolutions, each closed by a pooling that halves the side.

    With batch norm it is torchvision's network: the norm follows the convolutions, which keep their biases, and not the
    dense layers. The paper's A-LRN, which normalises the first convolution alone, is not offered.
    """,
    {
        "vgg": Architecture(
            "ablation.networks.families.vgg:vgg",
            "A VGG of the paper's table.",
            LAYERS,
            {
                "depth": Argument(11, "Weighted layers: 11, 13, 16 or 19.", tuple(COLUMNS)),
                "width": Argument(64, "Channels of the first stage (published: 64).", scales=True),
                **ARGUMENTS,
            },
            CONVOLUTIONAL,
            rules=RULES,
        ),
        "vgg_plan": Architecture(
            "ablation.networks.families.vgg:vgg_plan",
            "A VGG of any plan.",
            LAYERS,
            {
                "plan": Argument(
                    COLUMNS[11],
                    "For each stage its convolutions x the multiple of the width: `1x1 1x2 2x4 2x8 2x8` is VGG-11.",
                ),
                "width": Argument(64, "Channels of a stage of multiple 1 (published: 64).", scales=True),
                **ARGUMENTS,
            },
            CONVOLUTIONAL,
            rules=(PLAN_RULE, *RULES),
        ),
    },
)
