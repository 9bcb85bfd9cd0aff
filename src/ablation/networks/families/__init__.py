"""The architectures, one module per family."""
