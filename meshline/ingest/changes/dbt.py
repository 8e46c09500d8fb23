"""A dbt project in two versions: two manifests compared table by table, or one manifest compared with the graph.

Tables whose entries are equal in both are not analysed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.content import EMPTY
from meshline.graph.contracts import Definition, Field, Pair, Version
from meshline.graph.model import AssetKey
from meshline.ingest.changes import ChangeInput, GraphState, Proposal, Text
from meshline.ingest.changes.alignment import align_with_graph
from meshline.ingest.changes.dbt_project import (
    ProjectSettings,
    ProjectVersion,
    add_columns,
    build_declared,
    parse_artifacts,
    read_raw_codes,
)
from meshline.ingest.sources.base import Entry
from meshline.ingest.sources.dbt.flows import find_dialect
from meshline.ingest.sources.dbt.items import order_by_references
from meshline.ingest.sources.dbt.parse import SCOPE, Artifacts, find_project_name

CHECK = "dbt/check"  # the source of a table that no source states yet
SAMPLE = 50  # tables that are looked up to find the namespace of the project in the graph
MAX_NAMED = 10  # examples that a warning names
_COMPILED = frozenset({"model", "snapshot"})
_TARGET = "target/manifest.json"


def build_proposal(given: ChangeInput, known: GraphState) -> Proposal:
    """Options: `namespace`, `dialect`, `old-catalog` and `new-catalog` (the texts of catalog.json), `project` (its folder).

    Raises InvalidInput with every entry that cannot be read.
    """
    if given.after is None:
        raise InvalidInput("the new manifest is not there: `dbt compile` writes it into target/", given.before.name if given.before else "")
    options = given.options
    new = parse_artifacts(given.after, options.get("new-catalog", ""))
    if given.before is None:
        return _compare_with_graph(given, known, new)
    old = parse_artifacts(given.before, options.get("old-catalog", ""))
    return _Comparison(given, (given.before, given.after), known, (old, new)).build_proposal()


class _Comparison:
    def __init__(self, given: ChangeInput, texts: tuple[Text, Text], known: GraphState, versions: tuple[Artifacts, Artifacts]) -> None:
        old, new = versions
        self._before_text, self._after_text = texts
        self._known = known
        self._warnings = list(dict.fromkeys((*old.notes, *new.notes)))
        settings = _build_settings(given, known, versions, self._warnings)
        self._old = ProjectVersion(old, settings, known.context)
        self._new = ProjectVersion(new, settings, known.context)
        if find_project_name(old) != find_project_name(new):
            self._warnings.append(f"two projects are compared: {find_project_name(old)} and {find_project_name(new)}")

    def build_proposal(self) -> Proposal:
        pairs: list[Pair[Definition]] = []
        entries: list[tuple[str, Entry]] = []
        for before, after in self._compare_tables():
            pairs.append(self._build_pair(before, after))
            entries += self._build_entries(before, after)
        self._warn_of_exposures()
        return Proposal(tuple(pairs), tuple(entries), tuple(self._warnings))

    # -- which tables differ

    def _compare_tables(self) -> Iterator[tuple[tuple[str, Definition] | None, tuple[str, Definition] | None]]:
        """Tables by their ids and definitions before and after: gone ones first, then in the order of their references."""
        old, new = self._old, self._new
        matched = {id_: before for id_ in new.tables if (before := self._find_before(id_)) is not None}
        kept = set(matched.values())
        for id_ in old.tables:
            if id_ not in kept:
                yield (id_, build_declared(old, id_)), None
        files = self._read_uncompiled(matched)
        moved: set[str] = set()  # ids of tables whose columns differ
        for id_ in order_by_references(new.tables, new.list_upstream):
            before = matched.get(id_)
            if before is None:
                moved.add(id_)
                found = build_declared(new, id_)
                yield None, (id_, add_columns(new, id_, found, new.list_columns(id_) or _list_names(found)))
                continue
            inherits = "*" in (new.tables[id_].node.compiled_code or "") and not moved.isdisjoint(new.list_upstream(id_))
            if not inherits and self._is_equal(before, id_):
                continue
            texts = files.get(id_)
            was, now = self._complete_columns(
                before, _replace_sql(build_declared(old, before), texts, 0), id_, _replace_sql(build_declared(new, id_), texts, 1)
            )
            if _list_names(was) != _list_names(now):
                moved.add(id_)
            if msgspec.structs.replace(was, reads={}) != msgspec.structs.replace(now, reads={}):
                yield (before, was), (id_, now)

    def _is_equal(self, before: str, after: str) -> bool:
        """Whether two versions of a table are equal in everything that is compared."""
        was, now = self._old.tables[before], self._new.tables[after]
        if was != now or self._old.checks.get(was.key) != self._new.checks.get(now.key):
            return False
        return self._old.artifacts.groups == self._new.artifacts.groups or self._old.format_owners(before) == self._new.format_owners(after)

    def _find_before(self, id_: str) -> str | None:
        """The id of the same node in the old version, else of the node that made the same table."""
        if id_ in self._old.tables:
            return id_
        before = self._old.ids.get(self._new.tables[id_].key)
        return before if before is not None and before not in self._new.tables else None

    def _complete_columns(self, before: str, was: Definition, after: str, now: Definition) -> tuple[Definition, Definition]:
        """Both definitions with all their columns. If the columns of one version are uncertain, only those that both declare are compared,
        since YAML may list only some.
        """
        old, new = self._old.list_columns(before), self._new.list_columns(after)
        if not old or not new:
            names = (_list_names(was), _list_names(now))
            in_sql = bool(was.sql and now.sql)
            both = {name.casefold() for name in names[0]} & {name.casefold() for name in names[1]}
            old, new = ([name for name in of if not in_sql or name.casefold() in both] for of in names)
            place = {name.casefold(): i for i, name in enumerate(old)}
            new = sorted(new, key=lambda name: place.get(name.casefold(), len(place)))
        return _align_types(add_columns(self._old, before, was, old), add_columns(self._new, after, now, new))

    # -- models without compiled SQL

    def _read_uncompiled(self, matched: Mapping[str, str]) -> Mapping[str, tuple[str, str]]:
        """SQL to compare where a version has no compiled SQL: that of both files if they differ, else two empty texts."""
        old, new = self._old.tables, self._new.tables
        without = [
            id_
            for id_, before in matched.items()
            if new[id_].node.resource_type in _COMPILED and not (old[before].node.compiled_code and new[id_].node.compiled_code)
        ]
        if not without:
            return {}
        why = "no compiled SQL in both manifests: their files are compared, without the effects of macros and variables"
        self._warnings.append(f"{len(without)} models have {why} ({_format_some(without)}): run `dbt compile` for both")
        changed = [id_ for id_ in without if old[matched[id_]].node.checksum != new[id_].node.checksum]
        were = read_raw_codes(self._before_text, [matched[id_] for id_ in changed])
        are = read_raw_codes(self._after_text, changed)
        return {**dict.fromkeys(without, ("", "")), **{id_: (were.get(matched[id_], ""), are.get(id_, "")) for id_ in changed}}

    # -- pairs and entries

    def _build_pair(self, before: tuple[str, Definition] | None, after: tuple[str, Definition] | None) -> Pair[Definition]:
        return Pair(_build_version(self._old, before), _build_version(self._new, after))

    def _build_entries(self, before: tuple[str, Definition] | None, after: tuple[str, Definition] | None) -> Iterator[tuple[str, Entry]]:
        if after is not None:
            for one in self._new.build_entries(after[0]):
                yield self._find_source(self._new.tables[after[0]].key, after[0]), one
        if before is not None and (after is None or before[0] != after[0]):
            source = self._find_source(self._old.tables[before[0]].key, before[0])
            yield source, Entry((SCOPE, before[0]), EMPTY)
            yield source, Entry((SCOPE, before[0], "lineage"), EMPTY)

    def _find_source(self, key: AssetKey, id_: str) -> str:
        return next((source for source, entry in self._known.list_statements(key) if entry.scope == (SCOPE, id_)), CHECK)

    def _warn_of_exposures(self) -> None:
        gone = sorted(self._old.artifacts.exposures.keys() - self._new.artifacts.exposures.keys())
        if gone:
            self._warnings.append(
                f"{len(gone)} exposures were removed ({_format_some(gone)}): the consumers of their models are no longer known"
            )


def _compare_with_graph(given: ChangeInput, known: GraphState, new: Artifacts) -> Proposal:
    """Without an old manifest: compare the columns of tables, as far as the manifest and the graph know them."""
    warnings = [*new.notes, "there is no old manifest: only columns are compared, with those of the graph"]
    state = ProjectVersion(new, _build_settings(given, known, (new,), warnings), known.context)
    pairs: list[Pair[Definition]] = []
    for id_, table in state.tables.items():
        columns, before = state.list_columns(id_), known.find_definition(table.key)
        if not columns or table.node.source_name is not None:
            continue
        after = _keep_columns(add_columns(state, id_, build_declared(state, id_), columns))
        if before is not None:
            was, after = align_with_graph(before.value, after)
            before = before._replace(value=msgspec.structs.replace(was, model=msgspec.structs.replace(was.model, name=after.model.name)))
        pairs.append(Pair(before, _build_version(state, (id_, after))))
    return Proposal(tuple(pairs), (), tuple(warnings))


def _keep_columns(found: Definition) -> Definition:
    return Definition(model=found.model, format=found.format, partitioning=found.partitioning, dialect=found.dialect, reads=found.reads)


# -- namespace and folder


def _build_settings(given: ChangeInput, known: GraphState, versions: Sequence[Artifacts], warnings: list[str]) -> ProjectSettings:
    """The settings of both versions. Raises InvalidInput; an uncertain setting adds a warning."""
    adapter = (versions[-1].metadata.adapter_type or "").lower()
    wanted = given.options.get("dialect")
    dialect = find_dialect(wanted or adapter)
    if dialect is None and wanted:
        raise InvalidInput(f"found {wanted!r}; accepted: a dialect of sqlglot, such as trino", "dialect")
    typed = all(artifacts.catalog for artifacts in versions)
    return ProjectSettings(_find_namespace(given, known, versions, adapter, warnings), dialect, _find_folder(given), typed)


def _find_namespace(given: ChangeInput, known: GraphState, versions: Sequence[Artifacts], adapter: str, warnings: list[str]) -> str:
    """The given namespace, else the one in which the graph knows most of the tables."""
    context = known.context
    if namespace := given.options.get("namespace"):
        return context.resolve_namespace(namespace)
    if adapter == "bigquery":
        return adapter
    found: Counter[str] = Counter()
    for artifacts in versions:
        for node in list(artifacts.nodes.values())[:SAMPLE]:
            name = ".".join(part for part in (node.database, node.schema, node.alias or node.name) if part)
            found.update(key.parts[0] for key in context.datasets_ending_with(name) if key.parts[1].casefold() == name.casefold())
    if found:
        return min(found, key=lambda namespace: (-found[namespace], namespace))
    if known.has_graph:
        warnings.append("The graph knows none of the project's tables, so their consumers are unknown. Pass --namespace.")
    return f"{adapter or 'dbt'}://unknown"


def _replace_sql(definition: Definition, texts: tuple[str, str] | None, version: int) -> Definition:
    """The definition with the SQL of its file if it has no compiled SQL."""
    return definition if texts is None else msgspec.structs.replace(definition, sql=texts[version])


def _list_names(definition: Definition) -> list[str]:
    return [field.name for field in definition.model.fields]


def _align_types(was: Definition, now: Definition) -> tuple[Definition, Definition]:
    """Drop types that only one version states: a type that was not written down is no difference."""
    types = [{field.name.casefold(): field.type for field in one.model.fields} for one in (was, now)]

    def align_field(one: Field) -> Field:
        name = one.name.casefold()
        known = all(of.get(name) for of in types) or not all(name in of for of in types)
        return one if known else msgspec.structs.replace(one, type="")

    before, after = (msgspec.structs.replace(one.model, fields=tuple(map(align_field, one.model.fields))) for one in (was, now))
    return msgspec.structs.replace(was, model=before), msgspec.structs.replace(now, model=after)


def _build_version(state: ProjectVersion, found: tuple[str, Definition] | None) -> Version[Definition] | None:
    if found is None:
        return None
    table = state.tables[found[0]]
    return Version(found[1], {"": (table.key,)}, state.settings.folder + table.node.original_file_path)


def _find_folder(given: ChangeInput) -> str:
    """The project's folder, with a slash; by default the parent of the new manifest's `target`."""
    if (folder := given.options.get("project")) is not None:
        return f"{folder.rstrip('/')}/" if folder and folder != "." else ""
    name = given.after.name if given.after is not None else ""
    return name.removesuffix(_TARGET) if name.endswith(_TARGET) else ""


def _format_some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MAX_NAMED])
    return shown if len(names) <= MAX_NAMED else f"{shown} and {len(names) - MAX_NAMED} more"
