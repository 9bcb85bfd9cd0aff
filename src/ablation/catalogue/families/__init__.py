"""The entries of the catalogue of architectures, one module per family: factors, rules and parsers of plans."""
