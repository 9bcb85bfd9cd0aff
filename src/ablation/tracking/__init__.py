"""The mirror to MLflow; only its modules import that: `experiment`, `lease` and `mirror`."""

import os

# All before MLflow is imported. It would send usage data to its makers, while the mirror speaks with nobody but the
# tracking server; and it would ask that server for the address of each run, to print it.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
