"""A mesh file for what a folder has: text with comments, and a report of what was found where, and what was left out and why.

The same folder gives the same text.
"""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from meshline.graph.model import Json
from meshline.ingest.discovery.file_kinds import Recognised, recognise_file
from meshline.ingest.discovery.folder import Folder, FoundFile
from meshline.ingest.discovery.found_servers import FoundServer, describe_transport, list_compose_servers, list_iceberg_catalogs
from meshline.ingest.discovery.named_settings import (
    ENVIRONMENT,
    is_variable_file,
    list_metastores,
    list_named_servers,
    list_variable_names,
)
from meshline.ingest.sources.registry import KINDS

LOOKED_AT = frozenset({"json", "ndjson", "jsonl", "yml", "yaml", "sql", "avsc", "proto", "csv", "duckdb", "ddb"})
METASTORE_FILE = "hive-site.xml"
MAX_YAML = 8 * 1024 * 1024  # bytes of YAML that are parsed
MOST_NOTED = 30  # files that are left out and named
MOST_PATHS = 3  # of one source that the report names
MAX_LISTED = 40  # files of one folder that are named one by one; of more, the pattern is written
DIALECTS = ("trino", "spark", "databricks", "snowflake", "bigquery", "postgres", "redshift", "duckdb", "tsql", "mysql", "oracle", "dremio")

# Kinds of sources whose keys are their files: the kind, the name of the source, and what the files are.
FILES = (
    ("contract", "contracts", "data contracts"),
    ("product", "products", "data product specifications"),
    ("powerbi", "powerbi", "scans of Power BI"),
    ("looker", "looker", "exported answers of Looker's API"),
    ("feast", "feast", "registries of Feast"),
)

_ADAPTER = re.compile(rb'"adapter_type"\s*:\s*"(\w{1,40})"')
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "~", "y", "n"})


class Draft(NamedTuple):
    """`text`: of the mesh file. `found` and `left_out`: sentences about what is where. `secrets`: variables that it needs."""

    text: str
    found: list[str]
    left_out: list[str]
    secrets: list[str]


class Entry(NamedTuple):
    """A source to write. `why`: the comment above it. `active`: else it is commented out."""

    keys: Mapping[str, Json]
    why: str
    active: bool = True


def draft_mesh_file(root: Path, name: str = "mesh.yaml", *, servers: bool = False, variables: Collection[str] = ()) -> Draft:
    """Draft a mesh file in a folder, with this name. `servers`: sources that need a server are active, too, instead of commented out.
    `variables`: the names of those of the environment.
    """
    folder = Folder(root)
    files = [file for file in folder.list_files() if file.path != name and _is_examined(file)]
    found = _Survey(folder, _count_endings(files))
    for file in files:
        found.add_file(file)
    found.add_variables(ENVIRONMENT, variables)
    entries = list(_name_apart(found.build_entries(servers=servers)))
    secrets = sorted({name for server in found.servers for name in server.secrets})
    folder.note_rest()
    left_out = found.list_left_out()
    text = _format_file(root, entries, left_out, secrets)
    return Draft(text, [_describe_entry(entry) for entry in entries], [*left_out, *folder.notes], secrets)


def _is_examined(file: FoundFile) -> bool:
    return file.name.rpartition(".")[2].lower() in LOOKED_AT or file.name == METASTORE_FILE or is_variable_file(file.name)


class _Survey:
    """What was recognised, by kind."""

    def __init__(self, folder: Folder, endings: Counter[tuple[str, str]]) -> None:
        """`endings`: the number of all files by folder and ending."""
        self._folder = folder
        self._endings = endings
        self._yaml = 0
        self._files: dict[str, list[FoundFile]] = {}
        self._projects: dict[str, tuple[FoundFile, Mapping[str, Json]]] = {}  # dbt's, by their folder
        self.servers: list[FoundServer] = []
        self._places: list[str] = []  # of the servers
        self._schemas: list[str] = []
        self._left_out: list[str] = []

    def add_file(self, file: FoundFile) -> None:
        if self._is_of_project(file):
            return
        if file.name.lower().endswith((".yml", ".yaml")) and self._yaml > MAX_YAML:
            self._left_out.append(f"{file.path}: more than {MAX_YAML:,} bytes of YAML were parsed already")
            return
        data = self._folder.read_head(file)
        if is_variable_file(file.name):
            self.add_variables(file.path, list_variable_names(data))
            return
        if file.name == METASTORE_FILE:
            self._add_servers(file.path, list_metastores(data))
            return
        if file.name.lower().endswith((".yml", ".yaml")):
            self._yaml += len(data)
        found = recognise_file(file, data)
        if found.problem:
            self._left_out.append(f"{file.path}: {found.problem}")
        elif found.kind:
            self._add_recognised(file, found)

    def _is_of_project(self, file: FoundFile) -> bool:
        """Whether a file belongs to a dbt project: it is read by its manifest."""
        return file.name not in ("dbt_project.yml", "dbt_project.yaml") and any(
            folder in ("", file.folder) or file.folder.startswith(f"{folder}/")
            for folder in self._projects
            if folder or file.folder.partition("/")[0] in ("models", "target", "macros", "seeds", "snapshots", "tests", "analyses")
        )

    def _add_recognised(self, file: FoundFile, found: Recognised) -> None:
        value = found.value
        if found.kind == "dbt":
            assert isinstance(value, dict)
            self._projects[file.folder] = (file, value)
        elif found.kind == "compose":
            assert isinstance(value, dict)
            self._add_servers(file.path, list_compose_servers(value))
        elif found.kind == "pyiceberg":
            assert isinstance(value, dict)
            self._add_servers(file.path, list_iceberg_catalogs(value))
        elif found.kind == "openlineage-client":
            assert isinstance(value, dict)
            self._add_transport(file, value)
        elif found.kind == "schema":
            self._schemas.append(file.path)
        elif found.kind == "mesh":
            self._left_out.append(f"{file.path}: a mesh file; load it by itself, or merge it into this one")
        else:
            self._files.setdefault(found.kind, []).append(file)

    def add_variables(self, place: str, names: Collection[str]) -> None:
        """What variables of these names are about, unless another place has the same variable."""
        known = {server.what for server in self.servers}
        self._add_servers(place, (server for server in list_named_servers(names) if server.what not in known))

    def _add_servers(self, place: str, servers: Iterable[FoundServer]) -> None:
        for server in servers:
            if server.reason:
                self._left_out.append(f"{place}: {server.what}: {server.reason}")
            else:
                self.servers.append(server)
                self._places.append(f"{place}: {server.what}")

    def _add_transport(self, file: FoundFile, value: Mapping[str, Json]) -> None:
        path, sentence = describe_transport(value)
        target = (self._folder.root / file.folder / path).resolve() if path else None
        if target is not None and target.is_file():
            known = [one.path for one in self._files.get("openlineage", ())]
            root = self._folder.root.resolve()
            relative = target.relative_to(root).as_posix() if target.is_relative_to(root) else ""
            if relative and relative not in known and not target.is_symlink():
                self._files.setdefault("openlineage", []).append(FoundFile(relative, target.stat().st_size))
        self._left_out.append(f"{file.path}: {sentence}")

    def build_entries(self, *, servers: bool) -> Iterator[Entry]:
        """The entries of the mesh file: files first, as what others refer to; servers last."""
        yield from self._build_events()
        for server, place in zip(self.servers, self._places, strict=True):
            yield Entry(server.keys, f"{place}; it is read when it runs", active=servers and not server.undecided)
        yield from self._build_iceberg_files()
        if self._folder.tables:
            tables: list[Json] = [glob.escape(table) or "." for table in sorted(self._folder.tables)]
            yield Entry({"kind": "delta", "name": "tables", "tables": tables}, "Delta tables")
        if files := self._files.get("debezium"):
            yield Entry({"kind": "debezium", "name": "connectors", "files": self._list_paths(files)}, "connectors of Kafka Connect")
        for folder in sorted(self._projects):
            yield from self._build_project(folder)
        yield from self._build_sql()
        for kind, name, why in FILES:
            if files := self._files.get(kind):
                yield Entry({"kind": kind, "name": name, "files": self._list_paths(files)}, why)
        yield from self._build_data_files()
        yield from self._build_checks()

    def _build_data_files(self) -> Iterator[Entry]:
        for file in self._files.get("duckdb", ()):
            yield Entry(
                {"kind": "duckdb", "name": re.sub(r"[^\w.-]+", "-", file.name.rpartition(".")[0])[:100] or "duckdb", "path": file.path},
                "a DuckDB database",
            )
        for kind, why in (("datahub", "metadata of DataHub"), ("usage", "who read what")):
            if files := self._files.get(kind):
                yield Entry({"kind": kind, "name": kind, "files": self._list_paths(files)}, why)
        for file in self._files.get("evidence", ()):
            name = re.sub(r"[^\w.-]+", "-", file.folder.rpartition("/")[2])[:100] or "reports"
            yield Entry({"kind": "evidence", "name": name, "path": file.folder or "."}, "the pages of a project of Evidence")

    def _build_checks(self) -> Iterator[Entry]:
        for kind, why in (("gx", "results and suites of Great Expectations"), ("soda", "checks of Soda, and results of scans")):
            for folder, files in _group_by_folder(self._files.get(kind, ())):
                keys: dict[str, Json] = {
                    "kind": kind,
                    "name": folder.rpartition("/")[2] or kind,
                    "files": self._list_paths(files),
                    "dataset": "NAMESPACE/NAME",
                }
                yield Entry(keys, f"{why}: give the dataset that they are about, or `datasets` or `namespace`", active=False)

    def _list_paths(self, files: Sequence[FoundFile]) -> list[Json]:
        """The files as a source names them.

        By a pattern for a folder and ending if all files there are of the source, so that new ones are read too, or if they are many.
        """
        paths: list[Json] = []
        for (folder, ending), count in sorted(_count_endings(files).items()):
            members = sorted(file.path for file in files if (file.folder, _get_ending(file)) == (folder, ending))
            if (count > 1 and count == self._endings[folder, ending]) or count > MAX_LISTED:
                paths.append(f"{glob.escape(folder)}/*.{ending}" if folder else f"*.{ending}")
            else:
                paths += members  # a path that is a file is read as it is written, whatever signs of patterns it has
        return paths

    def list_left_out(self) -> list[str]:
        """What is no source, and why: the first MOST_NOTED, and how many there are more."""
        texts = self._left_out[:MOST_NOTED]
        if len(self._left_out) > MOST_NOTED:
            texts.append(f"and {len(self._left_out) - MOST_NOTED} more")
        if self._schemas:
            also = f" and {len(self._schemas) - 1} more" if len(self._schemas) > 1 else ""
            reason = "schemas in files are no source: a registry is (kind registry), and `meshline check --git` compares their changes"
            texts.append(f"{self._schemas[0]}{also}: {reason}")
        return texts

    def _build_events(self) -> Iterator[Entry]:
        if files := self._files.get("openlineage"):
            yield Entry({"kind": "openlineage", "name": "events", "files": self._list_paths(files)}, "OpenLineage events")

    def _build_iceberg_files(self) -> Iterator[Entry]:
        for folder, files in _group_by_folder(self._files.get("iceberg", ())):
            name = folder.rpartition("/")[2] or "iceberg"
            keys: dict[str, Json] = {"kind": "iceberg", "name": f"{name}-files", "files": self._list_paths(files), "namespace": name}
            yield Entry(keys, "metadata of Iceberg tables; as namespace write the address of their catalog, as events name it")

    def _build_project(self, folder: str) -> Iterator[Entry]:
        file, value = self._projects[folder]
        name = str(value.get("name") or folder.rpartition("/")[2] or "dbt")
        target = str(value.get("target-path") or "target")
        path = f"{folder}/{target}" if folder else target
        manifest = FoundFile(f"{path}/manifest.json", 0)
        if ".." in Path(path).parts or Path(path).is_absolute() or not (self._folder.root / manifest.path).is_file():
            self._left_out.append(f"{file.path}: {path} has no manifest.json: run `dbt docs generate`, then meshline init again")
            return
        adapter = _ADAPTER.search(self._folder.read_head(manifest))
        namespace = f"{adapter[1].decode()}://{name}" if adapter else name
        why = f"the dbt project {name}; as namespace write that of its warehouse, as events name it, or give profiles and profile"
        yield Entry({"kind": "dbt", "name": name, "path": path, "namespace": namespace}, why)

    def _build_sql(self) -> Iterator[Entry]:
        for folder, files in _group_by_folder(self._files.get("sql", ())):
            dialect = next((part for part in reversed(folder.lower().split("/")) if part in DIALECTS), None)
            keys: dict[str, Json] = {"kind": "sql", "name": folder.rpartition("/")[2] or "sql", "files": self._list_paths(files)}
            if dialect is not None:
                yield Entry({**keys, "dialect": dialect}, f"views and tables in SQL, in the dialect {dialect}, for the folder is called so")
            else:
                yield Entry(
                    {**keys, "dialect": "DIALECT"},
                    f"views and tables in SQL: give their dialect, one of {', '.join(DIALECTS)}",
                    active=False,
                )


def _group_by_folder(files: Sequence[FoundFile]) -> list[tuple[str, list[FoundFile]]]:
    groups: dict[str, list[FoundFile]] = {}
    for file in files:
        groups.setdefault(file.folder, []).append(file)
    return sorted(groups.items())


def _count_endings(files: Sequence[FoundFile]) -> Counter[tuple[str, str]]:
    """The number of files by folder and ending."""
    return Counter((file.folder, _get_ending(file)) for file in files)


def _get_ending(file: FoundFile) -> str:
    return file.name.rpartition(".")[2]


def _describe_entry(entry: Entry) -> str:
    name = f"{entry.keys['kind']}/{entry.keys['name']}"
    paths = entry.keys.get("files") or entry.keys.get("tables") or entry.keys.get("path") or []
    listed = [str(path) for path in paths] if isinstance(paths, list) else [str(paths)]
    more = f" and {len(listed) - MOST_PATHS} more" if len(listed) > MOST_PATHS else ""
    where = f" in {', '.join(listed[:MOST_PATHS])}{more}" if listed else ""
    return f"{name}{'' if entry.active else ' (commented out)'}{where}: {entry.why}"


def _format_file(root: Path, entries: Sequence[Entry], left_out: Sequence[str], secrets: Sequence[str]) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", root.resolve().name.lower()).strip("-") or "mesh"
    lines = [
        "# What meshline reads here, drafted by `meshline init`. `meshline sync` reads it; docs/mesh-file.md describes each key.",
        "version: 1",
        f"source: {_format_value(name)}",
        "",
        "# What people know and files do not state. Remove the signs to use it.",
        '# teams: [{name: orders-engineering, email: orders@company.com, slack: "#orders"}]',
        '# domains: [{name: orders, owner: orders-engineering, datasets: ["NAMESPACE/orders.*"]}]',
        "# consumers: [{name: daily-report, type: dashboard, consumes: [{dataset: NAMESPACE/orders.daily, columns: [total]}]}]",
        "",
    ]
    if secrets:
        lines += [f"# Variables of the environment that it needs: {', '.join(secrets)}", ""]
    active = [entry for entry in entries if entry.active]
    lines.append("sources:" if active else "sources: []")
    for entry in entries:
        lines += _format_entry(entry)
    if left_out:
        lines += ["", "# Found, and left out:", *(f"#   {_keep_on_line(text)}" for text in left_out)]
    return "\n".join(lines) + "\n"


def _name_apart(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries with names that are unique within their kinds."""
    used: set[tuple[str, str]] = set()
    for entry in entries:
        kind, name, place = str(entry.keys["kind"]), str(entry.keys["name"]), 2
        chosen = name
        while (kind, chosen) in used:
            chosen, place = f"{name}-{place}", place + 1
        used.add((kind, chosen))
        yield entry._replace(keys={**entry.keys, "name": chosen})


def _format_entry(entry: Entry) -> Iterator[str]:
    kind = str(entry.keys["kind"])
    extra = KINDS[kind][2]
    needs = f"; needs the extra {extra}" if extra else ""
    yield f"  # {_keep_on_line(entry.why)}{needs}"
    sign, indent = ("" if entry.active else "# "), "  "
    for place, (key, value) in enumerate(entry.keys.items()):
        start = "- " if place == 0 else "  "
        yield f"{indent}{sign}{start}{key}: {_format_value(value)}"


def _format_value(value: Json) -> str:
    """A value as YAML in one line: JSON, but plain words without quotes."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_format_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_format_value(key)}: {_format_value(one)}' for key, one in value.items())}}}"
    return msgspec.json.encode(value).decode()


def _keep_on_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)
