"""The datasets that runs of MLflow have logged (`mlflow.log_input`): which datasets of the mesh they are, and which columns were read.

What a source has for a key depends on its type (mlflow.data.*_dataset_source): `uri`, `url`, `path`, `table_name`, `delta_table_name`,
or `sql`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey
from meshline.ingest.dataset_refs import split_dataset, split_endpoint
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.dashboards.reports import Use, Warnings
from meshline.ingest.sources.dashboards.sql_models import list_query_uses, read_query
from meshline.ingest.sources.models.mlflow_api import Dataset
from meshline.sql.script import Relation

T = TypeVar("T")

MAX_COLUMNS = 20_000  # of one dataset
_WINDOWS = re.compile(r"^[A-Za-z]:[\\/]")


class DatasetKeys(NamedTuple):
    """What the user states about datasets: the keys of the source."""

    namespace: str = ""
    dialect: str = "spark"
    datasets: Mapping[str, str] = {}


class LoggedSource(msgspec.Struct):
    """The source of a dataset: which keys it has depends on its type."""

    uri: str | None = None
    url: str | None = None
    path: str | None = None
    table_name: str | None = None
    delta_table_name: str | None = None
    sql: str | None = None


class LoggedColumn(msgspec.Struct):
    name: str | None = None


class LoggedSchema(msgspec.Struct):
    """The schema of a dataset. Tensors are not columns."""

    mlflow_colspec: list[LoggedColumn] = []


class DatasetLocator:
    """Finds the datasets of the mesh that MLflow's datasets are."""

    def __init__(self, keys: DatasetKeys, context: Context, warnings: Warnings) -> None:
        self._keys = keys
        self._context = context
        self._warnings = warnings
        self._named = {name: self._parse_reference(name, text) for name, text in keys.datasets.items()}
        self._found: dict[tuple[str, ...], tuple[Use, ...]] = {}

    def _parse_reference(self, name: str, text: str) -> AssetKey:
        namespace, rest = split_dataset(text, self._context.aliases)
        if not namespace:
            raise InvalidInput(f"found {text!r}; accepted is namespace/name or alias/name", f"datasets.{name}")
        return self._context.naming.normalise_dataset(namespace, rest)

    def list_uses(self, dataset: Dataset) -> tuple[Use, ...]:
        """What a run that logged this dataset has read: columns, and datasets of which it is unknown which columns."""
        key = (dataset.name, dataset.source_type, dataset.source or "", dataset.schema or "")
        if key not in self._found:
            self._found[key] = tuple(self._find_uses(dataset))
        return self._found[key]

    def _find_uses(self, dataset: Dataset) -> Iterator[Use]:
        source = _decode(LoggedSource, dataset.source)
        located = self._named.get(dataset.name)
        if located is None and source is not None and source.sql:
            yield from self._read_sql(dataset, source.sql)
            return
        located = located or self._locate(dataset, source)
        if located is not None:
            yield from self._select_columns(located, self._list_columns(dataset))

    def _list_columns(self, dataset: Dataset) -> list[str]:
        schema = _decode(LoggedSchema, dataset.schema) if dataset.schema else LoggedSchema()
        if schema is None:
            self._warnings.add(f"dataset {dataset.name!r}: its schema cannot be read")
            return []
        return list(dict.fromkeys(column.name for column in schema.mlflow_colspec[:MAX_COLUMNS] if column.name))

    def _select_columns(self, key: AssetKey, names: Sequence[str]) -> Iterator[Use]:
        """The columns that were read. Names that the dataset does not have are features that were computed before the dataset was logged:
        of these it is unknown which columns they are made of.
        """
        known = {column.name.casefold(): column.name for column in self._context.columns_of(key)}
        found = [known.get(name.casefold(), "") for name in names] if known else list(names)
        yield from (Use(key, name) for name in dict.fromkeys(filter(None, found)))
        if not names or not all(found):
            yield Use(key)

    def _locate(self, dataset: Dataset, source: LoggedSource | None) -> AssetKey | None:
        table = (source.table_name or source.delta_table_name) if source is not None else None
        place = (source.uri or source.url or source.path) if source is not None else None
        found = self._locate_table(table) if table else self._locate_place(place) if place else None
        found = found or self._match_name(dataset.name)
        if found is None:
            self._warnings.add(
                f"dataset {dataset.name!r} ({dataset.source_type}): which dataset it is cannot be determined: state it under `datasets`"
            )
        return found

    def _locate_table(self, name: str) -> AssetKey | None:
        """A table by its name in Spark or Databricks: in the namespace that is stated, else the one known table whose name ends so."""
        plain = name.replace("`", "")
        if self._keys.namespace:
            return self._context.naming.normalise_dataset(self._context.resolve_namespace(self._keys.namespace), plain)
        return self._match_name(plain)

    def _locate_place(self, place: str) -> AssetKey | None:
        if "://" not in place and not place.startswith("dbfs:/"):
            namespace, name = "file", place.replace("\\", "/") if _WINDOWS.match(place) else place
        elif place.startswith("dbfs:/"):
            namespace, name = "dbfs", place.removeprefix("dbfs:")
        else:
            namespace, name = split_endpoint(place)
        return self._context.naming.normalise_dataset(namespace, name) if namespace and name else None

    def _match_name(self, name: str) -> AssetKey | None:
        """The one known dataset whose name ends so."""
        found = self._context.datasets_ending_with(name) if "." in name or "/" in name else []
        return found[0] if len(found) == 1 else None

    def _read_sql(self, dataset: Dataset, sql: str) -> Iterator[Use]:
        """What a query reads whose result was logged."""
        target = self._context.naming.normalise_dataset("mlflow://query", dataset.name or "dataset")
        unknown: list[str] = []

        def resolve(relation: Relation) -> AssetKey:
            name = ".".join(relation)
            found = self._locate_table(name)
            if found is None:
                unknown.append(name)
            return found or target

        query = read_query(sql, self._keys.dialect, (), target, resolve, lambda key: [one.name for one in self._context.columns_of(key)])
        for note in query.notes:
            self._warnings.add(f"dataset {dataset.name!r}: {note}")
        for name in dict.fromkeys(unknown):
            self._warnings.add(f"dataset {dataset.name!r}: the namespace of {name} is not known: state it under `namespace`")
        yield from (use for use in list_query_uses(query) if use.dataset != target)


def _decode(shape: type[T], text: str | None) -> T | None:
    """A text of JSON; None if it is not of this shape."""
    try:
        return msgspec.json.decode(text or "", type=shape)
    except (msgspec.MsgspecError, RecursionError):
        return None
