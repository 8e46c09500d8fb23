"""The statements that sources which list a table's columns would make about it after a change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from meshline.graph import model
from meshline.graph.content import decode_facts, encode_facts
from meshline.graph.contracts import Definition, Field, Pair
from meshline.graph.model import CATALOG_KINDS, AssetFact, AssetKey, AssetKind, EdgeFact, EdgeType, Facts, Json, parse_source_kind
from meshline.ingest.changes.base import GraphState
from meshline.ingest.sources.base import Entry

CHECK = "sql/check"  # the source of a table that no source states yet


def build_entries(pair: Pair[Definition], known: GraphState) -> tuple[tuple[str, Entry], ...]:
    """Entries after a change: each list of columns of a known table as it would be; the columns of a new table. None without a dataset."""
    before, after = (None if one is None else next(iter(one.datasets.get("", ())), None) for one in pair)
    if pair.before is None:
        return ((CHECK, _build_listing(after, pair.after.value)),) if after is not None and pair.after is not None else ()
    if before is None:
        return ()
    names = frozenset(known.list_names(before))
    fields = pair.after.value.model.fields if pair.after is not None else ()
    edit = _Edit(
        names, _match_columns(pair.before.value.model.fields, fields), {field.name: (i, field) for i, field in enumerate(fields, 1)}
    )
    if pair.after is None:
        return tuple(
            (source, one._replace(content=encode_facts(_drop_datasets(decode_facts(one.content.blob), names))))
            for source, one in known.list_statements(before)
        )
    moved = before != after and after is not None
    found = [(source, one) for source, one in known.list_statements(before) if _has_columns(decode_facts(one.content.blob), names)]
    entries = [(source, _replace_facts(one, edit.apply(decode_facts(one.content.blob)))) for source, one in found]
    if moved and after is not None:
        return (*_move_table(before, after, entries, known), (CHECK, _build_rename(before, after)))
    return (*entries, *_build_column_events(edit, found))


def _replace_facts(entry: Entry, facts: Facts) -> Entry:
    return Entry(entry.scope, encode_facts(facts))


class _Edit(NamedTuple):
    """`moves`: each old column with its new name; None: it was dropped. `fields`: the new fields with their positions, from 1."""

    names: frozenset[AssetKey]
    moves: Mapping[str, str | None]
    fields: Mapping[str, tuple[int, Field]]

    def apply(self, facts: Facts) -> Facts:
        of = next(edge.start for edge in facts.edges if edge.type is EdgeType.HAS_COLUMN and edge.start in self.names)
        stated = {fact.key.name: fact.attributes for fact in facts.assets if self._is_column(fact.key)}
        listed = {edge.end.name: edge for edge in facts.edges if edge.type is EdgeType.HAS_COLUMN and edge.start in self.names}
        assets = [fact for fact in facts.assets if not self._is_column(fact.key)]
        edges = [edge for edge in facts.edges if edge not in listed.values()]
        old = {new: name for name, new in self.moves.items() if new is not None}
        for name, (position, field) in self.fields.items():
            was = old.get(name)
            if was is not None and was not in listed:
                continue  # a column that another source lists
            column = model.build_column_key(of, name)
            attributes = {**(stated.get(was, {}) if was is not None else {}), **_build_attributes(field)}
            if attributes:
                assets.append(AssetFact(column, attributes))
            before = listed[was].attributes if was is not None else {}
            edges.append(EdgeFact(EdgeType.HAS_COLUMN, of, column, {**before, **({} if was is not None else {"position": position})}))
        return Facts(tuple(assets), tuple(edges), facts.flows)

    def _is_column(self, key: AssetKey) -> bool:
        return key.kind is AssetKind.COLUMN and AssetKey(AssetKind.DATASET, key.parts[:2]) in self.names


def _match_columns(before: Sequence[Field], after: Sequence[Field]) -> dict[str, str | None]:
    by_id = {field.id: field.name for field in after if field.id}
    names = {field.name for field in after}
    return {field.name: by_id.get(field.id) if field.id else field.name if field.name in names else None for field in before}


def _build_attributes(field: Field) -> dict[str, Json]:
    attributes: dict[str, Json] = {"type": field.type} if field.type else {}
    return attributes if field.required is None else {**attributes, "nullable": not field.required}


def _has_columns(facts: Facts, names: frozenset[AssetKey]) -> bool:
    return any(edge.type is EdgeType.HAS_COLUMN and edge.start in names for edge in facts.edges)


def _drop_datasets(facts: Facts, names: frozenset[AssetKey]) -> Facts:
    """The facts about other assets."""
    return Facts(
        tuple(fact for fact in facts.assets if fact.key not in names and AssetKey(AssetKind.DATASET, fact.key.parts[:2]) not in names),
        tuple(edge for edge in facts.edges if edge.start not in names and edge.end not in names),
        facts.flows,
    )


def _build_column_events(edit: _Edit, listings: Iterable[tuple[str, Entry]]) -> Iterator[tuple[str, Entry]]:
    """Events of renamed and dropped columns, as a catalog reports them: records of the old name continue under the new one, or end."""
    for source, entry in listings:
        if parse_source_kind(source) not in CATALOG_KINDS:
            continue
        for of in sorted({edge.start for edge in decode_facts(entry.content.blob).edges if edge.type is EdgeType.HAS_COLUMN} & edit.names):
            for old, new in edit.moves.items():
                was = model.build_column_key(of, old)
                if new is None:
                    facts = Facts(assets=(AssetFact(was, {"dropped": True}),))
                    yield source, Entry(("column-dropped", *of.parts, old, "check"), encode_facts(facts))
                elif new != old:
                    facts = Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, was, model.build_column_key(of, new)),))
                    yield source, Entry(("column-renamed", *of.parts, old, new, "check"), encode_facts(facts))


def _move_table(before: AssetKey, after: AssetKey, stated: Sequence[tuple[str, Entry]], known: GraphState) -> Iterator[tuple[str, Entry]]:
    """Entries that end the statements under a table's old name, and repeat them under the new one."""
    names = frozenset(known.list_names(before))
    for source, entry in stated:
        facts = decode_facts(entry.content.blob)
        yield source, _replace_facts(entry, _drop_datasets(facts, names))
        yield source, Entry((*entry.scope, "renamed"), encode_facts(_rename_dataset(facts, names, after)))


def _rename_dataset(facts: Facts, names: frozenset[AssetKey], new: AssetKey) -> Facts:
    def rename_key(one: AssetKey) -> AssetKey:
        if one in names:
            return new
        inside = one.kind is AssetKind.COLUMN and AssetKey(AssetKind.DATASET, one.parts[:2]) in names
        return model.build_column_key(new, one.name) if inside else one

    return Facts(
        tuple(fact._replace(key=rename_key(fact.key)) for fact in facts.assets if rename_key(fact.key) != fact.key),
        tuple(
            edge._replace(start=rename_key(edge.start), end=rename_key(edge.end))
            for edge in facts.edges
            if rename_key(edge.start) != edge.start
        ),
    )


def _build_rename(before: AssetKey, after: AssetKey) -> Entry:
    return Entry(
        ("dataset-renamed", *after.parts, *before.parts, "check"),
        encode_facts(Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, before, after),))),
    )


def _build_listing(of: AssetKey, definition: Definition) -> Entry:
    assets = [
        AssetFact(model.build_column_key(of, field.name), attributes)
        for field in definition.model.fields
        if (attributes := _build_attributes(field))
    ]
    assets.append(AssetFact(of, {"dataset_type": definition.kind.upper() or "TABLE"}))
    fields = enumerate(definition.model.fields, 1)
    edges = [EdgeFact(EdgeType.HAS_COLUMN, of, model.build_column_key(of, field.name), {"position": i}) for i, field in fields]
    return Entry(("sql", *of.parts), encode_facts(Facts(tuple(assets), tuple(edges))))
