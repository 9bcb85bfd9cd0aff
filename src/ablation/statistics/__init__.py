"""Estimates from arrays of numbers. Knows no files and no networks."""
