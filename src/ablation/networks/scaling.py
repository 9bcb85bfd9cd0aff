"""What families share in adapting a published network to a small input or another width."""

from ablation.catalogue.entry import SMALL_SIDE


def has_small_stem(stem: str, side: int) -> bool:
    """Say whether a network starts with its small stem: if told so (`small`), or for a small input (`fit`)."""
    return stem == "small" or (stem == "fit" and side < SMALL_SIDE)


def scaled(width: int, published: int, channels: int) -> int:
    """Return channels in proportion to the width, which the source states as `published`; at least one."""
    return max(1, round(channels * width / published))
