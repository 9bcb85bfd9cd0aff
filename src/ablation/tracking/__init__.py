"""The mirror to MLflow, which `ablation.tracking.client` alone imports."""
