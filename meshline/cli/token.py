"""`meshline token new|list`, and the token that commands send to a server."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from meshline.cli.options import Config, ListFormat, Store, TextFormat
from meshline.errors import InvalidInput

if TYPE_CHECKING:
    from meshline.app.tokens import Token
    from meshline.cli.terminal import Line
    from meshline.graph.model import Json


class RoleName(enum.StrEnum):
    """The roles of tokens; each includes those before it."""

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"


class ScopeName(enum.StrEnum):
    """The scopes of tokens."""

    READ = "read"
    CHECK = "check"
    METRICS = "metrics"
    AUDIT = "audit"
    INGEST = "ingest"
    STATE = "state"
    REQUEST = "request"


def new(
    name: Annotated[str, typer.Argument(help="The owner of the token; mutations are recorded under this name.", metavar="NAME")],
    *,
    role: Annotated[
        RoleName,
        typer.Option(help="reader queries; writer also sends events and mesh files; admin also runs mutations.", case_sensitive=False),
    ] = RoleName.READER,
    scope: Annotated[
        list[ScopeName] | None,
        typer.Option(help="Only this, of what the role permits; may be repeated.", case_sensitive=False, show_default=False),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="A group for which it acts, as access rules name it; may be repeated.", metavar="NAME", show_default=False),
    ] = None,
    days: Annotated[int | None, typer.Option(help="Days until it expires. [default: never]", min=1, max=36500, show_default=False)] = None,
) -> None:
    """Make a token: it goes to standard output, its entry for the settings file to standard error.

    The token is shown only once; the settings file contains only its hash. A server reads the file again when it changes. A second
    entry with the same name, role and scopes lets the owner change to a new token before the first is removed.
    """
    import sys

    from meshline.app.tokens import generate_token
    from meshline.cli.terminal import write_message

    token = generate_token()
    lines = build_entry(name, role, token, tuple(scope or ()), days, tuple(group or ()))
    sys.stdout.write(f"{token}\n")
    sys.stdout.flush()
    for line in lines:
        write_message(line)


def build_entry(
    name: str, role: str, token: str, scopes: Sequence[str] = (), days: int | None = None, groups: Sequence[str] = ()
) -> list[str]:
    """The TOML lines of a token for the settings of a server. Raises InvalidInput."""
    from pydantic import ValidationError

    from meshline.app.tokens import AccessScope, Role, Token, check_scopes, hash_token

    wanted = tuple(AccessScope(one) for one in dict.fromkeys(scopes))
    try:
        check_scopes(Role(role), wanted)
    except ValueError as error:
        raise InvalidInput(str(error), "--scope") from error
    expires = None if days is None else datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    try:
        known = Token(name=name, role=Role(role), hash=hash_token(token), scopes=wanted or None, expires=expires, groups=tuple(groups))
    except ValidationError as error:
        wrong = error.errors()[0]["input"]
        raise InvalidInput(f"{wrong!r} is no name of a token or group: use letters, digits and any of _.@:/+-", "NAME") from error
    lines = ["[[tokens]]", f"name = {json.dumps(known.name)}", f'role = "{known.role}"', f'hash = "{known.hash}"']
    if known.scopes is not None:
        lines.append(f"scopes = {json.dumps(known.scopes)}")
    if groups:
        lines.append(f"groups = {json.dumps(known.groups)}")
    if known.expires is not None:
        lines.append(f"expires = {known.expires:%Y-%m-%dT%H:%M:%SZ}")
    return lines


def list_tokens(*, format: ListFormat = TextFormat.TEXT, config: Config = None, store: Store = None) -> None:  # noqa: A002 - the option's name
    """List the tokens of the settings: role, scopes, when each expires and was last used.

    Needs the settings file and the store of the server, not the server. The last minute of a running server may be missing.
    """
    from meshline.app.settings import load_settings
    from meshline.app.token_uses import read_uses
    from meshline.cli.store import open_store_at
    from meshline.cli.terminal import write_json, write_lines
    from meshline.errors import NotFound

    settings = load_settings(config=config, store=store)
    uses: Mapping[str, int] = {}
    try:
        with open_store_at(settings.store, must_exist=True) as opened:
            uses = read_uses(opened, settings.tokens)
    except NotFound:  # no server has run yet
        pass
    rows = [_describe_token(token, uses.get(token.fingerprint)) for token in settings.tokens]
    if format is TextFormat.JSON:
        write_json({"tokens": list(rows)})
    else:
        write_lines(_format_tokens(rows))


def _describe_token(token: Token, used: int | None) -> dict[str, Json]:
    from meshline.graph.model import from_micros

    return {
        "name": token.name,
        "role": str(token.role),
        "scopes": None if token.scopes is None else [str(scope) for scope in token.scopes],
        "expires": None if token.expires is None else token.expires.astimezone(UTC).isoformat(),
        "expired": token.expires is not None and token.expires <= datetime.now(UTC),
        "lastUsed": None if used is None else from_micros(used).isoformat(),
        "hash": token.fingerprint,
    }


def _format_tokens(rows: Sequence[Mapping[str, Json]]) -> Iterator[Line]:
    from meshline.cli.answer_types import format_table
    from meshline.cli.terminal import Line

    if not rows:
        yield Line("the settings have no tokens")
        return
    table = [("name", "role", "scopes", "expires", "last used", "hash")]
    for row in rows:
        scopes = row["scopes"]
        listed = ", ".join(map(str, scopes)) if isinstance(scopes, list) else "all of the role"
        expires = "never" if row["expires"] is None else str(row["expires"])[:19] + (" (expired)" if row["expired"] else "")
        used = "not known" if row["lastUsed"] is None else str(row["lastUsed"])[:19]
        table.append((str(row["name"]), str(row["role"]), listed, expires, used, str(row["hash"])))
    yield from format_table(table)


def read_token(server: str | None) -> str | None:
    """The token of the settings, else that of the sign-in at a server, or None. Raises InvalidInput if there is one that cannot be used."""
    from meshline.app.settings import load_settings
    from meshline.cli.login import find_login_token

    settings = load_settings()
    if settings.token is not None:
        return _check_token(settings.token.get_secret_value(), "MESHLINE_TOKEN")
    if settings.token_file is None:
        return None if server is None else find_login_token(server)
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
