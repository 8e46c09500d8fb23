"""Facts -> content, remembered: the same facets and the same lineage come every day."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence

import msgspec

from meshline.graph.bounded_cache import BoundedCache
from meshline.graph.content import EMPTY, Draft, encode_facts
from meshline.graph.model import AssetKey, Content, Facts
from meshline.graph.naming import Naming
from meshline.ingest.openlineage import column_lineage, facet_facts, facet_types
from meshline.ingest.openlineage.column_lineage import Name, OutputLineage, QueryLineage, analyse_query
from meshline.ingest.openlineage.facets import FacetReader, Place, Text

MAX_CONTENTS = 64 * 2**20  # bytes of encoded content
MAX_LINEAGE = 64 * 2**20  # bytes, about, of lineage read
MAX_NAMES = 16 * 2**20  # bytes, about, of pairs and of names of columns
_FLOW = 200  # bytes, about


class ContentCache:
    """Contents and lineage of facets under one set of naming rules, cached by the digests of the facets."""

    def __init__(self, naming: Naming, reader: FacetReader) -> None:
        self.naming = naming
        self.reader = reader
        self._contents: BoundedCache[Hashable, Content] = BoundedCache(MAX_CONTENTS)
        self._lineages: BoundedCache[Hashable, tuple[OutputLineage | None]] = BoundedCache(MAX_LINEAGE)
        self._seldom: BoundedCache[bytes, frozenset[str]] = BoundedCache(MAX_NAMES)
        self._columns: BoundedCache[bytes, tuple[str, ...]] = BoundedCache(MAX_NAMES)
        self._folded: BoundedCache[bytes, frozenset[str]] = BoundedCache(MAX_NAMES)
        self._queries: BoundedCache[Hashable, tuple[QueryLineage | None]] = BoundedCache(MAX_LINEAGE)
        self._pairs: BoundedCache[tuple[AssetKey, AssetKey], bytes] = BoundedCache(MAX_NAMES)

    def get_content(self, key: Hashable, make: Callable[[], Facts]) -> Content:
        """The encoded facts that `make` returns. `key` must determine them."""
        return self._find_or_build(key, lambda: encode_facts(make()))

    def get_draft_content(self, key: Hashable, draft: Callable[[], Draft]) -> Content:
        """The content of the draft that `draft` returns. `key` must determine it."""
        return self._find_or_build(key, lambda: draft().build_content())

    def _find_or_build(self, key: Hashable, make: Callable[[], Content]) -> Content:
        content = self._contents.get(key)
        if content is None:
            content = make()
            self._contents.keep(key, content, len(content.blob) + 500)
        return content

    def get_facet_content(self, key: AssetKey, place: Place, name: str, facet: Text) -> Content:
        """What a facet states of a dataset or job; EMPTY if the facet is marked `_deleted`."""

        def make() -> Content:
            value = self.reader.read(place, name, facet).value
            if value is not None and value.deleted is True:
                return EMPTY
            return facet_facts.draft_facet(key, name, facet.raw, value, self.naming).build_content()

        return self._find_or_build((key, name, facet.digest), make)

    def is_deleted(self, name: str, facet: Text) -> bool:
        """Whether the facet of a dataset is marked `_deleted`."""
        value = self.reader.read(Place.DATASET, name, facet).value
        return value is not None and value.deleted is True

    def get_partial_schema(self, key: AssetKey, schema: Text) -> Content:
        """What a schema facet states that lists some of the columns of a dataset: that these exist."""

        def make() -> Content:
            value = self.reader.read(Place.DATASET, "schema", schema).value
            assert isinstance(value, facet_types.Schema)
            return facet_facts.draft_partial_schema(key, schema.raw, value).build_content()

        return self._find_or_build((key, "part", schema.digest), make)

    def get_column_lineage(self, facet: Text, declared: frozenset[str]) -> OutputLineage | None:
        """The lineage in a columnLineage facet of an output; None if there is none.

        `declared`: the names of SELDOM_COLUMNS that some schema in the run lists.
        """

        def make() -> OutputLineage | None:
            value = self.reader.read(Place.DATASET, "columnLineage", facet).value
            if not isinstance(value, facet_types.ColumnLineage) or value.deleted is True:
                return None
            return column_lineage.from_column_lineage(value, declared)

        return self._get_lineage((facet.digest, declared), make)

    def get_dataset_lineage(self, facet: Text, own_job: Name | None, declared: frozenset[str]) -> OutputLineage | None:
        """The lineage in a `lineage` facet of an output; None if there is none.

        `own_job`: the job of the event. `declared`: the names of SELDOM_COLUMNS that some schema in the run lists.
        """

        def make() -> OutputLineage | None:
            value = self.reader.read(Place.DATASET, "lineage", facet).value
            if not isinstance(value, facet_types.DatasetLineage) or value.deleted is True:
                return None
            return column_lineage.from_dataset_lineage(value, own_job, declared)

        return self._get_lineage((facet.digest, declared, own_job), make)

    def list_job_entries(self, facet: Text) -> Sequence[facet_types.LineageEntry]:
        """The entries of a `lineage` facet of a job; none if it cannot be parsed or is marked `_deleted`."""
        value = self.reader.read(Place.JOB, "lineage", facet).value
        if not isinstance(value, facet_types.JobLineage) or value.deleted is True:
            return ()
        return value.entries or ()

    def get_seldom_columns(self, schema: Text) -> frozenset[str]:
        """The names (casefolded) in a schema facet that count as columns only because a schema lists them."""
        found = self._seldom.get(schema.digest)
        if found is None:
            value = self.reader.read(Place.DATASET, "schema", schema).value
            found = facet_facts.find_seldom_columns(value) if isinstance(value, facet_types.Schema) else frozenset()
            self._seldom.keep(schema.digest, found, 200)
        return found

    def get_columns(self, schema: Text) -> tuple[str, ...]:
        """The columns that a schema facet lists, nested ones as dotted paths."""
        found = self._columns.get(schema.digest)
        if found is None:
            value = self.reader.read(Place.DATASET, "schema", schema).value
            found = facet_facts.list_columns(value) if isinstance(value, facet_types.Schema) else ()
            self._columns.keep(schema.digest, found, 200 + 100 * len(found))
        return found

    def get_folded_columns(self, schema: Text) -> frozenset[str]:
        """The columns that a schema facet lists, casefolded."""
        found = self._folded.get(schema.digest)
        if found is None:
            found = frozenset(name.casefold() for name in self.get_columns(schema))
            self._folded.keep(schema.digest, found, 200 + 100 * len(found))
        return found

    def get_query_lineage(self, sql: Text, dialect: str, target: AssetKey, columns: Mapping[AssetKey, Text | None]) -> QueryLineage | None:
        """The lineage of one output by the `sql` facet of a job; None if the SQL cannot be read (see `analyse_query`).

        `columns`: the datasets that the run names, each with the schema that lists all of its columns, if there is one.
        """
        key = (sql.digest, dialect, target, tuple((of, None if schema is None else schema.digest) for of, schema in columns.items()))
        known = self._queries.get(key)
        if known is None:
            value = self.reader.read(Place.JOB, "sql", sql).value
            text = value.query if isinstance(value, facet_types.Sql) and value.deleted is not True else None
            listed = {of: () if schema is None else self.get_columns(schema) for of, schema in columns.items()}
            lineage = analyse_query(text, dialect, target, listed) if text else None
            size = 0 if lineage is None else sum(map(len, lineage.flows.values()))
            known = self._queries.keep(key, (lineage,), 1_000 + _FLOW * size)
        return known[0]

    def get_pair_digest(self, start: AssetKey, end: AssetKey) -> bytes:
        """The digest (16 bytes) that identifies a pair of input and output among sibling runs."""
        found = self._pairs.get((start, end))
        if found is None:
            text = msgspec.json.encode([*start.parts, *end.parts])
            found = self._pairs.keep((start, end), hashlib.blake2b(text, digest_size=16).digest(), len(text) + 300)
        return found

    def _get_lineage(self, key: Hashable, make: Callable[[], OutputLineage | None]) -> OutputLineage | None:
        known = self._lineages.get(key)
        if known is None:
            lineage = make()
            known = self._lineages.keep(key, (lineage,), _FLOW * (1 + (sum(map(len, lineage.flows.values())) if lineage else 0)))
        return known[0]
