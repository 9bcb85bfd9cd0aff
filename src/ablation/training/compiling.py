"""Networks whose steps are computed by torch.compile: other bits than operation by operation, and so another key."""

import torch
from torch import nn


def compiled(network: nn.Module) -> nn.Module:
    """Return what computes the training outputs of a network by compiled code, with the network's own parameters.

    What is compiled follows from the network and the shape of a batch alone, and never from what else was trained in this
    process or which batch came first: what torch has compiled so far is forgotten, and each shape is compiled by itself.
    """
    import torch._inductor.config as inductor  # seconds that only runs with this engine pay

    torch.compiler.reset()
    inductor.deterministic = True  # no choice of kernels by how fast they were: timings differ from process to process
    torch._dynamo.config.fail_on_recompile_limit_hit = True  # else it goes on without, in silence and with other bits
    return torch.compile(network, dynamic=False)
