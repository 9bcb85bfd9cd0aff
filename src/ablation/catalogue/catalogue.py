"""All that a study may name, ours and, with `parts`, its author's."""

from collections.abc import Mapping
from dataclasses import dataclass

from ablation.catalogue.architectures import CATALOGUE, Architecture
from ablation.catalogue.factors import FACTORS, Factor
from ablation.catalogue.metrics import METRICS, Metric
from ablation.catalogue.recipes import AUGMENTATIONS, Augmentation
from ablation.catalogue.sources import SOURCES, Source


@dataclass(frozen=True)
class Catalogue:
    """What a study may name, by name.

    Attributes
    ----------
    architectures, factors, metrics, sources, augmentations : mapping
    parts : tuple of str
        The files of the author's own that have joined, as references name them.
    digest : str
        Of the tables of these files; empty without any.
    """

    architectures: Mapping[str, Architecture]
    factors: Mapping[str, Factor]
    metrics: Mapping[str, Metric]
    sources: Mapping[str, Source]
    augmentations: Mapping[str, Augmentation]
    parts: tuple[str, ...] = ()
    digest: str = ""

    @classmethod
    def of(cls, context: "Catalogue | None") -> "Catalogue":
        """Return what a study is validated against: what was given with it, or ours."""
        return context or OURS


OURS = Catalogue(CATALOGUE, FACTORS, METRICS, SOURCES, AUGMENTATIONS)
