"""Statements made by hand: each is one statement of the source `person/<name>`, with a scope of its own and an entry in the audit log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from meshline.governance.audit import build_mutation_record
from meshline.graph.content import encode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, AssetKey, Facts, Json, Statement, from_micros, get_current_micros
from meshline.graph.store.base import Batch, Record, RunReader

PERSON = "person"
NEWEST = "person:newest"  # the setting with the time of a person's last statement: later statements are newer, whatever the clock
AHEAD_WARNED = 1_000_000  # microseconds
log = logging.getLogger("meshline.api")


class ManualStatement(NamedTuple):
    """A statement about an asset; `what`: what is done, for the audit log. `statement.observed_at`: the earliest time to use."""

    what: str
    about: AssetKey
    statement: Statement


def build_tag_statement(author: str, key: AssetKey, tag: str) -> ManualStatement:
    """The statement of a person that an asset has a tag, `key` or `key=value`."""
    facts = Facts(assets=(AssetFact(key, {"tags": list[Json]([tag])}),))
    return ManualStatement("tag", key, Statement(f"{PERSON}/{author}", (PERSON, "tag", key.id, tag), 0, encode_facts(facts)))


def commit_statements(live: LiveGraph, actor: str, stated: Sequence[ManualStatement], records: Sequence[Record] = ()) -> int:
    """Commit statements with their entries in the audit log, and other records; the revision of the graph that has them.

    Not to be called under the graph's lock: readers need not wait for the disk.
    """
    store, earlier = live.store, _find_newest_time(live)

    def build(_reader: RunReader) -> Batch:
        newest = max(earlier, int(store.read_setting(NEWEST) or 0))
        statements: list[Statement] = []
        journal = list(records)
        for what, about, statement in stated:
            at = max(get_current_micros(), statement.observed_at, newest + 1)
            if at > get_current_micros() + AHEAD_WARNED:
                log.warning(
                    "the clock was ahead at the last statement (%s): this statement gets the time just after it", from_micros(newest)
                )
            newest = at
            statements.append(statement._replace(observed_at=at))
            journal.append(build_mutation_record(actor, what, about, statements[-1]))
        return Batch(statements=statements, journal=journal, settings={NEWEST: str(newest)} if stated else {})

    return live.commit(build).revision


def _find_newest_time(live: LiveGraph) -> int:
    """The time (microseconds) of the last statement of a person, for a store without the setting NEWEST; else 0."""
    if live.store.read_setting(NEWEST) is not None:
        return 0
    with live.lock:
        return live.index.changes.find_newest_time(PERSON)
