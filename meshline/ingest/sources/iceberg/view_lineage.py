"""The lineage of a view, from the SQL that the catalog has of it.

Of several representations, the first that can be read is used. Names without a catalog or a namespace are in those of the view
(`default-catalog`, `default-namespace`; Iceberg view specification). What cannot be resolved is never guessed: the tables that
the text names flow into the view as a whole, so that answers through it are POSSIBLE, and a warning states why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetKey, AssetKind, Content, Facts, Flow, FlowType
from meshline.ingest.sources.iceberg.parse import Representation, ViewVersion

if TYPE_CHECKING:
    from meshline.sql.statement_lineage import Lineage, Relation

_IDENTIFIER = r'(?:[^\W\d][\w$]*|"[^"]+"|`[^`]+`)'
_NAMED = re.compile(rf"({_IDENTIFIER}(?:\s*\.\s*{_IDENTIFIER})*)")
_PART = re.compile(_IDENTIFIER)
_NO_NAME = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)  # texts and comments


class ViewText(NamedTuple):
    """A view's current version. `columns`: in order, as the catalog lists them. `time`: when it became current, in microseconds."""

    dataset: AssetKey
    version: ViewVersion
    columns: tuple[str, ...]
    time: int


class ViewLineage(NamedTuple):
    """The flows into a view, as content. `notes`: the parts that could not be resolved, in words."""

    content: Content
    notes: tuple[str, ...]


class Names:
    """The tables and views of a catalog, by the names that SQL gives them.

    `datasets`: all that the catalog lists, by name. `format_name`: builds the dataset's name from the parts of a table's name.
    """

    def __init__(self, datasets: Mapping[str, AssetKey], format_name: Callable[[Sequence[str]], str]) -> None:
        self._datasets = datasets
        self._folded = {name.casefold(): key for name, key in datasets.items()}
        self._format_name = format_name

    def resolve(self, relation: Sequence[str], version: ViewVersion) -> AssetKey | None:
        """The dataset that a view means by a name; None if it is in another catalog, or not listed."""
        return next(filter(None, map(self._find_listed, _list_candidates(relation, version))), None)

    def _find_listed(self, parts: Sequence[str]) -> AssetKey | None:
        name = self._format_name(parts)
        return self._datasets.get(name) or self._folded.get(name.casefold())


def _list_candidates(relation: Sequence[str], version: ViewVersion) -> Iterator[Sequence[str]]:
    """The names that a table may have in the view's catalog, the likeliest first.

    The name that an engine gives the catalog is known only if it is the default of the view.
    """
    if len(relation) == 1:
        yield (*version.default_namespace, *relation)
        return
    if relation[0] == version.default_catalog:
        yield relation[1:]
    yield relation
    if version.default_catalog is None and len(relation) > 2:
        yield relation[1:]


def build_view_lineage(view: ViewText, names: Names, columns: Callable[[AssetKey], Sequence[str]]) -> ViewLineage:
    """The lineage of a view. `columns`: lists the columns of a table or view; empty if they are not known."""
    notes: list[str] = []
    for representation in view.version.representations:
        if representation.sql:
            found = _read_representation(view, representation, names, columns)
            if isinstance(found, ViewLineage):
                return found
            notes.append(found)
    flows = {Flow(key, view.dataset): None for one in view.version.representations for key in _find_mentioned(one.sql, view, names)}
    return ViewLineage(encode_facts(Facts(flows=tuple(flows))), tuple(notes))


def _read_representation(
    view: ViewText, representation: Representation, names: Names, columns: Callable[[AssetKey], Sequence[str]]
) -> ViewLineage | str:
    """The lineage by one representation, or the reason why it cannot be read."""
    try:
        from meshline.sql.script import read_lineage  # noqa: PLC0415 - sqlglot is an extra of its own, and slow to import
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("meshline"):
            raise
        return "its SQL is not read, which needs the extra 'sql': its lineage is by whole tables"

    def list_columns(relation: Relation) -> Sequence[str]:
        key = names.resolve(relation, view.version)
        return columns(key) if key is not None else ()

    target = (view.dataset.name,)
    try:
        lineages = [one for one in read_lineage(representation.sql, representation.dialect, list_columns, target) if one.target == target]
    except InvalidInput as error:
        return f"its SQL cannot be read as {representation.dialect or 'any dialect'}: {error}"
    if not lineages:
        return f"its SQL is not a query of {representation.dialect}"
    return _FlowBuilder(view, names).build(lineages[-1])


class _FlowBuilder:
    """Lineage over relations -> flows over assets."""

    def __init__(self, view: ViewText, names: Names) -> None:
        self._view = view
        self._names = names
        self._notes: dict[str, None] = {}

    def build(self, lineage: Lineage) -> ViewLineage:
        own = self._view.dataset
        self._notes.update(dict.fromkeys(lineage.unresolved))
        flows = dict.fromkeys(self._build_column_flows(lineage))
        described = {flow.start.parts[:2] for flow in flows if flow.start.kind is AssetKind.COLUMN}
        for relation in lineage.reads:
            key = self._resolve_relation(relation)
            if key is not None and key != own:
                flows[Flow(key, own, covered=key.parts in described)] = None
                if lineage.unresolved:  # the unresolved part may come from any of them
                    flows[Flow(key, own)] = None
        return ViewLineage(encode_facts(Facts(flows=tuple(flows))), tuple(self._notes))

    def _build_column_flows(self, lineage: Lineage) -> Iterator[Flow]:
        own, listed = self._view.dataset, self._view.columns
        # The text may give the columns other names than the view has: `CREATE VIEW v (a, b) AS SELECT x, y`.
        called = dict(zip(lineage.columns, listed, strict=False)) if len(lineage.columns) == len(listed) else {}
        for edge in lineage.edges:
            key = self._resolve_relation(edge.source)
            if key is None:
                continue
            if edge.column is None:
                if key != own:
                    yield Flow(key, own)
            elif edge.target is None:
                yield Flow(model.build_column_key(key, edge.column), own, FlowType.INDIRECT, edge.subtype, edge.masking)
            else:
                end = model.build_column_key(own, called.get(edge.target, edge.target))
                yield Flow(model.build_column_key(key, edge.column), end, edge.type, edge.subtype, edge.masking)

    def _resolve_relation(self, relation: Relation) -> AssetKey | None:
        key = self._names.resolve(relation, self._view.version)
        if key is None:
            self._notes[f"it reads {'.'.join(relation)}, which this catalog does not list"] = None
        return key


def _find_mentioned(sql: str, view: ViewText, names: Names) -> Iterator[AssetKey]:
    """The tables whose names occur in a text that could not be parsed."""
    for found in _NAMED.finditer(_NO_NAME.sub(" ", sql)):
        parts = [part.strip('"`') for part in _PART.findall(found[0])]
        key = names.resolve(parts, view.version)
        if key is not None and key != view.dataset:
            yield key
