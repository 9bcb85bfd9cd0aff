"""A bad line to a server: a TCP proxy that holds back, cuts off and loses what it is told to."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable

REQUEST = re.compile(rb"^(GET|POST|PUT|PATCH|DELETE) (\S+) HTTP")


class Proxy:
    """Passes connections on to a port of this machine; use it in a `with`.

    Parameters
    ----------
    port : int
        Of the server.
    fault : callable
        From method and path of a request to what becomes of it: None; ("delay", seconds) before the answer; "lose" the
        answer once the server gave it; "stall", the same without closing; "truncate" the answer; "behead" it, so that
        it looks like one without content; ("late", event), which passes the request on after the event, whether or
        not anybody waits for the answer still.
    """

    def __init__(self, port: int, fault: Callable[[str, str], object] = lambda method, path: None):
        self.port, self.fault = port, fault
        self.requests: list[tuple[str, str]] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket):
        """Pass requests on; the answers come in a thread of their own."""
        try:
            server = socket.create_connection(("127.0.0.1", self.port))
        except OSError:
            client.close()
            return
        faults: list[object] = [None]
        threading.Thread(target=self._answer, args=(client, server, faults), daemon=True).start()
        try:
            while chunk := client.recv(1 << 16):
                if line := REQUEST.match(chunk):
                    method, path = line[1].decode(), line[2].decode()
                    self.requests.append((method, path))
                    faults[0] = self.fault(method, path)
                    if faults[0] and faults[0][0] == "late":
                        faults[0][1].wait(30)
                server.sendall(chunk)
            if not (faults[0] and faults[0][0] == "late"):
                server.shutdown(socket.SHUT_WR)
        except OSError:
            server.close()

    def _answer(self, client: socket.socket, server: socket.socket, faults: list[object]):
        try:
            while chunk := server.recv(1 << 16):
                fault = faults[0]
                if fault == "stall":
                    continue
                if fault == "lose":
                    break
                if fault in ("truncate", "behead"):
                    client.sendall(chunk[: len(chunk) // 2 if fault == "truncate" else chunk.index(b"\r\n") + 9])
                    break
                if fault and fault[0] == "delay":
                    time.sleep(fault[1])
                client.sendall(chunk)
        except OSError:
            pass
        for side in (client, server):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)  # closing alone says nothing while the other thread reads
            side.close()
