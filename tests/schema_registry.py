"""A real schema registry for tests (Apicurio), started once in a session; each file of tests begins without subjects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import httpx

from tests.servers import run_server_script


class RegistryServer(NamedTuple):
    """A running registry, as producers use it."""

    url: str

    def register(self, subject: str, schema: object, type_: str = "AVRO", references: Mapping[str, tuple[str, int]] | None = None) -> int:
        """Register a schema; returns its id. `references`: (subject, version) by name."""
        body: dict[str, object] = {"schema": schema if isinstance(schema, str) else json.dumps(schema), "schemaType": type_}
        if references:
            body["references"] = [{"name": name, "subject": of, "version": version} for name, (of, version) in references.items()]
        answer = httpx.post(f"{self.url}/subjects/{quote(subject, safe='')}/versions", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    def set_compatibility(self, mode: str, subject: str = "") -> None:
        path = f"/config/{quote(subject, safe='')}" if subject else "/config"
        answer = httpx.put(f"{self.url}{path}", json={"compatibility": mode}, timeout=60)
        assert answer.status_code == 200 or mode == "NONE", answer.text  # Apicurio removes a rule, and answers 404 if there is none

    def delete(self, subject: str, version: int | None = None) -> None:
        path = f"/subjects/{quote(subject, safe='')}" + ("" if version is None else f"/versions/{version}")
        answer = httpx.delete(f"{self.url}{path}", timeout=60)
        assert answer.status_code == 200, answer.text

    def wipe(self) -> None:
        """Delete all subjects, and the mode of all."""
        everything = self.url.replace("/apis/ccompat/v7", "/apis/registry/v2/groups/default/artifacts")
        answer = httpx.delete(everything, timeout=60)  # by Apicurio's own API: the other one refuses to delete what others refer to
        assert answer.status_code in (204, 404), answer.text  # 404: there was none
        self.set_compatibility("NONE")


@contextmanager
def registry_server(home: Path) -> Iterator[RegistryServer]:
    """Run a registry."""
    with run_server_script("apicurio", home) as url:
        yield RegistryServer(url)
