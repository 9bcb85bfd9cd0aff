"""From the spec of a run to its result; knows neither Snakemake nor MLflow."""
