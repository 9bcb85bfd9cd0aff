"""
The lock of a study: one start at a time works on it, also as a module, and with --no-hooks.

NEEDS: common.smk
GIVES: lock_study; results/<study>/start/lock, which the kernel holds for this process alone, and which says who that is;
results/<study>/start/seen.json

Snakemake's own lock is a file that says nothing of its owner and outlives it: after `kill -9` the next start would stop at
it. The profiles therefore switch it off (nolock: true).
"""

import atexit
import contextlib

from ablation.jobs.starts import LOCK, clear_leftovers
from ablation.records.seen import keep
from ablation.records.store import Store
from ablation.support.locks import CannotLockError, LockHeldError, hold


@cache
def lock_study():
    """Let this start alone work on the study until its process ends, however it ends; another one that does is named.

    What killed starts left on its way is cleared: who holds the lock knows that they are gone.
    """
    held = contextlib.ExitStack()
    path = Path(modified(f"{STUDY}/{LOCK}"))
    try:
        held.enter_context(hold(path, what=f"the study {OUTLINE.name}", wait=False))
        atexit.register(held.close)
        clear_leftovers(Store(Path(modified(f"{RESULTS}/store"))), path.parents[1])
        with contextlib.suppress(OSError):  # a full disk is said by what is worth more
            keep(Path(modified(SEEN_RECORDS)))
    except LockHeldError as error:
        refuse(
            f"{error}. Wait for it to end, or end it; another study may run beside it."
        )
    except CannotLockError as error:
        tell(f"{error}: make sure yourself that no second start works on this study")
    tell_of_snakemakes_lock()


def tell_of_snakemakes_lock():
    """Say what to do about locks of Snakemake's own that lie about, where this start heeds them."""
    locks = Path(workflow.persistence.path) / "locks"
    if workflow.execution_settings.lock and any(locks.glob("*.lock")):
        tell(
            f"{locks}: found Snakemake's own lock, which outlives a start that was killed. No start works on the study "
            f"{OUTLINE.name}: if none of another workflow works in this folder either, --nolock goes on at once and "
            "--unlock takes the lock away. A profile with the line `nolock: true`, such as profiles/default, never "
            "stops here: a study has a lock of its own"
        )
