"""The request of a check: inputs in two versions, and the options for judging them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from meshline.governance.gate import FailOn, Mode
from meshline.governance.rules import Profile
from meshline.ingest.changes.base import ChangeInput, Text
from meshline.ingest.documents import decode_text


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text, and its name in messages."""

    name: str
    text: str


class CheckInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input in two versions; without `before` it is compared with the graph; without `after` it was removed.

    `kind`: contract, product, schema, ddl, dbt, change. `options`: `format`, `dataset` (of a schema), `dialect` (of SQL).
    """

    kind: str
    before: File | None = None
    after: File | None = None
    options: dict[str, str] = {}


class CheckRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The inputs of a check, and its options. `waivers`, `policies`: files in their formats. `since`: a time (ISO 8601); lineage that
    changed after it is reported. `namespaces`: short names of namespaces, as in a mesh file.
    """

    inputs: tuple[CheckInput, ...] = msgspec.field(name="things")  # codespell:ignore things
    mode: Mode = Mode.STRICT
    profile: Profile = Profile.MESH
    fail_on: FailOn = FailOn.BREAKING
    waivers: File | None = None
    policies: tuple[File, ...] = ()
    since: datetime | None = None
    namespaces: dict[str, str] = {}


def to_check_input(given: ChangeInput) -> CheckInput:
    """Convert an input that was read from files. Raises InvalidInput if a file is not text."""
    return CheckInput(given.kind, _to_file(given.before), _to_file(given.after), dict(given.options))


def build_file(name: str, data: bytes) -> File:
    """Build a file of a request. Raises InvalidInput if the data is not text."""
    return File(name, decode_text(data, name))


def _to_file(text: Text | None) -> File | None:
    return None if text is None else build_file(text.name, text.data)
