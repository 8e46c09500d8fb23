"""One run of `meshline check`: it reads files, asks a store or a server, and writes the report."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from meshline.app import check as use_case
from meshline.app import check_texts
from meshline.cli.check_options import CheckInputs, CheckOptions, ProfileName
from meshline.cli.terminal import Line, write_lines
from meshline.errors import InvalidInput
from meshline.governance.report import Report
from meshline.governance.report_formats import Format, render_report
from meshline.governance.report_formats.text import format_lines
from meshline.ingest.changes import ChangeInput, Text
from meshline.ingest.documents import MAX_BYTES, decode_text
from meshline.ingest.sources.files import read_bytes

WAIVERS = "meshline-waivers.yaml"
POLICIES = ("*.yaml", "*.yml")  # of a folder


def run_check(inputs: CheckInputs, options: CheckOptions) -> bool:
    """Judge the inputs and write the report. Returns whether the check passes."""
    also = [_parse_also(text) for text in options.also]
    report = _compute_report(_build_request(inputs, options), options)
    report = msgspec.structs.replace(report, warnings=(*inputs.warnings, *report.warnings), checked=report.checked + inputs.unchanged)
    for form, path in also:
        _write_file(render_report(report, form), path)
    _write_report(report, options)
    return report.passed


def _build_request(inputs: CheckInputs, options: CheckOptions) -> check_texts.CheckRequest:
    if options.no_graph and (options.store is not None or options.server is not None):
        raise InvalidInput("uses no store and no server: leave out --store and --server", "--no-graph")
    if options.no_graph and options.policies:
        raise InvalidInput("policies are about a graph: --policies needs a store or a server", "--no-graph")
    if options.no_graph and options.mode == "usage":
        raise InvalidInput("usage is known from a graph: --mode usage needs a store or a server", "--no-graph")
    if options.no_graph and inputs.against_graph:
        raise InvalidInput("there is no graph to compare one version with: give the old version as well", "--no-graph")
    given: dict[str, object] = {
        "things": [check_texts.to_check_input(one) for one in _select_pairs(inputs, options)],
        "waivers": _read_waivers(options.waivers, inputs.folder),
        "policies": [check_texts.build_file(str(path), read_bytes(path, MAX_BYTES)) for path in _list_policy_files(options.policies)],
        "mode": options.mode,
        "profile": options.profile or ProfileName.MESH,
        "failOn": options.fail_on,
        "since": None if options.since is None else options.since.isoformat() + ("" if options.since.tzinfo else "+00:00"),
        "namespaces": dict(inputs.namespaces),
    }
    return msgspec.convert(given, check_texts.CheckRequest)


def _select_pairs(inputs: CheckInputs, options: CheckOptions) -> Sequence[ChangeInput]:
    """The inputs to compare, with the registry's mode if it decides."""
    if not inputs.registry_mode:
        return inputs.given
    if options.profile is not None:
        return inputs.given[-1:]
    return [one._replace(options={**one.options, "compatibility": inputs.registry_mode}) for one in inputs.given]


def _read_waivers(named: Path | None, folder: Path) -> check_texts.File | None:
    """The named waiver file, else the default one if it exists."""
    path = folder / WAIVERS if named is None else named
    if named is None and not path.exists():
        return None
    return check_texts.build_file(str(path), read_bytes(path, MAX_BYTES))


def _list_policy_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        found = sorted(file for pattern in POLICIES for file in path.glob(pattern)) if path.is_dir() else [path]
        if not found:
            raise InvalidInput(f"there are no files {' or '.join(POLICIES)} in it", str(path))
        yield from found


def _compute_report(request: check_texts.CheckRequest, options: CheckOptions) -> Report:
    if options.server is not None:
        from meshline.cli.http_client import HttpClient

        with HttpClient.connect(options.server) as remote:
            return remote.post_check(msgspec.json.encode(request))
    from meshline.app.policy_service import PolicyService
    from meshline.cli.store import open_graph

    with open_graph("sqlite://:memory:" if options.no_graph else options.store, must_exist=not options.no_graph) as graph:
        governing = None if options.no_graph else PolicyService(graph.graph)
        return use_case.run_check(graph.graph, graph.naming, request, policies=governing, graph=not options.no_graph)


def _parse_also(text: str) -> tuple[Format, Path]:
    """Parse `FORMAT=FILE`. Raises InvalidInput."""
    name, _, path = text.partition("=")
    if name not in list(Format) or not path:
        raise InvalidInput(f"found {text!r}; accepted is FORMAT=FILE, where FORMAT is one of {', '.join(Format)}", "--also")
    return Format(name), Path(path)


def _write_report(report: Report, options: CheckOptions) -> None:
    if options.output is not None:
        _write_file(render_report(report, options.form), options.output)
        return
    if options.form is Format.TEXT and sys.stdout.isatty():
        write_lines(Line(*line) for line in format_lines(report))
    else:
        sys.stdout.buffer.write(render_report(report, options.form))
    sys.stdout.flush()  # now, so that a write error is found before the exit code is decided


def _write_file(data: bytes, path: Path) -> None:
    from meshline.cli.terminal import write_bytes

    write_bytes([data], path)


MAX_INPUT_BYTES = 256 * 2**20  # a dbt manifest may be large
MANIFEST = "manifest.json"
STDIN = "-"


def read_versions(kind: str, old: str, new: str | None, options: Mapping[str, str] | None = None, *, inside: str = "") -> ChangeInput:
    """Two versions of an input; or one, to be compared with the graph. `inside`: the file to read if a folder is given."""
    if new is None:
        return read_version(kind, old, options, inside=inside)
    if old == new == STDIN:
        raise InvalidInput("both versions cannot come from standard input", STDIN)
    return ChangeInput(kind, _read_text(old, inside), _read_text(new, inside), options or {})


def read_proto_versions(old: str, new: str | None, options: Mapping[str, str]) -> ChangeInput:
    """Two versions of Protobuf files; or one, to be compared with the graph. A folder, and what a file imports, are one text."""
    from meshline.ingest.changes.schema.proto_files import read_proto

    if old == new == STDIN:
        raise InvalidInput("both versions cannot come from standard input", STDIN)
    texts = [_read_text(name, "") if name == STDIN else read_proto(Path(name)) for name in (old, new) if name is not None]
    return ChangeInput("schema", None if new is None else texts[0], texts[-1], options)


def read_version(kind: str, name: str, options: Mapping[str, str] | None = None, *, inside: str = "") -> ChangeInput:
    """One version of an input."""
    return ChangeInput(kind, None, _read_text(name, inside), options or {})


def read_sibling(name: str, other: str) -> str | None:
    """The text of the file `other` in the given folder, or in the folder of the given file; None if it does not exist."""
    path = Path(name)
    file = (path if path.is_dir() else path.parent) / other
    return decode_text(read_bytes(file, MAX_INPUT_BYTES), str(file)) if name != STDIN and file.is_file() else None


def collect_options(**options: str | None) -> dict[str, str]:
    """The given options, without those that are None."""
    return {name: str(value) for name, value in options.items() if value is not None}


def _read_text(name: str, inside: str) -> Text:
    if name == STDIN:
        data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        if len(data) > MAX_INPUT_BYTES:
            raise InvalidInput(f"it has more than {MAX_INPUT_BYTES} bytes", "standard input")
        return Text("standard input", data)
    path = Path(name)
    if inside and path.is_dir():
        path /= inside
    return Text(str(path), read_bytes(path, MAX_INPUT_BYTES))
