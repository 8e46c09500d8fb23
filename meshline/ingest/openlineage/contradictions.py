"""Column lineage that names columns which the schema of the same output lacks: noted for the producer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from meshline.graph.memory import Memory
from meshline.ingest.openlineage.assets import columns
from meshline.ingest.openlineage.facets import Facet, FacetReader, Place
from meshline.ingest.openlineage.flows import lists_column
from meshline.ingest.openlineage.producers import change_of, producer_of
from meshline.ingest.openlineage.repair import Note
from meshline.ingest.openlineage.typed import ColumnLineage, Schema

MAX_COMPARED = 8 * 2**20  # bytes, about, of comparisons of schema and lineage
_SHOWN = 5

_CONSEQUENCE = (
    "these are left out: the lineage is read from the job's SQL if that can be, else the columns of this output are only possibly affected"
)


class Contradictions:
    """Compares the facets of outputs; the same facets come every day, so results are remembered."""

    def __init__(self, reader: FacetReader) -> None:
        self._reader = reader
        self._compared: Memory[tuple[bytes, bytes], tuple[str, ...]] = Memory(MAX_COMPARED)

    def notes(self, job_facets: Mapping[str, Facet], outputs: Sequence[Mapping[str, Facet]]) -> Iterator[Note]:
        """One for each output whose schema lists all of its columns, and not those of its lineage. `outputs`: their facets."""
        producer = None
        for position, facets in enumerate(outputs):
            schema, lineage = facets.get("schema"), facets.get("columnLineage")
            if schema is None or lineage is None or not (foreign := self._foreign(schema, lineage)):
                continue
            producer = producer or producer_of(job_facets, self._reader)
            if producer.lists_whole_output(change_of(facets.get("lifecycleStateChange"), self._reader)):
                where = f"$.outputs[{position}].facets.columnLineage"
                yield Note(where, f"it names columns that the schema of this output lacks ({_few(foreign)}); {_CONSEQUENCE}")

    def _foreign(self, schema: Facet, lineage: Facet) -> tuple[str, ...]:
        """The columns that a lineage gives sources and a schema lacks."""
        key = (schema.digest, lineage.digest)
        found = self._compared.get(key)
        if found is None:
            found = self._compare(schema, lineage)
            self._compared.keep(key, found, 200 + 100 * len(found))
        return found

    def _compare(self, schema: Facet, lineage: Facet) -> tuple[str, ...]:
        listed = self._reader.read(Place.DATASET, "schema", schema).value
        named = self._reader.read(Place.DATASET, "columnLineage", lineage).value
        if not isinstance(listed, Schema) or not isinstance(named, ColumnLineage) or not listed.fields:
            return ()
        names = frozenset(name.casefold() for name in columns(listed))
        fields = (named.fields or {}).items()
        return tuple(name for name, field in fields if field is not None and field.input_fields and not lists_column(names, name))


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(name[:60] for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
