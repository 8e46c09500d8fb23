"""A dbt project in two versions: of two manifests, table by table, or of one and what the graph knows. What is equal is not looked into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.content import EMPTY
from meshline.graph.contracts import Definition, Field, Pair, Version
from meshline.graph.model import AssetKey
from meshline.ingest.changes.alignment import aligned
from meshline.ingest.changes.base import Given, Known, Proposal, Text
from meshline.ingest.changes.dbt_project import Settings, State, artifacts_of, declared, raw_codes, whole
from meshline.ingest.sources.base import Entry
from meshline.ingest.sources.dbt.flows import dialect_of
from meshline.ingest.sources.dbt.parse import SCOPE, Artifacts, project_name
from meshline.ingest.sources.dbt.project import after_references

CHECK = "dbt/check"  # who says what nobody says yet
SAMPLE = 50  # tables that are looked up to find out under which namespace the project is known
MAX_NAMED = 10  # of what a warning is about
_COMPILED = frozenset({"model", "snapshot"})
_TARGET = "target/manifest.json"


def propose(given: Given, known: Known) -> Proposal:
    """Options: `namespace`, `dialect`, `old-catalog` and `new-catalog` (the texts of catalog.json), `project` (its folder).

    Raises InvalidInput with all that cannot be read.
    """
    if given.after is None:
        raise InvalidInput("the new manifest is not there: `dbt compile` writes it into target/", given.before.name if given.before else "")
    options = given.options
    new = artifacts_of(given.after, options.get("new-catalog", ""))
    if given.before is None:
        return _against_graph(given, known, new)
    old = artifacts_of(given.before, options.get("old-catalog", ""))
    return _Comparison(given, (given.before, given.after), known, (old, new)).proposal()


class _Comparison:
    def __init__(self, given: Given, texts: tuple[Text, Text], known: Known, versions: tuple[Artifacts, Artifacts]) -> None:
        old, new = versions
        self._before_text, self._after_text = texts
        self._known = known
        self._warnings = list(dict.fromkeys((*old.notes, *new.notes)))
        settings = _settings(given, known, versions, self._warnings)
        self._old = State(old, settings, known.context)
        self._new = State(new, settings, known.context)
        if project_name(old) != project_name(new):
            self._warnings.append(f"two projects are compared: {project_name(old)} and {project_name(new)}")

    def proposal(self) -> Proposal:
        pairs: list[Pair[Definition]] = []
        entries: list[tuple[str, Entry]] = []
        for before, after in self._differing():
            pairs.append(self._pair(before, after))
            entries += self._entries(before, after)
        self._exposures()
        return Proposal(tuple(pairs), tuple(entries), tuple(self._warnings))

    # -- which tables differ

    def _differing(self) -> Iterator[tuple[tuple[str, Definition] | None, tuple[str, Definition] | None]]:
        """Tables by their ids and definitions before and after: gone ones first, then in the order of their references."""
        old, new = self._old, self._new
        matched = {id_: before for id_ in new.tables if (before := self._before(id_)) is not None}
        kept = set(matched.values())
        for id_ in old.tables:
            if id_ not in kept:
                yield (id_, declared(old, id_)), None
        files = self._files(matched)
        moved: set[str] = set()  # whose columns differ
        for id_ in after_references(new.tables, new.upstream):
            before = matched.get(id_)
            if before is None:
                moved.add(id_)
                found = declared(new, id_)
                yield None, (id_, whole(new, id_, found, new.listing(id_) or _names(found)))
                continue
            inherits = "*" in (new.tables[id_].node.compiled_code or "") and not moved.isdisjoint(new.upstream(id_))
            if not inherits and self._equal(before, id_):
                continue
            texts = files.get(id_)
            was, now = self._whole(before, _computed(declared(old, before), texts, 0), id_, _computed(declared(new, id_), texts, 1))
            if _names(was) != _names(now):
                moved.add(id_)
            if msgspec.structs.replace(was, reads={}) != msgspec.structs.replace(now, reads={}):
                yield (before, was), (id_, now)

    def _equal(self, before: str, after: str) -> bool:
        """Whether nothing that is compared can differ."""
        was, now = self._old.tables[before], self._new.tables[after]
        if was != now or self._old.checks.get(was.key) != self._new.checks.get(now.key):
            return False
        return self._old.artifacts.groups == self._new.artifacts.groups or self._old.owners(before) == self._new.owners(after)

    def _before(self, id_: str) -> str | None:
        """The same node, else one that makes the same table."""
        if id_ in self._old.tables:
            return id_
        before = self._old.ids.get(self._new.tables[id_].key)
        return before if before is not None and before not in self._new.tables else None

    def _whole(self, before: str, was: Definition, after: str, now: Definition) -> tuple[Definition, Definition]:
        """With all columns. Where they are not known for sure in both versions, those that both declare: YAML need not name all."""
        old, new = self._old.listing(before), self._new.listing(after)
        if not old or not new:
            names = (_names(was), _names(now))
            in_sql = bool(was.sql and now.sql)
            both = {name.casefold() for name in names[0]} & {name.casefold() for name in names[1]}
            old, new = ([name for name in of if not in_sql or name.casefold() in both] for of in names)
            place = {name.casefold(): i for i, name in enumerate(old)}
            new = sorted(new, key=lambda name: place.get(name.casefold(), len(place)))
        return _aligned(whole(self._old, before, was, old), whole(self._new, after, now, new))

    # -- what is not compiled

    def _files(self, matched: Mapping[str, str]) -> Mapping[str, tuple[str, str]]:
        """Where a version has no compiled SQL: that of the files before and after if they differ, else none."""
        old, new = self._old.tables, self._new.tables
        without = [
            id_
            for id_, before in matched.items()
            if new[id_].node.resource_type in _COMPILED and not (old[before].node.compiled_code and new[id_].node.compiled_code)
        ]
        if not without:
            return {}
        why = "no compiled SQL in both manifests, so that only their files are compared, and not what macros and variables make of them"
        self._warnings.append(f"{len(without)} models have {why} ({_some(without)}): run `dbt compile` for both")
        changed = [id_ for id_ in without if old[matched[id_]].node.checksum != new[id_].node.checksum]
        were = raw_codes(self._before_text, [matched[id_] for id_ in changed])
        are = raw_codes(self._after_text, changed)
        return {**dict.fromkeys(without, ("", "")), **{id_: (were.get(matched[id_], ""), are.get(id_, "")) for id_ in changed}}

    # -- what becomes of them

    def _pair(self, before: tuple[str, Definition] | None, after: tuple[str, Definition] | None) -> Pair[Definition]:
        return Pair(_version(self._old, before), _version(self._new, after))

    def _entries(self, before: tuple[str, Definition] | None, after: tuple[str, Definition] | None) -> Iterator[tuple[str, Entry]]:
        if after is not None:
            for one in self._new.entries(after[0]):
                yield self._source(self._new.tables[after[0]].key, after[0]), one
        if before is not None and (after is None or before[0] != after[0]):
            source = self._source(self._old.tables[before[0]].key, before[0])
            yield source, Entry((SCOPE, before[0]), EMPTY)
            yield source, Entry((SCOPE, before[0], "lineage"), EMPTY)

    def _source(self, key: AssetKey, id_: str) -> str:
        return next((source for source, entry in self._known.said(key) if entry.scope == (SCOPE, id_)), CHECK)

    def _exposures(self) -> None:
        gone = sorted(self._old.artifacts.exposures.keys() - self._new.artifacts.exposures.keys())
        if gone:
            self._warnings.append(f"{len(gone)} exposures are gone ({_some(gone)}): who uses their models is not known any more")


def _against_graph(given: Given, known: Known, new: Artifacts) -> Proposal:
    """Without an old manifest: the columns of tables, as far as both know them."""
    warnings = [*new.notes, "there is no old manifest, so that only columns are compared, with those that the graph knows"]
    state = State(new, _settings(given, known, (new,), warnings), known.context)
    pairs: list[Pair[Definition]] = []
    for id_, table in state.tables.items():
        columns, before = state.listing(id_), known.definition(table.key)
        if not columns or table.node.source_name is not None:
            continue
        after = _columns_only(whole(state, id_, declared(state, id_), columns))
        if before is not None:
            was, after = aligned(before.value, after)
            before = before._replace(value=msgspec.structs.replace(was, model=msgspec.structs.replace(was.model, name=after.model.name)))
        pairs.append(Pair(before, _version(state, (id_, after))))
    return Proposal(tuple(pairs), (), tuple(warnings))


def _columns_only(found: Definition) -> Definition:
    return Definition(model=found.model, format=found.format, partitioning=found.partitioning, dialect=found.dialect, reads=found.reads)


# -- where it is


def _settings(given: Given, known: Known, versions: Sequence[Artifacts], warnings: list[str]) -> Settings:
    """Raises InvalidInput. What is not sure is a warning."""
    adapter = (versions[-1].metadata.adapter_type or "").lower()
    wanted = given.options.get("dialect")
    dialect = dialect_of(wanted or adapter)
    if dialect is None and wanted:
        raise InvalidInput(f"found {wanted!r}; accepted: a dialect of sqlglot, such as trino", "dialect")
    typed = all(artifacts.catalog for artifacts in versions)
    return Settings(_namespace(given, known, versions, adapter, warnings), dialect, _folder(given), typed)


def _namespace(given: Given, known: Known, versions: Sequence[Artifacts], adapter: str, warnings: list[str]) -> str:
    """As it is given, else that under which the graph knows most of the tables."""
    context = known.context
    if said := given.options.get("namespace"):
        return context.namespace(said)
    if adapter == "bigquery":
        return adapter
    found: Counter[str] = Counter()
    for artifacts in versions:
        for node in list(artifacts.nodes.values())[:SAMPLE]:
            name = ".".join(part for part in (node.database, node.schema, node.alias or node.name) if part)
            found.update(key.parts[0] for key in context.ending(name) if key.parts[1].casefold() == name.casefold())
    if found:
        return min(found, key=lambda namespace: (-found[namespace], namespace))
    if known.asked:
        warnings.append("The graph knows none of the project's tables, so their consumers are unknown. Pass --namespace.")
    return f"{adapter or 'dbt'}://unknown"


def _computed(definition: Definition, texts: tuple[str, str] | None, version: int) -> Definition:
    """With the SQL of its file, where it is not compiled."""
    return definition if texts is None else msgspec.structs.replace(definition, sql=texts[version])


def _names(definition: Definition) -> list[str]:
    return [field.name for field in definition.model.fields]


def _aligned(was: Definition, now: Definition) -> tuple[Definition, Definition]:
    """A type that only one version says is no difference: it was, or is, not written down."""
    types = [{field.name.casefold(): field.type for field in one.model.fields} for one in (was, now)]

    def field(one: Field) -> Field:
        name = one.name.casefold()
        known = all(of.get(name) for of in types) or not all(name in of for of in types)
        return one if known else msgspec.structs.replace(one, type="")

    before, after = (msgspec.structs.replace(one.model, fields=tuple(map(field, one.model.fields))) for one in (was, now))
    return msgspec.structs.replace(was, model=before), msgspec.structs.replace(now, model=after)


def _version(state: State, found: tuple[str, Definition] | None) -> Version[Definition] | None:
    if found is None:
        return None
    table = state.tables[found[0]]
    return Version(found[1], {"": (table.key,)}, state.settings.folder + table.node.original_file_path)


def _folder(given: Given) -> str:
    """The project's folder, with a slash; where it is not given, that around the new manifest's `target`."""
    if (said := given.options.get("project")) is not None:
        return f"{said.rstrip('/')}/" if said and said != "." else ""
    name = given.after.name if given.after is not None else ""
    return name.removesuffix(_TARGET) if name.endswith(_TARGET) else ""


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MAX_NAMED])
    return shown if len(names) <= MAX_NAMED else f"{shown} and {len(names) - MAX_NAMED} more"
