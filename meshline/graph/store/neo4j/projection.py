"""The graph for people: what a transaction writes so that it shows other contents of some scopes than before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

from meshline.graph.model import KINDS, AssetKey, EdgeType, Precedence
from meshline.graph.store.neo4j.assertions import (
    Assertions,
    Ends,
    LinkKind,
    SourceProperties,
    StatedProperties,
    Value,
    build_statement_properties,
    decode_assertions,
    is_same_statement,
    merge_properties,
)
from meshline.graph.store.neo4j.connection import ROWS, Transaction, WriteQueue, number_rows, read_rows, run_in_chunks, start_query
from meshline.graph.store.neo4j.cypher import get_cypher, get_cypher_of_edge, get_cypher_of_kind
from meshline.graph.store.neo4j.records import Contents
from meshline.graph.store.neo4j.search_names import build_asset_row, build_name_row, compute_id

PRECEDENCE = Precedence()

_Shown: TypeAlias = Mapping[str, Mapping[str, Value | None]]  # properties to set (None: to remove), by the id of an asset


class ScopeChange(NamedTuple):
    """A scope whose content changes, or only its time (then `before` and `after` are equal). Times in microseconds."""

    scope: int
    source: str
    observed_before: int
    observed: int
    before: Assertions
    after: Assertions


class NodeQueue:
    """Queries about assets that one transaction runs together. Each node is looked up once: the queries have `nodes`, and their
    `$rows` begin with positions in it.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._positions: dict[str, int] = {}
        self._rows: defaultdict[str, list[list[object]]] = defaultdict(list)
        self._size = 0

    def add(self, text: str, ids: Sequence[str], *shared: object, each: Sequence[object] = ()) -> None:
        """Add a row for these assets: with what they share, then a list of what is of each of them, if there is something."""
        find = self._positions.setdefault
        for at in range(0, len(ids), ROWS):
            some = ids[at : at + ROWS]
            if self._size and self._size + len(some) > ROWS:
                self.flush()
            row: list[object] = [[find(id_, len(self._positions)) for id_ in some], *shared]
            self._rows[text].append([*row, each[at : at + ROWS]] if each else row)
            self._size += len(some)

    def flush(self) -> None:
        """Run the queries, in the order of their texts: the server plans each order of them again."""
        if self._rows:
            queries = sorted(self._rows.items())
            parts = [f"CALL (nodes) {{\n{number_rows(text, number)}\n}}" for number, (text, _) in enumerate(queries)]
            rows = {f"rows{number}": rows for number, (_, rows) in enumerate(queries)}
            start_query(self._tx, "\n".join([get_cypher("find_nodes"), *parts]), {"ids": list(self._positions), **rows}).consume()
        self._positions.clear()
        self._rows.clear()
        self._size = 0


def write_projection(tx: Transaction, contents: Contents, changes: Sequence[ScopeChange], new_keys: Iterable[AssetKey]) -> None:
    """Update the projection to the contents of the changed scopes.

    `new_keys`: keys in other contents that are new to the store. The scopes themselves are drawn already.
    """
    mentioned = {id_: key for change in changes for id_, key in change.after.mentions.items() if id_ not in change.before.mentions}
    named = {id_: key for key in new_keys if (id_ := compute_id(key)) not in mentioned}
    known = _find_names(tx, [*mentioned, *named])
    new = mentioned.keys() - known.keys()
    attributes = _merge_attributes(tx, contents, changes, new)
    _write_names(tx, mentioned, named, known, attributes)
    queue = NodeQueue(tx)
    _queue_statements(queue, changes)
    _queue_links(queue, changes, new)
    for id_, properties in attributes.items():
        if id_ not in new:
            queue.add(get_cypher("set_attributes"), [id_], properties)
    queue.flush()
    _hide(tx, changes)


def _find_names(tx: Transaction, ids: Sequence[str]) -> dict[str, bool]:
    """Of these assets those that have a node, and whether it is shown as an asset."""
    return {
        id_: shown for at in range(0, len(ids), ROWS) for id_, shown in read_rows(tx, get_cypher("known_names"), ids=ids[at : at + ROWS])
    }


def _write_names(
    tx: Transaction, mentioned: Mapping[str, AssetKey], named: Mapping[str, AssetKey], known: Mapping[str, bool], attributes: _Shown
) -> None:
    """Add nodes with their attributes, and show those that are only names. `known`: as of `_find_names`."""
    queue = WriteQueue()
    for kind in KINDS:
        of_kind = [(id_, key) for id_, key in mentioned.items() if key.kind is kind]
        new = [{**build_asset_row(key), **attributes.get(id_, {})} for id_, key in of_kind if id_ not in known]
        queue.add(get_cypher_of_kind("add_assets", kind), new)
        hidden = [build_asset_row(key) for id_, key in of_kind if not known.get(id_, True)]
        queue.add(get_cypher_of_kind("show_assets", kind), hidden)
    queue.add(get_cypher("add_names"), [build_name_row(key) for id_, key in named.items() if id_ not in known])
    queue.flush(tx)


def _merge_attributes(tx: Transaction, contents: Contents, changes: Sequence[ScopeChange], new: Collection[str]) -> _Shown:
    """The properties to set in assets of which the changed scopes state something else, or at another time: of two equally strong
    sources, the newer statement is shown. `new`: assets without a node.
    """
    stated: defaultdict[str, list[SourceProperties]] = defaultdict(list)
    before: defaultdict[str, set[str]] = defaultdict(set)  # the properties that the changed scopes stated
    looked: dict[str, list[object] | None] = {}  # what an asset shows if nothing is to be set; None: it must be read
    for change in changes:
        for id_, given in change.before.stated.items():
            before[id_].update(given.attributes)
            if id_ not in change.after.stated:
                looked[id_] = None
        for id_, given in change.after.stated.items():
            stated[id_].append(SourceProperties(change.source, change.observed, given.attributes))
            if id_ not in new:
                is_certain = _may_change_nothing(change, change.before.stated.get(id_), given)
                others = looked.setdefault(id_, [])
                looked[id_] = [*others, *map(list, given.attributes.items())] if is_certain and others is not None else None
    found: dict[str, Mapping[str, Value | None]] = {id_: merge_properties(stated[id_], PRECEDENCE) for id_ in new if id_ in stated}
    changed = {change.scope for change in changes}
    rows = [[id_, shown] for id_, shown in looked.items() if shown is None or shown]
    for at in range(0, len(rows), ROWS):
        contested = read_rows(tx, get_cypher("contested_stated"), rows=rows[at : at + ROWS])
        listings = _read_listings(tx, contents, {scope for *_, listing in contested for scope in listing} - changed)
        for id_, statements, listing in contested:
            by_scope = {scope: SourceProperties(source, observed, _drop_words(given)) for scope, source, observed, given in statements}
            for scope in listing:
                if scope in listings and scope not in by_scope and id_ in listings[scope].stated:
                    by_scope[scope] = listings[scope].build_properties(id_)
            kept = [given for scope, given in by_scope.items() if scope not in changed]
            names = before[id_].union(*(given.attributes for given in kept))
            found[id_] = {**dict.fromkeys(names), **merge_properties([*kept, *stated[id_]], PRECEDENCE)}
    return found


class _Listing(NamedTuple):
    """What a scope states, as it is drawn. `observed` in microseconds."""

    source: str
    observed: int
    stated: Mapping[str, StatedProperties]

    def build_properties(self, id_: str) -> SourceProperties:
        return SourceProperties(self.source, self.observed, self.stated[id_].attributes)


def _read_listings(tx: Transaction, contents: Contents, scopes: Collection[int]) -> dict[int, _Listing]:
    rows = read_rows(tx, get_cypher("stating_scopes"), ids=list(scopes)) if scopes else []
    blobs = contents.read(tx, {bytes.fromhex(digest) for *_, digest in rows})
    return {
        scope: _Listing(source, observed, decode_assertions(blobs[bytes.fromhex(digest)]).stated)
        for scope, source, observed, digest in rows
    }


def _may_change_nothing(change: ScopeChange, before: StatedProperties | None, given: StatedProperties) -> bool:
    """True if an asset that shows all of `given` already goes on showing the same. (Values that are compared by the server must not be
    numbers: 1 and 1.0 are equal to it.)
    """
    if before is not None and (change.observed < change.observed_before or not before.attributes.keys() <= given.attributes.keys()):
        return False
    return all(isinstance(value, str | bool | list) for value in given.attributes.values())


def _drop_words(properties: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in properties.items() if name != "words"}


def _queue_statements(queue: NodeQueue, changes: Sequence[ScopeChange]) -> None:
    """Queue what relates scopes to assets: they state attributes of some, and only mention the others."""
    for change in changes:
        scope, before, after = change.scope, change.before, change.after
        mentions, mentioned = (
            [id_ for id_ in one.unlinked if id_ not in other.unlinked] for one, other in ((after, before), (before, after))
        )
        new, gone = ([id_ for id_ in one.shown if id_ not in other.shown] for one, other in ((after, before), (before, after)))
        differing = [id_ for id_, given in after.shown.items() if id_ in before.shown and not is_same_statement(before.shown[id_], given)]
        queue.add(get_cypher("add_mentions"), mentions, scope)
        queue.add(get_cypher("add_stated"), new, scope, each=[build_statement_properties(after.shown[id_]) for id_ in new])
        queue.add(get_cypher("change_stated"), differing, scope, each=[build_statement_properties(after.shown[id_]) for id_ in differing])
        queue.add(get_cypher("remove_stated"), gone, scope)
        queue.add(get_cypher("remove_mentions"), mentioned, scope)


def _queue_links(queue: NodeQueue, changes: Sequence[ScopeChange], new: Collection[str]) -> None:
    """Queue the relationships between assets. `new`: assets without relationships from before: these need not be looked for."""
    properties = {kind: found for change in changes for kind, found in change.after.properties.items()}
    for kind, scopes, ends in _group_links((change.scope, change.before.links, change.after.links) for change in changes):
        row = {**properties[kind], "scopes": scopes}
        created: list[str] = []
        merged: list[str] = []
        for pair in ends:
            (created if pair[0] in new or pair[1] in new else merged).extend(pair)
        queue.add(get_cypher_of_edge("create_links", kind.edge), created, row)
        queue.add(get_cypher_of_edge(_get_name("merge", kind), kind.edge), merged, row)
    for kind, scopes, ends in _group_links((change.scope, change.after.links, change.before.links) for change in changes):
        row = {**dict(kind.identity), "scopes": scopes}
        queue.add(get_cypher_of_edge(_get_name("remove", kind), kind.edge), [*chain.from_iterable(ends)], row)


def _get_name(verb: str, kind: LinkKind) -> str:
    return f"{verb}_flows" if kind.edge == EdgeType.FLOWS_TO else f"{verb}_edges"


def _group_links(
    changes: Iterable[tuple[int, Mapping[LinkKind, set[Ends]], Mapping[LinkKind, set[Ends]]]],
) -> Iterator[tuple[LinkKind, tuple[int, ...], list[Ends]]]:
    """The relationships that scopes have in the second mapping and not in the first: (kind, the scopes, the ends) for those that have
    kind and scopes in common.
    """
    found: defaultdict[LinkKind, defaultdict[Ends, list[int]]] = defaultdict(lambda: defaultdict(list))
    for scope, before, after in changes:
        for kind, ends in after.items():
            of_kind = found[kind]
            for pair in ends - before.get(kind, set()):
                of_kind[pair].append(scope)
    for kind, by_ends in found.items():
        groups: defaultdict[tuple[int, ...], list[Ends]] = defaultdict(list)
        for pair, scopes in by_ends.items():
            groups[tuple(scopes)].append(pair)
        for scopes_of_group, pairs in groups.items():
            yield kind, scopes_of_group, pairs


def _hide(tx: Transaction, changes: Sequence[ScopeChange]) -> None:
    gone = list({id_ for change in changes for id_ in change.before.mentions if id_ not in change.after.mentions})
    run_in_chunks(tx, get_cypher("hide_unstated"), gone)
