"""When each token was last used, kept in the store: one setting for each, under a part of its hash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meshline.app.tokens import Token
from meshline.graph.store.base import Batch, Store

WRITE_SECONDS = 60.0  # between two writes of a server


def write_uses(store: Store, uses: Mapping[str, int]) -> None:
    """Keep the times (microseconds, by fingerprint) that are later than those in the store: other servers write theirs, too."""
    known = _read(store, uses)
    later = {_format_key(one): str(at) for one, at in uses.items() if at > known.get(one, 0)}
    if later:
        store.commit(lambda _reader: Batch(settings=later))


def read_uses(store: Store, tokens: Iterable[Token]) -> dict[str, int]:
    """The last use of those tokens that were used: microseconds by fingerprint. A minute of uses may be missing."""
    return _read(store, [token.fingerprint for token in tokens])


def _read(store: Store, fingerprints: Iterable[str]) -> dict[str, int]:
    found = {one: store.read_setting(_format_key(one)) for one in fingerprints}
    return {one: int(value) for one, value in found.items() if value is not None}


def _format_key(fingerprint: str) -> str:
    return f"token used: {fingerprint}"
