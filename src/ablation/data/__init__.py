"""Data sets read, split and prepared as arrays."""
