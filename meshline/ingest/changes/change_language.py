"""Changes in words: `drop orders.customer_orders.email`, `rename a.b.c to d`, one a line, or with `;` or `,` between them.

Each sentence becomes an edit of one table. `ALTER TABLE ...` is read as SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import zip_longest
from typing import NamedTuple

from meshline.errors import Ambiguous, InvalidInput, MissingExtra, NotFound
from meshline.graph.contracts import Definition, Field
from meshline.graph.model import AssetKey, AssetKind, build_dataset_key
from meshline.ingest.changes import ChangeInput, GraphState, Proposal, Text
from meshline.ingest.changes.change_grammar import VERBS, Action, NotUnderstood, parse_sentence
from meshline.ingest.changes.edited_tables import EditedTable, build_entries
from meshline.ingest.dataset_refs import split_dataset
from meshline.ingest.documents import decode_text

FORMS = (
    "`drop COLUMN`, `drop table TABLE`, `rename COLUMN to NAME`, `rename table TABLE to NAME`, `retype COLUMN to TYPE`,"
    " `add COLUMN TYPE [required]`, `make COLUMN not null` and `make COLUMN nullable`, one a line or with `;` between them;"
    " a column is TABLE.COLUMN, or `column COLUMN` with `in TABLE` behind it (`drop column email from customers.customers`);"
    " or SQL: `ALTER TABLE ...`;"
    ' names are as everywhere (orders.customer_orders.email), those with spaces in "quotes"'
)


class Sentence(NamedTuple):
    """`where`: file:line; for a sentence without a file, the sentence itself."""

    text: str
    line: int
    where: str

    def build_error(self, message: str = "") -> InvalidInput:
        return InvalidInput(f"{message or 'this is not understood'}; accepted are {FORMS}", self.where)


class Edits:
    """The tables that sentences change, one sentence after the other."""

    def __init__(self, known: GraphState) -> None:
        self._known = known
        self._tables: dict[AssetKey, EditedTable] = {}
        self.warnings: list[str] = []

    @property
    def tables(self) -> Sequence[EditedTable]:
        return list(self._tables.values())

    def apply(self, sentence: Sentence) -> None:
        try:
            found = parse_sentence(sentence.text)
        except NotUnderstood as error:
            raise sentence.build_error(str(error)) from error
        for action in found:
            _STEPS[action.verb](self, sentence, action)

    def drop(self, sentence: Sentence, action: Action) -> None:
        table, column = self._find_subject(action)
        table.mark(sentence.line, *(("field", column) if column else ()))
        if column:
            table.drop_column(column)
        else:
            table.drop()

    def rename(self, sentence: Sentence, action: Action) -> None:
        table, column = self._find_subject(action)
        if not column:
            self._rename_table(table, sentence, action.value)
            return
        new = self._build_new_name(sentence, table, action, column)
        table.mark(sentence.line, "field", column)
        table.rename_column(column, new)
        table.mark(sentence.line, "field", new)

    def change_type(self, sentence: Sentence, action: Action) -> None:
        table, column = self._find_column(sentence, action)
        known = table.get_column(column).type
        if action.was and known and _normalise_type(action.was) != _normalise_type(known):
            self.warnings.append(f"{sentence.where}: the type of {column} is {known} and not {action.was}, as far as is known")
        table.mark(sentence.line, "field", column)
        table.change_column(column, type=action.value, physical_type="")

    def add(self, sentence: Sentence, action: Action) -> None:
        table, column = self._find_place(sentence, action)
        table.add_column(Field(name=column, type=action.value, required=action.required))
        table.mark(sentence.line, "field", column)

    def require(self, sentence: Sentence, action: Action) -> None:
        table, column = self._find_column(sentence, action)
        table.mark(sentence.line, "field", column)
        table.change_column(column, required=action.verb == "require")

    def _find_column(self, sentence: Sentence, action: Action) -> tuple[EditedTable, str]:
        table, column = self._find_subject(action._replace(kind=action.kind or AssetKind.COLUMN))
        if not column:
            raise sentence.build_error(f"{action.name!r} is a table, and a column is needed here")
        return table, column

    def _find_subject(self, action: Action) -> tuple[EditedTable, str]:
        """The table, and the name of the column if it is one."""
        if not action.table:
            return self._resolve(action.kind, action.name)
        return self._resolve(AssetKind.COLUMN, f"{self._find_table(action.table).name}.{action.name}")

    def _find_table(self, name: str) -> EditedTable:
        """A table by its name, also by the name that an earlier sentence gave it. Raises NotFound, Ambiguous, InvalidInput."""
        try:
            key = self._known.resolve(f"dataset:{name}")
        except NotFound as error:
            renamed = [one for one in self._tables.values() if one.now is not None and _matches_end(one.name, name)]
            if len(renamed) != 1:
                raise NotFound(str(error).replace("'dataset:", "'")) from error
            return renamed[0]
        if key.kind is not AssetKind.DATASET:
            raise InvalidInput(f"{name!r} is the {key.kind.lower().replace('_', ' ')} {key.qualified_name}, and no table")
        return self._get_table(key)

    def _resolve(self, kind: AssetKind | None, name: str) -> tuple[EditedTable, str]:
        """The table, and the name of the column if it is one. A column that an earlier sentence renamed has its new name."""
        found = self._find_renamed_column(name) if kind is not AssetKind.DATASET else None
        if found is not None:
            return found
        try:
            key = self._known.resolve(f"{kind.lower()}:{name}" if kind is not None else name)
        except NotFound:
            if kind is None:
                raise
            key = self._known.resolve(name)
        if key.kind is AssetKind.COLUMN and kind is not AssetKind.DATASET:
            table = self._get_table(build_dataset_key(*key.parts[:2]))
            if table.now is not None and not table.has_column(key.name):
                self._add_unlisted_column(table, key.name)
            return table, key.name
        if key.kind is AssetKind.DATASET and kind is not AssetKind.COLUMN:
            return self._get_table(key), ""
        wanted = "tables and columns are" if kind is None else "a table is" if kind is AssetKind.DATASET else "a column is"
        hint = "; write `table NAME` if you mean a table of that name" if kind is None else ""
        raise InvalidInput(f"{name!r} is the {key.kind.lower().replace('_', ' ')} {key.qualified_name}: only {wanted} changed so{hint}")

    def _find_renamed_column(self, name: str) -> tuple[EditedTable, str] | None:
        """A column by the name that an earlier sentence gave it; it wins over any other column of that name."""
        for table in self._tables.values():
            if table.now is None:
                continue
            for column in table.names:
                if any(field.name == column for field in table.list_old_fields()):
                    continue
                if _matches_end(f"{table.name}.{column}", name):
                    return table, column
        return None

    def _add_unlisted_column(self, table: EditedTable, column: str) -> None:
        """Add a column that only lineage refers to. Raises NotFound for one that an earlier change removed."""
        had = [field.name for field in table.list_old_fields()]
        if column in had:
            raise NotFound(f"{table.name} has no column {column!r} any more: a change before this one took it away")
        table.add_known_column(Field(name=column))

    def _get_table(self, key: AssetKey) -> EditedTable:
        found = self._tables.get(key)
        if found is None:
            version = self._known.find_definition(key)
            found = self._tables[key] = EditedTable(version, key, key.qualified_name)
        return found

    def _find_place(self, sentence: Sentence, action: Action) -> tuple[EditedTable, str]:
        """The table of a new column: the one that is given, else the longest prefix of its name that is a table."""
        name = action.name
        if action.table:
            table = self._find_table(action.table)
            if "." in name and not table.has_column(name.rpartition(".")[0]):
                raise sentence.build_error(f"{name!r} is in no column of {table.name}: write the name of the column alone")
            return table, name
        first: NotFound | None = None
        at = name.rfind(".")
        while at > 0:
            try:
                key = self._known.resolve(f"dataset:{name[:at]}")
            except NotFound as error:
                first = first or error
            else:
                found, column = self._get_table(key) if key.kind is AssetKind.DATASET else None, name[at + 1 :]
                if found is not None and column and (first is None or found.now is None or found.has_column(column.rpartition(".")[0])):
                    return found, column
            at = name.rfind(".", 0, at)
        if first is not None:
            raise NotFound(str(first).replace("'dataset:", "'"))
        raise sentence.build_error(f"{name!r} does not name its table: write it as table.column")

    def _build_new_name(self, sentence: Sentence, table: EditedTable, action: Action, column: str) -> str:
        """The full path of a renamed column; the new name may begin with the table, as the old one did."""
        name, new, inside = action.name, action.value, column.rpartition(".")[0]
        beginning = name[: len(name) - len(column)] if name.casefold().endswith(column.casefold()) else f"{table.name}."
        if beginning and new.startswith(beginning):
            new = new.removeprefix(beginning)
        elif not inside and "." in new and not action.quoted:
            raise sentence.build_error(f"{new!r} is no name of a column of {table.name}: only the last part of a name changes")
        if not inside or new.startswith(f"{inside}."):
            return new
        return f"{inside}.{new}"

    def _rename_table(self, table: EditedTable, sentence: Sentence, new: str) -> None:
        key = table.key
        assert key is not None
        namespace, name = split_dataset(new, self._known.context.aliases) if "://" in new else ("", new)
        if not namespace:
            first, _, rest = new.partition("/")
            aliased = first in self._known.context.aliases and rest
            namespace, name = (self._known.context.aliases[first], rest) if aliased else (key.parts[0], new)
        if not name:
            raise sentence.build_error()
        if name == new and not re.search(r"[./]", new):
            old = key.parts[1]
            name = old[: max(old.rfind("."), old.rfind("/")) + 1] + new
        renamed = self._known.context.naming.normalise_dataset(namespace, name)
        if renamed != key and self._known.find_definition(renamed) is not None:
            raise InvalidInput(f"there is a table {renamed.qualified_name} already", sentence.where)
        table.rename(renamed, renamed.qualified_name)
        table.mark(sentence.line)


_STEPS: Mapping[str, Callable[[Edits, Sentence, Action], None]] = {
    "drop": Edits.drop,
    "rename": Edits.rename,
    "retype": Edits.change_type,
    "add": Edits.add,
    "require": Edits.require,
    "optional": Edits.require,
}


def _normalise_type(type_: str) -> str:
    return "".join(type_.split()).casefold()


def _matches_end(name: str, wanted: str) -> bool:
    """Whether a name ends with the given text, at the boundary of a part."""
    return name == wanted or (name.endswith(wanted) and name[: len(name) - len(wanted)][-1:] in "./:")


MAX_CHARACTERS = 100_000
MAX_CHANGES = 1_000

_TOKENS = re.compile(r'"(?:[^"]|"")*"|[()<>\[\]]|[;\n,]|[^"()<>\[\];\n,]+|"')


def build_proposal(given: ChangeInput, known: GraphState) -> Proposal:
    """Apply the sentences in order. Raises InvalidInput, NotFound, Ambiguous, each with the place of the sentence."""
    if given.after is None:
        raise InvalidInput(f"no change is given; accepted are {FORMS}")
    work = Edits(known)
    sentences = list(_split_sentences(given.after))
    if not sentences:
        raise InvalidInput(f"no change is given; accepted are {FORMS}", given.after.name)
    if len(sentences) > MAX_CHANGES:
        raise InvalidInput(f"{len(sentences)} changes are too many; the maximum is {MAX_CHANGES}", given.after.name)
    sql = [sentence for sentence in sentences if _is_sql(sentence.text)]
    for sentence in sentences:
        if sentence in sql:
            continue
        try:
            work.apply(sentence)
        except NotFound as error:
            raise NotFound(f"{sentence.where}: {error}" if sentence.where else str(error)) from error
        except Ambiguous as error:
            raise Ambiguous(f"{sentence.where}: {error}" if sentence.where else str(error), error.candidates) from error
        except InvalidInput as error:
            raise error if error.where else InvalidInput(str(error), sentence.where) from error
    pairs = tuple(pair for table in work.tables for pair in [table.build_pair(given.after.name)] if pair is not None)
    proposed = Proposal(pairs, tuple(one for pair in pairs for one in build_entries(pair, known)), tuple(work.warnings))
    if sql:
        proposed = _merge_proposals(proposed, _apply_sql(given, known, sql), given.after.name)
    return (
        proposed
        if proposed.pairs
        else proposed._replace(
            warnings=(*proposed.warnings, "nothing changes: the tables already are as requested, or the changes undo each other")
        )
    )


def _is_sql(text: str) -> bool:
    return text.split(maxsplit=1)[0].lower() == "alter"


def _apply_sql(given: ChangeInput, known: GraphState, sql: Iterable[Sentence]) -> Proposal:
    """The changes that SQL statements make; they keep their line numbers. Raises InvalidInput, NotFound, Ambiguous, MissingExtra."""
    try:
        ddl = import_module("meshline.ingest.changes.ddl")
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("meshline"):
            raise
        raise MissingExtra("sql", "reading ALTER TABLE") from error
    text = ""
    for sentence in sql:
        text += "\n" * (sentence.line - 1 - text.count("\n")) + sentence.text + ";"
    name = given.after.name if given.after is not None else ""
    found: Proposal = ddl.build_proposal(given._replace(kind="ddl", after=Text(name, text.encode())), known)
    return found


def _merge_proposals(words: Proposal, sql: Proposal, name: str) -> Proposal:
    """Both proposals together. Raises InvalidInput if both change one table, since their order would be lost."""
    both = _collect_names(words) & _collect_names(sql)
    if both:
        raise InvalidInput(f"{', '.join(sorted(both))}: changed in words and by SQL; write all changes of a table in one of them", name)
    return Proposal((*words.pairs, *sql.pairs), (*words.entries, *sql.entries), (*words.warnings, *sql.warnings))


def _collect_names(proposal: Proposal) -> set[str]:
    return {one.value.model.name for pair in proposal.pairs for one in pair if one is not None and isinstance(one.value, Definition)}


def _split_sentences(text: Text) -> Iterator[Sentence]:
    """Split at line ends and `;`, and at a `,` before a verb unless it is SQL; never within quotes, parentheses and <>."""
    written = decode_text(text.data, text.name)
    if len(written) > MAX_CHARACTERS:
        raise InvalidInput(f"it has more than {MAX_CHARACTERS} characters", text.name)
    parts = [match[0] for match in _TOKENS.finditer(written)]
    line, depth, now = 1, 0, ""
    for part, following in zip_longest(parts, parts[1:], fillvalue=""):
        divides = (
            part == ","
            and not depth
            and following.split(maxsplit=1)[:1]
            and _begins_with_verb(following)
            and not (now.split() and _is_sql(now))
        )
        if part in ";\n" or divides:
            yield from _build_sentence(now, line, text.name)
            line += part == "\n"
            now, depth = "", 0
        else:
            depth += (part in "(<[") - (part in ")>]")
            now += part
    yield from _build_sentence(now, line, text.name)


def _begins_with_verb(text: str) -> bool:
    return text.split(maxsplit=1)[0].lower() in VERBS


def _build_sentence(text: str, line: int, file: str) -> Iterator[Sentence]:
    text = text.strip()
    if text and not text.startswith(("#", "--")):
        yield Sentence(text, line, f"{file}:{line}" if file else repr(text[:200]))
