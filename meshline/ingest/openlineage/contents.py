"""Facts -> content, remembered: the same facets and the same lineage come every day."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence

import msgspec

from meshline.graph.content import EMPTY, Draft, encode
from meshline.graph.model import AssetKey, Content, Facts
from meshline.graph.naming import Naming
from meshline.ingest.openlineage import assets, flows, typed
from meshline.ingest.openlineage.facets import FacetReader, Place, Text
from meshline.ingest.openlineage.flows import Described, Name
from meshline.ingest.openlineage.remembering import Memory

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
            return assets.draft(key, name, facet.raw, value, self.naming).content()

        return self._of((key, name, facet.digest), make)

    def column_lineage(self, facet: Text, declared: frozenset[str]) -> Described | None:
        def make() -> Described | None:
            value = self.reader.read(Place.DATASET, "columnLineage", facet).value
            if not isinstance(value, typed.ColumnLineage) or value.deleted is True:
                return None
            return flows.of_column_lineage(value, declared)

        return self._describe((facet.digest, declared), make)

    def dataset_lineage(self, facet: Text, own_job: Name | None, declared: frozenset[str]) -> Described | None:
        def make() -> Described | None:
            value = self.reader.read(Place.DATASET, "lineage", facet).value
            if not isinstance(value, typed.DatasetLineage) or value.deleted is True:
                return None
            return flows.of_dataset_lineage(value, own_job, declared)

        return self._describe((facet.digest, declared, own_job), make)

    def job_entries(self, facet: Text) -> Sequence[typed.LineageEntry]:
        value = self.reader.read(Place.JOB, "lineage", facet).value
        if not isinstance(value, typed.JobLineage) or value.deleted is True:
            return ()
        return value.entries or ()

    def seldom(self, schema: Text) -> frozenset[str]:
        """The columns in a schema facet that are columns only because a schema lists them."""
        found = self._seldom.get(schema.digest)
        if found is None:
            value = self.reader.read(Place.DATASET, "schema", schema).value
            found = assets.seldom_columns(value) if isinstance(value, typed.Schema) else frozenset()
            self._seldom.keep(schema.digest, found, 200)
        return found

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
