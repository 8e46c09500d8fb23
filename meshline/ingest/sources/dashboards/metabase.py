"""Metabase: dashboards and questions as consumers of the columns that they use, and what others are made of as models."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from meshline.errors import InvalidInput, require_extra
from meshline.ingest.sources.base import Context, Reading, Source
from meshline.ingest.sources.dashboards.database_names import DatabaseName
from meshline.ingest.sources.dashboards.metabase_api import MetabaseClient
from meshline.ingest.sources.secrets import expand_keys


class Metabase(Source):
    """A running Metabase."""

    kind: ClassVar[str] = "metabase"
    url: str = Field(min_length=1, max_length=2048, description="The address of Metabase, e.g. http://metabase:3000.")
    api_key: str = Field(default="", max_length=2000, description="An API key; ${NAME} is a variable.")
    user: str = Field(default="", max_length=500, description="Instead of a key, the e-mail address of an account; ${NAME} is a variable.")
    password: str = Field(default="", max_length=2000, description="Its password; ${NAME} is a variable.")
    databases: dict[str, DatabaseName] = Field(
        default={}, description="By the name that a database has in Metabase: where its tables are, if its address does not state it."
    )

    def read(self, context: Context) -> Reading:
        """All dashboards, questions and models that the account may read. Raises InvalidInput, StoreUnavailable, MissingExtra."""
        with require_extra("sql", "reading Metabase"):
            from meshline.ingest.sources.dashboards.metabase_reader import MetabaseReader  # noqa: PLC0415

        written = {"url": self.url, "api_key": self.api_key, "user": self.user, "password": self.password}
        values, redact = expand_keys(written, context.variables)
        if not values["api_key"] and not (values["user"] and values["password"]):
            raise InvalidInput("give an API key, or a user and a password", "api_key")
        with MetabaseClient.connect(values["url"], values["api_key"], values["user"], values["password"], redact) as client:
            reader = MetabaseReader(client, self.databases, context)
            items = list(reader.read_items())
        return Reading(self.source, items, complete=True, warnings=reader.list_warnings())
