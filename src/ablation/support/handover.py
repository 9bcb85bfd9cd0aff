"""The hand-over of a command to a warm worker: a process that has imported what is slow to import, and forks.

Starting Python with torch takes seconds, which a job of short runs would spend again and again. On the machine at hand
a start therefore has one worker (`ablation.cli.worker`), to which each job hands its command over; where there is none, or
another code than this, the job runs its command itself.
"""

import array
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

VARIABLE = "ABLATION_WORKER"  # environment variable: the path of the worker's socket
VERBS = frozenset(
    {"controls", "plan", "layers", "price", "train", "measure", "collect", "compare", "tables", "figures", "report"}
)
STREAMS = (0, 1, 2)
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def identity() -> dict[str, str]:
    """Return what two processes have to have in common to do each other's work."""
    return {"python": sys.executable, "prefix": sys.prefix, "code": __file__}


def fresh_socket() -> str:
    """Return where a new worker listens: a path in a new folder, which ends with the worker.

    The path of a socket has 107 characters at most; if the folder of temporary files is too deep for one, a shorter one is
    used.
    """
    folder = tempfile.gettempdir()
    return f"{tempfile.mkdtemp(prefix='ablation-', dir=folder if len(folder) < 60 else '/tmp')}/worker"


def hand_over(words: Sequence[str]) -> int | None:
    """Have the worker run a command, with the streams, folder and environment of this process.

    Signals that ask a training to stop are passed on to it.

    Parameters
    ----------
    words : sequence of str
        The verb and its arguments.

    Returns
    -------
    int or None
        Its exit status; None if this process has to run it: there is no worker, it refuses, or it is gone.
    """
    path = os.environ.get(VARIABLE)
    if not path or not words or words[0] not in VERBS:
        return None
    request = {"words": list(words), "folder": os.getcwd(), "environment": dict(os.environ), **identity()}
    before = {number: signal.getsignal(number) for number in FORWARDED}
    asked: list[int] = []

    def pass_on(number: int, frame: object) -> None:
        asked.append(number)
        with suppress(ProcessLookupError):
            os.kill(process, number)

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.connect(path)
            send(line, request, STREAMS)
            with line.makefile("rb") as answers:
                process = _answer(answers).get("process")
                if not process:
                    return None
                for number in FORWARDED:
                    signal.signal(number, pass_on)
                status = _answer(answers).get("status")
    except OSError:
        status = None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 + asked[-1] if status is None and asked else status  # who was asked to stop does not begin anew


def _answer(answers: Any) -> dict[str, Any]:
    line = answers.readline()
    return json.loads(line) if line else {}


def send(line: socket.socket, content: Mapping[str, Any], streams: Sequence[int] = ()) -> None:
    """Send a line of JSON, and file descriptors with its first byte."""
    data = json.dumps(content).encode() + b"\n"
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))] if streams else []
    sent = line.sendmsg([data], rights)
    line.sendall(data[sent:])


def receive(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Receive what `send` sent; raises EOFError if the other side is gone before the end of the line."""
    data, streams = b"", []
    while not data.endswith(b"\n"):
        part, found, _, _ = socket.recv_fds(line, 1 << 20, len(STREAMS))
        streams += found
        if not part:
            for stream in streams:
                os.close(stream)
            raise EOFError("the other side is gone")
        data += part
    return json.loads(data), streams
