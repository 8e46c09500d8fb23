"""Writes the graph for people: what is said by the scopes that moved, and no more by anybody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

from meshline.graph.model import KINDS, AssetKey, Precedence
from meshline.graph.store.neo4j.connection import ROWS, Transaction, in_parts, rows, run, run_in_chunks
from meshline.graph.store.neo4j.cypher import cypher, cypher_of_edge, cypher_of_kind
from meshline.graph.store.neo4j.names import RESERVED, name_row
from meshline.graph.store.neo4j.visible import FlowEdge, Move, OtherEdge, Properties, Saying, difference, merged

E = TypeVar("E", FlowEdge, OtherEdge)
PRECEDENCE = Precedence()

Group: TypeAlias = tuple[int, Sequence[object]]  # a scope, and what is to be done there


class FlowRow(NamedTuple):
    shared: FlowEdge
    scopes: tuple[int, ...]
    pairs: list[tuple[str, str]]  # start and end


def draw(tx: Transaction, moves: Sequence[Move], named: Iterable[AssetKey]) -> None:
    """Bring the graph from what the scopes said before to what they say after.

    `named`: the keys of contents that are new to the store, whether they are said now or not. The
    scopes themselves are written already, for attributes are merged by their times.
    """
    _add_names(tx, moves, named)
    contested = _add_assertions(tx, moves)
    _remove_assertions(tx, moves)
    _hide(tx, moves)
    _set_attributes(tx, moves, contested)


def _add_names(tx: Transaction, moves: Sequence[Move], named: Iterable[AssetKey]) -> None:
    said = {key for move in moves for id_, key in move.after.mentions.items() if id_ not in move.before.mentions}
    only_named = [key for key in named if key not in said]
    for kind in KINDS:
        run_in_chunks(tx, cypher_of_kind("add_names", kind), [name_row(key)[:4] for key in only_named if key.kind is kind])
        run_in_chunks(tx, cypher_of_kind("add_assets", kind), [name_row(key) for key in said if key.kind is kind])


def _add_assertions(tx: Transaction, moves: Sequence[Move]) -> set[str]:
    """Returns the assets of which somebody says something now, and not alone."""
    mentions: list[Group] = []
    new: list[Group] = []
    changed: list[Group] = []
    for scope, before, after in moves:
        if ids := [id_ for id_ in after.mentions if id_ not in after.sayings and (id_ not in before.mentions or id_ in before.sayings)]:
            mentions.append((scope, ids))
        if added := [[id_, *said] for id_, said in after.sayings.items() if id_ not in before.sayings]:
            new.append((scope, added))
        if others := [
            [id_, *said, difference(before.sayings[id_].attributes, said.attributes)]
            for id_, said in after.sayings.items()
            if id_ in before.sayings and before.sayings[id_] != said
        ]:
            changed.append((scope, others))
    _run_groups(tx, cypher("add_mentions"), mentions)
    contested: set[str] = {id_ for part in in_parts(new, _length, ROWS) for id_ in run(tx, cypher("add_sayings"), rows=part)[0]}
    _run_groups(tx, cypher("change_sayings"), changed)
    jobs = {edge.jobId: job for move in moves for edge, job in move.after.flows.items()}
    flows = _scopes((move.scope, edge) for move in moves for edge in move.after.flows if edge not in move.before.flows)
    _run_flows(tx, cypher("add_flows"), _flow_rows(flows), jobs)
    properties: dict[OtherEdge, Properties] = {edge: found for move in moves for edge, found in move.after.edges.items()}
    edges = _scopes((move.scope, edge) for move in moves for edge in move.after.edges if edge not in move.before.edges)
    for edge_type, of_type in _edge_rows(edges, properties).items():
        run_in_chunks(tx, cypher_of_edge("add_edges", edge_type), of_type)
    return contested


def _remove_assertions(tx: Transaction, moves: Sequence[Move]) -> None:
    flows = _scopes((move.scope, edge) for move in moves for edge in move.before.flows if edge not in move.after.flows)
    jobs = {edge.jobId: job for move in moves for edge, job in move.before.flows.items()}
    _run_flows(tx, cypher("remove_flows"), _flow_rows(flows), jobs)
    edges = _scopes((move.scope, edge) for move in moves for edge in move.before.edges if edge not in move.after.edges)
    for edge_type, of_type in _edge_rows(edges, {}).items():
        run_in_chunks(tx, cypher_of_edge("remove_edges", edge_type), of_type)
    mentions: list[Group] = []
    sayings: list[Group] = []
    for scope, before, after in moves:
        if ids := [id_ for id_ in before.sayings if id_ not in after.sayings]:
            sayings.append((scope, ids))
        if ids := [id_ for id_ in before.mentions if id_ not in before.sayings and (id_ not in after.mentions or id_ in after.sayings)]:
            mentions.append((scope, ids))
    _run_groups(tx, cypher("remove_sayings"), sayings)
    _run_groups(tx, cypher("remove_mentions"), mentions)


def _hide(tx: Transaction, moves: Sequence[Move]) -> None:
    gone = list({id_ for move in moves for id_ in move.before.mentions if id_ not in move.after.mentions})
    for at in range(0, len(gone), ROWS):
        tx.run(cypher("hide_unsaid"), {"ids": gone[at : at + ROWS]}).consume()


def _set_attributes(tx: Transaction, moves: Sequence[Move], contested: set[str]) -> None:
    """Merge attributes anew where several scopes say something, or where one says nothing any more.

    Also where only a statement's time moved: of two that are equally strong the newer is shown.
    `contested`: of those of which somebody says something only now.
    """
    taken = {id_ for move in moves for id_ in move.before.sayings if id_ not in move.after.sayings}
    kept = {id_ for move in moves for id_ in move.after.sayings if id_ in move.before.sayings}
    given = (kept | contested) - taken
    changed = []
    for name, ids in (("sayings", list(taken)), ("contested_sayings", list(given))):
        for at in range(0, len(ids), ROWS):
            for id_, properties, said in rows(tx, cypher(name), ids=ids[at : at + ROWS]):
                wanted = merged((Saying(source, observed, _attributes(found)) for source, observed, found in said), PRECEDENCE)
                if to_set := difference(_attributes(properties), wanted):
                    changed.append({"id": id_, "properties": to_set})
    run_in_chunks(tx, cypher("set_attributes"), changed)


def _attributes(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in RESERVED}


def _scopes(edges: Iterable[tuple[int, E]]) -> dict[E, list[int]]:
    """The scopes of each edge."""
    found: defaultdict[E, list[int]] = defaultdict(list)
    for scope, edge in edges:
        found[edge].append(scope)
    return found


def _flow_rows(flows: Mapping[FlowEdge, list[int]]) -> list[FlowRow]:
    """Flows in groups that differ in nothing but their ends."""
    groups: defaultdict[tuple[FlowEdge, tuple[int, ...]], list[tuple[str, str]]] = defaultdict(list)
    for edge, scopes in flows.items():
        groups[edge._replace(start="", end=""), tuple(scopes)].append((edge.start, edge.end))
    return [FlowRow(shared, scopes, pairs) for (shared, scopes), pairs in groups.items()]


def _run_flows(tx: Transaction, text: str, flows: Iterable[FlowRow], jobs: Mapping[str, str]) -> None:
    for part in in_parts(flows, lambda row: len(row.pairs), ROWS):
        shared = [{**row.shared._asdict(), "job": jobs[row.shared.jobId], "scopes": row.scopes, "pairs": row.pairs} for row in part]
        tx.run(text, {"rows": shared}).consume()


def _run_groups(tx: Transaction, text: str, groups: Iterable[Group]) -> None:
    for part in in_parts(groups, _length, ROWS):
        tx.run(text, {"rows": part}).consume()


def _length(group: Group) -> int:
    return len(group[1])


def _edge_rows(edges: Mapping[OtherEdge, list[int]], properties: Mapping[OtherEdge, Properties]) -> dict[str, list[list[object]]]:
    """By type."""
    found: defaultdict[str, list[list[object]]] = defaultdict(list)
    for edge, scopes in edges.items():
        found[edge.type].append([edge.start, edge.end, edge.said, properties.get(edge), scopes])
    return found
