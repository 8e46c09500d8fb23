"""What is kept about each table from one reading to the next (`Context.memory`)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from meshline.graph.model import Scope
from meshline.ingest.sources.iceberg.history import Began
from meshline.ingest.sources.shape import Context

PARSER = 2  # counts up when the same metadata says something else than before
MAX_GONE = 10_000  # tables that are not there any more, of which the identity is kept
_RULES = ""  # the key under which the rules are kept; names of tables are not empty


class Remembered(msgspec.Struct, frozen=True, array_like=True):
    """`tag`: the ETag, else the place of the metadata; empty if it must be read again. `around`: what the namespace
    said for it. `schemas`: when they began. `scopes`: all that were said of it, `lasting` of them for ever.
    `snapshot`: the time of the newest that was said; `updated`: that of its last commit, in microseconds. `gone`: it was
    not listed any more.
    """

    uuid: str
    tag: str = ""
    around: str = ""
    schemas: tuple[Began, ...] = ()
    scopes: tuple[Scope, ...] = ()
    lasting: tuple[Scope, ...] = ()
    snapshot: int = 0
    updated: int = 0
    gone: bool = False


class Memory:
    """The memory of the last reading, by names of datasets."""

    def __init__(self, kept: Mapping[str, str], rules: str) -> None:
        """`rules`: a digest of all that the same metadata is read by; what was read by others is read again."""
        self._kept = kept
        self._rules = rules
        self._valid = kept.get(_RULES) == rules
        self._read: dict[str, Remembered | None] = {}

    @property
    def is_first(self) -> bool:
        return not self._kept

    def of(self, name: str) -> Remembered | None:
        if name not in self._read:
            self._read[name] = self._of(name)
        return self._read[name]

    def _of(self, name: str) -> Remembered | None:
        kept = self._kept.get(name)
        if kept is None or name == _RULES:
            return None
        try:
            found = _decoder.decode(kept)
        except msgspec.MsgspecError:
            return None
        return found if self._valid else msgspec.structs.replace(found, tag="")

    def names(self) -> list[str]:
        return [name for name in self._kept if name != _RULES]

    def next(self, seen: Mapping[str, Remembered], *, complete: bool) -> dict[str, str]:
        """What to keep now. `complete`: what was not seen is gone."""
        result = {_RULES: self._rules} | {name: _encoded(one) for name, one in seen.items()}
        missing = {name: one for name in self.names() if name not in seen and (one := self.of(name)) is not None}
        if complete:
            gone = [(name, Remembered(one.uuid, gone=True)) for name, one in missing.items()]
            return result | {name: _encoded(one) for name, one in gone[:MAX_GONE]}
        return result | {name: _encoded(one) for name, one in missing.items()}


def rules(context: Context, namespace: str) -> str:
    said = msgspec.json.encode([PARSER, namespace, context.naming.digest])
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def _encoded(one: Remembered) -> str:
    return _encoder.encode(one).decode()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Remembered)
