"""Apache Superset: dashboards as consumers of the columns that their charts use, and its datasets made of SQL as models."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from meshline.errors import InvalidInput, require_extra
from meshline.ingest.sources.base import Context, Item, Reading, Source
from meshline.ingest.sources.dashboards.database_names import DatabaseName
from meshline.ingest.sources.dashboards.superset_api import SupersetClient
from meshline.ingest.sources.dashboards.superset_contents import SupersetContents
from meshline.ingest.sources.dashboards.superset_exports import ExportReading
from meshline.ingest.sources.secrets import expand_keys, expand_variables


class Superset(Source):
    """A running Apache Superset, or its exports."""

    kind: ClassVar[str] = "superset"
    url: str = Field(default="", max_length=2048, description="The address of Superset, e.g. http://superset:8088; with files only a name.")
    user: str = Field(default="", max_length=500, description="The account that reads; ${NAME} is a variable.")
    password: str = Field(default="", max_length=2000, description="Its password; ${NAME} is a variable.")
    provider: str = Field(default="db", pattern=r"^[a-z_]{1,40}$", description="Where the account is: db or ldap.")
    token: str = Field(default="", max_length=16_384, description="Instead of an account, a bearer token; ${NAME} is a variable.")
    files: tuple[str, ...] = Field(default=(), description="Instead of a running one: exports, as ZIP files or unpacked, and patterns.")
    databases: dict[str, DatabaseName] = Field(
        default={}, description="By the name that a database has in Superset: where its tables are, if its address does not state it."
    )

    @model_validator(mode="after")
    def _require_place(self) -> Superset:
        if not self.url and not self.files:
            raise ValueError("give the url of a Superset, or the files of its exports")
        if self.files and (self.user or self.password or self.token):
            raise ValueError("files are read without an account: give either files, or a user and a password or a token")
        return self

    def read(self, context: Context) -> Reading:
        """All that the files have, or that the account may read. Raises InvalidInput, StoreUnavailable, MissingExtra."""
        with require_extra("sql", "reading Superset"):
            from meshline.ingest.sources.dashboards.superset_reader import SupersetReader  # noqa: PLC0415

        refused: list[Item] = []
        if self.files:
            exports = ExportReading(self.files, context.folder, expand_variables(self.url, "url", context.variables).rstrip("/"))
            contents = exports.read()
            refused += exports.refusals
        else:
            contents = self._read_running(context)
        reader = SupersetReader(contents, self.databases, context)
        items = [*refused, *reader.read_items()]
        return Reading(self.source, items, complete=True, warnings=reader.list_warnings())

    def _read_running(self, context: Context) -> SupersetContents:
        written = {"url": self.url, "user": self.user, "password": self.password, "token": self.token}
        values, redact = expand_keys(written, context.variables)
        if not values["token"] and not (values["user"] and values["password"]):
            raise InvalidInput("give a user and a password, or a token", "user")
        with SupersetClient.connect(values["url"], values["token"], values["user"], values["password"], self.provider, redact) as client:
            return client.read_contents()
