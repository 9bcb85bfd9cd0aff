"""The generators of torch that named random streams draw from."""

import torch

from ablation.support.randomness import stream_seed


def stream(seed: int, *name: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Make the generator of the stream `name`.

    Parameters
    ----------
    seed : int
        The replicate.
    *name : str or int
        Purpose and place, such as ``"initialisation", "conv1.conv.weight"`` or ``"order", epoch``.
    device : torch.device or str
        Where its numbers are drawn; devices of one kind draw the same ones.

    Returns
    -------
    torch.Generator
    """
    return torch.Generator(device=device).manual_seed(stream_seed(seed, *name))
