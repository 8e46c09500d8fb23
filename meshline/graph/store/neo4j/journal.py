"""Records that are only ever added."""

from __future__ import annotations

from collections.abc import Sequence

from meshline.graph.store.base import Kept, Record
from meshline.graph.store.neo4j.connection import Transaction, rows, run, run_in_chunks
from meshline.graph.store.neo4j.cypher import cypher, moment
from meshline.graph.store.neo4j.names import digest
from meshline.graph.store.packing import pack, unpack


def append(tx: Transaction, records: Sequence[Record], last: int) -> int:
    """Add those that are not there yet, after the position `last`; the last position then."""
    if not records:
        return last
    ids = {digest(record.kind, record.key) for record in records if record.key}
    known: set[str] = set(run(tx, cypher("records_by_id"), ids=list(ids))[0]) if ids else set()
    added: list[dict[str, object]] = []
    for record in records:
        row = _row(last + len(added) + 1, record)
        if record.key:
            if row["id"] in known:
                continue
            known.add(str(row["id"]))
        added.append(row)
    run_in_chunks(tx, cypher("add_records"), added)
    return last + len(added)


def read_journal(tx: Transaction, kind: str, after: int, limit: int) -> list[Kept]:
    asked = {"after": after, "limit": limit}
    found = rows(tx, cypher("records_of_kind"), kind=digest(kind), **asked) if kind else rows(tx, cypher("records"), **asked)
    return [Kept(position, Record(of, key, at, unpack(deflated, body))) for position, of, key, at, deflated, body in found]


def _row(position: int, record: Record) -> dict[str, object]:
    deflated, body = pack(bytes(record.body))
    return {
        "position": position,
        "id": digest(record.kind, record.key) if record.key else None,
        "kind": record.kind,
        "kindKey": digest(record.kind),
        "key": record.key,
        "at": moment(record.at),
        "atMicros": record.at,
        "deflated": deflated,
        "body": body,
    }
