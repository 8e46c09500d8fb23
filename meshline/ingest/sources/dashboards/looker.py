"""Looker: dashboards and looks as consumers of the columns that their queries use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec
from pydantic import Field, model_validator

from meshline.errors import InvalidInput, require_extra
from meshline.ingest.sources.base import Context, Item, Reading, Refusal, Source
from meshline.ingest.sources.dashboards.database_names import DatabaseName
from meshline.ingest.sources.dashboards.looker_api import Content, LookerClient
from meshline.ingest.sources.files import expand_paths, format_path, read_bytes
from meshline.ingest.sources.secrets import expand_keys

MAX_BYTES = 256 * 2**20  # of one file


class Looker(Source):
    """A running Looker, or exported answers of its API."""

    kind: ClassVar[str] = "looker"
    url: str = Field(default="", max_length=2048, description="The address of Looker's API, e.g. https://company.looker.com:19999.")
    client_id: str = Field(default="", max_length=500, description="The id of an API key; ${NAME} is a variable.")
    client_secret: str = Field(default="", max_length=2000, description="Its secret; ${NAME} is a variable.")
    files: tuple[str, ...] = Field(default=(), description="Instead of a running one, exported answers, and patterns.")
    databases: dict[str, DatabaseName] = Field(
        default={}, description="By the name that a connection has in Looker: where its tables are, if its address does not state it."
    )

    @model_validator(mode="after")
    def _check_place(self) -> Looker:
        if bool(self.url) == bool(self.files):
            raise ValueError("give either url, with client_id and client_secret, or files")
        return self

    def read(self, context: Context) -> Reading:
        """All dashboards and looks. Raises InvalidInput, StoreUnavailable, MissingExtra."""
        with require_extra("sql", "reading Looker"):
            from meshline.ingest.sources.dashboards.looker_reader import LookerReader  # noqa: PLC0415

        if self.files:
            warnings: list[str] = []
            return Reading(self.source, self._read_files(context, warnings), complete=True, warnings=warnings)
        written = {"url": self.url, "client_id": self.client_id, "client_secret": self.client_secret}
        values, redact = expand_keys(written, context.variables)
        if not (values["client_id"] and values["client_secret"]):
            raise InvalidInput("give the id and the secret of an API key", "client_id")
        with LookerClient.connect(values["url"], values["client_id"], values["client_secret"], redact) as client:
            reader = LookerReader(client.read_content(), self.databases, context, client.url, client.read_sql)
            items = list(reader.read_items())
        return Reading(self.source, items, complete=True, warnings=reader.list_warnings())

    def _read_files(self, context: Context, warnings: list[str]) -> Iterator[Item]:
        with require_extra("sql", "reading Looker"):
            from meshline.ingest.sources.dashboards.looker_reader import LookerReader  # noqa: PLC0415

        whole = Content([], [])
        for path in expand_paths(self.files, context.folder):
            try:
                if isinstance(path, InvalidInput):
                    raise path
                found = _decode_content(read_bytes(path, MAX_BYTES), format_path(path, context.folder))
            except InvalidInput as error:
                yield Refusal(error)
                continue
            for name in Content.__struct_fields__:
                getattr(whole, name).extend(getattr(found, name))
        reader = LookerReader(whole, self.databases, context, "", lambda _: "")
        yield from reader.read_items()
        warnings += reader.list_warnings()


def _decode_content(data: bytes, where: str) -> Content:
    """An exported file. Raises InvalidInput."""
    try:
        return msgspec.json.decode(data, type=Content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(
            f"these are no exported answers of Looker's API: {error}; accepted is what the documented script writes", where
        ) from error
