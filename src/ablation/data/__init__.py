"""From data sets to arrays."""
