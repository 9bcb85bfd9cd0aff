"""Ablation and reproducibility studies of convolutional networks.

From Python, three functions reach what a study left behind: `load` a trained network, the `images` that it saw, and all
`results` as data frames. They are imported when they are used: the package itself needs neither torch nor pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablation.analysis.frames import results
    from ablation.jobs.trained import images, load

__all__ = ["images", "load", "results"]
PLACES = {"images": "jobs.trained", "load": "jobs.trained", "results": "analysis.frames"}


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"ablation.{PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
