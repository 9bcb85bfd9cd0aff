"""What a training job does when a scheduler asks it to stop."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TRY_AGAIN = 75  # exit status: not done, and nothing is wrong (EX_TEMPFAIL of sysexits.h)


class Stop:
    """A request to stop: a scheduler's, as the job's time is running out or a user cancelled it, or that of Ctrl-C.

    It is obeyed at once, except within `postponed`: a training first saves its state after the step that it is at.
    """

    def __init__(self):
        self.asked, self.later = "", 0  # blocks that it is postponed in
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = signal.Signals(number).name
        if not self.later:
            sys.exit(TRY_AGAIN)

    @contextmanager
    def postponed(self) -> Iterator[None]:
        """Obey at the end of the block, unless the block does so itself; of several blocks, at that of the last."""
        self.later += 1
        try:
            yield
        finally:
            self.later -= 1
        if self.asked and not self.later:
            sys.exit(TRY_AGAIN)
