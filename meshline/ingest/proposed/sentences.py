"""One change in words -> a change of a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from meshline.errors import InvalidInput, NotFound
from meshline.graph.model import AssetKey, AssetKind, dataset
from meshline.graph.promises import Field
from meshline.ingest.names import split_dataset
from meshline.ingest.proposed.shape import Known
from meshline.ingest.proposed.tables import Table

FORMS = (
    "`drop COLUMN`, `drop table TABLE`, `rename COLUMN to NAME`, `rename table TABLE to NAME`, `retype COLUMN to TYPE`,"
    " `add COLUMN TYPE [required]`, `require COLUMN` and `optional COLUMN`, one a line or with `;` between them;"
    ' names are as everywhere (orders.customer_orders.email), those with spaces in "quotes"'
)

_WORD = re.compile(r'(?:"(?:[^"]|"")*"|[^\s"])+')  # one or more words, or quoted texts
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_REQUIRED = re.compile(r"\s+(required|not\s+null)$", re.IGNORECASE)


class Sentence(NamedTuple):
    """`where`: file:line; what is not from a file is its own place."""

    text: str
    line: int
    where: str

    def wrong(self, message: str = "") -> InvalidInput:
        return InvalidInput(f"{message or 'this is not understood'}; accepted are {FORMS}", self.where)


class Work:
    """The tables that sentences change, one sentence after the other."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._tables: dict[AssetKey, Table] = {}

    @property
    def tables(self) -> Sequence[Table]:
        return list(self._tables.values())

    def take(self, sentence: Sentence) -> None:
        verb, _, rest = sentence.text.partition(" ") if " " in sentence.text else (sentence.text.split()[0], "", "")
        step = STEPS.get(verb.lower())
        if step is None or not rest.strip():
            raise sentence.wrong()
        step(self, sentence, rest.strip())

    def drop(self, sentence: Sentence, rest: str) -> None:
        kind, name, more = _named(sentence, rest)
        if more:
            raise sentence.wrong()
        table, column = self._asset(kind, name)
        table.at(sentence.line, *(("field", column) if column else ()))
        if column:
            table.drop_column(column)
        else:
            table.drop()

    def rename(self, sentence: Sentence, rest: str) -> None:
        kind, name, more = _named(sentence, rest)
        words = _WORD.findall(more)
        if len(words) != 2 or words[0].lower() not in ("to", "as"):
            raise sentence.wrong()
        table, column = self._asset(kind, name)
        if not column:
            self._rename_table(table, sentence, _unquoted(words[1]))
            return
        new = self._new_name(sentence, table, name, column, words[1])
        table.at(sentence.line, "field", column)
        table.rename_column(column, new)
        table.at(sentence.line, "field", new)

    def retype(self, sentence: Sentence, rest: str) -> None:
        kind, name, more = _named(sentence, rest)
        to, _, type_ = more.partition(" ")
        if to.lower() not in ("to", "as") or not type_.strip():
            raise sentence.wrong()
        table, column = self._column(sentence, kind, name)
        table.at(sentence.line, "field", column)
        table.change_column(column, type=type_.strip(), physical_type="")

    def add(self, sentence: Sentence, rest: str) -> None:
        kind, name, type_ = _named(sentence, rest)
        if kind is AssetKind.DATASET or not type_:
            raise sentence.wrong()
        required = _REQUIRED.search(type_) is not None
        type_ = _REQUIRED.sub("", type_)
        table, column = self._place(sentence, name)
        table.add_column(Field(name=column, type=type_, required=required))
        table.at(sentence.line, "field", column)

    def require(self, sentence: Sentence, rest: str) -> None:
        self._required(sentence, rest, required=True)

    def optional(self, sentence: Sentence, rest: str) -> None:
        self._required(sentence, rest, required=False)

    def _required(self, sentence: Sentence, rest: str, *, required: bool) -> None:
        kind, name, more = _named(sentence, rest)
        if more:
            raise sentence.wrong()
        table, column = self._column(sentence, kind, name)
        table.at(sentence.line, "field", column)
        table.change_column(column, required=required)

    def _column(self, sentence: Sentence, kind: AssetKind | None, name: str) -> tuple[Table, str]:
        table, column = self._asset(kind or AssetKind.COLUMN, name)
        if not column:
            raise sentence.wrong(f"{name!r} is a table, and a column is needed here")
        return table, column

    def _asset(self, kind: AssetKind | None, name: str) -> tuple[Table, str]:
        """The table, and the name of the column if it is one. What an earlier sentence changed has its new name."""
        found = self._changed(name) if kind is not AssetKind.DATASET else None
        if found is not None:
            return found
        try:
            key = self._known.asset(f"{kind.lower()}:{name}" if kind is not None else name)
        except NotFound:
            if kind is None:
                raise
            key = self._known.asset(name)
        if key.kind is AssetKind.COLUMN and kind is not AssetKind.DATASET:
            table = self._table(dataset(*key.parts[:2]))
            if table.now is not None and not table.has(key.name):
                self._unlisted(table, key.name)
            return table, key.name
        if key.kind is AssetKind.DATASET and kind is not AssetKind.COLUMN:
            return self._table(key), ""
        wanted = "tables and columns are" if kind is None else "a table is" if kind is AssetKind.DATASET else "a column is"
        hint = "; say `table NAME` if you mean a table of that name" if kind is None else ""
        raise InvalidInput(f"{name!r} is the {key.kind.lower().replace('_', ' ')} {key.qualified_name}: only {wanted} changed so{hint}")

    def _changed(self, name: str) -> tuple[Table, str] | None:
        """A column by a name that an earlier sentence gave it: of that table it is the one, whatever else is called so."""
        for table in self._tables.values():
            if table.now is None:
                continue
            for column in table.names:
                if any(field.name == column for field in table.before_fields()):
                    continue
                if _answers(f"{table.name}.{column}", name):
                    return table, column
        return None

    def _unlisted(self, table: Table, column: str) -> None:
        """A column that only lineage speaks of, or that has gone: it cannot be told what becomes of it."""
        had = [field.name for field in table.before_fields()]
        if column in had:
            raise NotFound(f"{table.name} has no column {column!r} any more: a change before this one took it away")
        table.knew(Field(name=column))

    def _table(self, key: AssetKey) -> Table:
        found = self._tables.get(key)
        if found is None:
            version = self._known.definition(key)
            found = self._tables[key] = Table(version, key, key.qualified_name)
        return found

    def _place(self, sentence: Sentence, name: str) -> tuple[Table, str]:
        """Where a new column goes: the longest beginning of its name that is a table."""
        first: NotFound | None = None
        at = name.rfind(".")
        while at > 0:
            try:
                key = self._known.asset(f"dataset:{name[:at]}")
            except NotFound as error:
                first = first or error
            else:
                table, column = self._table(key) if key.kind is AssetKind.DATASET else None, name[at + 1 :]
                if table is not None and column and (first is None or table.now is None or table.has(column.rpartition(".")[0])):
                    return table, column
            at = name.rfind(".", 0, at)
        if first is not None:
            raise NotFound(str(first).replace("'dataset:", "'"))
        raise sentence.wrong(f"{name!r} does not say of which table: write it as table.column")

    def _new_name(self, sentence: Sentence, table: Table, name: str, column: str, written: str) -> str:
        """The whole path of a column under its new name, which may be written with the table before it, as the old one was."""
        new, inside = _unquoted(written), column.rpartition(".")[0]
        beginning = name[: len(name) - len(column)] if name.casefold().endswith(column.casefold()) else f"{table.name}."
        if beginning and new.startswith(beginning):
            new = new.removeprefix(beginning)
        elif not inside and "." in new and '"' not in written:
            raise sentence.wrong(f"{new!r} is no name of a column of {table.name}: only the last part of a name changes")
        if not inside or new.startswith(f"{inside}."):
            return new
        return f"{inside}.{new}"

    def _rename_table(self, table: Table, sentence: Sentence, new: str) -> None:
        key = table.key
        assert key is not None
        namespace, name = split_dataset(new, self._known.context.aliases) if "://" in new else ("", new)
        if not namespace:
            first, _, rest = new.partition("/")
            aliased = first in self._known.context.aliases and rest
            namespace, name = (self._known.context.aliases[first], rest) if aliased else (key.parts[0], new)
        if not name:
            raise sentence.wrong()
        if name == new and not re.search(r"[./]", new):
            old = key.parts[1]
            name = old[: max(old.rfind("."), old.rfind("/")) + 1] + new
        renamed = self._known.context.naming.dataset(namespace, name)
        if renamed != key and self._known.definition(renamed) is not None:
            raise InvalidInput(f"there is a table {renamed.qualified_name} already", sentence.where)
        table.rename(renamed, renamed.qualified_name)
        table.at(sentence.line)


STEPS: Mapping[str, Callable[[Work, Sentence, str], None]] = {
    "drop": Work.drop,
    "remove": Work.drop,
    "rename": Work.rename,
    "retype": Work.retype,
    "add": Work.add,
    "require": Work.require,
    "unrequire": Work.optional,
    "optional": Work.optional,
}
_KINDS = {"table": AssetKind.DATASET, "view": AssetKind.DATASET, "dataset": AssetKind.DATASET, "column": AssetKind.COLUMN}


def _named(sentence: Sentence, text: str) -> tuple[AssetKind | None, str, str]:
    """(what it is said to be, its name, what follows)."""
    match = _WORD.match(text)
    if match is None:
        raise sentence.wrong()
    kind = _KINDS.get(match[0].lower())
    following = _WORD.match(text[match.end() :].lstrip()) if kind is not None else None
    if following is not None and following[0].lower() not in ("to", "as"):
        text = text[match.end() :].lstrip()
        match = following
    else:
        kind = None
    return kind, _unquoted(match[0]), text[match.end() :].strip()


def _unquoted(word: str) -> str:
    return _QUOTED.sub(lambda quoted: quoted[1].replace('""', '"'), word)


def _answers(name: str, wanted: str) -> bool:
    """Whether a name ends with what was written, at the boundary of a part."""
    return name == wanted or (name.endswith(wanted) and name[: len(name) - len(wanted)][-1:] in "./:")
