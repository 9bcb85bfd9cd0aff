"""Run the commands that jobs on this machine hand over, each in a fork of a process that has imported torch once.

The process itself computes nothing: it runs no operation on tensors and never touches CUDA, so that each fork is as
good as a process of its own and computes the same bits. It ends with its parent process.
"""

import argparse
import ctypes
import gc
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ablation.jobs.devices import forget_settings
from ablation.support.handover import VARIABLE, identity, receive, send

PRELOADED = (
    "torch",
    "torch._dynamo",  # which torch imports for some operations on tensors without data, as networks are traced with: seconds
    "pandas",
    "ablation.jobs.training",
    "ablation.networks.sizes",
    "ablation.cli.plan",
    "ablation.cli.train",
)
WAIT = 0.5  # seconds between two looks at the parent
PR_SET_PDEATHSIG = 1  # of prctl(2): the signal that a process gets when its parent dies


def main(arguments: argparse.Namespace) -> None:
    """Serve until the parent process ends."""
    Worker(arguments.socket, arguments.parent).serve()
    os._exit(0)  # nothing is to be closed, and libraries that it never used would speak of what they leave behind


class Worker:
    """Takes commands and forks.

    Parameters
    ----------
    path : Path
        Of its socket, in a folder that nobody else may enter; both are removed at the end.
    parent : int
        Process whose end is the end.
    """

    def __init__(self, path: Path, parent: int):
        self.path, self.parent = path, parent
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.jobs: dict[socket.socket, int] = {}
        self.code: dict[str, tuple[int, int]] = {}

    def serve(self) -> None:
        """Listen at once, then import: whoever calls in the meantime waits."""
        try:
            self.listener.bind(str(self.path))
            self.listener.listen(128)
            preload()
            self.code = loaded_code()
            self.selector.register(self.listener, selectors.EVENT_READ, self._accept)
            while os.getppid() == self.parent:
                for key, _ in self.selector.select(WAIT):
                    key.data()
        finally:
            for process in self.jobs.values():
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGTERM)
            self.path.unlink(missing_ok=True)
            with suppress(OSError):
                self.path.parent.rmdir()

    def _accept(self) -> None:
        line, _ = self.listener.accept()
        try:
            request, streams = receive(line)
        except (OSError, EOFError, ValueError):
            line.close()
            return
        try:
            if any(request.get(name) != value for name, value in identity().items()) or loaded_code() != self.code:
                # What was edited since then is not what would run here.
                send(line, {"process": None})
                line.close()
                return
            self._fork(line, request, streams)
        except OSError:
            line.close()
        finally:
            for stream in streams:
                os.close(stream)

    def _fork(self, line: socket.socket, request: dict[str, Any], streams: list[int]) -> None:
        parent, process = os.getpid(), os.fork()
        if not process:
            self._become(parent, request, streams)
        ended = os.pidfd_open(process)
        self.jobs[line] = process

        def end() -> None:
            self.selector.unregister(ended)
            os.close(ended)
            status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            if line in self.jobs:
                with suppress(OSError):
                    send(line, {"status": status if status >= 0 else 128 - status})
                self._hang_up(line)

        def ask_to_stop() -> None:
            # The client sends nothing more: it is gone. A training saves its state and leaves.
            if line not in self.jobs:
                return  # both ended at once
            self._hang_up(line)
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)

        self.selector.register(ended, selectors.EVENT_READ, end)
        self.selector.register(line, selectors.EVENT_READ, ask_to_stop)
        try:
            send(line, {"process": process})
        except OSError:  # it went while it waited
            ask_to_stop()

    def _hang_up(self, line: socket.socket) -> None:
        self.selector.unregister(line)
        del self.jobs[line]
        line.close()

    def _become(self, parent: int, request: dict[str, Any], streams: list[int]) -> None:
        """Be the process that the client would have been; does not return."""
        status = 1
        try:
            end_with(parent)
            for other in (self.listener, *self.jobs):
                other.close()
            self.selector.close()
            for target, stream in enumerate(streams):
                os.dup2(stream, target)
                os.close(stream)
            os.chdir(request["folder"])
            os.environ.clear()
            os.environ.update({name: text for name, text in request["environment"].items() if name != VARIABLE})
            sys.argv[1:] = request["words"]
            status = run_command(request["words"])
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)


def preload() -> None:
    """Import what most commands need, and nothing that computes."""
    forget_settings()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is imported: no threads before the fork
    for name in PRELOADED:
        import_module(name)
    gc.freeze()  # a fork that collects garbage would copy the pages of what was imported


def loaded_code() -> dict[str, tuple[int, int]]:
    """Return size and time of the files of this package that are imported."""
    found = {}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and name.partition(".")[0] == "ablation":
            with suppress(OSError):
                stat = os.stat(path)
                found[path] = (stat.st_mtime_ns, stat.st_size)
    return found


def end_with(parent: int) -> None:
    """Have this process asked to stop when its parent dies, however it does."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def run_command(words: list[str]) -> int:
    """Run a command as `python -m ablation` would, and return its exit status."""
    from ablation.cli.entry import run

    try:
        run(words)
        return 0
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--socket", type=Path, required=True, help="socket to make, in a folder of its own")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="process whose end is the end")
