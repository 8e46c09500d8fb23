"""The tokens of a text, before they are parsed: statement by statement, without what sqlglot does not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot.tokenizer_core import Token, TokenType

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})
_GENERIC = frozenset({"ARRAY", "LIST", "MAP", "NULLABLE", "OBJECT", "ROW", "STRUCT", "TABLE"})  # types of types: ARRAY<INT>
_TRANSACTION = frozenset({"TRAN", "TRANSACTION", "WORK", "ISOLATION", "READ"})  # after BEGIN
_VERSIONS = frozenset({"BRANCH", "TAG", "COMMIT", "REF", "REFERENCE", "SNAPSHOT"})  # after AT, in Dremio


def split_statements(tokens: Sequence[Token], dialect: str) -> Iterator[list[Token]]:
    """The tokens of each statement. In T-SQL, a line of GO divides as well."""
    chunk: list[Token] = []
    for position, token in enumerate(tokens):
        if token.token_type is TokenType.SEMICOLON or (dialect in ("tsql", "fabric") and _is_go(tokens, position)):
            if chunk:
                yield _clean_statement(chunk, dialect)
            chunk = []
        else:
            chunk.append(token)
    if chunk:
        yield _clean_statement(chunk, dialect)


def compute_depth(tokens: Sequence[Token]) -> int:
    """How deep parentheses, brackets, CASE and types are nested."""
    now = types = deepest = 0
    before = ""
    for token in tokens:
        if token.token_type in _OPENING:
            now += 1
        elif token.token_type in _CLOSING:
            now = max(0, now - 1)
        elif token.token_type is TokenType.LT and before in _GENERIC:
            types += 1
        elif token.token_type is TokenType.GT:
            types = max(0, types - 1)
        deepest = max(deepest, now + types)
        before = token.text.upper()
    return deepest


def is_definition(tokens: Sequence[Token]) -> bool:
    """Whether a statement seems to make a table or a view."""
    words = [token.text.upper() for token in tokens[:6]]
    return words[0] == "CREATE" and any(word in ("TABLE", "VIEW") and words[i - 1] != "ON" for i, word in enumerate(words))


def find_query(tokens: Sequence[Token]) -> Sequence[Token]:
    """From the first WITH or SELECT on."""
    starts = (position for position, token in enumerate(tokens) if token.token_type in (TokenType.WITH, TokenType.SELECT))
    return tokens[next(starts, len(tokens)) :]


def _is_go(tokens: Sequence[Token], position: int) -> bool:
    token = tokens[position]
    alone_before = position == 0 or tokens[position - 1].line < token.line
    alone_after = position == len(tokens) - 1 or tokens[position + 1].line > token.line
    return token.text.upper() == "GO" and alone_before and alone_after


def _clean_statement(tokens: list[Token], dialect: str) -> list[Token]:
    """In the words that sqlglot knows: without the BEGIN of a block, without WITH DATA."""
    words = [token.text.upper() for token in tokens]
    if words[0] == "BEGIN" and len(words) > 1 and words[1] not in _TRANSACTION:
        tokens = tokens[1:]
    elif words[0] == "CREATE" and words[-1] == "DATA" and words[-3:-1] in (["WITH", "NO"], [words[-3], "WITH"]):
        tokens = tokens[: -3 if words[-2] == "NO" else -2]
    return _clean_dremio(tokens) if dialect == "dremio" else tokens


def _clean_dremio(tokens: Sequence[Token]) -> list[Token]:
    """Without the version of a table, `AT BRANCH main`; VIEW for VDS."""
    kept: list[Token] = []
    skip = 0
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if skip:
            skip -= 1
        elif token.text.upper() == "AT" and following is not None and following.text.upper() in _VERSIONS:
            skip = 2
        else:
            kept.append(_build_view_token(token) if token.text.upper() == "VDS" and len(kept) in (1, 3) else token)
    return kept


def _build_view_token(token: Token) -> Token:
    return Token(TokenType.VIEW, "VIEW", token.line, token.col, token.start, token.end, token.comments)
