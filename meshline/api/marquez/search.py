"""Search in the names of datasets and jobs: `/search`, and `/api/v2beta/search`, which Marquez answers with a search engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from meshline.api.marquez.datasets import collect_dataset_facets, collect_facets
from meshline.api.marquez.node_ids import format_node_id
from meshline.api.marquez.question import Question, find_namespace, parse_time
from meshline.api.marquez.runs import read_last_writers, read_latest_runs
from meshline.api.marquez.shapes import DatasetMatch, DatasetMatches, Hit, Hits, JobMatch, JobMatches
from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, AssetKind, from_micros
from meshline.graph.queries.assets import read_attributes

FILTERS = (AssetKind.DATASET, AssetKind.JOB)
SORTS = ("NAME", "UPDATE_AT")
_TYPES = {"NEW": "OTHER", "RUNNING": "RUNNING", "COMPLETED": "COMPLETE", "FAILED": "FAIL", "ABORTED": "ABORT"}
FIRST = 10  # hits of a request without a limit


def search_names(question: Question) -> Hits:
    """The datasets and jobs with a text anywhere in their names, in any case: exact names first, then those that begin with it."""
    text = read_text(question)
    wanted = question.read_choice("filter", FILTERS, "")
    sort = question.read_choice("sort", SORTS, SORTS[0])
    limit = question.read_number("limit", FIRST, 10_000)
    since, until = _parse_day(question, "after"), _parse_day(question, "before")
    last = question.times[1]
    found = [
        (node, name)
        for kind in FILTERS
        if wanted in ("", kind)
        for node, name in find_names(question, kind, text)
        if (since is None or last[node] >= since) and (until is None or last[node] < until)
    ]
    if sort == SORTS[1]:
        found.sort(key=lambda hit: -int(last[hit[0]]))
    else:
        found.sort(key=lambda hit: _rank_name(hit[1], text))
    return Hits(len(found), [_build_hit(question, node, int(last[node])) for node, _ in found[:limit]])


def _build_hit(question: Question, node: int, at: int) -> Hit:
    key = question.index.assets.get_key(node)
    question.shown.add(node)
    return Hit("JOB" if key.kind is AssetKind.JOB else "DATASET", key.name, from_micros(at), key.parts[0], format_node_id(key))


def read_text(question: Question) -> str:
    """The text that is searched, casefolded. Raises InvalidInput."""
    text = question.query.get("q", "").strip().casefold()
    if not text:
        raise InvalidInput("the parameter is missing, or blank", "q")
    return text


def find_names(question: Question, kind: AssetKind, text: str) -> Iterator[tuple[int, str]]:
    """The assets of a kind with a text (casefolded) in their shown names, by name; of the namespace of the request if it has one.

    Each with its name, casefolded. Keys are for the page that is shown: a letter is in most names.
    """
    namespace, assets = question.query.get("namespace") or None, question.index.assets
    question.limits.check_deadline()
    nodes, names = assets.list_of_kind(kind), question.index.list_folded_names(kind)
    begin, end = (0, len(nodes)) if namespace is None else find_namespace(question.index, kind, namespace)
    for node, name in zip(nodes[begin:end], names[begin:end], strict=True):
        if text in name and node not in question.hidden:
            yield node, name


def _find_first(question: Question, kind: AssetKind, text: str) -> list[tuple[int, AssetKey]]:
    """The first ten of `find_names`, with their keys."""
    found = [node for node, _ in islice(find_names(question, kind, text), FIRST)]
    question.shown.update(found)
    return [(node, question.index.assets.get_key(node)) for node in found]


def _rank_name(name: str, text: str) -> int:
    return 0 if name == text else 1 if name.startswith(text) else 2


def _parse_day(question: Question, name: str) -> int | None:
    """The beginning of a day of the query, YYYY-MM-DD, in microseconds. Raises InvalidInput."""
    text = question.query.get(name)
    if not text:
        return None
    if len(text) != len("YYYY-MM-DD"):
        raise InvalidInput(f"give a day as YYYY-MM-DD, not {text[:40]!r}", name)
    return parse_time(text, name)


def search_datasets(question: Question) -> DatasetMatches:
    """The first ten datasets with a text in their names, with their facets."""
    text = read_text(question)
    found = _find_first(question, AssetKind.DATASET, text)
    hits = []
    read_last_writers(question, ((node, None) for node, _ in found))
    for (node, key), known in zip(found, read_attributes(question.live, question.index, [node for node, _ in found]), strict=True):
        writer = question.writers[node, None]
        run_id, type_ = ("", "") if writer is None else (writer.run_id, "COMPLETE")
        hits.append(DatasetMatch(run_id, key.name, key.parts[0], type_, collect_dataset_facets(known)))
    return DatasetMatches(hits, [_mark_text(key, text) for _, key in found])


def search_jobs(question: Question) -> JobMatches:
    """The first ten jobs with a text in their names, with their facets and those of their newest runs."""
    text = read_text(question)
    found = _find_first(question, AssetKind.JOB, text)
    hits = []
    latest = read_latest_runs(question, [node for node, _ in found], 1)
    for (node, key), known in zip(found, read_attributes(question.live, question.index, [node for node, _ in found]), strict=True):
        run = next(iter(latest[node]), None)
        run_id, type_, facets = ("", "", {}) if run is None else (run.id, _TYPES[run.state], run.facets)
        hits.append(JobMatch(run_id, key.name, key.parts[0], type_, "BATCH", collect_facets(known), facets))
    return JobMatches(hits, [_mark_text(key, text) for _, key in found])


def _mark_text(key: AssetKey, text: str) -> dict[str, list[str]]:
    """The name with the text between <em> and </em>. It is no HTML: Marquez's page splits it there, and shows the rest as it is."""
    parts = re.split(f"({re.escape(text)})", key.name, flags=re.IGNORECASE)
    marked = "".join(f"<em>{part}</em>" if number % 2 else part for number, part in enumerate(parts))
    return {"name": [marked]}
