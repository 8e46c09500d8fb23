"""Texts of SQL -> what their statements do, each parsed for itself: one that cannot be parsed does not stop the others."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from sqlglot import exp, parser
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokenizer_core import Token

from meshline.errors import InvalidInput
from meshline.sql.dialects import DialectRules, get_rules
from meshline.sql.known_tables import KnownTables
from meshline.sql.script_effects import ScriptEffects
from meshline.sql.statement_lineage import ColumnEdge, ColumnsOf, Lineage, Relation
from meshline.sql.statements import dispatch_statement, read_statement
from meshline.sql.tokenizer import compute_depth, find_query, is_definition, split_statements
from meshline.words import shorten_text

__all__ = ["ColumnEdge", "ColumnsOf", "Lineage", "Relation", "read_lineage"]

MAX_CHARACTERS = 2_000_000  # of one text
SHOWN = 40  # characters of a text that is no SQL
MAX_DEPTH = 100  # of parentheses within parentheses
# sqlglot descends about 30 frames for each of those, and Python stops at 1,000. Where it is compiled (`sqlglot[c]`) fewer count,
# and they are on the machine's stack, of which more would be too much.
_FRAMES = 20_000 if str(parser.__file__).endswith(".py") else 0

_WRITING = frozenset({"INSERT", "MERGE", "UPDATE", "DELETE", "REPLACE", "WITH", "SELECT"})

_CLASS = re.compile(r"<class '(?:\w+\.)*(\w+)'>")  # as sqlglot's messages name parts of SQL

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # meshline reports what sqlglot does not understand, with its place

Found: TypeAlias = Lineage | InvalidInput


class ScriptReader:
    """Reads texts one after the other: later ones know the columns of what earlier ones made.

    `defaults`: the catalog and the schema that names may leave out; '' for one that is not known.
    """

    def __init__(self, dialect: str, columns: ColumnsOf, defaults: Relation = ()) -> None:
        """Raises InvalidInput for an unknown dialect."""
        self._rules = get_rules(dialect)
        self._defaults = defaults
        self.known = KnownTables(columns, defaults)
        self._writing = ScriptEffects(self._rules, self.known, dispatch_statement)
        self._is_sql = False  # the text that is being read

    def read_script(self, sql: str, file: str = "", target: Relation | None = None) -> Iterator[Found]:
        """What the statements of a text do, and which ones cannot be read, with `file:line:column`."""
        self.known.temporary.clear()
        self._writing.notes.variables.clear()
        self.known.defaults = self._defaults
        try:
            found = split_script(self._rules, sql, file)
        except InvalidInput as error:
            yield error
            return
        self._is_sql = False
        for piece in found:
            yield from self._read_piece(piece, target)
        if found and not self._is_sql:
            yield build_no_sql_error(self._rules, found[0])

    def _read_piece(self, piece: Piece, target: Relation | None) -> Iterator[Found]:
        try:
            with _deep:
                nodes = parse_piece(self._rules, piece)
                self._is_sql = self._is_sql or any(map(is_statement, nodes))
                found = [one for node in nodes for one in read_statement(self._writing, node, target)]
        except RecursionError:
            self._is_sql = True  # of its error alone
            yield InvalidInput("it is nested too deeply", piece.where)
        except InvalidInput as error:
            self._is_sql = True
            yield error if error.where else InvalidInput(str(error), piece.where)
        else:
            text = piece.text if found else ""
            yield from (one._replace(line=piece.tokens[0].line, sql=text) for one in found)


class Piece(NamedTuple):
    """The tokens of one statement of a text. `where`: `file:line:column` of the first."""

    tokens: Sequence[Token]
    sql: str
    file: str

    @property
    def where(self) -> str:
        first = self.tokens[0]
        return _format_place(self.file, first.line, first.col, first.text)

    @property
    def text(self) -> str:
        return self.sql[self.tokens[0].start : self.tokens[-1].end + 1]


def split_script(rules: DialectRules, sql: str, file: str) -> list[Piece]:
    """The statements of a text. Raises InvalidInput if it cannot be split."""
    if len(sql) > MAX_CHARACTERS:
        raise InvalidInput(f"it has more than {MAX_CHARACTERS} characters", file)
    try:
        tokens = rules.dialect.tokenize(sql)
    except TokenError as error:
        raise InvalidInput(f"it is no {rules.name}: a quote or a comment that has no end, or a number that is none", file) from error
    return [Piece(chunk, sql, file) for chunk in split_statements(tokens, rules.name)]


def parse_piece(rules: DialectRules, piece: Piece) -> list[exp.Expr]:
    """One statement, as a rule. Raises InvalidInput with `file:line:column`."""
    with _deep:
        try:
            return _parse_tokens(rules, piece.tokens, piece)
        except RecursionError:
            raise InvalidInput("it is nested too deeply", piece.where) from None


def is_statement(node: exp.Expr) -> bool:
    """Whether a parsed piece does anything: sqlglot reads values, too, and so all of a JSON file, as one expression."""
    return not isinstance(node, exp.Condition | exp.Alias | exp.Tuple)


def build_no_sql_error(rules: DialectRules, first: Piece) -> InvalidInput:
    """The error of a text without a statement. `first`: its first piece."""
    begin = shorten_text(first.text.partition("\n")[0], SHOWN)
    return InvalidInput(f"found {begin!r}, and no statement of {rules.name}; accepted is SQL: CREATE, INSERT, ALTER, ...", first.where)


def extract_query(sql: str, dialect: str) -> str:
    """The query of a statement that defines a view or a table; the text itself if there is none. Raises InvalidInput."""
    rules = get_rules(dialect)
    for piece in split_script(rules, sql, "")[:1]:
        with _deep:
            for node in parse_piece(rules, piece)[:1]:
                query = node.args.get("expression") if isinstance(node, exp.Create) else None
                if isinstance(query, exp.Query):
                    return query.sql(rules.dialect)
    return sql


def parse_query(sql: str, rules: DialectRules) -> exp.Query:
    """The query that is all of a text, or that defines the view or the table of its only statement. Raises InvalidInput."""
    nodes = [node for piece in split_script(rules, sql, "") for node in parse_piece(rules, piece)]
    query = nodes[0] if len(nodes) == 1 else None
    if isinstance(query, exp.Create):
        query = query.args.get("expression")
    if not isinstance(query, exp.Query):
        raise InvalidInput("it is not one query")
    return query


def _parse_tokens(rules: DialectRules, tokens: Sequence[Token], piece: Piece) -> list[exp.Expr]:
    where = piece.where
    deepest = compute_depth(tokens)
    if deepest > MAX_DEPTH:
        raise InvalidInput(f"it is nested {deepest} deep; accepted: {MAX_DEPTH}", where)
    try:
        nodes = rules.dialect.parser().parse(list(tokens), piece.sql)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        if "line" in first:
            where = _format_place(piece.file, first["line"], first["col"], first.get("highlight") or "")
        what = _CLASS.sub(r"\1", first.get("description") or _get_first_line(error))
        raise InvalidInput(f"it is no {rules.name}: {what}", where) from error
    except (SqlglotError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # it trips over odd input
        raise InvalidInput(f"sqlglot cannot parse it: {_get_first_line(error)}", where) from error
    for node in nodes:
        if isinstance(node, exp.Command) and (node.name.upper() in _WRITING or is_definition(tokens)):
            if query := find_query(tokens[1:]):  # the mistake is there, as a rule
                _parse_tokens(rules, query, piece)
            raise InvalidInput(f"sqlglot does not understand this {node.name.upper()} of {rules.name}", where)
    return [node for node in nodes if node is not None]


class _Deep:
    """Lets sqlglot descend as far as MAX_DEPTH needs, in all threads that are in here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._usual = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._usual = sys.getrecursionlimit()
                sys.setrecursionlimit(max(self._usual, _FRAMES))
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                sys.setrecursionlimit(self._usual)


_deep = _Deep()


def _format_place(file: str, line: int, end: int, text: str) -> str:
    """`file:line:column` of a token that ends at a column."""
    return f"{file}:{line}:{max(1, end - len(text) + 1)}".removeprefix(":")


def _get_first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def read_lineage(sql: str, dialect: str, columns: ColumnsOf, target: Relation | None = None) -> list[Lineage]:
    """The lineage of the statements in a text that read or write.

    `target`: what a bare SELECT defines (a dbt model, a view). Raises InvalidInput with `line:column` for SQL that
    cannot be parsed.
    """
    found: list[Lineage] = []
    for one in ScriptReader(dialect, columns).read_script(sql, target=target):
        if isinstance(one, InvalidInput):
            raise one
        found.append(one)
    return found
