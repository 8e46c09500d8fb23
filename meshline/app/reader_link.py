"""What a server and a reader process send each other beside questions and answers: the server each change of the graph, the reader what it
has counted, and what is to be kept in the store, to which a reader never writes.

Each message is its length in four bytes, and MessagePack. The socket is one of a pair that no other process has.
"""

from __future__ import annotations

import pickle
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.app.settings import Settings
from meshline.governance.audit import AccessEvent
from meshline.graph.model import Precedence
from meshline.graph.naming import Naming
from meshline.graph.store.base import Changes, Record

LENGTH = struct.Struct(">I")
LARGEST = 8 * 2**20  # bytes of a message; a reader reads larger changes from the store
READ_BYTES = 256 * 1024


class ReaderSetup(NamedTuple):
    """What a reader process needs to know to answer as the server does. `number`: from 1; `etag_key`: of ETags, which both make."""

    number: int
    settings: Settings
    naming: Naming
    precedence: Precedence
    etag_key: bytes


class _Message(msgspec.Struct, frozen=True, array_like=True):
    """A message: its tag, and its fields in order."""


class Revised(_Message, frozen=True, tag=1):
    """The graph has changed since a revision. `changes`: None, if they are too large to be sent: the store has them."""

    since: int
    changes: Changes | None


class RecordsKept(_Message, frozen=True, tag=2):
    """The answer to KeepRecords with this number. `failure`: why they were not kept; empty if they were."""

    number: int
    failure: str


class Finish(_Message, frozen=True, tag=3):
    """End after the answers under way."""


class Applied(_Message, frozen=True, tag=4):
    """The reader answers from this revision on. `memory`: bytes of its process."""

    revision: int
    memory: int


class QueryCounted(_Message, frozen=True, tag=5):
    """A GraphQL request that was answered, for the metrics: as of RequestRecord."""

    operation: str
    seconds: float
    outcome: str
    truncated: Sequence[str]


class EntryCounted(_Message, frozen=True, tag=6):
    """What is counted for the audit log: as of AccessLog.count."""

    event: AccessEvent
    actor: str
    subject: str
    purpose: str
    number: int


class KeepRecords(_Message, frozen=True, tag=7):
    """Records for the journal of the store. RecordsKept answers."""

    number: int
    records: Sequence[Record]


ToReader: TypeAlias = Revised | RecordsKept | Finish
ToServer: TypeAlias = Applied | QueryCounted | EntryCounted | KeepRecords

_encoder = msgspec.msgpack.Encoder()
_of_reader: msgspec.msgpack.Decoder[ToServer] = msgspec.msgpack.Decoder(ToServer)
_of_server: msgspec.msgpack.Decoder[ToReader] = msgspec.msgpack.Decoder(ToReader)


def encode_message(message: ToReader | ToServer) -> bytes:
    """A message with its length in front."""
    body = _encoder.encode(message)
    return LENGTH.pack(len(body)) + body


def encode_changes(since: int, changes: Changes) -> bytes:
    """The message that the graph has changed; without the changes if they are large."""
    if sum(0 if head.content is None else len(head.content.blob) for head in changes.heads) < LARGEST:
        encoded = encode_message(Revised(since, changes))
        if len(encoded) <= LARGEST:
            return encoded
    return encode_message(Revised(since, None))


class MessageBuffer:
    """The messages of a reader, out of the bytes as they arrive. Used by one thread."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[ToServer]:
        """The messages that are complete now."""
        self._bytes += data
        while (body := _cut_message(self._bytes)) is not None:
            yield _of_reader.decode(body)


def _cut_message(received: bytearray) -> bytes | None:
    """Remove the first message from the bytes; None if it is not complete."""
    if len(received) < LENGTH.size:
        return None
    end = LENGTH.size + LENGTH.unpack_from(received)[0]
    if len(received) < end:
        return None
    body = bytes(received[LENGTH.size : end])
    del received[:end]
    return body


class ReaderLink:
    """The end of a reader process. `send` is for any thread, `receive` for one."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._turn = threading.Lock()
        self._received = bytearray()

    def read_setup(self) -> ReaderSetup:
        """The first message. Raises EOFError."""
        found = pickle.loads(self._receive_message())  # noqa: S301 - the process that started this one sent it, through a pair of sockets
        assert isinstance(found, ReaderSetup)
        return found

    def send(self, message: ToServer) -> None:
        """Raises OSError if the server has ended."""
        data = encode_message(message)
        with self._turn:
            self._link.sendall(data)

    def receive(self) -> ToReader:
        """Wait for the next message. Raises EOFError and OSError if the server has ended."""
        return _of_server.decode(self._receive_message())

    def _receive_message(self) -> bytes:
        while (body := _cut_message(self._received)) is None:
            data = self._link.recv(READ_BYTES)
            if not data:
                raise EOFError
            self._received += data
        return body


def encode_setup(setup: ReaderSetup) -> bytes:
    """The first message to a reader."""
    body = pickle.dumps(setup)
    return LENGTH.pack(len(body)) + body
