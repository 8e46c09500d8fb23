"""Where schemas are read from: files, folders of tables, and live tables of a catalog. For who asks; a server reads none of them."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from meshline.errors import InvalidInput, NotFound, required_extra
from meshline.ingest.proposed.schema import delta
from meshline.ingest.proposed.shape import Text
from meshline.ingest.sources.files import read_bytes

MAX_COMMITS = 10_000  # of a log that are looked through

_METADATA = "metadata"
_NUMBER = re.compile(r"v?(\d+)")


def schema_file(path: Path) -> Path:
    """The file that says the schema of a table: of a folder with a Delta log, the newest commit that has metadata; of one with
    metadata of Iceberg, the newest of them. Raises InvalidInput if there is none.
    """
    if not path.is_dir():
        return path
    log = path if path.name == delta.LOG else path / delta.LOG
    if log.is_dir():
        return _commit(log)
    metadata = path if path.name == _METADATA else path / _METADATA
    found = sorted(metadata.glob("*.metadata.json"), key=_number)
    if not found:
        raise InvalidInput(f"the folder has neither a {delta.LOG} nor {_METADATA}/*.metadata.json", str(path))
    return found[-1]


def _commit(log: Path) -> Path:
    for path in sorted(log.glob("*.json"), reverse=True)[:MAX_COMMITS]:
        try:
            if delta.commits(read_bytes(path, 2**28), str(path)) is not None:
                return path
        except InvalidInput:
            continue
    raise InvalidInput("no commit in it has metadata: what a checkpoint says is not read", str(log))


def _number(path: Path) -> tuple[int, str]:
    match = _NUMBER.match(path.name)
    return int(match[1]) if match else -1, path.name


def live_table(catalog: str, table: str) -> Text:
    """The metadata of a table of an Iceberg catalog as it is now. `catalog`: its URI, or the name by which pyiceberg's own
    configuration knows it; `table`: `schema.table`. Raises InvalidInput, NotFound, StoreUnavailable, MissingExtra.
    """
    with required_extra("iceberg", "reading a live table"):
        from meshline.ingest.sources.iceberg.catalogs import Gone  # noqa: PLC0415 - pyiceberg is slow to import
        from meshline.ingest.sources.iceberg.crawl import kind_of, opened  # noqa: PLC0415
        from meshline.ingest.sources.iceberg.properties import Properties, Redaction, expanded  # noqa: PLC0415
    is_uri = "://" in catalog
    written: Properties = {"uri": catalog} if is_uri else {}
    properties = expanded(written, "catalog")
    name = "default" if is_uri else catalog
    kind, merged = kind_of(name, properties)
    redacted = Redaction(written, merged)
    try:
        found = opened(name, kind, properties, merged, redacted).load(tuple(table.split(".")), "", is_view=False)
    except NotImplementedError as error:
        raise InvalidInput(redacted(str(error)), "catalog") from None
    except Gone:
        raise NotFound(f"{redacted(catalog)} has no table {table!r}") from None
    if found is None:
        raise InvalidInput(f"{redacted(catalog)} does not tell what {table!r} is", "catalog")
    return Text(f"{redacted(catalog)} {table}", msgspec.json.encode(found.metadata))
