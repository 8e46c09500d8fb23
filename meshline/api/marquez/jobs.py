"""Jobs: `/jobs` and `/namespaces/{namespace}/jobs`, and what other answers show of a job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import msgspec
from msgspec.structs import astuple

from meshline.api.marquez.datasets import collect_facets, find_times, list_tag_names
from meshline.api.marquez.node_ids import build_version
from meshline.api.marquez.question import Question
from meshline.api.marquez.runs import STATES, build_job_version, iterate_state_names, read_latest_runs
from meshline.api.marquez.shapes import Job, JobBase, Jobs, Name, Run
from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, AssetKind, EdgeType, from_micros
from meshline.graph.queries.asset_lists import list_linked
from meshline.graph.queries.assets import Attributes, read_attributes

LATEST = 10  # runs that an answer about a job shows


def list_jobs(question: Question) -> Jobs:
    """The jobs of all namespaces, the last observed first."""
    return _build_page(question, question.index.assets.list_of_kind(AssetKind.JOB))


def list_jobs_of_namespace(question: Question) -> Jobs:
    """The jobs of a namespace, the last observed first."""
    question.check_namespace()
    return _build_page(question, question.list_of_namespace(AssetKind.JOB))


def _build_page(question: Question, nodes: Sequence[int]) -> Jobs:
    nodes, last = question.leave_out_hidden(nodes), question.times[1]
    ordered = sorted(nodes, key=lambda node: -int(last[node]))
    shown = [(node, question.index.assets.get_key(node)) for node in _cut_page(question, ordered)]
    return Jobs(read_jobs(question, shown), len(nodes))


def _cut_page(question: Question, jobs: Sequence[int]) -> Sequence[int]:
    """The page of the request, of jobs whose last run has one of the states that it names. The total does not depend on these."""
    wanted = {state.upper() for state in question.query.getlist("lastRunStates")}
    if not wanted:
        return question.cut_page(jobs)
    if not wanted <= STATES:
        raise InvalidInput(f"give {', '.join(sorted(STATES))}", "lastRunStates")
    limit, offset = question.read_page()
    matching = (job for job, state in iterate_state_names(question, jobs) if state in wanted)
    return list(islice(matching, offset, offset + limit))


def get_job(question: Question) -> Job:
    """A job."""
    asked = AssetKey(AssetKind.JOB, (question.path["namespace"], question.path["job"]))
    return read_jobs(question, [(question.get_job(), asked)])[0]


def read_jobs(question: Question, asked: Iterable[tuple[int, AssetKey]]) -> list[Job]:
    """Jobs (nodes, each with the name to show) with all that an answer about jobs shows of them."""
    jobs = list(asked)
    known = read_attributes(question.live, question.index, [node for node, _ in jobs])
    latest = read_latest_runs(question, [node for node, _ in jobs], LATEST)
    return [_build_job(question, node, key, of_one, latest[node]) for (node, key), of_one in zip(jobs, known, strict=True)]


def _build_job(question: Question, node: int, key: AssetKey, known: Attributes, latest: Sequence[Run]) -> Job:
    base = build_job_base(question, node, key, known, latest)
    return Job(
        **msgspec.structs.asdict(base),
        latest_runs=list(latest) or None,
        facets=collect_facets(known),
        current_version=build_job_version(
            key,
            known.find_text("source_code_location") or "",
            *([[*astuple(name)] for name in named] for named in (base.inputs, base.outputs)),
        ),
        labels=[],
        tags=list_tag_names(known),
    )


def build_job_base(question: Question, node: int, key: AssetKey, known: Attributes, latest: Sequence[Run]) -> JobBase:
    """What every answer shows of a job. `latest`: its newest runs."""
    namespace, name = key.parts
    index = question.index
    since, last = find_times(question, node)
    parent = next((index.assets.get_key(parent) for parent in list_linked(index, node, EdgeType.PART_OF)), None)
    return JobBase(
        id=Name(namespace, name),
        type="BATCH",
        name=name,
        simple_name=name if parent is None else name.removeprefix(f"{parent.name}."),
        parent_job_name=None if parent is None else parent.name,
        parent_job_uuid=None if parent is None else build_version(*parent.parts),
        created_at=from_micros(since),
        updated_at=from_micros(last),
        namespace=namespace,
        inputs=_list_names(question, node, EdgeType.READS),
        outputs=_list_names(question, node, EdgeType.WRITES),
        location=choose_location(known.find_text("source_code_location")),
        description=known.find_text("description"),
        latest_run=latest[0] if latest else None,
    )


def choose_location(text: str | None) -> str | None:
    """Where the code of a job is, if it is an address that a page may link: the client for Java reads no other."""
    return text if text is not None and text.lower().startswith(("https://", "http://")) else None


def _list_names(question: Question, job: int, type_: EdgeType) -> list[Name]:
    """The datasets that a job reads or writes, by name."""
    datasets = list_linked(question.index, job, type_)
    question.shown.update(datasets)
    return [Name(*question.index.assets.get_key(dataset).parts) for dataset in datasets]
