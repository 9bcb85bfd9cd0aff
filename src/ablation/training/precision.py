"""The arithmetic that steps of training are computed in; parameters, their updates and evaluation stay in float32."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


@contextmanager
def tensor_cores(precision: str) -> Iterator[None]:
    """Let CUDA round the factors of float32 products to TF32 (10 bits of mantissa) within the block, or never.

    Torch's own default rounds those of convolutions and no others. On a CPU there is no such thing.
    """
    places = (torch.backends.cuda.matmul, torch.backends.cudnn)
    for place in places:
        place.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        for place in places:
            place.allow_tf32 = False


def forward_arithmetic(precision: str, device: torch.device) -> AbstractContextManager:
    """Return the context of a forward pass and its loss: autocast for ``bf16``, else none.

    Bfloat16 has the range of float32, so that no gradient vanishes and none is scaled. Weights are cast at each use and
    not kept: a captured step may keep nothing that lies outside it.
    """
    if precision != "bf16":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False)
