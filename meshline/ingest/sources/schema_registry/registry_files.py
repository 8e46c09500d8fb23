"""Versions of subjects in files, as registries answer them: of `GET /schemas`, or of `GET /subjects/SUBJECT/versions/VERSION`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from meshline.errors import InvalidInput
from meshline.ingest.sources.base import Refusal
from meshline.ingest.sources.files import expand_paths, format_path, read_bytes
from meshline.ingest.sources.schema_registry.registry_client import MAX_SCHEMA, MAX_SUBJECTS, Registered
from meshline.words import shorten_text

MAX_FILE = 256 * 2**20  # bytes

_decoder = msgspec.json.Decoder(Registered | list[Registered])


class RegistryFiles:
    """What files have of a registry. `refusals`: the files that cannot be used. `digest`: of all that was read."""

    url = "the files"

    def __init__(self, paths: Sequence[str], folder: Path) -> None:
        self.refusals: list[Refusal] = []
        self._versions: dict[str, dict[int, Registered]] = {}
        digest = hashlib.blake2b(digest_size=16)
        for path in expand_paths(paths, folder):
            try:
                if isinstance(path, InvalidInput):
                    raise path
                data = read_bytes(path, MAX_FILE)
                self._add(data, format_path(path, folder))
                digest.update(data)
            except InvalidInput as error:
                self.refusals.append(Refusal(error))
        self.digest = digest.hexdigest()

    def _add(self, data: bytes, where: str) -> None:
        """Raises InvalidInput."""
        try:
            found = _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidInput(
                f"these are no versions ({error}); accepted is the answer of GET /schemas, or of GET /subjects/SUBJECT/versions/VERSION",
                where,
            ) from None
        for one in found if isinstance(found, list) else [found]:
            if not one.subject:
                raise InvalidInput("a version has no subject; accepted is the answer of GET /schemas", where)
            if len(one.schema) > MAX_SCHEMA:
                raise InvalidInput(
                    f"the schema has {len(one.schema):,} characters; at most {MAX_SCHEMA:,} are read", f"{where}: {one.subject}"
                )
            self._versions.setdefault(one.subject, {})[one.version] = one
            if len(self._versions) > MAX_SUBJECTS:
                raise InvalidInput(f"the files have more than {MAX_SUBJECTS:,} subjects", where)

    def list_subjects(self) -> list[str]:
        return list(self._versions)

    def list_versions(self, subject: str) -> list[int]:
        return sorted(self._versions[subject])

    def read_version(self, subject: str, version: int) -> Registered:
        return self._versions[subject][version]

    def read_referred(self, subject: str, version: int) -> Registered:
        """A version that a schema refers to. Raises InvalidInput."""
        found = self._versions.get(subject, {}).get(version)
        if found is None:
            raise InvalidInput(f"it refers to {shorten_text(subject, 200)} version {version}, which the files do not have")
        return found

    def read_compatibility(self, subject: str) -> str:  # noqa: ARG002 - as of a running registry
        """The answers do not have the mode."""
        return ""
