"""The catalogue of architectures: one entry per architecture, read without importing torch.

A study is validated before anything heavy is imported, so what an architecture *has* (its factors with their reference
levels) is stated in the modules of `ablation.catalogue.families`, and how it is *built* in the module that its entry
names. A generic test builds every entry of the catalogue with every level of every factor.
"""

from ablation.catalogue.entry import Architecture, Family
from ablation.catalogue.families import alexnet, densenet, googlenet, inception, lenet, nin, resnet, vgg

FAMILIES: dict[str, Family] = {
    "lenet": lenet.FAMILY,
    "alexnet": alexnet.FAMILY,
    "vgg": vgg.FAMILY,
    "nin": nin.FAMILY,
    "googlenet": googlenet.FAMILY,
    "inception": inception.FAMILY,
    "resnet": resnet.FAMILY,
    "densenet": densenet.FAMILY,
}
CATALOGUE: dict[str, Architecture] = {
    name: entry for family in FAMILIES.values() for name, entry in family.architectures.items()
}


def family_of(architecture: str) -> str | None:
    """Return the name of an architecture's family; None for one of an author's own."""
    return next((name for name, family in FAMILIES.items() if architecture in family.architectures), None)
