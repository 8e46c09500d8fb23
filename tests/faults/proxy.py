"""A TCP proxy of ours that cuts connections on demand, or at a moment that it chooses."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

# Called with the client's socket, which distinguishes the connections, and what one side sends; True cuts the connection.
Cut = Callable[[socket.socket, bytes], bool]


def cut_never(_client: socket.socket, _data: bytes) -> bool:
    """Cuts nothing."""
    return False


class Proxy:
    """Listens on loopback and forwards to another port. `cut_request` and `cut_answer` look at each piece before it is passed on."""

    def __init__(self, to: int) -> None:
        self.cut_request: Cut = cut_never
        self.cut_answer: Cut = cut_never
        self.cuts = 0
        self._to = to
        self._open: set[socket.socket] = set()
        self._turn = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._refusing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_all(self) -> None:
        """End every connection, now."""
        with self._turn:
            for one in self._open:
                _reset(one)

    def refuse(self, *, refusing: bool) -> None:
        """From now on, every new connection ends at once, or no more."""
        self._refusing = refusing
        if refusing:
            self.cut_all()

    def close(self) -> None:
        self._listening.close()
        self.cut_all()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self._refusing:
                    _reset(client)
                    client.close()
                else:
                    threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as server:
            with self._turn:
                self._open |= {client, server}
            try:
                while self._pass_on(client, server):
                    pass
            finally:
                with self._turn:
                    self._open -= {client, server}

    def _pass_on(self, client: socket.socket, server: socket.socket) -> bool:
        ready, _, _ = select.select([client, server], [], [])
        for one, other, cut in ((client, server, self.cut_request), (server, client, self.cut_answer)):
            if one in ready:
                data = one.recv(2**20)
                if not data:
                    return False
                if cut(client, data):
                    self.cuts += 1
                    _reset(client)
                    _reset(server)
                    return False
                other.sendall(data)
        return True


def _reset(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
