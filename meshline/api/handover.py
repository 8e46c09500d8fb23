"""How a server hands a question to a reader process: the request as it came, with one header about the caller and what the answer must
contain. The connection is a pair of sockets that no other process has, and the server removes this header from what clients send.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import NamedTuple

import msgspec

from meshline.app.tokens import Actor

HEADER = b"meshline-handover"
BEHIND = b"meshline-behind"  # of an answer: the reader could not answer by what was handed over, and the server does
CODE = b"meshline-code"  # of an answer: the code of its error, for the log


class Handover(NamedTuple):
    """The caller as the server knows it, and what it has acknowledged. `revision`: of the graph; `register`: the position of requests for
    access; `rules`: the digest of the access rules, empty without any.
    """

    actor: Actor
    request_id: str
    revision: int
    register: int
    rules: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Handover)


def encode_handover(handover: Handover) -> bytes:
    return b64encode(_encoder.encode(handover))


def decode_handover(value: bytes) -> Handover:
    """Raises ValueError (of msgspec and base64 alike) for what is none."""
    return _decoder.decode(b64decode(value, validate=True))
