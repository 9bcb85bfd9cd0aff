"""The mirror to MLflow."""
