"""All that a study may name: architectures, factors with levels, metrics, recipes, data sets. Imports no torch."""
