"""What a request wants changed: the inputs of a check as GraphQL takes them."""

from __future__ import annotations

from collections.abc import Iterator

import strawberry

from meshline.app.check_request import Compared, File
from meshline.errors import InvalidInput


@strawberry.input(description="Two versions of a file, as texts.")
class VersionsInput:
    before: str | None = strawberry.field(default=None, description="Not given: it is compared with what the graph knows.")
    after: str | None = strawberry.field(default=None, description="Not given: it is gone.")


@strawberry.input(description="A table's schema: Iceberg or Delta metadata, an Avro or JSON schema.")
class SchemaInput(VersionsInput):
    dataset: str | None = strawberry.field(default=None, description="Which table it is of, by any of its names.")
    format: str | None = strawberry.field(default=None, description="iceberg, delta, avro or json; not given: told from the text.")


@strawberry.input(description="Statements of SQL that change tables (CREATE, ALTER, DROP).")
class DdlInput:
    text: str
    dialect: str | None = None


@strawberry.input(description="What is to be changed: one of these, or several.")
class ChangeInput:
    words: list[str] | None = strawberry.field(
        default=None, description="`drop COLUMN`, `rename COLUMN to NAME`, `retype COLUMN to TYPE`, `add COLUMN TYPE`, `require COLUMN`."
    )
    contract: VersionsInput | None = None
    product: VersionsInput | None = None
    schema: SchemaInput | None = None
    ddl: DdlInput | None = None
    dbt: VersionsInput | None = strawberry.field(default=None, description="Manifests.")

    def things(self) -> tuple[Compared, ...]:
        """Raises InvalidInput if nothing is given."""
        found = tuple(self._things())
        if not found:
            raise InvalidInput("name a change: words, contract, product, schema, ddl or dbt", "change")
        return found

    def _things(self) -> Iterator[Compared]:
        if self.words is not None:
            yield Compared("change", None, File("words", "\n".join(self.words)))
        for kind, given in (("contract", self.contract), ("product", self.product), ("schema", self.schema), ("dbt", self.dbt)):
            if given is not None:
                yield Compared(kind, _file(kind, "before", given.before), _file(kind, "after", given.after), _options(given))
        if self.ddl is not None:
            yield Compared("ddl", None, File("ddl", self.ddl.text), {} if self.ddl.dialect is None else {"dialect": self.ddl.dialect})


def _file(kind: str, side: str, text: str | None) -> File | None:
    return None if text is None else File(f"{kind}.{side}", text)


def _options(given: VersionsInput) -> dict[str, str]:
    if not isinstance(given, SchemaInput):
        return {}
    return {name: text for name, text in (("dataset", given.dataset), ("format", given.format)) if text is not None}
