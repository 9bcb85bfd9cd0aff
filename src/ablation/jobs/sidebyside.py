"""Which runs of a shard are trained side by side on one device, and how many.

Each has a lane of its own, and the bits that it would have alone: what it draws is named by its seed and its step, and what
it computes shares nothing with its neighbours but the images. So all of this is the machine's affair, and in no key.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from ablation.records.keys import run_key
from ablation.training.capture import Captured, CudaLane, reason_against
from ablation.training.steps import Step, Stepper
from ablation.training.turns import Lane

MOST = 8  # runs at once on a GPU, unless a profile says otherwise
SHARE = 0.8  # of the memory that is free, for they do not all reach their peak as the first one did

Wanted = tuple[Mapping[str, Any], str]  # a run of a shard, and its key


def groups(runs: Sequence[Wanted], data_digest: str) -> Iterator[list[Wanted]]:
    """Cut runs, in their order, into groups that can be trained side by side.

    Those of a group are of one variant, and so take the same memory. What torch has compiled, it has for one run at a time;
    and a run that starts from another one's weights needs the record of it.
    """
    group: list[Wanted] = []
    for run, key in runs:
        spec = run["spec"]
        start = run_key(spec["warm_start"], data_digest) if spec["warm_start"] else None
        another = bool(group) and group[0][0]["variant"] != run["variant"]
        if group and (another or spec["recipe"]["engine"] == "compiled" or start in [earlier for _, earlier in group]):
            yield group
            group = []
        group.append((run, key))
    if group:
        yield group


def make_lane(device: torch.device) -> Lane:
    """Make the lane of a run."""
    return CudaLane(device) if device.type == "cuda" else Lane()


def stepper_of(
    spec: Mapping[str, Any], lane: Lane, device: torch.device, say: Callable[[str], None]
) -> Callable[[Step], Stepper]:
    """Return what makes the stepper of a run: on CUDA, its steps are captured where that gives the same bits."""
    if device.type != "cuda":
        return Stepper
    return partial(Captured, lane=lane, say=say, against=reason_against(spec))


class Room:
    """How many runs may be under way on a device: as many as a profile says, or as its memory holds.

    On a CPU it is one, for its cores are taken by other jobs. What a run needs on a GPU is seen when the first one has done
    an epoch, with its evaluation; until then it is alone.

    Parameters
    ----------
    device : torch.device
        With the images on it.
    most : int
        What a profile says; 0 if it says nothing.
    """

    def __init__(self, device: torch.device, most: int = 0):
        self.device, self.most = device, most or (1 if device.type == "cpu" else 0)
        if not self.most:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
            self.taken = torch.cuda.memory_reserved(device)
            self.free = torch.cuda.mem_get_info(device)[0]

    def __call__(self, under_way: int) -> int:
        """Return how many may be under way."""
        return self.most or 1

    def measure(self) -> None:
        """Note that a run has done an epoch."""
        if not self.most:
            self.most = fitting(torch.cuda.max_memory_reserved(self.device) - self.taken, self.free)


def fitting(run: int, free: int) -> int:
    """Return how many runs fit, given the bytes that one takes and those that were free: at least one, at most `MOST`."""
    return max(1, min(MOST, int(SHARE * free / max(1, run))))
