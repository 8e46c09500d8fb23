"""Facts -> content, remembered: the same facets and the same lineage come every day."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence

import msgspec

from meshline.graph.bounded_cache import Memory
from meshline.graph.content import EMPTY, Draft, encode
from meshline.graph.model import AssetKey, Content, Facts
from meshline.graph.naming import Naming
from meshline.ingest.openlineage import column_lineage, facet_facts, facet_types
from meshline.ingest.openlineage.column_lineage import Described, Name, QueryLineage, read_query
from meshline.ingest.openlineage.facets import FacetReader, Place, Text

MAX_CONTENTS = 64 * 2**20  # bytes of content
MAX_DESCRIBED = 64 * 2**20  # bytes, about, of lineage read
MAX_NAMES = 16 * 2**20  # bytes, about, of pairs and of names of columns
_FLOW = 200  # bytes, about


class Contents:
    """What facets say under one set of naming rules."""

    def __init__(self, naming: Naming, reader: FacetReader) -> None:
        self.naming = naming
        self.reader = reader
        self._contents: Memory[Hashable, Content] = Memory(MAX_CONTENTS)
        self._described: Memory[Hashable, tuple[Described | None]] = Memory(MAX_DESCRIBED)
        self._seldom: Memory[bytes, frozenset[str]] = Memory(MAX_NAMES)
        self._columns: Memory[bytes, tuple[str, ...]] = Memory(MAX_NAMES)
        self._folded: Memory[bytes, frozenset[str]] = Memory(MAX_NAMES)
        self._queries: Memory[Hashable, tuple[QueryLineage | None]] = Memory(MAX_DESCRIBED)
        self._pairs: Memory[tuple[AssetKey, AssetKey], bytes] = Memory(MAX_NAMES)

    def of(self, key: Hashable, make: Callable[[], Facts]) -> Content:
        """The content of what `make` returns, which `key` determines."""
        return self._of(key, lambda: encode(make()))

    def drafted(self, key: Hashable, draft: Callable[[], Draft]) -> Content:
        """The same, of a draft."""
        return self._of(key, lambda: draft().content())

    def _of(self, key: Hashable, make: Callable[[], Content]) -> Content:
        content = self._contents.get(key)
        if content is None:
            content = make()
            self._contents.keep(key, content, len(content.blob) + 500)
        return content

    def facet(self, key: AssetKey, place: Place, name: str, facet: Text) -> Content:
        """What a facet says of a dataset or job; nothing if it takes itself back."""

        def make() -> Content:
            value = self.reader.read(place, name, facet).value
            if value is not None and value.deleted is True:
                return EMPTY
            return facet_facts.draft(key, name, facet.raw, value, self.naming).content()

        return self._of((key, name, facet.digest), make)

    def is_taken_back(self, name: str, facet: Text) -> bool:
        """Whether the facet of a dataset says `_deleted`."""
        value = self.reader.read(Place.DATASET, name, facet).value
        return value is not None and value.deleted is True

    def part(self, key: AssetKey, schema: Text) -> Content:
        """What a schema facet that lists some of a dataset's columns says: that it has these."""

        def make() -> Content:
            value = self.reader.read(Place.DATASET, "schema", schema).value
            assert isinstance(value, facet_types.Schema)
            return facet_facts.part_draft(key, schema.raw, value).content()

        return self._of((key, "part", schema.digest), make)

    def column_lineage(self, facet: Text, declared: frozenset[str]) -> Described | None:
        def make() -> Described | None:
            value = self.reader.read(Place.DATASET, "columnLineage", facet).value
            if not isinstance(value, facet_types.ColumnLineage) or value.deleted is True:
                return None
            return column_lineage.of_column_lineage(value, declared)

        return self._describe((facet.digest, declared), make)

    def dataset_lineage(self, facet: Text, own_job: Name | None, declared: frozenset[str]) -> Described | None:
        def make() -> Described | None:
            value = self.reader.read(Place.DATASET, "lineage", facet).value
            if not isinstance(value, facet_types.DatasetLineage) or value.deleted is True:
                return None
            return column_lineage.of_dataset_lineage(value, own_job, declared)

        return self._describe((facet.digest, declared, own_job), make)

    def job_entries(self, facet: Text) -> Sequence[facet_types.LineageEntry]:
        value = self.reader.read(Place.JOB, "lineage", facet).value
        if not isinstance(value, facet_types.JobLineage) or value.deleted is True:
            return ()
        return value.entries or ()

    def seldom(self, schema: Text) -> frozenset[str]:
        """The columns in a schema facet that are columns only because a schema lists them."""
        found = self._seldom.get(schema.digest)
        if found is None:
            value = self.reader.read(Place.DATASET, "schema", schema).value
            found = facet_facts.seldom_columns(value) if isinstance(value, facet_types.Schema) else frozenset()
            self._seldom.keep(schema.digest, found, 200)
        return found

    def columns(self, schema: Text) -> tuple[str, ...]:
        """The columns that a schema facet lists, nested ones as dotted paths."""
        found = self._columns.get(schema.digest)
        if found is None:
            value = self.reader.read(Place.DATASET, "schema", schema).value
            found = facet_facts.columns(value) if isinstance(value, facet_types.Schema) else ()
            self._columns.keep(schema.digest, found, 200 + 100 * len(found))
        return found

    def folded_columns(self, schema: Text) -> frozenset[str]:
        """The same, casefolded."""
        found = self._folded.get(schema.digest)
        if found is None:
            found = frozenset(name.casefold() for name in self.columns(schema))
            self._folded.keep(schema.digest, found, 200 + 100 * len(found))
        return found

    def query(self, sql: Text, dialect: str, target: AssetKey, columns: Mapping[AssetKey, Text | None]) -> QueryLineage | None:
        """What the `sql` facet of a job states of one output. `columns`: the datasets that the run names, with their whole schemas."""
        key = (sql.digest, dialect, target, tuple((of, None if schema is None else schema.digest) for of, schema in columns.items()))
        known = self._queries.get(key)
        if known is None:
            value = self.reader.read(Place.JOB, "sql", sql).value
            text = value.query if isinstance(value, facet_types.Sql) and value.deleted is not True else None
            listed = {of: () if schema is None else self.columns(schema) for of, schema in columns.items()}
            lineage = read_query(text, dialect, target, listed) if text else None
            size = 0 if lineage is None else sum(map(len, lineage.flows.values()))
            known = self._queries.keep(key, (lineage,), 1_000 + _FLOW * size)
        return known[0]

    def pair(self, start: AssetKey, end: AssetKey) -> bytes:
        """The digest by which sibling runs know a pair of input and output."""
        found = self._pairs.get((start, end))
        if found is None:
            text = msgspec.json.encode([*start.parts, *end.parts])
            found = self._pairs.keep((start, end), hashlib.blake2b(text, digest_size=16).digest(), len(text) + 300)
        return found

    def _describe(self, key: Hashable, make: Callable[[], Described | None]) -> Described | None:
        known = self._described.get(key)
        if known is None:
            said = make()
            known = self._described.keep(key, (said,), _FLOW * (1 + (sum(map(len, said.flows.values())) if said else 0)))
        return known[0]
