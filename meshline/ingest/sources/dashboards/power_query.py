"""Power Query's language (M), as far as it states where data comes from: text -> a tree of expressions.

Read are `let`, calls, records, lists, navigation (`Source{[Schema="dbo",Item="orders"]}[Data]`), `each`, functions, operators. What has no
meaning for lineage, such as types, becomes `Other`. Written after the M language specification (lexical structure, expressions).
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from meshline.errors import InvalidInput

MAX_CHARACTERS = 500_000
MAX_DEPTH = 60  # of expressions in expressions
MAX_CHAIN = 50  # calls and items after each other: `a{0}[b](c)`

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)|(?P<text>"(?:[^"]|"")*")|(?P<quoted>\#"(?:[^"]|"")*")
    |(?P<number>\d[\w.]*)|(?P<name>\#?[^\W\d][\w.]*)|(?P<sign>=>|<>|<=|>=|\.\.\.|\.\.|\?\?|[-()\[\]{},;=<>&+*/@?!.])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"#\(([^()]{1,40})\)")
_ESCAPES = {"lf": "\n", "cr": "\r", "tab": "\t", "#": "#"}
_OPERATORS = frozenset({"=", "<>", "<", ">", "<=", ">=", "+", "-", "*", "/", "&", "and", "or", "??"})


class Text(NamedTuple):
    value: str


class Name(NamedTuple):
    name: str


class Call(NamedTuple):
    """`function(arguments)`."""

    function: Expression
    arguments: tuple[Expression, ...]


class Item(NamedTuple):
    """`base{key}`."""

    base: Expression
    key: Expression


class Field(NamedTuple):
    """`base[name]`; without a base, the field of the row that `each` is about."""

    base: Expression | None
    name: str


class Record(NamedTuple):
    fields: tuple[tuple[str, Expression], ...]


class ListOf(NamedTuple):
    items: tuple[Expression, ...]


class Let(NamedTuple):
    steps: tuple[tuple[str, Expression], ...]
    result: Expression


class Function(NamedTuple):
    """`each body`, or `(x) => body`."""

    body: Expression


class Joined(NamedTuple):
    """`a & b`: texts, or lists and tables."""

    parts: tuple[Expression, ...]


class Other(NamedTuple):
    """Any other expression, by its parts."""

    parts: tuple[Expression, ...]


Expression: TypeAlias = Text | Name | Call | Item | Field | Record | ListOf | Let | Function | Joined | Other


class _Token(NamedTuple):
    kind: str
    text: str
    begin: int
    end: int


_END = _Token("end", "", 0, 0)


def parse_expression(text: str) -> Expression:
    """The tree of a query. Raises InvalidInput."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(f"the query has more than {MAX_CHARACTERS} characters")
    parser = _Parser(text)
    found = parser.read_expression()
    if parser.next.kind != "end":
        raise parser.build_error("the end")
    return found


def list_fields(one: Expression) -> dict[str, None]:
    """The fields that an expression reads of the row that it is about, in their order."""
    found: dict[str, None] = {}
    if isinstance(one, Field) and (one.base is None or one.base == Name("_")):
        found[one.name] = None
    for part in list_parts(one):
        found.update(list_fields(part))
    return found


def list_parts(one: Expression) -> tuple[Expression, ...]:
    """The expressions that an expression is made of."""
    found: tuple[Expression | None, ...] = ()
    match one:
        case Call():
            found = (one.function, *one.arguments)
        case Item():
            found = (one.base, one.key)
        case Field():
            found = (one.base,)
        case Record():
            found = tuple(value for _, value in one.fields)
        case ListOf():
            found = one.items
        case Let():
            found = (*(value for _, value in one.steps), one.result)
        case Function():
            found = (one.body,)
        case Joined() | Other():
            found = one.parts
    return tuple(part for part in found if part is not None)


def unquote(text: str) -> str:
    """The value of a text literal."""

    def unescape(match: re.Match[str]) -> str:
        return "".join(_ESCAPES.get(part.strip(), _decode(part.strip())) for part in match[1].split(","))

    return _ESCAPE.sub(unescape, text[1:-1].replace('""', '"'))


def _decode(code: str) -> str:
    try:
        return chr(int(code, 16)) if len(code) in (4, 8) else ""
    except (ValueError, OverflowError):
        return ""


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._at = 0
        self._depth = 0

    def _split(self) -> list[_Token]:
        found: list[_Token] = []
        at = 0
        while at < len(self._text):
            match = _TOKEN.match(self._text, at)
            if match is None:
                raise InvalidInput(f"character {at + 1} {self._text[at]!r} begins nothing that M has")
            at = match.end()
            if match.lastgroup != "space":
                found.append(_Token(match.lastgroup or "", match[0], match.start(), at))
        return found

    @property
    def next(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def build_error(self, wanted: str) -> InvalidInput:
        found = f"found {self.next.text[:40]!r} at character {self.next.begin + 1}" if self.next.kind != "end" else "it ends too early"
        return InvalidInput(f"{found}; accepted is {wanted}")

    def _take(self) -> _Token:
        token = self.next
        self._at += 1
        return token

    def _accept(self, text: str) -> bool:
        if self.next.text == text and self.next.kind in ("sign", "name"):
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self.build_error(text)

    def read_expression(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidInput(f"it is nested more than {MAX_DEPTH} levels deep")
        found = self._read_whole()
        self._depth -= 1
        return found

    def _read_whole(self) -> Expression:
        for word, read in (("let", self._read_let), ("each", self._read_body), ("if", self._read_branches), ("try", self._read_attempt)):
            if self._accept(word):
                return read()
        if self._is_function():
            while self._take().text != "=>":
                pass
            return self._read_body()
        self._accept("error")
        return self._read_operators()

    def _read_body(self) -> Expression:
        return Function(self.read_expression())

    def _read_branches(self) -> Expression:
        parts = [self.read_expression()]
        for word in ("then", "else"):
            self._expect(word)
            parts.append(self.read_expression())
        return Other(tuple(parts))

    def _read_attempt(self) -> Expression:
        first = self.read_expression()
        other = self._accept("otherwise") or self._accept("catch")
        return Other((first, self.read_expression()) if other else (first,))

    def _read_let(self) -> Expression:
        steps: list[tuple[str, Expression]] = []
        while not self._accept("in"):
            name = self._read_name()
            self._expect("=")
            steps.append((name, self.read_expression()))
            if not self._accept(",") and self.next.text != "in":
                raise self.build_error("a comma or in")
        return Let(tuple(steps), self.read_expression())

    def _read_name(self) -> str:
        if self.next.kind not in ("quoted", "name"):
            raise self.build_error("the name of a step")
        token = self._take()
        return unquote(token.text[1:]) if token.kind == "quoted" else token.text

    def _is_function(self) -> bool:
        """Whether parameters and `=>` follow, perhaps with a type between them: `(x as text) as number =>`."""
        if self.next.text != "(" or self.next.kind != "sign":
            return False
        level = 0
        for at in range(self._at, len(self._tokens)):
            token = self._tokens[at]
            if token.kind == "sign":
                level += (token.text == "(") - (token.text == ")")
            if level == 0:
                after = [one.text for one in self._tokens[at + 1 : at + 5]]
                return after[:1] == ["=>"] or (after[:1] == ["as"] and "=>" in after)
        return False

    def _read_operators(self) -> Expression:
        parts = [self._read_unary()]
        joined = True
        while True:
            if self._accept("meta"):
                self._read_unary()
            elif self._accept("as") or self._accept("is"):
                self._read_type()
            elif self.next.text in _OPERATORS and self.next.kind in ("sign", "name"):
                joined = self._take().text == "&" and joined
                whole = self.next.kind == "name" and self.next.text in ("if", "each", "let", "try", "error")
                parts.append(self.read_expression() if whole else self._read_unary())
            else:
                break
        if len(parts) == 1:
            return parts[0]
        return Joined(tuple(parts)) if joined else Other(tuple(parts))

    def _read_unary(self) -> Expression:
        while any(self._accept(word) for word in ("-", "+", "not", "@", "nullable")):
            pass
        return self._read_type() if self._accept("type") else self._read_chain()

    def _read_type(self) -> Expression:
        """A type, of which nothing is kept: `text`, `nullable number`, `{text}`, `table [a = text]`."""
        while self._accept("nullable") or self._accept("table"):
            if self.next.kind != "sign" or self.next.text not in ("[", "{"):
                break
        begins = self.next.kind in ("name", "quoted") or self.next.text in ("[", "{", "(")
        if begins and self.next.text not in ("in", "then", "else", "otherwise", "meta"):
            self._read_chain()
        return Other(())

    def _read_chain(self) -> Expression:
        """An expression with the calls, items and fields that follow it."""
        found = self._read_primary()
        length = 0
        while self.next.kind == "sign" and self.next.text in ("(", "{", "["):
            length += 1
            if length > MAX_CHAIN:
                raise InvalidInput(f"a chain has more than {MAX_CHAIN} parts")
            if self._accept("("):
                found = Call(found, self._read_list(")"))
            elif self._accept("{"):
                found = Item(found, self.read_expression())
                self._expect("}")
            else:
                inner = self._read_brackets()
                found = Field(found, inner.name) if isinstance(inner, Field) else Other((found, inner))
            self._accept("?")
        return found

    def _read_primary(self) -> Expression:
        token = self.next
        if token.kind in ("name", "quoted"):
            return Name(self._read_name())
        if token.kind in ("text", "number"):
            self._take()
            return Text(unquote(token.text)) if token.kind == "text" else Other(())
        if token.text == "[":
            return self._read_brackets()
        if self._accept("{"):
            return ListOf(self._read_list("}"))
        if not self._accept("("):
            raise self.build_error("an expression")
        found = self.read_expression()
        self._expect(")")
        return found

    def _read_list(self, end: str) -> tuple[Expression, ...]:
        """Expressions up to a sign; `a..b` is two of them."""
        found: list[Expression] = []
        while not self._accept(end):
            found.append(self.read_expression())
            if not (self._accept(",") or self._accept("..")) and self.next.text != end:
                raise self.build_error(f"a comma or {end}")
        return tuple(found)

    def _read_brackets(self) -> Expression:
        """A record `[a = 1]`, a field `[a]`, or some fields of a record `[[a], [b]]`."""
        self._expect("[")
        if self.next.text == "[" and self.next.kind == "sign":
            return self._read_projection()
        fields: list[tuple[str, Expression]] = []
        while not self._accept("]"):
            if self._accept("..."):
                continue
            name = self._read_field_name()
            if self._accept("="):
                fields.append((name, self.read_expression()))
                if not self._accept(",") and self.next.text != "]":
                    raise self.build_error("a comma or ]")
            else:
                self._expect("]")
                return Field(None, name)
        return Record(tuple(fields))

    def _read_projection(self) -> Expression:
        parts: list[Expression] = []
        while not self._accept("]"):
            parts.append(self._read_brackets())
            self._accept(",")
        return Other(tuple(parts))

    def _read_field_name(self) -> str:
        """The name of a field, which may have spaces: `Order Date`."""
        if self.next.kind == "quoted":
            return self._read_name()
        begin = self.next.begin
        end = begin
        while self.next.kind in ("name", "number") or (self.next.kind == "sign" and self.next.text in ("-", "/", "&", "+", ".", "?", "!")):
            end = self._take().end
        if end == begin:
            raise self.build_error("the name of a field")
        return self._text[begin:end].removeprefix("optional ")
