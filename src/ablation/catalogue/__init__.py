"""What a study may name. Imports no torch."""
