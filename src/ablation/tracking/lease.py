"""One writer at a time: a lock of the kernel within a machine, and between machines a tag of the experiment."""

import contextlib
import functools
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.support.locks import CannotLockError, hold, tell

if TYPE_CHECKING:
    from ablation.tracking.client import MlflowClient

TAG = "ablation.writer"
BEAT = 30.0  # seconds between two renewals
SILENCE = 120.0  # seconds without a renewal, after which a writer is taken for dead
SETTLE = 1.0  # seconds after which two machines that wrote the tag at once see whose it is


@contextlib.contextmanager
def one_writer(lock: Path) -> Iterator[None]:
    """Wait until no other process of this machine mirrors; where nothing can be locked, this is reported instead."""
    with contextlib.ExitStack() as locked:
        try:
            locked.enter_context(hold(lock, what="the mirror to MLflow"))
        except CannotLockError as error:
            tell_once(f"{error}: two processes of this machine may mirror at the same time, and send runs twice")
        yield


tell_once = functools.cache(tell)


class OtherWriterError(Exception):
    """Another machine mirrors this study; the message says which.

    Attributes
    ----------
    alive : bool
        Whether it renewed its lease while this one watched.
    """

    def __init__(self, message: str, alive: bool):
        super().__init__(message)
        self.alive = alive


class Lease:
    """The right of one host and results folder to write an experiment, kept as a tag of the experiment.

    The holder renews the tag now and then. Another one takes it only after the tag has stood unchanged for `SILENCE`
    seconds of its own clock, so that clocks need not agree.

    Parameters
    ----------
    folder : Path
        The results; processes of one host that share it count as one, and the kernel's lock tells them apart.
    clock, sleep : callable
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self.me = {"host": socket.gethostname(), "folder": str(folder.resolve())}
        self.clock, self.sleep = clock, sleep
        self.renewed: float | None = None  # when the tag was last written; None while it is not ours
        self.seen: tuple[str | None, float, bool] = (None, 0.0, False)  # another's tag, since when, whether it changed

    def renew(self, client: "MlflowClient", experiment: str) -> None:
        """Take or renew the lease: reads and writes the tag every `BEAT` seconds; raises OtherWriterError."""
        now = self.clock()
        if self.renewed is not None and now - self.renewed < BEAT:
            return
        self.renewed = None
        ours = self._look(client, experiment, now)
        self._sign(client, experiment)
        if not ours:
            self.sleep(SETTLE)
            if not self._look(client, experiment, now):
                self._sign(client, experiment)
        self.renewed = now

    def release(self, client: "MlflowClient", experiment: str) -> None:
        """Give the lease back, so that another machine need not wait."""
        if self.renewed is None:
            return
        self.renewed = None
        with contextlib.suppress(OtherWriterError):
            if self._look(client, experiment, self.clock()):
                client.delete_experiment_tag(experiment, TAG)

    def _sign(self, client: "MlflowClient", experiment: str) -> None:
        client.set_experiment_tag(experiment, TAG, json.dumps({**self.me, "time": time.time()}))

    def _look(self, client: "MlflowClient", experiment: str, now: float) -> bool:
        """Say whether the tag is ours already; raises OtherWriterError if it is another machine's that may be alive."""
        known = client.get_experiment(experiment)
        if known.experiment_id != experiment:  # MLflow's client takes what was cut off for an answer that says nothing
            raise ConnectionError("the server's answer was cut off")
        tag = known.tags.get(TAG)
        try:
            writer = json.loads(tag or "{}")
            host, folder = writer.get("host"), writer.get("folder")
        except (ValueError, AttributeError):
            return False
        if host is None or {"host": host, "folder": folder} == self.me:
            return host is not None
        if self.seen[0] != tag:
            self.seen = (tag, now, self.seen[0] is not None)
        if now - self.seen[1] < SILENCE:
            raise OtherWriterError(
                f"this study is mirrored by the machine {host} from {folder}, and only one machine writes a study's "
                "experiment. Let it finish or stop it there; if these are two studies, give one another name.",
                self.seen[2],
            )
        return False
