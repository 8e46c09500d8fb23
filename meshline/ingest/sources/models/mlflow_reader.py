"""What MLflow has: models with the columns that they were trained on, and the code of its runs as jobs that read datasets."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import quote

from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetFact, EdgeFact, EdgeType, Facts, Json, drop_empty_attributes
from meshline.ingest.openlineage.run_statements import JOB_READS
from meshline.ingest.sources.base import Context, Entry, Item
from meshline.ingest.sources.dashboards.reports import Report, Use, Warnings, build_owner_facts, build_report_entries
from meshline.ingest.sources.models.logged_datasets import DatasetKeys, DatasetLocator
from meshline.ingest.sources.models.mlflow_api import (
    Experiment,
    MlflowClient,
    ModelVersion,
    RegisteredModel,
    Run,
    find_tag,
)

DAY = 86_400_000  # milliseconds
FAILED = frozenset({"FAILED", "KILLED"})
CURRENT = frozenset({"Production", "Staging"})  # stages of versions, in place of aliases until MLflow 2.9


class RunKeys(NamedTuple):
    """Which runs are read, and which tag names owners: the keys of the source."""

    days: int
    most_runs: int
    owner_tag: str


class RunUse(NamedTuple):
    """What a run has read, and as what, such as training."""

    use: Use
    context: str


class MlflowReader:
    """One reading of an MLflow."""

    def __init__(self, client: MlflowClient, keys: RunKeys, datasets: DatasetKeys, context: Context) -> None:
        self._client = client
        self._keys = keys
        self._context = context
        self._warnings = Warnings()
        self._locator = DatasetLocator(datasets, context, self._warnings)
        self._namespace = re.sub(r"^https?://", "mlflow://", client.url)
        self._runs: dict[str, Run] = {}
        self._uses: dict[str, tuple[RunUse, ...]] = {}

    def list_warnings(self) -> list[str]:
        return self._warnings.list_first()

    def read_items(self) -> Iterator[Item]:
        experiments = {one.experiment_id: one for one in self._client.list_experiments()}
        since = int(time.time() * 1000) - self._keys.days * DAY
        for run in self._client.search_runs(sorted(experiments), since, self._keys.most_runs):
            self._runs.setdefault(run.info.run_id, run)
        if len(self._runs) >= self._keys.most_runs:
            self._warnings.add(f"only the newest {self._keys.most_runs} runs are read: raise most_runs, or lower days")
        yield from self._build_jobs(experiments)
        versions: dict[str, list[ModelVersion]] = {}
        for version in self._client.list_versions():
            versions.setdefault(version.name, []).append(version)
        models = sorted(self._client.list_models(), key=lambda one: one.name)
        yield from build_report_entries((self._build_model(one, versions.get(one.name, [])) for one in models), self._context)

    # -- runs

    def _list_uses(self, run: Run) -> tuple[RunUse, ...]:
        """What a run has read, by the datasets that it has logged."""
        id_ = run.info.run_id
        if id_ not in self._uses:
            found: dict[RunUse, None] = {}
            for one in run.inputs.dataset_inputs:
                if one.dataset is not None:
                    context = find_tag(one.tags, "mlflow.data.context")
                    found.update(dict.fromkeys(RunUse(use, context) for use in self._locator.list_uses(one.dataset)))
            self._uses[id_] = tuple(found)
        return self._uses[id_]

    def _build_jobs(self, experiments: dict[str, Experiment]) -> Iterator[Entry]:
        """The code of an experiment's runs is one job, which reads what those runs have read that did not fail."""
        jobs: dict[tuple[str, str], list[Run]] = {}
        for run in self._runs.values():
            if run.info.status not in FAILED and run.inputs.dataset_inputs and run.info.experiment_id in experiments:
                jobs.setdefault((run.info.experiment_id, name_code(run)), []).append(run)
        named: dict[str, int] = {}
        for (id_, code), runs in sorted(jobs.items()):
            experiment = experiments[id_]
            name = "/".join(filter(None, (experiment.name or id_, code)))
            named[name] = named.get(name, 0) + 1
            yield self._build_job(experiment, name if named[name] == 1 else f"{name} ({id_})", runs)

    def _build_job(self, experiment: Experiment, name: str, runs: Sequence[Run]) -> Entry:
        key = model.build_job_key(self._namespace, name)
        times = [to_millis(run.info.start_time) for run in runs]
        last = runs[times.index(max(times))]
        attributes = drop_empty_attributes(
            job_type="RUN",
            processing_type="BATCH",
            integration="MLFLOW",
            description=find_tag(experiment.tags, "mlflow.note.content"),
            url=f"{self._client.url}/#/experiments/{quote(experiment.experiment_id, safe='')}",
            source_name=find_tag(last.data.tags, "mlflow.source.name"),
            git_commit=find_tag(last.data.tags, "mlflow.source.git.commit"),
            last_run=model.from_micros(max(times) * 1000).isoformat().replace("+00:00", "Z"),
            runs=len(runs),
        )
        read = sorted({found.use.dataset for run in runs for found in self._list_uses(run)})
        owner = find_tag(experiment.tags, self._keys.owner_tag)
        people = [owner] if owner else [find_user(run) for run in runs]
        owners, owned = build_owner_facts(split_owners(people), key, self._context)
        edges = [EdgeFact(EdgeType.READS, key, dataset) for dataset in read]
        facts = Facts((AssetFact(key, attributes), *owners), (*edges, *owned))
        return Entry((JOB_READS, *key.parts), encode_facts(facts), max(times) * 1000)

    # -- models

    def _build_model(self, one: RegisteredModel, versions: Sequence[ModelVersion]) -> Report:
        aliases: dict[str, list[str]] = {}
        for alias in one.aliases:
            aliases.setdefault(alias.version, []).append(alias.alias)
        current = select_current(versions, aliases.keys())
        purposes: dict[Use, dict[str, None]] = {}
        for version in current:
            names = aliases.get(version.version) or [stage for stage in (version.current_stage,) if stage in CURRENT]
            label = f"version {version.version}" + (f" ({', '.join(sorted(names))})" if names else "")
            for use, context in self._list_version_uses(version):
                purposes.setdefault(use, {})[f"{context} of {label}" if context else label] = None
        if current and not purposes:
            self._warnings.add(f"model {one.name!r}: the runs of its versions have logged no dataset that can be located")
        owner = find_tag(one.tags, self._keys.owner_tag)
        newest = max(versions, key=lambda version: parse_version(version.version), default=None)
        times = [to_millis(one.last_updated_timestamp), *(to_millis(version.last_updated_timestamp) for version in versions)]
        attributes: dict[str, Json] = {
            "versions": len(versions),
            "latest_version": newest.version if newest is not None else "",
            "aliases": list[Json](sorted(f"{alias.alias}={alias.version}" for alias in one.aliases)),
            "stages": list[Json](sorted(f"{found.current_stage}={found.version}" for found in current if found.current_stage in CURRENT)),
            "model_uri": f"models:/{one.name}",
        }
        return Report(
            id=f"model/{one.name}",
            name=one.name,
            type="model",
            uses=frozenset(purposes),
            purposes={use: "; ".join(found) for use, found in purposes.items()},
            url=f"{self._client.url}/#/models/{quote(one.name, safe='')}",
            description=one.description or "",
            owners=split_owners([owner] if owner else [self._find_maker(version) for version in current]),
            tags=tuple(f"{tag.key}={tag.value}" if tag.value else tag.key for tag in one.tags if not tag.key.startswith("mlflow.")),
            attributes=attributes,
            time=max(times) * 1000 or None,
        )

    def _list_version_uses(self, version: ModelVersion) -> tuple[RunUse, ...]:
        """What the run of a version has read; if it has logged nothing, what the run above it has."""
        run = self._find_run(version.run_id or "")
        found = self._list_uses(run) if run is not None else ()
        above = self._find_run(find_tag(run.data.tags, "mlflow.parentRunId")) if run is not None and not found else None
        return found or (self._list_uses(above) if above is not None else ())

    def _find_maker(self, version: ModelVersion) -> str:
        """Who made a version; MLflow states it only if users sign in."""
        run = None if version.user_id else self._find_run(version.run_id or "")
        return version.user_id or (find_user(run) if run is not None else "")

    def _find_run(self, id_: str) -> Run | None:
        if id_ and id_ not in self._runs:
            found = self._client.find_run(id_)
            if found is None:
                return None
            self._runs[id_] = found
        return self._runs.get(id_)


def select_current(versions: Sequence[ModelVersion], named: Iterable[str]) -> list[ModelVersion]:
    """The versions of a model that are in use: those with an alias, or a stage that is in use, and the newest; newest first."""
    wanted = set(named)
    ordered = sorted(versions, key=lambda version: parse_version(version.version), reverse=True)
    return [one for at, one in enumerate(ordered) if at == 0 or one.version in wanted or one.current_stage in CURRENT]


def name_code(run: Run) -> str:
    """The name of the code that a run has run: an entry point, a script or a notebook; '' if it is not stated."""
    entry = find_tag(run.data.tags, "mlflow.project.entryPoint")
    return entry or PurePosixPath(find_tag(run.data.tags, "mlflow.source.name").replace("\\", "/")).name


def find_user(run: Run) -> str:
    return find_tag(run.data.tags, "mlflow.user") or run.info.user_id or ""


def split_owners(texts: Iterable[str]) -> tuple[str, ...]:
    """The owners in texts such as `ada@company.com, team:fraud`."""
    return tuple(dict.fromkeys(name.strip() for text in texts for name in text.split(",") if name.strip()))


def to_millis(value: float | str | None) -> int:
    """A time of MLflow in milliseconds since the epoch; 0 if it is none."""
    try:
        found = int(value or 0)
    except (ValueError, OverflowError):
        return 0
    return found if 0 < found < 32_503_680_000_000 else 0  # until the year 3000


def parse_version(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
