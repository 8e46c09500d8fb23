"""The files of a source in two versions -> what is to be compared, by the kind of the source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from meshline.errors import InvalidInput
from meshline.graph.versions import version_order
from meshline.ingest.proposed import git_dbt
from meshline.ingest.proposed.git_sides import LFS, Side
from meshline.ingest.proposed.schema import delta
from meshline.ingest.proposed.shape import Given, Text, warned
from meshline.ingest.sources.base import Named
from meshline.ingest.values import text

_MADE = re.compile(r"\bCREATE\b[^;(]*?\b(?:TABLE|VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?([^\s(;]+)", re.IGNORECASE)


Giving: TypeAlias = Callable[[Named | None, Named | None, Side, Side], Iterator[Given]]


def patterns(source: Named) -> list[str]:
    """The files that a source names, as patterns from the folder of the mesh file."""
    if source.kind == "dbt":
        return [git_dbt.manifest_path(source)]
    if source.kind == "delta":
        return [f"{one}/{delta.LOG}/*.json" for one in getattr(source, "tables", ()) if "://" not in one]
    return [one for one in getattr(source, "files", ()) if isinstance(one, str)] if source.kind in KINDS else []


class Changes(NamedTuple):
    """The files of a source in both versions: what they held and hold."""

    before: Mapping[str, bytes]
    after: Mapping[str, bytes]

    @property
    def differing(self) -> list[str]:
        return sorted(path for path in {*self.before, *self.after} if self.before.get(path) != self.after.get(path))


def _contents(old: Named | None, new: Named | None, before: Side, after: Side) -> Changes:
    was = before.read(before.files(patterns(old))) if old is not None else {}
    now = after.read(after.files(patterns(new))) if new is not None else {}
    for path, data in (*was.items(), *now.items()):
        if data.startswith(LFS):
            raise InvalidInput("the file is kept in git LFS, and only its pointer is there: git lfs pull, and keep it in git itself", path)
    return Changes(was, now)


Called: TypeAlias = tuple[str, str]  # the name and the version of a thing


def _by_name(kind: str, called: Callable[[bytes, str], Called]) -> Giving:
    """Files that say who they are: a thing is compared with what had its name, in whatever file."""

    def given(old: Named | None, new: Named | None, before: Side, after: Side) -> Iterator[Given]:
        found = _contents(old, new, before, after)
        names = {path: called(data, path) for path, data in found.before.items()}
        newest_first = sorted(names, key=lambda path: (version_order(names[path][1]), path), reverse=True)
        gone = {path for path in found.differing if path not in found.after}
        for path in found.differing:
            if path not in found.after:
                continue
            data = found.after[path]
            name, _ = called(data, path)
            same = [one for one in (path, *sorted(gone), *newest_first) if one in names and names[one][0] == name]
            was = path if not name and path in names else same[0] if name and same else None
            gone.discard(was or "")
            if path in names and was != path:
                gone.add(path)  # what was there has gone elsewhere, or is gone
            if was is None or found.before[was] != data:
                yield Given(kind, _text(was, found.before) if was is not None else None, Text(path, data))
        still = {called(data, path)[0] for path, data in found.after.items()} if gone else set()
        yield from (Given(kind, Text(path, found.before[path]), None) for path in sorted(gone) if names[path][0] not in still)

    return given


def _contract(data: bytes, file: str) -> Called:
    from meshline.ingest.sources.contracts.source import parse  # noqa: PLC0415 - its models are slow to import

    parsed = parse(data, file)
    return parsed.id, parsed.contract.version if parsed.contract is not None else ""


def _product(data: bytes, file: str) -> Called:
    from meshline.ingest.sources.products.formats import parse  # noqa: PLC0415

    parsed = parse(data, file)
    return parsed.name, parsed.product.version if parsed.product is not None else ""


def _scripts(old: Named | None, new: Named | None, before: Side, after: Side) -> Iterator[Given]:
    """SQL by its file; a file that creates what another one created has taken its place."""
    found = _contents(old, new, before, after)
    source = new or old
    options = {key: text(str(getattr(source, key, ""))) for key in ("dialect", "namespace", "catalog")}
    options["schema"] = text(str(getattr(source, "schema_", "")))
    options["namespace"] = after.aliases.get(options["namespace"], options["namespace"]) or options["dialect"]
    options = {key: value for key, value in options.items() if value}
    gone = {path: _made(found.before[path]) for path in found.differing if path not in found.after}
    for path in found.differing:
        if path not in found.after:
            continue
        was = path if path in found.before else next((one for one, made in gone.items() if made & _made(found.after[path])), "")
        gone.pop(was, None)
        if not was or found.before[was] != found.after[path]:
            yield Given("ddl", Text(was, found.before[was]) if was else None, Text(path, found.after[path]), options)
    for path in gone:
        yield Given("ddl", Text(path, found.before[path]), None, options)


def _made(data: bytes) -> set[str]:
    return {match[1].casefold() for match in _MADE.finditer(data.decode("utf-8", "replace"))}


def _iceberg(old: Named | None, new: Named | None, before: Side, after: Side) -> Iterator[Given]:
    from meshline.ingest.sources.iceberg.facts import table_of_file  # noqa: PLC0415

    found = _contents(old, new, before, after)
    namespace = text(str(getattr(new or old, "namespace", "")))
    for path in found.differing:
        dataset = f"{after.aliases.get(namespace, namespace)}/{table_of_file(Path(path).name)}"
        options = {"format": "iceberg", "dataset": dataset, "new": "yes"}
        yield Given("schema", _text(path, found.before), _text(path, found.after), options)


def _delta(old: Named | None, new: Named | None, before: Side, after: Side) -> Iterator[Given]:
    """Tables by their folders: the last commit of each log that has metadata."""
    found = _contents(old, new, before, after)
    used_in = text(str(getattr(new or old, "folder", "")))
    tables = dict.fromkeys(str(Path(path).parent.parent.as_posix()) for path in found.differing)
    for table in tables:
        was, now = (_said(table, side) for side in found)
        if was is not None and now is not None and was.data == now.data:
            continue
        place = f"{used_in}/{Path(table).name}" if used_in else str(after.root / table)
        there = [path for path in found.after if path.startswith(f"{table}/{delta.LOG}/")]
        given = Given("schema", was, now, {"format": "delta", "dataset": f"file/{place}", "new": "yes"})
        if now is None and there:  # its metadata is in a checkpoint, which is no text
            continue
        if was is None and any(path.startswith(f"{table}/{delta.LOG}/") for path in found.before):
            given = warned(
                given, f"{table}: the metadata of the base is in a checkpoint, which is not read: compared with what the graph knows"
            )
        yield given


def _said(table: str, files: Mapping[str, bytes]) -> Text | None:
    """The newest commit of a table that says its schema."""
    for path in sorted((path for path in files if path.startswith(f"{table}/{delta.LOG}/")), reverse=True):
        try:
            if delta.commits(files[path], path) is not None:
                return Text(path, files[path])
        except InvalidInput:
            continue
    return None


def _text(path: str, files: Mapping[str, bytes]) -> Text | None:
    return Text(path, files[path]) if path in files else None


# Kinds of sources whose files say something that can be compared.
KINDS: Mapping[str, Giving] = {
    "contract": _by_name("contract", _contract),
    "product": _by_name("product", _product),
    "sql": _scripts,
    "iceberg": _iceberg,
    "delta": _delta,
    "dbt": git_dbt.given,
}
