"""Contents by digest: written once, never changed, never deleted; so what was seen once may be remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from threading import Lock

from meshline.errors import StoreCorrupt
from meshline.graph.model import Content
from meshline.graph.store.neo4j.connection import Transaction, rows, run_in_chunks
from meshline.graph.store.neo4j.cypher import cypher

REMEMBERED = 64_000_000  # bytes
READ_OF_UNKNOWN_SIZE = 200  # contents


class Contents:
    """Reads and adds contents, remembering the newest ones that were read. Thread-safe."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0
        self._turn = Lock()

    def read(self, tx: Transaction, digests: Iterable[bytes]) -> dict[bytes, bytes]:
        """The blobs of these digests."""
        found: dict[bytes, bytes] = {}
        missing: list[bytes] = []
        with self._turn:
            for digest in digests:
                blob = self._remembered.get(digest)
                if blob is None:
                    missing.append(digest)
                else:
                    self._remembered.move_to_end(digest)
                    found[digest] = blob
        for at in range(0, len(missing), READ_OF_UNKNOWN_SIZE):
            blobs = read(tx, [digest.hex() for digest in missing[at : at + READ_OF_UNKNOWN_SIZE]])
            part = {bytes.fromhex(digest): blob for digest, blob in blobs.items()}
            found.update(part)
            self._remember(part)
        return found

    def add(self, tx: Transaction, contents: Iterable[Content]) -> list[Content]:
        """Write those that the store does not have; which those are."""
        by_digest = {content.digest.hex(): content for content in contents}
        if not by_digest:
            return []
        for (known,) in rows(tx, cypher("known_contents"), digests=list(by_digest)):
            del by_digest[known]
        run_in_chunks(tx, cypher("add_contents"), [{"digest": digest, "blob": content.blob} for digest, content in by_digest.items()])
        return list(by_digest.values())

    def _remember(self, blobs: Mapping[bytes, bytes]) -> None:
        with self._turn:
            for digest, blob in blobs.items():
                if digest not in self._remembered:
                    self._remembered[digest] = blob
                    self._size += len(blob)
            while self._size > REMEMBERED:
                self._size -= len(self._remembered.popitem(last=False)[1])


def read(tx: Transaction, digests: Collection[str]) -> dict[str, bytes]:
    """The blobs of these digests, all as hexadecimal text, in one answer."""
    found = dict(rows(tx, cypher("contents"), digests=list(digests)))
    for wanted in digests:
        if wanted not in found:
            raise StoreCorrupt(f"the content {wanted} of a statement is missing: restore the store from a backup")
    return found
