"""One run of `meshline check`: files are read, a store or a server is asked, the report is written."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from meshline.app import check as use_case
from meshline.app import check_request
from meshline.cli.check_options import Asked, Things
from meshline.cli.terminal import Line, write
from meshline.errors import InvalidInput
from meshline.governance.report import Report
from meshline.governance.reports import Format, render_report
from meshline.governance.reports.text import format_lines
from meshline.ingest.changes.base import ChangeInput, Text
from meshline.ingest.documents import MAX_BYTES, decode_text
from meshline.ingest.sources.files import read_bytes

WAIVERS = "meshline-waivers.yaml"
POLICIES = ("*.yaml", "*.yml")  # of a folder


def check(things: Things, asked: Asked) -> bool:
    """Judge these and write the report: whether it passes."""
    also = [_file_of(text) for text in asked.also]
    report = _report(_request(things, asked), asked)
    report = msgspec.structs.replace(report, warnings=(*things.warnings, *report.warnings), checked=report.checked + things.unchanged)
    for form, path in also:
        _put(render_report(report, form), path)
    _write(report, asked)
    return report.passed


def _request(things: Things, asked: Asked) -> check_request.CheckRequest:
    if asked.no_graph and (asked.store is not None or asked.server is not None):
        raise InvalidInput("asks no store and no server: leave --store and --server away", "--no-graph")
    if asked.no_graph and asked.policies:
        raise InvalidInput("policies are of a graph: --policies needs a store or a server", "--no-graph")
    if asked.no_graph and asked.mode == "usage":
        raise InvalidInput("usage is what a graph knows: --mode usage needs a store or a server", "--no-graph")
    if asked.no_graph and things.against_graph:
        raise InvalidInput("there is no graph to compare one version with: give the old version as well", "--no-graph")
    given: dict[str, object] = {
        "things": [check_request.to_check_input(one) for one in things.given],
        "waivers": _waivers(asked.waivers, things.folder),
        "policies": [check_request.build_file(str(path), read_bytes(path, MAX_BYTES)) for path in _policies(asked.policies)],
        "mode": asked.mode,
        "profile": asked.profile,
        "failOn": asked.fail_on,
        "since": None if asked.since is None else asked.since.isoformat() + ("" if asked.since.tzinfo else "+00:00"),
        "namespaces": dict(things.namespaces),
    }
    return msgspec.convert(given, check_request.CheckRequest)


def _waivers(named: Path | None, folder: Path) -> check_request.File | None:
    """The file that is named, else the one of the usual name if there is one."""
    path = folder / WAIVERS if named is None else named
    if named is None and not path.exists():
        return None
    return check_request.build_file(str(path), read_bytes(path, MAX_BYTES))


def _policies(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        found = sorted(file for pattern in POLICIES for file in path.glob(pattern)) if path.is_dir() else [path]
        if not found:
            raise InvalidInput(f"there are no files {' or '.join(POLICIES)} in it", str(path))
        yield from found


def _report(request: check_request.CheckRequest, asked: Asked) -> Report:
    if asked.server is not None:
        from meshline.cli.http_client import Remote

        with Remote.connected(asked.server) as remote:
            return remote.check(msgspec.json.encode(request))
    from meshline.app.policy_service import PolicyService
    from meshline.cli.client import opened

    with opened("sqlite://:memory:" if asked.no_graph else asked.store, must_exist=not asked.no_graph) as graph:
        governing = None if asked.no_graph else PolicyService(graph.graph)
        return use_case.run_check(graph.graph, graph.naming, request, policies=governing, graph=not asked.no_graph)


def _file_of(text: str) -> tuple[Format, Path]:
    """`FORMAT=FILE`."""
    name, _, path = text.partition("=")
    if name not in list(Format) or not path:
        raise InvalidInput(f"found {text!r}; accepted is FORMAT=FILE, where FORMAT is one of {', '.join(Format)}", "--also")
    return Format(name), Path(path)


def _write(report: Report, asked: Asked) -> None:
    if asked.output is not None:
        _put(render_report(report, asked.form), asked.output)
        return
    if asked.form is Format.TEXT and sys.stdout.isatty():
        write(Line(*line) for line in format_lines(report))
    else:
        sys.stdout.buffer.write(render_report(report, asked.form))
    sys.stdout.flush()  # now, so that what cannot be written is not found out when all is over


def _put(data: bytes, path: Path) -> None:
    from meshline.cli.terminal import write_bytes

    write_bytes([data], path)


MAX_INPUT_BYTES = 256 * 2**20  # a dbt manifest may be large
MANIFEST = "manifest.json"
STDIN = "-"


def versions(kind: str, old: str, new: str | None, options: Mapping[str, str] | None = None, *, inside: str = "") -> ChangeInput:
    """Two versions of a thing; or one, to be compared with what the graph knows. `inside`: the file that is meant by a folder."""
    if new is None:
        return alone(kind, old, options, inside=inside)
    if old == new == STDIN:
        raise InvalidInput("both versions cannot come from standard input", STDIN)
    return ChangeInput(kind, _text(old, inside), _text(new, inside), options or {})


def alone(kind: str, name: str, options: Mapping[str, str] | None = None, *, inside: str = "") -> ChangeInput:
    """One version of a thing."""
    return ChangeInput(kind, None, _text(name, inside), options or {})


def beside(name: str, other: str) -> str | None:
    """The text of another file in the folder, or beside the file, that is given; None if there is none."""
    path = Path(name)
    file = (path if path.is_dir() else path.parent) / other
    return decode_text(read_bytes(file, MAX_INPUT_BYTES), str(file)) if name != STDIN and file.is_file() else None


def chosen(**options: str | None) -> dict[str, str]:
    """The options that were given."""
    return {name: str(value) for name, value in options.items() if value is not None}


def _text(name: str, inside: str) -> Text:
    if name == STDIN:
        data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        if len(data) > MAX_INPUT_BYTES:
            raise InvalidInput(f"it has more than {MAX_INPUT_BYTES} bytes", "standard input")
        return Text("standard input", data)
    path = Path(name)
    if inside and path.is_dir():
        path /= inside
    return Text(str(path), read_bytes(path, MAX_INPUT_BYTES))
