"""The schema of a table or topic (Iceberg, Delta, Avro, JSON Schema, Protobuf) in two versions: two files, or a file and the graph."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, TypeAlias

import msgspec

from meshline.errors import Ambiguous, InvalidInput, NotFound, require_extra
from meshline.graph.contracts import Definition, Direction, Pair, Part, Resolution, Version
from meshline.graph.model import AssetKey, AssetKind
from meshline.ingest.changes import ChangeInput, GraphState, Proposal, Text
from meshline.ingest.changes.alignment import align_files, align_with_graph
from meshline.ingest.changes.edited_tables import build_entries
from meshline.ingest.changes.schema.avro_resolution import find_unreadable
from meshline.ingest.changes.schema.proto_files import Compiled, compile_text, is_proto_name, is_protobuf_path, pair_messages
from meshline.ingest.changes.schema.table_formats import LOG, find_metadata, is_delta, is_iceberg, parse_delta, parse_iceberg
from meshline.ingest.dataset_refs import split_dataset
from meshline.ingest.schemas.avro import is_avro, parse_avro
from meshline.ingest.schemas.base import Schema, find_json_lines, parse_json
from meshline.ingest.schemas.json_schema import is_json_schema, parse_json_schema
from meshline.ingest.sources.files import read_bytes
from meshline.ingest.sources.schema_registry.subjects import find_named_topic, parse_subject
from meshline.ingest.sources.secrets import Variables
from meshline.words import suggest_closest

__all__ = ["build_proposal", "is_protobuf_path"]

_READERS: Mapping[str, Callable[[Any, str], Schema]] = {
    "iceberg": parse_iceberg,
    "delta": parse_delta,
    "avro": parse_avro,
    "json": parse_json_schema,
}
PROTOBUF = "protobuf"
TOPIC = "topic "  # begins a name that only a topic may have
NAMES = "names"  # the option with names by which the graph may know the dataset, one a line
ACCEPTED = (
    "accepted are metadata and schemas of Iceberg, schemas and commits of Delta (`_delta_log/*.json`), Avro (.avsc), JSON Schema and"
    f" Protobuf (.proto); the format can be given: {', '.join((*_READERS, PROTOBUF))}"
)


def build_proposal(given: ChangeInput, known: GraphState) -> Proposal:
    """Compare two versions of a schema. Raises InvalidInput, and NotFound or Ambiguous for the given dataset."""
    mode = _parse_mode(given)
    if _is_protobuf(given):
        found = _build_messages_proposal(given, known)
        return found._replace(resolutions=(Resolution(*mode, by_rule=True),) * len(found.pairs)) if mode is not None else found
    after = None if given.after is None else _parse_schema(given.after, given.options)
    before = None if given.before is None else _parse_schema(given.before, given.options)
    found = _build_pair_proposal(given, before, after, known)
    return found if mode is None else found._replace(resolutions=(_resolve(mode, before, after),))


_Mode: TypeAlias = tuple[str, tuple[Direction, ...]]
_DIRECTIONS = {"BACKWARD": (Direction.BACKWARD,), "FORWARD": (Direction.FORWARD,), "FULL": tuple(Direction)}
TRANSITIVE = "_TRANSITIVE"
MODES: Mapping[str, tuple[Direction, ...]] = {
    **{f"{name}{end}": directions for name, directions in _DIRECTIONS.items() for end in ("", TRANSITIVE)},
    "NONE": (),
}


def _parse_mode(given: ChangeInput) -> _Mode | None:
    written = given.options.get("compatibility", "")
    if not written:
        return None
    name = written.upper()
    if name not in MODES:
        raise InvalidInput(f"found {written!r}{suggest_closest(name, MODES)}; accepted: {', '.join(MODES)}", "compatibility")
    if given.before is None or given.after is None:
        raise InvalidInput("it compares two versions of a schema: give the old one as well", "compatibility")
    return name, MODES[name]


def _resolve(mode: _Mode, before: Schema | None, after: Schema | None) -> Resolution:
    """Raises InvalidInput if not both are schemas of Avro."""
    if before is None or after is None or before.whole is None or after.whole is None:
        raise InvalidInput(
            "it is for schemas of Avro and Protobuf, whose specifications define how one reads data of another", "compatibility"
        )
    was, now = before.whole, after.whole
    name, directions = mode
    return Resolution(name, directions, tuple(one for direction in directions for one in find_unreadable(was, now, direction)))


def _build_pair_proposal(given: ChangeInput, before: Schema | None, after: Schema | None, known: GraphState) -> Proposal:
    read = [one for one in (after, before) if one is not None]
    dataset, unmatched = _find_dataset(given.options, [name for one in read for name in one.names], known, _get_name(given))
    label = "" if known.has_graph else given.options.get("dataset", "")
    warnings = [*(() if after is None else after.warnings), *unmatched]
    now, was = _build_version(given.after, after, dataset), _build_version(given.before, before, dataset)
    if was is not None and now is not None and after is not None:
        pair = _compare_files(was, now, after, alike=dataset is None, label=label)
    elif was is None and now is not None and (dataset is not None or not given.options.get("new")):
        if dataset is None:
            raise InvalidInput("the file does not identify its table: name the dataset, or give the old version as well", now.file)
        pair = _compare_with_graph(known.find_definition(dataset), now, warnings)
    else:
        pair = Pair(was, now)
    return Proposal((pair,), build_entries(pair, known), tuple(warnings))


def _get_name(given: ChangeInput) -> str:
    """What messages call the input."""
    return (given.after or given.before or Text("", b"")).name


def _is_protobuf(given: ChangeInput) -> bool:
    written = given.options.get("format", "")
    return written == PROTOBUF or (
        not written and any(text is not None and is_proto_name(text.name) for text in (given.before, given.after))
    )


def _build_messages_proposal(given: ChangeInput, known: GraphState) -> Proposal:
    """Compare the messages of files of Protobuf, each as a table of its own."""
    before, after = (None if text is None else compile_text(text) for text in (given.before, given.after))
    pairs = list(pair_messages(before, after, given.options.get("message", "")))
    if given.options.get("dataset") and len(pairs) > 1:
        names = ", ".join(now or was for was, now in pairs[:5])
        raise InvalidInput(f"the dataset has one of {len(pairs)} messages ({names}{', ...' * (len(pairs) > 5)}): name it", "message")
    if not pairs:
        name = _get_name(given)
        if given.options.get("new"):
            return Proposal((), (), (f"{name}: it has no messages, so that nothing of it is compared",))
        raise InvalidInput("it has no messages", name)
    own = after or before
    first = own.messages.list_roots()[0] if own is not None and len(pairs) > 1 else ""  # the one that Kafka's serializers mean
    others = given._replace(options={**given.options, NAMES: ""})
    proposals = [
        _build_message_proposal(given if first in (was, now, "") else others, (before, was), (after, now), known, alone=len(pairs) == 1)
        for was, now in pairs
    ]
    found = [one for one in proposals if one is not None]
    if not found:
        raise InvalidInput(
            "no message in it identifies a dataset: name the dataset, or give the old version as well",
            given.after.name if given.after is not None else "",
        )
    return Proposal(
        tuple(pair for one in found for pair in one.pairs),
        tuple(entry for one in found for entry in one.entries),
        tuple(dict.fromkeys((*(own.messages.warnings if own is not None else ()), *(text for one in found for text in one.warnings)))),
    )


_Message: TypeAlias = tuple[Compiled | None, str]


def _build_message_proposal(given: ChangeInput, before: _Message, after: _Message, known: GraphState, *, alone: bool) -> Proposal | None:
    """None if a single version identifies no dataset, and there are other messages."""
    texts = [files.build_text(name) if files is not None and name else None for files, name in (before, after)]
    was, now = (files.build_schema(name) if files is not None and name else None for files, name in (before, after))
    is_named = alone or bool(given.options.get("new"))
    if given.before is None and now is not None and not is_named and _find_dataset(given.options, list(now.names), known, "")[0] is None:
        return None
    if given.before is not None and was is None and now is not None:  # a new message: no dataset has it yet
        return Proposal((Pair(None, _build_version(texts[1], now, None)),), (), ())
    return _build_pair_proposal(given._replace(before=texts[0], after=texts[1]), was, now, known)


def _compare_files(was: Version[Definition], now: Version[Definition], after: Schema, *, alike: bool, label: str) -> Pair[Definition]:
    if alike:
        was, now = _unify_names(was, now, label)
    first, second = align_files(was.value, now.value, after.aliases)
    return Pair(was._replace(value=first), now._replace(value=second))


def _compare_with_graph(was: Version[Definition] | None, now: Version[Definition], warnings: list[str]) -> Pair[Definition]:
    if was is None:
        return Pair(None, now)
    if not was.value.model.fields:
        warnings.append(f"no columns of {was.value.model.name} are known, so its columns are not compared")
        was = was._replace(value=msgspec.structs.replace(was.value, model=now.value.model))
    if was.value.kind == "topic":
        now = now._replace(value=_keep_key(was.value, now.value))
    first, second = align_with_graph(was.value, now.value)
    return Pair(was._replace(value=first), now._replace(value=second))


def _keep_key(was: Definition, now: Definition) -> Definition:
    """A schema of a topic's values, with the columns that its keys have: those stay, whatever the values are."""
    names = {one.name for one in now.model.fields}
    keys = [one for one in was.model.fields if one.primary_key and "." not in one.name and one.name not in names]
    return msgspec.structs.replace(now, model=msgspec.structs.replace(now.model, fields=(*now.model.fields, *keys)))


def _unify_names(was: Version[Definition], now: Version[Definition], label: str) -> tuple[Version[Definition], Version[Definition]]:
    """Give two files of one table the same name. Records of Avro and messages have names on which readers depend: those stay.

    `label`: the user's name for the table; empty: the name in the files.
    """
    names = [one.value.model.name for one in (was, now)]
    if all(names) and was.value.format == now.value.format == PROTOBUF and names[0] != names[1]:
        return was, now
    if all(names) and was.value.format == now.value.format == "avro" and len({name.rpartition(".")[2] for name in names}) > 1:
        return was, now
    name = label or names[0] or names[1] or PurePath(now.file).stem
    first, second = (one._replace(value=_rename(one.value, name, "")) for one in (was, now))
    return first, second


def _rename(value: Definition, name: str, physical: str) -> Definition:
    model = msgspec.structs.replace(value.model, name=name, physical_name=physical)
    return msgspec.structs.replace(value, model=model)


def _parse_schema(text: Text, options: Mapping[str, str]) -> Schema:
    written = options.get("format", "")
    if written and written not in _READERS:
        raise InvalidInput(
            f"found {written!r}{suggest_closest(written, (*_READERS, PROTOBUF))}; accepted: {', '.join((*_READERS, PROTOBUF))}", "format"
        )
    commits = find_metadata(text.data, text.name) if written in ("", "delta") else None
    value = commits if commits is not None else parse_json(text.data, text.name)
    subject = ""
    if isinstance(value, dict) and isinstance(value.get("schema"), str):  # the answer of a schema registry
        subject = str(value.get("subject") or "")
        value = parse_json(value["schema"].encode(), text.name)
        if isinstance(value, str):
            value = {"type": value}
    name = written or _detect_format(value, text.name)
    try:
        found = _READERS[name](value, text.name)
    except InvalidInput as error:
        raise error if error.where else InvalidInput(str(error), text.name) from error
    except RecursionError as error:
        raise InvalidInput("it is nested too deeply", text.name) from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # JSON of a shape that the format does not allow
        raise InvalidInput(f"it is no schema of {name}: {type(error).__name__}", text.name) from error
    places = find_json_lines(text.data) if found.places else {}
    lines: dict[Part, int] = {("field", name): places[place] for name, place in found.places.items() if place in places}
    if lines:
        lines[()] = min(lines.values())
    if (part := find_named_topic(parse_subject(subject).name)) is not None:
        found = found._replace(names=(f"{TOPIC}{part.topic}", *found.names))
    return found._replace(lines=lines, warnings=tuple(f"{text.name}: {one}" for one in found.warnings))


def _detect_format(value: object, file: str) -> str:
    """The format of a schema, by its keys. Raises InvalidInput."""
    if isinstance(value, list):
        return "avro"
    if isinstance(value, dict):
        for name, accepts in (("delta", is_delta), ("iceberg", is_iceberg), ("avro", is_avro), ("json", is_json_schema)):
            if accepts(value):
                return name
    raise InvalidInput(f"this is not a schema of a known format; {ACCEPTED}", file)


def _find_dataset(options: Mapping[str, str], names: list[str], known: GraphState, file: str) -> tuple[AssetKey | None, list[str]]:
    """The dataset of a schema: the given one, else one of the names in the files; and warnings about what is uncertain."""
    text = options.get("dataset", "")
    if not known.has_graph:
        return (_build_key(text, known) if text and options.get("new") else None), []
    if text:
        try:
            key = known.resolve(f"dataset:{text}")
        except NotFound as error:
            if options.get("new"):
                return _build_key(text, known), [f"{text} is not in the graph, so its consumers are unknown."]
            raise NotFound(str(error).replace("'dataset:", "'")) from error
        if key.kind is not AssetKind.DATASET:
            raise InvalidInput(f"{text!r} is the {key.kind.lower()} {key.qualified_name}, and no dataset", "dataset")
        return key, []
    for name in (*options.get(NAMES, "").splitlines(), *names):
        try:
            key = known.resolve(f"dataset:{name.removeprefix(TOPIC)}")
        except (NotFound, Ambiguous, InvalidInput):
            continue
        if key.kind is AssetKind.DATASET and (not name.startswith(TOPIC) or key.parts[0].startswith("kafka://")):
            return key, []
    if options.get("new"):
        return None, [f"{file} is matched to no dataset, so its consumers are unknown: name it under schemas in the mesh file"]
    return None, ["Cannot match this schema to a dataset, so consumers are unknown. Pass --dataset."]


def _build_key(text: str, known: GraphState) -> AssetKey:
    """A dataset that the graph does not know, by its namespace and name."""
    return known.context.naming.normalise_dataset(*split_dataset(text, known.context.aliases))


def _build_version(text: Text | None, schema: Schema | None, dataset: AssetKey | None) -> Version[Definition] | None:
    if text is None or schema is None:
        return None
    value = schema.definition
    if dataset is not None:
        value = _rename(value, dataset.qualified_name, dataset.name)
    return Version(value, {"": (dataset,)} if dataset is not None else {}, text.name, schema.lines)


MAX_COMMITS = 10_000  # commits of a log that are searched

_METADATA = "metadata"
_NUMBER = re.compile(r"v?(\d+)")


def find_schema_file(path: Path) -> Path:
    """The file with the schema of a table: in a folder with a Delta log, the newest commit with metadata; in one with Iceberg
    metadata, the newest metadata file. Raises InvalidInput if there is none.
    """
    if not path.is_dir():
        return path
    log = path if path.name == LOG else path / LOG
    if log.is_dir():
        return _find_commit(log)
    metadata = path if path.name == _METADATA else path / _METADATA
    found = sorted(metadata.glob("*.metadata.json"), key=_get_version_number)
    if not found:
        raise InvalidInput(f"the folder has neither a {LOG} nor {_METADATA}/*.metadata.json", str(path))
    return found[-1]


def _find_commit(log: Path) -> Path:
    for path in sorted(log.glob("*.json"), reverse=True)[:MAX_COMMITS]:
        try:
            if find_metadata(read_bytes(path, 2**28), str(path)) is not None:
                return path
        except InvalidInput:
            continue
    raise InvalidInput("no commit in it has metadata: checkpoints are not read", str(log))


def _get_version_number(path: Path) -> tuple[int, str]:
    match = _NUMBER.match(path.name)
    return int(match[1]) if match else -1, path.name


def read_live_table(catalog: str, table: str, variables: Variables) -> Text:
    """The metadata of a table of an Iceberg catalog as it is now. `catalog`: its URI, or the name by which pyiceberg's own
    configuration knows it; `table`: `schema.table`; `variables`: values for `${NAME}`.

    Raises InvalidInput, NotFound, StoreUnavailable, MissingExtra.
    """
    with require_extra("iceberg", "reading a live table"):
        from meshline.ingest.sources.iceberg.catalogs import Gone  # noqa: PLC0415 - pyiceberg is slow to import
        from meshline.ingest.sources.iceberg.crawl import detect_kind, open_catalog  # noqa: PLC0415
        from meshline.ingest.sources.secrets import Properties, Redaction, expand_properties  # noqa: PLC0415
    is_uri = "://" in catalog
    written: Properties = {"uri": catalog} if is_uri else {}
    properties = expand_properties(written, variables, "catalog")
    name = "default" if is_uri else catalog
    kind, merged = detect_kind(name, properties)
    redacted = Redaction(written, merged)
    try:
        found = open_catalog(name, kind, properties, merged, redacted).load(tuple(table.split(".")), "", is_view=False)
    except NotImplementedError as error:
        raise InvalidInput(redacted(str(error)), "catalog") from None
    except Gone:
        raise NotFound(f"{redacted(catalog)} has no table {table!r}") from None
    if found is None:
        raise InvalidInput(f"{redacted(catalog)} does not state whether {table!r} is a table or a view", "catalog")
    return Text(f"{redacted(catalog)} {table}", msgspec.json.encode(found.metadata))
