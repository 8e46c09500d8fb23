"""Requests to MLflow's REST API, which change nothing: lists page by page, and what its answers contain."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar
from urllib.parse import quote

import msgspec

from meshline.errors import InvalidInput
from meshline.ingest.sources.http_reader import HttpReader, Program, read_if_allowed
from meshline.ingest.sources.secrets import Redaction

T = TypeVar("T")

PREFIX = "/api/2.0/mlflow"
PROGRAM = Program(
    "MLflow", "http://mlflow:5000", "set the key token, or user and password, of an account that may read experiments and models"
)
MOST = 100_000  # entries of a list
AT_ONCE = 100  # experiments in one search for runs
RUNS_AT_ONCE = 200  # a run has all its metrics and parameters


class Tag(msgspec.Struct):
    key: str = ""
    value: str = ""


class Experiment(msgspec.Struct):
    experiment_id: str
    name: str = ""
    tags: list[Tag] = []


class Dataset(msgspec.Struct):
    """A dataset that a run has read. `source`, `schema`: JSON, by the type of the source."""

    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str | None = None
    schema: str | None = None


class DatasetInput(msgspec.Struct):
    dataset: Dataset | None = None
    tags: list[Tag] = []


class RunInputs(msgspec.Struct):
    dataset_inputs: list[DatasetInput] = []


class RunInfo(msgspec.Struct):
    """`start_time`, `end_time`: milliseconds since the epoch, which old versions write as texts."""

    run_id: str
    experiment_id: str = ""
    run_name: str | None = None
    user_id: str | None = None
    status: str = ""
    start_time: int | str | None = None
    end_time: int | str | None = None


class RunData(msgspec.Struct):
    tags: list[Tag] = []


class Run(msgspec.Struct):
    info: RunInfo
    data: RunData = msgspec.field(default_factory=RunData)
    inputs: RunInputs = msgspec.field(default_factory=RunInputs)


class Alias(msgspec.Struct):
    alias: str = ""
    version: str = ""


class RegisteredModel(msgspec.Struct):
    name: str
    description: str | None = None
    last_updated_timestamp: int | str | None = None
    tags: list[Tag] = []
    aliases: list[Alias] = []


class ModelVersion(msgspec.Struct):
    name: str
    version: str
    description: str | None = None
    creation_timestamp: int | str | None = None
    last_updated_timestamp: int | str | None = None
    user_id: str | None = None
    current_stage: str | None = None
    status: str | None = None
    run_id: str | None = None
    tags: list[Tag] = []


class _Page(msgspec.Struct):
    """A page of any of the lists; MLflow leaves out an empty list."""

    experiments: list[Experiment] = []
    runs: list[Run] = []
    registered_models: list[RegisteredModel] = []
    model_versions: list[ModelVersion] = []
    next_page_token: str | None = None


class _OneRun(msgspec.Struct):
    run: Run


def find_tag(tags: Sequence[Tag], key: str) -> str:
    """The value of a tag; '' if there is none."""
    return next((tag.value for tag in tags if tag.key == key), "")


class MlflowClient:
    """A client of one MLflow. It raises only MeshlineError."""

    def __init__(self, reader: HttpReader) -> None:
        self._reader = reader
        self.url = reader.url

    @classmethod
    @contextmanager
    def connect(cls, url: str, token: str, user: str, password: str, redact: Redaction) -> Iterator[MlflowClient]:
        """A client with a bearer token, with an account, or with neither. Nothing is sent yet. Raises InvalidInput."""
        headers: dict[str, str] = {}
        if token:
            headers = {"Authorization": f"Bearer {token}"}
        elif user:
            headers = {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
        with HttpReader.connect(PROGRAM, url, redact, suffix=PREFIX, headers=headers) as reader:
            yield cls(reader)

    def list_experiments(self) -> list[Experiment]:
        """The experiments that are not deleted. Raises InvalidInput, StoreUnavailable."""
        return self._collect(f"{PREFIX}/experiments/search?max_results=1000&view_type=ACTIVE_ONLY", lambda page: page.experiments)

    def list_models(self) -> list[RegisteredModel]:
        """The registered models. Raises InvalidInput, StoreUnavailable."""
        return self._collect(f"{PREFIX}/registered-models/search?max_results=100", lambda page: page.registered_models)

    def list_versions(self) -> list[ModelVersion]:
        """The versions of all registered models. Raises InvalidInput, StoreUnavailable."""
        return self._collect(f"{PREFIX}/model-versions/search?max_results=1000", lambda page: page.model_versions)

    def search_runs(self, experiments: Sequence[str], since: int, most: int) -> Iterator[Run]:
        """At most so many runs of experiments, newest first among AT_ONCE experiments. `since`: milliseconds since the epoch.

        Raises InvalidInput, StoreUnavailable.
        """
        for begin in range(0, len(experiments), AT_ONCE):
            body: dict[str, object] = {
                "experiment_ids": list(experiments[begin : begin + AT_ONCE]),
                "filter": f"attributes.start_time >= {since}",
                "order_by": ["attributes.start_time DESC"],
                "max_results": min(RUNS_AT_ONCE, most),
                "run_view_type": "ACTIVE_ONLY",
            }
            for page in self._read_pages(partial(self._search_runs, body)):
                yield from page.runs[:most]
                most -= len(page.runs)
                if most <= 0:
                    return

    def _search_runs(self, body: dict[str, object], token: str) -> _Page:
        return self._reader.send(_Page, f"{PREFIX}/runs/search", body | ({"page_token": token} if token else {}))

    def find_run(self, id_: str) -> Run | None:
        """A run; None if there is none, or this account may not read it. Raises InvalidInput, StoreUnavailable."""
        found = read_if_allowed(lambda: self._reader.read(_OneRun, f"{PREFIX}/runs/get?run_id={quote(id_, safe='')}"))
        return None if found is None else found.run

    def _collect(self, address: str, list_entries: Callable[[_Page], list[T]]) -> list[T]:
        """All entries of a list that is read by GET."""
        found: list[T] = []
        for page in self._read_pages(
            lambda token: self._reader.read(_Page, address + (f"&page_token={quote(token, safe='')}" if token else ""))
        ):
            found += list_entries(page)
            if len(found) > MOST:
                raise InvalidInput(f"it has more than {MOST} entries", address)
        return found

    @staticmethod
    def _read_pages(read: Callable[[str], _Page]) -> Iterator[_Page]:
        """All pages of a list. Raises InvalidInput if a page leads to one that was read."""
        token, seen = "", {""}
        while True:
            page = read(token)
            yield page
            token = page.next_page_token or ""
            if not token:
                return
            if token in seen:
                raise InvalidInput("a page leads to a page before it", "next_page_token")
            seen.add(token)
