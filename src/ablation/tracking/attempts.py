"""When the mirror is brought up to date: while a study trains, and at its end, again and again until it can be."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.tracking.address import RETRIES, Address, refused
from ablation.tracking.lease import OtherWriterError, one_writer

if TYPE_CHECKING:
    from ablation.tracking.mirror import Mirror

EVERY = 2.0  # seconds between two looks at the store
SHARE = 0.05  # of a processor's time that following a study may take: what costs more is done less often
AGAIN = 30.0  # seconds to wait at most after failures while it trains
PAUSES = (5.0, 15.0, 30.0)  # seconds to wait after failures at the end: a server that is started again is back by then
LOOK = 10.0  # seconds between two looks whether another machine still mirrors this study


def say(text: str) -> None:
    """Print a line to the log at once."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def follow(open_mirror: "Callable[[], Mirror | None]", lock: Path, address: Address, parent: int) -> None:
    """Mirror what grows until the parent process ends; a failure is logged and retried, and never disturbs the training.

    Parameters
    ----------
    open_mirror : callable
        Returns the mirror of the study, or None as long as there is nothing to mirror.
    lock : Path
        Held while something is sent: one process of a machine sends at a time.
    address : Address
    parent : int
        Process id.
    """
    mirror, said, pause = None, "", EVERY
    while os.getppid() == parent:
        begun = time.process_time()
        try:
            mirror = mirror or open_mirror()
            if mirror:
                with one_writer(lock):
                    mirror.sync()
            said, pause = "", max(EVERY, min((time.process_time() - begun) / SHARE, AGAIN))
        except Exception as error:  # whatever is wrong with MLflow, the training goes on
            text = address.explain(error)
            if refused(error):
                say(f"{text} The end of the study tries again.")
                return
            if text != said:
                say(f"{text} Trying again until it can.")
            said, pause = text, min(2 * pause, AGAIN)
        wait_while_child_of(parent, pause)
    if mirror:
        try:
            with one_writer(lock):
                if not mirror.sync():
                    mirror.pause()
                mirror.release()
        except Exception as error:
            say(address.explain(error))


def wait_while_child_of(parent: int, seconds: float) -> None:
    """Wait, but no longer than the parent process lives."""
    waited = 0.0
    while waited < seconds and os.getppid() == parent:
        time.sleep(0.5)
        waited += 0.5


def persist(send: Callable[[], str], address: Address) -> str:
    """Retry what may fail for a while; each attempt continues where the last one ended.

    Nothing is retried where MLflow's own variable forbids it or the server refuses access. Another machine's lease is
    watched until it is renewed, which ends the attempts, or until it has expired and is taken over.
    """
    pauses = list(PAUSES if os.environ[RETRIES] != "0" else ())
    waiting = False
    while True:
        try:
            return send()
        except OtherWriterError as error:
            if error.alive:
                raise
            if not waiting:
                say(f"{error} Looking for up to two minutes whether it still lives.")
            waiting = True
            time.sleep(LOOK)
        except Exception as error:
            if refused(error) or not pauses:
                raise
            say(f"{address.explain(error)} Trying again in {pauses[0]:.0f} s.")
            time.sleep(pauses.pop(0))
