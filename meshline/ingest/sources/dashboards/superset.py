"""Apache Superset: dashboards as consumers of the columns that their charts use, and its datasets made of SQL as models."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from meshline.errors import InvalidInput
from meshline.ingest.sources.base import Context, Reading, Source
from meshline.ingest.sources.dashboards.database_names import DatabaseName
from meshline.ingest.sources.dashboards.superset_api import SupersetClient
from meshline.ingest.sources.secrets import Redaction, expand_variables


class Superset(Source):
    """A running Apache Superset."""

    kind: ClassVar[str] = "superset"
    url: str = Field(min_length=1, max_length=2048, description="The address of Superset, e.g. http://superset:8088.")
    user: str = Field(default="", max_length=500, description="The account that reads; ${NAME} is a variable.")
    password: str = Field(default="", max_length=2000, description="Its password; ${NAME} is a variable.")
    provider: str = Field(default="db", pattern=r"^[a-z_]{1,40}$", description="Where the account is: db or ldap.")
    token: str = Field(default="", max_length=16_384, description="Instead of an account, a bearer token; ${NAME} is a variable.")
    databases: dict[str, DatabaseName] = Field(
        default={}, description="By the name that a database has in Superset: where its tables are, if its address does not state it."
    )

    def read(self, context: Context) -> Reading:
        """All dashboards, charts and datasets that the account may read. Raises InvalidInput, StoreUnavailable."""
        from meshline.ingest.sources.dashboards.superset_reader import SupersetReader  # noqa: PLC0415 - sqlglot is an extra

        written = {"url": self.url, "user": self.user, "password": self.password, "token": self.token}
        values = {key: expand_variables(text, key, context.variables) for key, text in written.items()}
        if not values["token"] and not (values["user"] and values["password"]):
            raise InvalidInput("give a user and a password, or a token", "user")
        with SupersetClient.connect(
            values["url"], values["token"], values["user"], values["password"], self.provider, Redaction(written, values)
        ) as client:
            reader = SupersetReader(client, self.databases, context)
            items = list(reader.read_items())
        return Reading(self.source, items, complete=True, warnings=reader.list_warnings())
