"""Tables to which changes are applied one after the other, and what sources would state about them.

`EditedTable` is one table, with its definitions before and after; `EditedTables` are those that a DDL script refers to, found in the
graph by their SQL names. `build_entries` makes the statements of the sources that list a table's columns, as they would be after the
change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.errors import Ambiguous, InvalidInput, MeshlineError, NotFound
from meshline.graph import model
from meshline.graph.content import decode_facts, encode_facts
from meshline.graph.contracts import Definition, Field, Pair, Part, Version
from meshline.graph.model import CATALOG_KINDS, AssetFact, AssetKey, AssetKind, EdgeFact, EdgeType, Facts, Json, parse_source_kind
from meshline.ingest.changes import GraphState
from meshline.ingest.sources.base import Entry
from meshline.sql.statement_lineage import Relation
from meshline.words import suggest_closest

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


Align: TypeAlias = Callable[[Definition, Definition], tuple[Definition, Definition]]


class EditedTable:
    """A table under change. `now` None: it was dropped, or does not exist yet. `key` None: the graph does not know it."""

    def __init__(self, before: Version[Definition] | None, key: AssetKey | None, name: str) -> None:
        self._before = before
        self._lines: dict[Part, int] = {}
        self._ids: dict[str, str] = {}  # ids given to columns that had none, by their old names
        self._added = 0
        self.key = key
        self.name = name
        self.now = before.value if before is not None else None
        self.warnings: list[str] = []

    @property
    def definition(self) -> Definition:
        """Raises InvalidInput if it is not there."""
        if self.now is None:
            raise InvalidInput(f"{self.name} was already dropped")
        return self.now

    @property
    def names(self) -> Sequence[str]:
        return [field.name for field in self.definition.model.fields]

    def list_old_fields(self) -> Sequence[Field]:
        return self._before.value.model.fields if self._before is not None else ()

    def add_known_column(self, field: Field) -> None:
        """Add a column that the table already had although no source lists it."""
        if self._before is not None:
            self._before = self._before._replace(value=_replace_fields(self._before.value, (*self.list_old_fields(), field)))
        self._put([*self.definition.model.fields, field])

    def build_pair(self, file: str) -> Pair[Definition] | None:
        """The table before and after; None if nothing changed."""
        before = self._before
        datasets = {"": (self.key,)} if self.key is not None else {}
        if before is not None:
            fields = tuple(self._apply_id(field) for field in before.value.model.fields)
            before = before._replace(value=_replace_fields(before.value, fields), file=file, lines=self._lines)
        after = Version(self.now, datasets, file, self._lines) if self.now is not None else None
        if (before is None and after is None) or (before is not None and after is not None and before.value == after.value):
            return None
        return Pair(before, after)

    def mark(self, line: int, *part: str) -> None:
        """Record the line of a part."""
        self._lines[part] = line
        self._lines[()] = line

    def get_column(self, name: str) -> Field:
        """A column by its name: an exact match, else the only one that differs in case. Raises NotFound."""
        fields = self.definition.model.fields
        found = [field for field in fields if field.name == name] or [field for field in fields if field.name.casefold() == name.casefold()]
        if len(found) == 1:
            return found[0]
        near = suggest_closest(name, [field.name for field in fields])
        has = f"has the columns {', '.join(field.name for field in fields[:10])}" if fields else "has no columns that are known"
        raise NotFound(f"{self.name} {has}{'' if len(fields) <= 10 else ', ...'}, and no {name!r}{near}")

    def has_column(self, name: str) -> bool:
        return any(field.name.casefold() == name.casefold() for field in self.definition.model.fields)

    def replace_definition(self, definition: Definition, align: Align) -> None:
        """Replace the definition. `align` makes the old and the new definition comparable."""
        if self._before is not None:
            before, definition = align(self._before.value, definition)
            self._before = self._before._replace(value=before)
        shown = (self.key.qualified_name, self.key.name) if self.key is not None else (self.name, "")
        model = msgspec.structs.replace(definition.model, name=shown[0], physical_name=shown[1])
        self.now = msgspec.structs.replace(definition, model=model)

    def drop(self) -> None:
        self.definition  # noqa: B018 - raises if it is dropped already
        self.now = None

    def rename(self, key: AssetKey | None, name: str) -> None:
        model = msgspec.structs.replace(
            self.definition.model, name=key.qualified_name if key else name, physical_name=key.name if key else ""
        )
        self.now = msgspec.structs.replace(self.definition, model=model)
        self.key, self.name = key, name

    def add_column(self, field: Field, after: str | None = None) -> None:
        """Add a column at the end, after another one, or (`after` empty) as the first. Raises InvalidInput if it exists."""
        if self.has_column(field.name):
            raise InvalidInput(f"{self.name} has a column {field.name!r} already")
        gone = next((one for one in self.list_old_fields() if one.name == field.name), None)
        if gone is not None and gone.name not in [one.name for one in self.definition.model.fields]:
            self._assign_id(gone)  # another column of the same name
            self._added += 1
            field = msgspec.structs.replace(field, id=f"new {self._added}")
        fields = list(self.definition.model.fields)
        at = len(fields) if after is None else 0 if not after else self._end_of(self.get_column(after).name)
        if after is None and "." in field.name and self.has_column(field.name.rpartition(".")[0]):
            at = self._end_of(self.get_column(field.name.rpartition(".")[0]).name)
        self._put([*fields[:at], field, *fields[at:]])

    def drop_column(self, name: str) -> None:
        """Drop a column with its nested columns."""
        own = self.get_column(name).name
        self._put([field for field in self.definition.model.fields if not _is_within(field.name, own)])

    def rename_column(self, name: str, new: str) -> None:
        """Rename a column with its nested columns; `new` is the full path. Raises InvalidInput if it exists."""
        own = self.get_column(name).name
        if new == own:
            return
        if self.has_column(new) and new.casefold() != own.casefold():
            raise InvalidInput(f"{self.name} has a column {new!r} already")
        self._put(
            [
                msgspec.structs.replace(self._assign_id(field), name=new + field.name[len(own) :], physical_name="")
                if _is_within(field.name, own)
                else field
                for field in self.definition.model.fields
            ]
        )

    def change_column(self, name: str, **values: object) -> None:
        """Set values of a field: type, required, unique, ..."""
        own = self.get_column(name)
        changed = msgspec.structs.replace(own, **values)
        fields = [changed if field is own else field for field in self.definition.model.fields]
        if changed.type != own.type:  # what was nested in it is not there any more
            fields = [field for field in fields if field is changed or not _is_within(field.name, own.name)]
        self._put(fields)

    def move_column(self, name: str, after: str) -> None:
        """Move a column after another one, or (empty) to the first place."""
        own = self.get_column(name)
        moved = [field for field in self.definition.model.fields if _is_within(field.name, own.name)]
        self._put([field for field in self.definition.model.fields if field not in moved])
        at = self._end_of(self.get_column(after).name) if after else 0
        fields = list(self.definition.model.fields)
        self._put([*fields[:at], *moved, *fields[at:]])

    def partition(self, partitioning: Sequence[str]) -> None:
        self.now = msgspec.structs.replace(self.definition, partitioning=tuple(partitioning))

    def _put(self, fields: Sequence[Field]) -> None:
        self.now = _replace_fields(self.definition, tuple(fields))

    def _end_of(self, name: str) -> int:
        """The position after a column and its nested columns."""
        return max(i for i, field in enumerate(self.definition.model.fields) if _is_within(field.name, name)) + 1

    def _assign_id(self, field: Field) -> Field:
        """The field with an id, which identifies the column after a rename."""
        if not field.id and any(one.name == field.name for one in self.list_old_fields()):
            self._ids[field.name] = f"was {field.name}"
        return self._apply_id(field)

    def _apply_id(self, field: Field) -> Field:
        return field if field.id or field.name not in self._ids else msgspec.structs.replace(field, id=self._ids[field.name])


def _replace_fields(definition: Definition, fields: tuple[Field, ...]) -> Definition:
    return msgspec.structs.replace(definition, model=msgspec.structs.replace(definition.model, fields=fields))


def _is_within(name: str, outer: str) -> bool:
    return name == outer or name.startswith(f"{outer}.")


class EditedTables:
    """`by_name`: the tables that were looked up. `base`: definitions of tables before the script, which replace those of the graph.
    `defaults`: the catalog and the schema that names may omit; '' if unknown.
    """

    def __init__(self, known: GraphState, options: Mapping[str, str], base: Mapping[Relation, Version[Definition]]) -> None:
        self._known = known
        self._namespace = known.context.resolve_namespace(options.get("namespace", ""))
        self._base = base
        self._by_key: dict[AssetKey, EditedTable] = {}
        catalog, schema = options.get("catalog", ""), options.get("schema", "")
        self.defaults: Relation = (catalog, schema) if catalog else (schema,) if schema else ()
        self.by_name: dict[Relation, EditedTable] = {}
        self.guessed: dict[AssetKey, str] = {}  # datasets matched without their catalog, with the name in the script

    def complete_name(self, relation: Relation) -> Relation:
        """A name with its omitted parts, as far as they are known."""
        missing = len(self.defaults) + 1 - len(relation)
        return (*filter(None, self.defaults[:missing]), *relation) if missing > 0 else relation

    def use(self, parts: Relation) -> None:
        """`USE lake.orders`: set the parts that later names may omit."""
        self.defaults = parts if len(parts) > 1 or not self.defaults else (*self.defaults[:-1], *parts)

    def list_columns(self, relation: Relation) -> list[str]:
        """The current columns of a table; empty if the table is unknown."""
        try:
            table = self.get_table(relation)
        except MeshlineError:
            return []
        return list(table.names) if table.now is not None else []

    def find_table(self, relation: Relation) -> EditedTable | None:
        try:
            return self.get_table(relation)
        except NotFound:
            return None

    def get_table(self, relation: Relation) -> EditedTable:
        """The table as the script made it, else as it was before. Raises NotFound, Ambiguous."""
        full = self.complete_name(relation)
        name = fold_case(full)
        if name in self.by_name:
            return self.by_name[name]
        key, error = None, None
        try:
            key = self._find_key(full)
        except NotFound as found:
            error = found
        if key is not None and key in self._by_key:
            return self._by_key[key]
        version = self._base.get(name)
        if version is not None:
            key = self._build_key(full) if key is None else key
            table = EditedTable(version._replace(datasets={"": (key,)} if key is not None else {}), key, ".".join(full))
        elif key is not None:
            table = EditedTable(self._known.find_definition(key), key, key.qualified_name)
        else:
            assert error is not None
            raise error
        if key is not None:
            self._by_key[key] = table
        self.by_name[name] = table
        return table

    def _find_key(self, full: Relation) -> AssetKey:
        """The dataset of a name: in the given namespace, else by an alias of the catalog, else by the name without its catalog."""
        aliases = self._known.context.aliases
        dotted = ".".join(full)
        if self._namespace:
            return self._resolve_dataset([f"{self._namespace}/{dotted}"])
        aliased = [f"{aliases[full[0]]}/{'.'.join(full[1:])}"] if len(full) > 1 and full[0] in aliases else []
        return self._resolve_dataset([*aliased, dotted], [".".join(full[i:]) for i in range(1, len(full) - 1)])

    def _resolve_dataset(self, forms: Sequence[str], shorter: Sequence[str] = ()) -> AssetKey:
        """The dataset of the first name that has one. `shorter`: names that may omit too much, so that a full match is preferred to a
        match of an ending. Raises NotFound, Ambiguous.
        """
        first: NotFound | None = None
        for form in (*forms, *shorter):
            try:
                key = self._known.resolve(f"dataset:{form}")
            except NotFound as error:
                first = first or error
                continue
            except Ambiguous as error:
                whole = [one for one in error.candidates if one.endswith(f"/{form}")]
                if form not in shorter or len(whole) != 1:
                    raise Ambiguous(f"{error} (by its namespace: --namespace)", error.candidates) from error
                key = self._known.resolve(whole[0])
            if key.kind is AssetKind.DATASET:
                if form in shorter:
                    self.guessed[key] = forms[-1]
                return key
        raise NotFound(str(first).replace("'dataset:", "'"))

    def add_table(self, full: Relation) -> EditedTable:
        """Add a table that the graph does not know; it is a dataset if its namespace is given."""
        key = self._build_key(full)
        table = self.by_name[fold_case(full)] = EditedTable(None, key, ".".join(full) if key is None else key.qualified_name)
        return table

    def _build_key(self, full: Relation) -> AssetKey | None:
        """The key of a dataset that the graph does not know, in the given namespace; None without a namespace."""
        return self._known.context.naming.normalise_dataset(self._namespace, ".".join(full)) if self._namespace else None

    def rename(self, table: EditedTable, old: Relation, new: Relation) -> None:
        """`new` stays in the schema of the old name if it names none."""
        full = (*old[:-1], *new) if len(new) == 1 else new
        key = table.key
        if key is not None:
            known = key.parts[1]
            cut = max(known.rfind("/"), -1) + 1
            parts = known[cut:].split(".")
            key = self._known.context.naming.normalise_dataset(
                key.parts[0], known[:cut] + ".".join(full[-len(parts) :] if not cut else full[-1:])
            )
        table.rename(key, ".".join(full))
        self.by_name.pop(fold_case(old), None)
        self.by_name[fold_case(full)] = table


def fold_case(relation: Relation) -> Relation:
    """A name in the form in which names are compared: in any case."""
    return tuple(part.casefold() for part in relation)
