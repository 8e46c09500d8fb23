"""Statements of DDL as texts and tokens, where sqlglot's trees do not suffice."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from meshline.sql.dialects import Rules
from meshline.sql.script import Piece, pieces

_PART = r'(?:[\w$-]+|`[^`]+`|"[^"]+"|\[[^\]]+\])'
ALTER = re.compile(
    rf"ALTER\s+(?:ICEBERG\s+)?TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?P<name>{_PART}(?:\s*\.\s*{_PART})*)\s+(?P<actions>.+)",
    re.IGNORECASE | re.DOTALL,
)


def line(node: exp.Expr, piece: Piece) -> int:
    """Where the first name in a part of a statement stands."""
    named = next((one.meta["line"] for one in node.find_all(exp.Identifier) if "line" in one.meta), None)
    first = piece.tokens[0].line
    return first if named is None else max(int(named), first)


def plain(tokens: Sequence[Token], sql: str) -> str:
    """A statement without comments, each space a blank."""
    text = ""
    end = tokens[0].start
    for one in tokens:
        text += (" " if one.start > end else "") + sql[one.start : one.end + 1]
        end = one.end + 1
    return text.strip()


def divided(text: str, rules: Rules) -> list[str] | None:
    """Actions, at commas that stand in no parentheses."""
    tokens = rules.dialect.tokenize(text)
    parts: list[str] = []
    begin = depth = 0
    for one in tokens:
        depth += (one.token_type in (TokenType.L_PAREN, TokenType.L_BRACKET)) - (one.token_type in (TokenType.R_PAREN, TokenType.R_BRACKET))
        if one.token_type is TokenType.COMMA and not depth:
            parts.append(text[begin : one.start].strip())
            begin = one.end + 1
    parts.append(text[begin:].strip())
    whole = re.match(r"(SET|DROP)\s+IDENTIFIER|SET\s+PROPERTIES", text, re.IGNORECASE)
    return [text.strip()] if whole else parts if all(parts) else None


def moved(token: Token, to: Token) -> Token:
    return Token(token.token_type, token.text, to.line, to.col, token.start, token.end, token.comments)


def rewritten(node: exp.Expr, rules: Rules, piece: Piece) -> Piece:
    """A statement of our own in the place of another one."""
    one = pieces(rules, node.sql(rules.dialect), piece.file)[0]
    return one._replace(tokens=[moved(one.tokens[0], piece.tokens[0]), *one.tokens[1:]])
