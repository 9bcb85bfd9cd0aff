"""The pages of `docs/studies`: what a study came to, computed from its results and committed beside the code."""
