"""Completion of the names of assets in the shell: from a local SQLite store or a server, within 50 ms, and silent if that fails.

A shell asks while a person types, so neither the graph is loaded nor a library for HTTP imported, and the settings file is not read:
the store is the one of --store or MESHLINE_STORE, the token that of MESHLINE_TOKEN or MESHLINE_TOKEN_FILE.
"""

from __future__ import annotations

import io
import os
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from meshline.graph.model import AssetKey

SECONDS = 0.05  # for the answer of a store or server
MOST = 30  # names that are suggested
LOOKED_AT = 200  # assets with the typed words
LONGEST_ANSWER = 1_000_000  # bytes of a server's answer
STEPS = 1000  # of SQLite's machine between two looks at the clock
DEFAULT_STORE = "sqlite:///meshline.db"


def complete_asset(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of assets that begin with what was typed; none if there is no store, or if it does not answer in time."""
    if not incomplete:
        return []
    try:
        server = ctx.params.get("server")
        if server:
            return list(_choose_names(incomplete, _ask_server(str(server), incomplete)))
        store = ctx.params.get("store") or os.environ.get("MESHLINE_STORE") or DEFAULT_STORE
        return list(_choose_names(incomplete, (_list_parts(key) for key in _read_store(str(store), incomplete))))
    except Exception:  # noqa: BLE001 - a message would be written into the line that the user types
        return []


def _choose_names(incomplete: str, assets: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Of each asset the shortest end of its name, or the whole one, that begins with what was typed."""
    typed = incomplete.casefold()
    found: dict[str, None] = {}
    for namespace, name in assets:
        ends = [name[place:] for place in range(len(name) - 1, -1, -1) if place == 0 or name[place - 1] == "."]
        whole = [f"{namespace}/{name}"] if namespace else []
        fitting = next((text for text in [*ends, *whole] if text.casefold().startswith(typed)), None)
        if fitting is not None and fitting.isprintable():
            found[fitting] = None
        if len(found) == MOST:
            break
    yield from found


def _list_parts(key: AssetKey) -> tuple[str, str]:
    """The namespace (empty if it has none) and the name, with that of the dataset for a column."""
    return ("", key.parts[0]) if len(key.parts) == 1 else (key.parts[0], ".".join(key.parts[1:]))


def _read_store(url: str, incomplete: str) -> Sequence[AssetKey]:
    """The assets of an SQLite store with the typed words."""
    from meshline.graph.naming import split_words
    from meshline.graph.store.factory import find_sqlite_path
    from meshline.graph.store.sqlite.checksums import register_functions
    from meshline.graph.store.sqlite.search_index import search_assets

    path = find_sqlite_path(url)
    if path is None or not path.is_file():
        return ()
    end = time.monotonic() + SECONDS
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=SECONDS)) as connection:
        register_functions(connection)
        connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
        found = search_assets(connection, list(split_words(incomplete)), (), LOOKED_AT)
        if not found and "/" in incomplete:  # the words of a namespace find no columns
            found = search_assets(connection, list(split_words(incomplete.rpartition("/")[2])), (), LOOKED_AT)
        return found


def _ask_server(url: str, incomplete: str) -> Iterator[tuple[str, str]]:
    """The names of assets that a server suggests."""
    import json
    from http.client import HTTPConnection, HTTPSConnection
    from importlib.resources import files
    from urllib.parse import urlsplit

    where = urlsplit(url)
    if where.hostname is None:
        return
    connect = HTTPSConnection if where.scheme == "https" else HTTPConnection
    headers = {"Content-Type": "application/json", **_build_authorization()}
    query = (files("meshline.cli") / "queries" / "suggest.graphql").read_text("utf-8")
    body = json.dumps({"query": query, "variables": {"text": incomplete, "first": MOST}})
    end = time.monotonic() + SECONDS
    with closing(connect(where.hostname, where.port, timeout=SECONDS)) as connection:
        connection.request("POST", f"{where.path.rstrip('/')}/graphql", body, headers)
        if connection.sock is not None:
            connection.sock.settimeout(max(end - time.monotonic(), 0.001))
        answer = json.loads(connection.getresponse().read(LONGEST_ANSWER))
    for asset in answer["data"]["suggest"]:
        whole = str(asset["qualifiedName"])
        # a name of a column is of itself alone; what precedes the name of its dataset in the qualified name is the namespace
        yield _split_name(whole, str(asset["name"]))


def _split_name(whole: str, name: str) -> tuple[str, str]:
    """The namespace and the name of a qualified name."""
    if whole == name:
        return "", whole
    if whole.endswith(f"/{name}"):
        return whole.removesuffix(f"/{name}"), name
    namespace, _, rest = whole.rpartition("/")
    return namespace, rest


def _build_authorization() -> dict[str, str]:
    token = os.environ.get("MESHLINE_TOKEN", "").strip()
    if not token and (file := os.environ.get("MESHLINE_TOKEN_FILE")):
        token = Path(file).read_text("utf-8").strip()
    return {"Authorization": f"Bearer {token}"} if token and token.isascii() and token.isprintable() else {}


# Bash takes a colon for the end of a word (COMP_WORDBREAKS), and wants the rest of a name alone, behind its last colon.
VARIABLE = "_MESHLINE_COMPLETE"


def join_words() -> str:
    """Rewrite COMP_WORDS and COMP_CWORD of the environment. Returns the beginning of the last word that bash keeps."""
    pieces = os.environ.get("COMP_WORDS", "").split("\n")
    place = os.environ.get("COMP_CWORD", "")
    if len(pieces) < 2 or not place.isdigit():
        return ""
    words: list[str] = []
    is_open = False  # the next piece belongs to the last word
    for piece in pieces[: int(place) + 1]:
        is_colon = piece != "" and set(piece) == {":"}
        if words and (is_open or is_colon):
            words[-1] += piece
        else:
            words.append(piece)
        is_open = is_colon
    if int(place) >= len(pieces):
        words.append("")
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = "\n".join(words), str(len(words) - 1)
    last = words[-1]
    return last[: last.rfind(":") + 1] if len(words) < min(int(place), len(pieces)) + 1 else ""


@contextmanager
def strip_names() -> Iterator[None]:
    """Within the block, what is written for bash are the rests of names; nothing changes unless bash asks for completions."""
    kept = join_words() if os.environ.get(VARIABLE) == "complete_bash" else ""
    if not kept:
        yield
        return
    written, out = io.StringIO(), sys.stdout
    sys.stdout = written
    try:
        yield
    finally:
        sys.stdout = out
        out.write("".join(f"{line.removeprefix(kept)}\n" for line in written.getvalue().splitlines()))
        out.flush()
