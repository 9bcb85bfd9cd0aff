"""Work that is done piece by piece, so that several trainings of one process can take turns.

Such work is a generator: it yields wherever it can be left, and its value is what it returns. Nothing here knows a device.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch

Value = TypeVar("Value")
Pieces = Generator[None, None, Value]


def finish(pieces: Pieces[Value], between: Callable[[], None] = lambda: None) -> Value:
    """Do all pieces one after the other, call `between` wherever the work can be left, and return its value."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value
        between()


class Lane:
    """Where a run's operations are queued; this one is no queue: the CPU does each at once.

    `ablation.training.capture.CudaLane` is one of CUDA.
    """

    def turn(self) -> AbstractContextManager:
        """Return the context of a turn: what is computed within belongs to this lane."""
        return nullcontext()

    def settle(self) -> Iterator[None]:
        """Yield until all that was queued is done, so that reading it keeps nobody waiting."""
        yield from ()

    def keep_up(self) -> Iterator[None]:
        """Yield until all that was queued before the last call of this is done: so much is queued at most."""
        yield from ()

    def record(self, function: Callable[[], None], draws: torch.Generator) -> Callable[[], None]:
        """Return what does again what `function` does, in the same memory, without having done it.

        Parameters
        ----------
        function : callable
            Works on tensors that stay where they are, and nowhere else.
        draws : torch.Generator
            What it draws from; its seed may be another one each time.
        """
        return function

    def close(self) -> None:
        """Wait for what is queued, and give back what was recorded."""


Work = Callable[[Lane, Callable[[], bool]], Iterator[None]]


def take_turns(waiting: Iterable[Work], make_lane: Callable[[], Lane], room: Callable[[int], int]) -> None:
    """Do several pieces of work side by side, each in a lane of its own, a piece of each in turn.

    Parameters
    ----------
    waiting : iterable of callable
        Each begins one work, given its lane and what says whether others are under way; it yields wherever these may go on.
    make_lane : callable
    room : callable
        Says how many may be under way, given how many are.

    Raises
    ------
    SystemExit
        That of a work which was asked to stop. No other begins then, and each of the rest has its turns until it ends by
        itself: what was asked of one is asked of all.
    """
    waiting, under_way, asked = deque(waiting), [], None
    try:
        while under_way or (waiting and not asked):
            while waiting and not asked and len(under_way) < max(1, room(len(under_way))):
                lane = make_lane()
                under_way.append((lane, waiting.popleft()(lane, lambda: len(under_way) > 1)))
            for lane, work in tuple(under_way):
                try:
                    with lane.turn():
                        next(work)
                    continue
                except StopIteration:
                    pass
                except SystemExit as stop:
                    asked = stop
                under_way.remove((lane, work))
                lane.close()
    finally:
        for lane, work in under_way:  # an error of the machine ended one of them, and with it all
            work.close()
            lane.close()
    if asked:
        raise asked
