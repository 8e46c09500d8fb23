"""The grammar of changes in words: it parses a sentence into actions, without looking at any table.

    drop    = ("drop" | "remove" | "delete") subject { ("," | "and") subject } [of]
    rename  = "rename" subject [of] ("to" | "as" | "->") NAME [of]
    retype  = "retype" subject [of] ("to" | "as" | "->") TYPE
            | "change" "type" "of" subject [of] ["from" TYPE] "to" TYPE
            | "change" subject [of] "from" TYPE "to" TYPE
    add     = "add" subject TYPE ["required" | "not null" | "nullable"] ["to" ["table"] NAME]
    require = ("require" | "optional") subject [of]
            | "make" subject [of] ("required" | "not null" | "optional" | "nullable")
    subject = ["the"] ["table" | "view" | "column"] NAME ["column"]
    of      = ("from" | "of" | "in") ["the"] ["table" | "view"] NAME

Words are read in any case. A sentence with two possible meanings is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from meshline.graph.model import AssetKind

_TOKEN = re.compile(r'->|→|,|(?:"(?:[^"]|"")*"|(?!->)[^\s",→])+|"')
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_KINDS = {
    **dict.fromkeys(("table", "tables", "view", "views", "dataset", "datasets"), AssetKind.DATASET),
    **dict.fromkeys(("column", "columns", "field", "fields"), AssetKind.COLUMN),
}
_TO = frozenset({"to", "as", "->", "→"})
_OF = frozenset({"from", "of", "in"})
_JOINING = _TO | _OF | {",", "and"}
_NULLABLE = re.compile(
    r"(?:^|\s+)(?:(?P<required>required|not\s+null|not\s+nullable|non-null|mandatory)|nullable|optional|null)$", re.IGNORECASE
)


class NotUnderstood(Exception):
    """A sentence outside of the grammar. The message states what is missing; it may be empty."""


class Action(NamedTuple):
    """`verb`: drop, rename, retype, add, require, optional. `kind`: the kind that the sentence gives the name. `table`: the table of
    the column if it is written separately. `value`: the new name or type; `quoted`: quotes surround it or a part of it. `was`: the
    old type as the sentence states it.
    """

    verb: str
    kind: AssetKind | None
    name: str
    table: str = ""
    value: str = ""
    was: str = ""
    required: bool = False
    quoted: bool = False


def parse_sentence(text: str) -> list[Action]:
    """The actions that a sentence asks for. Raises NotUnderstood."""
    reader = _Reader(text)
    rule = _VERBS.get(reader.read_word().lower())
    if rule is None:
        raise NotUnderstood
    return rule(reader)


class _Reader:
    """The words of a sentence, one after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._matches = list(_TOKEN.finditer(text))
        self._at = 0
        self.verb = self._matches[0][0].lower() if self._matches else ""

    def peek(self, ahead: int = 0) -> str:
        """The word as written; empty at the end."""
        at = self._at + ahead
        return self._matches[at][0] if at < len(self._matches) else ""

    def read_word(self) -> str:
        word = self.peek()
        self._at += 1
        return word

    def accept(self, *words: str) -> bool:
        """Skip the next word if it is one of these."""
        if self.peek().lower() not in words:
            return False
        self._at += 1
        return True

    def expect(self, *words: str, missing: str = "") -> None:
        if not self.accept(*words):
            raise NotUnderstood(missing)

    def end(self) -> None:
        if self.peek():
            raise NotUnderstood

    def read_rest(self) -> str:
        """The remaining text, as written."""
        found = self._text[self._matches[self._at].start() :].strip() if self.peek() else ""
        self._at = len(self._matches)
        return found

    def read_before(self, word: str) -> tuple[str, _Reader | None]:
        """The remaining text up to a word, and the reader behind the word if the word was found."""
        first = self._at
        while self.peek() and self.peek().lower() != word:
            self._at += 1
        found = self._text[self._matches[first].start() : self._matches[self._at - 1].end()] if self._at > first else ""
        return found, self if self.accept(word) else None

    def read_until(self, word: str) -> str:
        """The text up to a word, which is skipped. Raises NotUnderstood."""
        first = self._at
        while self.peek() and self.peek().lower() != word:
            self._at += 1
        if not self.peek() or first == self._at:
            raise NotUnderstood
        found = self._text[self._matches[first].start() : self._matches[self._at - 1].end()]
        self._at += 1
        return found

    def read_subject(self) -> tuple[AssetKind | None, str]:
        """The kind that the sentence gives a name, and the name."""
        self._skip_article()
        kind = self._read_kind()
        name = self.read_name()
        if kind is None and self.peek().lower() in ("column", "field") and (not self.peek(1) or self.peek(1).lower() in _JOINING):
            self._at += 1
            kind = AssetKind.COLUMN
        return kind, name

    def read_name(self) -> str:
        word = self.read_word()
        if not word or word.lower() in _JOINING:
            raise NotUnderstood
        return unquote_word(word)

    def read_table(self) -> str:
        """The table of `from customers.customers`; empty if no such phrase follows."""
        if self.peek().lower() not in _OF:
            return ""
        self._at += 1
        return self.read_table_name()

    def read_table_name(self) -> str:
        self._skip_article()
        kind = self._read_kind()
        if kind is AssetKind.COLUMN:
            raise NotUnderstood
        return self.read_name()

    def _skip_article(self) -> None:
        if self.peek().lower() == "the" and self._is_name(1):
            self._at += 1

    def _read_kind(self) -> AssetKind | None:
        kind = _KINDS.get(self.peek().lower())
        if kind is None or not self._is_name(1):
            return None
        self._at += 1
        return kind

    def _is_name(self, ahead: int) -> bool:
        word = self.peek(ahead)
        return bool(word) and word.lower() not in _JOINING


def _parse_drop(reader: _Reader) -> list[Action]:
    named = [reader.read_subject()]
    while reader.accept(",", "and"):
        reader.accept("and")
        kind, name = reader.read_subject()
        named.append((kind or named[0][0], name))
    table = reader.read_table()
    reader.end()
    if table and any(kind is AssetKind.DATASET for kind, _ in named):
        raise NotUnderstood("a table is not in a table")
    return [Action("drop", kind, name, table) for kind, name in named]


def _parse_rename(reader: _Reader) -> list[Action]:
    kind, name = reader.read_subject()
    table = reader.read_table()
    reader.expect(*_TO, missing="its new name is missing: rename A to B")
    quoted = '"' in reader.peek()
    new = reader.read_name()
    table = table or reader.read_table()
    reader.end()
    if table and kind is AssetKind.DATASET:
        raise NotUnderstood("a table is not in a table")
    return [Action("rename", kind, name, table, new, quoted=quoted)]


def _parse_retype(reader: _Reader) -> list[Action]:
    kind, name = reader.read_subject()
    table = reader.read_table()
    reader.expect(*_TO, missing="its new type is missing: retype A to TYPE")
    return [Action("retype", kind, name, table, _parse_type(reader.read_rest()))]


def _parse_change(reader: _Reader) -> list[Action]:
    if reader.peek().lower() == "the" and reader.peek(1).lower() == "type":
        reader.read_word()
    typed = reader.peek().lower() == "type" and reader.peek(1).lower() == "of"
    if typed:
        reader.read_word()
        reader.read_word()
    kind, name = reader.read_subject()
    table = "" if reader.peek().lower() == "from" else reader.read_table()
    was = ""
    if reader.accept("from"):
        was = reader.read_until("to")
    elif typed:
        reader.expect("to", missing="its new type is missing: change type of A to TYPE")
    else:
        raise NotUnderstood("it is a new name or a new type: write `rename A to B` or `retype A to TYPE`")
    if not typed and was.casefold() == name.rpartition(".")[2].casefold():
        raise NotUnderstood("it is a new name or a new type: write `rename A to B` or `retype A to TYPE`")
    return [Action("retype", kind, name, table, _parse_type(reader.read_rest()), was)]


def _parse_add(reader: _Reader) -> list[Action]:
    kind, name = reader.read_subject()
    if kind is AssetKind.DATASET:
        raise NotUnderstood("a table is added by SQL: meshline check ddl")
    type_, into = reader.read_before("to")
    table = into.read_table_name() if into is not None else ""
    if into is not None:
        into.end()
    nullable = _NULLABLE.search(type_)
    required = nullable is not None and nullable["required"] is not None
    type_ = type_[: nullable.start()] if nullable is not None else type_
    if not type_.strip():
        raise NotUnderstood("its type is missing: add A TYPE")
    return [Action("add", kind, name, table, _parse_type(type_), required=required)]


def _parse_require(reader: _Reader) -> list[Action]:
    kind, name = reader.read_subject()
    table = reader.read_table()
    reader.end()
    return [Action("require" if reader.verb == "require" else "optional", kind, name, table)]


def _parse_make(reader: _Reader) -> list[Action]:
    kind, name = reader.read_subject()
    table = reader.read_table()
    found = _NULLABLE.fullmatch(reader.read_rest())
    if found is None:
        raise NotUnderstood("write `make A not null` or `make A nullable`")
    return [Action("require" if found["required"] else "optional", kind, name, table)]


def _parse_type(text: str) -> str:
    """The text of a type, which cannot contain words such as `to` or `from`. Raises NotUnderstood."""
    if not text or any(match[0].lower() in _TO | {"from", "in"} for match in _TOKEN.finditer(text)):
        raise NotUnderstood("its type is missing, or has words that no type has")
    return text.strip()


def unquote_word(word: str) -> str:
    return _QUOTED.sub(lambda quoted: quoted[1].replace('""', '"'), word)


_VERBS: Mapping[str, Callable[[_Reader], list[Action]]] = {
    **dict.fromkeys(("drop", "remove", "delete"), _parse_drop),
    "rename": _parse_rename,
    "retype": _parse_retype,
    "change": _parse_change,
    "add": _parse_add,
    **dict.fromkeys(("require", "unrequire", "optional"), _parse_require),
    "make": _parse_make,
}
VERBS = frozenset(_VERBS)
