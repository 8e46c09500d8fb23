"""The versions of one subject that a proposed one is compared with, each as one text with the schemas that it refers to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from meshline.errors import InvalidInput, NotFound
from meshline.ingest.schemas.base import parse_json
from meshline.ingest.sources.http_reader import RefusedAnswer
from meshline.ingest.sources.schema_registry.parse import (
    AVRO,
    JSON,
    PROTOBUF,
    Bundle,
    Document,
    collect_references,
    combine_json,
    parse_avro_text,
    select_imports,
)
from meshline.ingest.sources.schema_registry.registry_client import Account, RegistryClient
from meshline.ingest.sources.schema_registry.source import build_redaction, expand_account
from meshline.ingest.sources.secrets import Variables

FORMATS = {AVRO: "avro", JSON: "json", PROTOBUF: "protobuf"}
TRANSITIVE = "_TRANSITIVE"  # ends the modes that are about all versions
MAX_EARLIER = 50  # versions
_NEW = ("", 0)  # the proposed version, among those of the registry


class LiveVersion(NamedTuple):
    """A version of a subject. `name`: what a report calls it."""

    name: str
    subject: str
    bundle: Bundle

    def build_text(self) -> bytes:
        """The version, with what it refers to; of Avro and JSON Schema as a registry answers it. Raises InvalidInput."""
        text = _build_text(self.bundle)
        return text if self.bundle.type == PROTOBUF else msgspec.json.encode({"subject": self.subject, "schema": text.decode()})


class LiveSubject(NamedTuple):
    """A subject: its newest version, before it the older ones if the mode is about them. `mode`: the subject's compatibility mode, if it
    can decide; empty if it is not known, if it is NONE, and for JSON Schema.
    """

    versions: tuple[LiveVersion, ...]
    mode: str
    warnings: tuple[str, ...] = ()

    @property
    def format(self) -> str:
        return FORMATS[self.versions[-1].bundle.type]

    def complete(self, data: bytes, file: str) -> bytes:
        """A proposed version, with what the newest one refers to; unchanged if that is nothing. Raises InvalidInput."""
        bundle = self.versions[-1].bundle
        *others, (_, newest) = bundle.documents.items()
        if not others:
            return data
        text = data.decode("utf-8-sig", "replace")
        if bundle.type == PROTOBUF:
            return _complete_files(text, select_imports(bundle))
        documents = {**dict(others), _NEW: Document(text, newest.references)}
        return _build_text(bundle._replace(where=file, documents=documents))


def read_live_subject(url: str, subject: str, account: Account, variables: Variables, mode: str = "") -> LiveSubject:
    """A subject of a registry. `variables`: values for `${NAME}`. `mode`: instead of the subject's own.

    Raises InvalidInput, NotFound, StoreUnavailable.
    """
    address, used = expand_account(url, account, variables)
    with RegistryClient.connect(address, used, build_redaction(url, address, used)) as client:
        try:
            newest = _read_version(client, subject, "latest")
            own = client.read_compatibility(subject)
        except RefusedAnswer as error:
            if error.status == 404:
                raise NotFound(f"{client.url} has no subject {subject!r}") from None
            raise
        decides = own if own != "NONE" and newest.bundle.type != JSON else ""
        earlier: list[LiveVersion] = []
        warnings: list[str] = []
        if (mode or decides).endswith(TRANSITIVE):
            *_, (_, last) = newest.bundle.documents
            older = [number for number in client.list_versions(subject) if number < last]
            if len(older) > MAX_EARLIER:
                warnings.append(f"of {len(older)} older versions of {subject} only the newest {MAX_EARLIER} are compared")
            earlier = [_read_version(client, subject, number) for number in older[-MAX_EARLIER:]]
    return LiveSubject((*(one for one in earlier if one.bundle.type == newest.bundle.type), newest), decides, tuple(warnings))


def _read_version(client: RegistryClient, subject: str, number: int | str) -> LiveVersion:
    found = client.read_version(subject, number)
    bundle = collect_references(found, subject, client.read_referred)
    if bundle.type not in FORMATS:
        raise InvalidInput(f"found a schema of the type {bundle.type[:100]!r}; accepted: {', '.join(FORMATS)}", bundle.where)
    return LiveVersion(f"{client.url} {subject} version {found.version}", subject, bundle)


def _build_text(bundle: Bundle) -> bytes:
    if bundle.type == JSON:
        return msgspec.json.encode(combine_json(bundle))
    if bundle.type == AVRO:
        return _combine_avro(bundle)
    *_, root = bundle.documents.values()
    return _complete_files(root.text, select_imports(bundle))


def _combine_avro(bundle: Bundle) -> bytes:
    """The types that the last one uses, then that one; types that it defines itself are not repeated."""
    *others, root = [parse_avro_text(one.text, bundle.where) for one in bundle.documents.values()]
    defined = _list_defined(root)
    return msgspec.json.encode([*(one for one in others if not _list_defined(one) & defined), root] if others else root)


def _list_defined(schema: Any, space: str = "") -> set[str]:
    """The full names of the types that a schema defines."""
    if isinstance(schema, list):
        return {name for one in schema for name in _list_defined(one, space)}
    if not isinstance(schema, dict):
        return set()
    name = schema.get("name") if schema.get("type") in ("record", "error", "enum", "fixed") else None
    found: set[str] = set()
    if isinstance(name, str):
        own = schema.get("namespace")
        space = name.rpartition(".")[0] if "." in name else own if isinstance(own, str) else space
        found.add(f"{space}.{name.rpartition('.')[2]}".removeprefix("."))
    inner = [schema.get(key) for key in ("type", "items", "values")]
    fields = schema.get("fields")
    inner += [one.get("type") for one in fields if isinstance(one, dict)] if isinstance(fields, list) else []
    return found | {one for part in inner for one in _list_defined(part, space)}


def _complete_files(text: str, imports: Mapping[str, str]) -> bytes:
    """Files of Protobuf as one text, with more files that they may import. `text`: one file, or several as one text."""
    if text.lstrip().startswith("{"):
        files = parse_json(text.encode(), "")
        if not isinstance(files, dict) or "descriptors" in files:
            return text.encode()
        given = files.get("imports") or {}
        return msgspec.json.encode({**files, "imports": {**imports, **given}})
    return msgspec.json.encode({"files": {"schema.proto": text}, "imports": dict(imports)}) if imports else text.encode()
