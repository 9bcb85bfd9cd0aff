"""The catalogue's entry of GoogLeNet, and the parser of its blocks; `ablation.networks.families.googlenet` builds it."""

from ablation.catalogue.entry import (
    AVERAGING,
    CONCATENATING,
    DROPOUT_SHARE,
    NO_HIDDEN,
    Architecture,
    Argument,
    Family,
    Ineffective,
    Rule,
    parse_counts,
    refuse_unreadable,
    stem,
)

MOST_BLOCKS = (2, 5, 2)  # the rows of table 1, by stage


def parse_blocks(blocks: str) -> tuple[int, ...]:
    """Read the blocks of the three stages, such as ``2-5-2``.

    Raises
    ------
    ValueError
        If it is written otherwise, a number is below one, or a stage has more blocks than the paper's.
    """
    counts = parse_counts(blocks, "blocks must name the blocks of three stages, such as 2-5-2", len(MOST_BLOCKS))
    if any(count > most for count, most in zip(counts, MOST_BLOCKS, strict=True)):
        raise ValueError("blocks must be at most 2-5-2: table 1 has no more rows")
    return counts


ARGUMENTS = {
    "width": Argument(64, "Channels of the first convolution (published: 64); all others scale along.", scales=True),
    "blocks": Argument("2-5-2", "Blocks of each stage, from the first row of each (published: 2-5-2)."),
    "without": Argument(
        "none",
        "A branch that all blocks lack: `1x1`, `3x3`, `5x5` or `pool`; `none` lacks none.",
        choices=("none", "1x1", "3x3", "5x5", "pool"),
    ),
    "reductions": Argument(
        True,
        "Whether 1x1 convolutions reduce the channels before the 3x3 and 5x5 ones; the pool's projection always stays, "
        "or the channels would grow from block to block.",
    ),
    "reduction_activation": Argument(
        True, "Whether the reductions have an activation; in the study notes (002) they have none."
    ),
    "stem_activation": Argument(
        True, "Whether the stem's 3x3 convolution has an activation; in the study notes (003) it has none."
    ),
    "first_reduction": Argument(
        16, "Channels before the 5x5 convolution of the first block (published: 16; the study notes 003: 18)."
    ),
    "first_block": Argument(
        "googlenet",
        "`googlenet`, or `inception_v3`, whose first block the study notes (004) show as GoogLeNet's.",
        choices=("googlenet", "inception_v3"),
    ),
    "five_by_five": Argument(
        "5x5",
        "The kernels of the 5x5 branch: `5x5`, `two_3x3`, `1x5_5x1`, or `3x3` as in torchvision.",
        choices=("5x5", "3x3", "two_3x3", "1x5_5x1"),
    ),
    "auxiliary": Argument(False, "Whether two auxiliary classifiers join in the training (section 5)."),
    "dropout": Argument(0.4, "Share of the features dropped before the classifier in training (published: 0.4)."),
    "stem": stem("7x7 of stride 2 and poolings", small="3x3 of stride 1 without"),
}

FAMILY = Family(
    """GoogLeNet (Szegedy et al. 2015, table 1): nine Inception blocks, of which each looks through several kernels at once.

    The paper normalises twice by local response; like the study notes, this network does not. torchvision's network differs
    from the paper: it has batch norm throughout, a 3x3 kernel where the paper has 5x5 (`five_by_five: 3x3` here) and a last
    pooling of 2x2 windows; its auxiliary classifiers average adaptively, as do those here, which makes them fit any input.
    """,
    {
        "googlenet": Architecture(
            "ablation.networks.families.googlenet:googlenet",
            "A GoogLeNet.",
            AVERAGING,
            ARGUMENTS,
            {**CONCATENATING, **NO_HIDDEN},
            rules=(
                Rule(
                    "`blocks` names the blocks of three stages, at most 2-5-2: table 1 has no more rows.",
                    refuse_unreadable("blocks", parse_blocks),
                ),
                DROPOUT_SHARE,
            ),
            no_effect=(
                Ineffective("reduction_activation", {"reductions": False}, "reductions is false"),
                Ineffective("first_reduction", {"reductions": False}, "reductions is false"),
                Ineffective("five_by_five", {"without": "5x5"}, "the 5x5 branch is left out"),
                Ineffective("first_reduction", {"without": "5x5"}, "the 5x5 branch is left out"),
                Ineffective(
                    "first_reduction",
                    {"first_block": "inception_v3"},
                    "first_block is inception_v3, which reduces to channels of its own",
                ),
            ),
        )
    },
)
