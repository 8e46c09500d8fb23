"""`meshline token new NAME`, and the token that commands send to a server."""

from __future__ import annotations

import enum
import json
from typing import Annotated

import typer

from meshline.errors import InvalidInput


class RoleName(enum.StrEnum):
    """The roles of tokens; each includes those before it."""

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"


def new(
    name: Annotated[str, typer.Argument(help="The owner of the token; mutations are recorded under this name.", metavar="NAME")],
    *,
    role: Annotated[
        RoleName,
        typer.Option(help="reader queries; writer also sends events and mesh files; admin also runs mutations.", case_sensitive=False),
    ] = RoleName.READER,
) -> None:
    """Make a token: it goes to standard output, its entry for the settings file to standard error.

    The token is shown only once; the settings file contains only its hash.
    """
    import sys

    from meshline.app.tokens import generate_token
    from meshline.cli.terminal import write_message

    token = generate_token()
    lines = build_entry(name, role, token)
    sys.stdout.write(f"{token}\n")
    sys.stdout.flush()
    for line in lines:
        write_message(line)


def build_entry(name: str, role: str, token: str) -> list[str]:
    """The TOML lines of a token for the settings of a server. Raises InvalidInput."""
    from pydantic import ValidationError

    from meshline.app.tokens import Role, Token, hash_token

    try:
        known = Token(name=name, role=Role(role), hash=hash_token(token))
    except ValidationError as error:
        raise InvalidInput(f"{name!r} is no name of a token: use letters, digits and any of _.@:/+-", "NAME") from error
    return ["[[tokens]]", f"name = {json.dumps(known.name)}", f'role = "{known.role}"', f'hash = "{known.hash}"']


def read_token() -> str | None:
    """The token of the settings, or None. Raises InvalidInput if the token file is unreadable or has no token."""
    from meshline.app.settings import load_settings

    settings = load_settings()
    if settings.token is not None:
        return _check_token(settings.token.get_secret_value(), "MESHLINE_TOKEN")
    if settings.token_file is None:
        return None
    try:
        return _check_token(settings.token_file.read_text("utf-8"), str(settings.token_file))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"no token can be read there ({error})", str(settings.token_file)) from error


def _check_token(text: str, where: str) -> str:
    """The token in a text. Raises InvalidInput, whose message does not contain the text."""
    words = text.split()
    if len(words) != 1 or not words[0].isascii() or not words[0].isprintable():
        raise InvalidInput("this is not a token: a token is one word of ASCII characters", where)
    return words[0]
