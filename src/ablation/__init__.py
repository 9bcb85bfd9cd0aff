"""Ablation and reproducibility studies of convolutional networks."""
