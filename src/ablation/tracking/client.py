"""All that is used of MLflow: the one module that imports it, with its variables set before."""

import os

# MLflow would send usage data to its makers, while the mirror speaks with nobody but the tracking server; and it would ask
# that server for the address of each run, to print it. It reads both variables when it is imported.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"

from mlflow import __version__ as mlflow_version
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag, ViewType
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

__all__ = [
    "MLFLOW_PARENT_RUN_ID",
    "MLFLOW_RUN_NAME",
    "Dataset",
    "DatasetInput",
    "InputTag",
    "Metric",
    "MlflowClient",
    "Param",
    "Run",
    "RunTag",
    "ViewType",
    "get_artifact_repository",
    "mlflow_version",
]
