"""`meshline doctor`: examines each part of an installation, whether it works, and what to do."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshline import __version__
from meshline.cli.mesh_examination import Finding, State, examine_mesh_file
from meshline.cli.options import Config, ListFormat, TextFormat
from meshline.cli.store import get_store_url, open_store_at
from meshline.cli.token import read_token
from meshline.errors import MeshlineError
from meshline.words import format_time

if TYPE_CHECKING:
    import httpx

    from meshline.cli.terminal import Line

DEFAULT_MESH = Path("mesh.yaml")
SOON_SECONDS = 300.0  # before a token expires
LATEST = 253_402_300_800.0  # the year 10000, in seconds
SERVER_SECONDS = 10.0  # to wait for each answer
LAG_SECONDS = 2.0  # after which a server answers in place of a reader
MEBIBYTE = 2**20
SKEW_SECONDS = 5.0  # tolerated difference between two clocks; HTTP's times are in whole seconds


def examine_installation(store: str | None, server: str | None, config: Path | None, mesh: Path | None = None) -> Iterator[Finding]:
    """Examine one part after the other. `store`, `server`: those to examine; None = the store of the settings, and no server.

    `mesh`: the mesh file to examine; None: `mesh.yaml` here, if there is one.
    """
    import platform

    from meshline.distribution import build_requirement

    yield Finding("meshline", "ok", f"{__version__}, as {build_requirement()}")
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.platform()}: {sys.executable}")
    yield from _examine_extras()
    yield _examine_kernels()
    yield _examine_store(store, config)
    file = DEFAULT_MESH if mesh is None else mesh
    if mesh is not None or file.is_file():
        yield from examine_mesh_file(file)
    token = _examine_token(server)
    yield token
    if server is not None and token.state != "failed":
        yield from _examine_server(server)


def _examine_extras() -> Iterator[Finding]:
    from meshline.distribution import find_missing, install_command, list_extras

    for extra, libraries in list_extras().items():
        if extra == "all":  # the sum of the others
            continue
        absent = find_missing(libraries)
        if absent:
            yield Finding(f"extra {extra}", "note", f"not installed ({', '.join(absent)})", install_command(extra))
        else:
            yield Finding(f"extra {extra}", "ok", ", ".join(libraries))


def _examine_kernels() -> Finding:
    import meshline.graph.index  # noqa: F401 - registers the kernels
    from meshline.graph.index.kernels.jit import find_cached_kernels
    from meshline.graph.index.kernels.kernel_cache import SECONDS

    found = find_cached_kernels()
    if found.cached == found.kernels:
        return Finding("kernels", "ok", f"compiled, in {', '.join(map(str, found.folders))}")
    cold = f"{found.kernels - found.cached} of {found.kernels} are not compiled"
    if found.kept is None:
        advice = "no folder can be written to keep them in: set NUMBA_CACHE_DIR to one that can"
        return Finding("kernels", "warning", f"{cold}: each process that needs them compiles for {SECONDS} seconds", advice)
    advice = f"nothing: the first process with a large graph compiles them for {SECONDS} seconds and keeps them in {found.kept}"
    return Finding("kernels", "note", cold, advice)


def _examine_store(given: str | None, config: Path | None) -> Finding:
    from meshline.graph.store.factory import find_sqlite_path, mask_credentials

    try:
        url = get_store_url(given, config)
        path = find_sqlite_path(url)
        if path is not None and not path.exists():
            state: State = "note" if given is None else "failed"
            return Finding(
                "store", state, f"there is none at {path}", "`meshline ingest` and `meshline serve` make one; --store names another"
            )
        begun = time.monotonic()
        with open_store_at(url, must_exist=True) as opened:
            revision = opened.read_revision()
    except MeshlineError as error:
        return Finding(
            "store", "failed", str(error), "correct --store, MESHLINE_STORE or the settings file; `meshline store check` examines a store"
        )
    return Finding("store", "ok", f"{mask_credentials(url)}, revision {revision}, opened in {time.monotonic() - begun:.1f} seconds")


def _examine_token(server: str | None) -> Finding:
    try:
        token = read_token(server)
    except MeshlineError as error:
        return Finding("token", "failed", str(error), "correct MESHLINE_TOKEN or MESHLINE_TOKEN_FILE, or sign in again: `meshline login`")
    if token is None:
        return Finding("token", "note", "none is set", "for a server that asks for tokens: set MESHLINE_TOKEN or MESHLINE_TOKEN_FILE")
    ends = _read_expiry(token)
    if ends is None:
        return Finding("token", "ok", f"one is set, of {len(token)} characters")
    left = ends - time.time()
    when = format_time(datetime.fromtimestamp(ends, UTC))
    if left <= 0:
        return Finding("token", "failed", f"the one that is set expired at {when}", "sign in again: `meshline login`, or get another one")
    if left < SOON_SECONDS:
        return Finding("token", "warning", f"the one that is set expires at {when}", "renew it: `meshline login`, or get another one")
    return Finding("token", "ok", f"one is set, which expires at {when}")


def _read_expiry(token: str) -> float | None:
    """When a token of an identity provider (a JWT) expires, as it states itself, in seconds; None for other tokens. It is not verified."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    ends = claims.get("exp") if isinstance(claims, dict) else None
    return float(ends) if isinstance(ends, int | float) and not isinstance(ends, bool) and 0 < ends < LATEST else None


def _examine_server(url: str) -> Iterator[Finding]:
    import httpx

    token = read_token(url)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        with httpx.Client(base_url=url.rstrip("/"), timeout=SERVER_SECONDS, headers=headers) as client:
            sent = time.time()
            alive = client.get("/healthz")
            arrived = time.time()
            body = _decode_body(alive)
            if alive.status_code != 200 or body.get("status") != "ok":
                yield Finding(
                    "server", "failed", f"{url} does not answer like meshline (HTTP status {alive.status_code})", "correct --server"
                )
                return
            yield _compare_clocks(alive, sent, arrived)
            yield _examine_access(client.post("/graphql", json={"query": "{about{version actor role restricted}}"}), token)
            ready = client.get("/readyz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        advice = "is it running at this address, and does a firewall or a proxy let it through?"
        yield Finding("server", "failed", f"no answer from {url}: {error or type(error).__name__}", advice)
        return
    version = str(body.get("version") or "")
    if ready.status_code != 200:
        reasons = "; ".join(map(str, _decode_body(ready).get("reasons") or [f"HTTP status {ready.status_code}"]))
        yield Finding("server", "failed", f"{url} runs, and is not ready: {reasons}", "wait, or look into its log")
    elif version not in ("", __version__):
        yield Finding("server", "warning", f"{url} is ready, with version {version}", f"use one version: this is {__version__}")
    else:
        yield Finding("server", "ok", f"{url} is ready")
    yield from _examine_readers(_decode_body(ready).get("readers") or [])


def _examine_readers(readers: list[dict[str, Any]]) -> Iterator[Finding]:
    """The processes that answer questions, as `/readyz` lists them to known callers."""
    if not readers:
        return
    able = [one for one in readers if one["revision"] is not None and one["lag"] < LAG_SECONDS]
    memory = sum(one["memory"] for one in readers) / MEBIBYTE
    text = f"{len(able)} of {len(readers)} answer questions, with {memory:.0f} MiB"
    if len(able) == len(readers):
        yield Finding("readers", "ok", text)
    else:
        yield Finding(
            "readers", "warning", text, "the server answers in their place: wait until they have loaded the graph, or look into its log"
        )


def _compare_clocks(answer: httpx.Response, sent: float, arrived: float) -> Finding:
    """The difference between the server's clock and ours. The time that the answer took is tolerated."""
    from email.utils import parsedate_to_datetime

    try:
        there = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        return Finding("clock", "note", "the server does not send its time")
    apart = max(sent - (there + 1), there - arrived, 0.0)  # HTTP's times are cut to seconds
    if apart > SKEW_SECONDS:
        advice = "set both by NTP: answers as of a time, schedules and signatures of webhooks depend on it"
        return Finding("clock", "warning", f"{apart:.0f} seconds apart from the server's", advice)
    return Finding("clock", "ok", "that of the server")


def _examine_access(answer: httpx.Response, token: str | None) -> Finding:
    if answer.status_code == 403 and token is not None:
        message = dict(_decode_body(answer).get("error") or {}).get("message", "")
        return Finding(
            "access",
            "warning",
            f"the server accepts this token, but not for queries: {message}",
            "it is enough for its purpose, or make one with the scope read",
        )
    if answer.status_code in (401, 403):
        if token is None:
            return Finding(
                "access", "failed", "the server asks for a token", "set MESHLINE_TOKEN, made by `meshline token new` on the server"
            )
        advice = "compare it with the entries of `tokens` in the server's settings"
        return Finding("access", "failed", f"the server refuses this token (HTTP status {answer.status_code})", advice)
    if answer.status_code in (200, 503):
        about = dict(dict(_decode_body(answer).get("data") or {}).get("about") or {})
        if token is None:
            return Finding("access", "ok", "the server asks for no token")
        role = f" of {about['actor']}, with the role {str(about['role']).lower()}" if about.get("actor") and about.get("role") else ""
        some = "; it sees only some assets (access rules), so that lists and counts are of those" if about.get("restricted") else ""
        return Finding("access", "ok", f"the server accepts this token{role}{some}")
    return Finding("access", "failed", f"queries are answered with HTTP status {answer.status_code}", "does a proxy change the address?")


def _decode_body(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


STYLES = {"ok": "green", "note": "dim", "warning": "yellow", "failed": "bold red"}


def doctor(
    *,
    store: Annotated[
        str | None,
        typer.Option(help="Also open this store. [default: that of the settings, if there is one]", show_default=False, metavar="URL"),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            help="Also ask this running meshline; with the token in MESHLINE_TOKEN, or in the file MESHLINE_TOKEN_FILE.",
            show_default=False,
            metavar="URL",
        ),
    ] = None,
    mesh: Annotated[
        Path | None,
        typer.Option(
            help="Also examine this mesh file: whether its sources can be read. [default: mesh.yaml here, if there is one]",
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
    config: Config = None,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
) -> None:
    """Examine this installation and give advice.

    Version, extras, compiled kernels, store, mesh file and token; with --server also a server, its version, its clock and what the token
    may do there. Of each source of the mesh file its extra, its variables, its files, and whether its server answers.

    Exit code 1 if something does not work; extras that are not installed and kernels that are not compiled are only noted.
    """
    from meshline.cli.exit_codes import REFUSED
    from meshline.cli.terminal import write_json, write_lines

    found = list(examine_installation(store, server, config, mesh))
    failed = any(one.state == "failed" for one in found)
    if format is TextFormat.JSON:
        write_json({"ok": not failed, "findings": [{"about": a, "state": s, "found": f, "advice": w} for a, s, f, w in found]})
    else:
        write_lines(_format_findings(found))
    if failed:
        raise typer.Exit(REFUSED)


def _format_findings(found: list[Finding]) -> Iterator[Line]:
    from meshline.cli.terminal import Line

    width = max(len(one.about) for one in found)
    for one in found:
        yield Line(f"{one.state:<7}  {one.about:<{width}}  {one.found}", STYLES[one.state])
        if one.advice:
            yield Line(f"{'':<7}  {'':<{width}}  -> {one.advice}", STYLES[one.state])
