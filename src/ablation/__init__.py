"""Ablation and reproducibility studies of convolutional networks.

From Python, three functions reach what a study left behind: `load` a trained network, the `images` that it saw, and all
`results` as data frames. They are imported when they are used: the package itself needs neither torch nor pandas.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablation.analysis.access import images, load, results

__all__ = ["images", "load", "results"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ablation.analysis import access

    return getattr(access, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
