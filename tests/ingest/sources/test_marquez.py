"""An import from Marquez: by its events it equals what was sent to it; the rest fills what no event names. A recorded real Marquez."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.index.dump import Dump
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, build_dataset_key, build_job_key, from_micros, to_micros
from meshline.graph.naming import Naming
from meshline.graph.store.base import RunRole
from meshline.ingest.openlineage.event_files import read_events
from meshline.ingest.openlineage.run_state import decode_state
from meshline.ingest.sources import http_reader
from meshline.ingest.sources.http_reader import RefusedAnswer
from meshline.ingest.sources.marquez import event_history, marquez_client
from meshline.ingest.sources.marquez import source as marquez_source
from meshline.ingest.sources.marquez.event_history import EventHistory, strip_nulls
from meshline.ingest.sources.marquez.parse import EventList, Job, NamedByEvent, NameSet
from meshline.ingest.sources.marquez.source import Marquez, ingest_marquez, list_event_names, normalise_body
from meshline.ingest.sources.secrets import Redaction
from meshline.ingest.sources.sync import SyncOutcome
from meshline.ingest.sources.target import LocalTarget
from tests.ingest.sources.fake_source import open_graph
from tests.ingest.sources.marquez_server import import_marquez, read_answers, serve_answers, set_pages

EVENTS = Path(__file__).parents[3] / "examples/mesh/events"
CRM = "crm"
EVERYTHING = 2**60


@pytest.fixture(scope="module")
def recorded() -> Iterator[str]:
    """The address of the recorded Marquez."""
    answers = read_answers()
    with set_pages(), serve_answers(lambda address, _: answers.get(address, (404, b'{"code":404,"message":"not recorded"}'))) as url:
        yield url


@pytest.fixture(scope="module")
def imported(recorded: str) -> Iterator[LiveGraph]:
    with open_graph() as live:
        done = import_marquez(live, recorded)
        assert done.error is None
        assert not done.refused, done.loading
        yield live


@pytest.fixture(scope="module")
def direct() -> Iterator[LiveGraph]:
    """The events that were sent to Marquez, sent to meshline."""
    with open_graph() as live:
        assert all(
            one.error is None for one in LocalTarget(live, Naming()).ingest_events("openlineage/default", read_events([str(EVENTS)]))
        )
        yield live


def list_facts(dump: Dump) -> dict[str, set[str]]:
    """What a graph has from events. The scope of a partial schema is named by a digest of its text: Marquez writes it in another order."""
    rows: dict[str, Sequence[object]] = {
        "relations": dump.relations,
        "flows": dump.flows,
        "scopes": dump.scopes,
        "silent": dump.silent_on_filters,
    }
    texts = {name: [re.sub(r"('schema-part', )'[0-9a-f]{32}'", r"\1''", repr(row)) for row in found] for name, found in rows.items()}
    return {name: {text for text in found if "'marquez/default'" not in text and f"'{CRM}'" not in text} for name, found in texts.items()}


def test_the_events_state_what_they_stated_before_marquez(imported: LiveGraph, direct: LiveGraph) -> None:
    """Lineage of tables and columns, schemas, names, their times, all else but what the source marquez/default adds."""
    facts, expected = list_facts(imported.index.dump()), list_facts(direct.index.dump())
    assert facts == expected
    assert min(len(expected["relations"]), len(expected["flows"]), len(expected["scopes"])) > 100


def test_the_runs_are_those_of_the_events(imported: LiveGraph, direct: LiveGraph) -> None:
    def list_runs(live: LiveGraph) -> list[tuple[object, ...]]:
        jobs = [live.index.assets.get_key(node) for node in live.index.assets.list_of_kind(AssetKind.JOB)]
        found = live.store.list_runs([job for job in jobs if job.parts[0] != CRM], RunRole.JOB, None, 1_000)
        states = [(stored.run, decode_state(stored.run.state)) for stored in found]
        return sorted((run.key, run.begun, run.reads, run.writes, state.completed, state.failed) for run, state in states)

    runs = list_runs(direct)
    assert list_runs(imported) == runs
    assert len(runs) > 50


def test_events_are_word_for_word_those_that_were_sent(imported: LiveGraph) -> None:
    """But for the order of members, the form of times, and digits that Marquez loses of numbers with a fraction."""

    def normalise(body: bytes) -> str:
        text = re.sub(r'"eventTime":"([^"]*)"', lambda match: f'"eventTime":"{NamedByEvent(match[1]).parse_time()}"', body.decode())
        text = re.sub(r'"snapshotId":[0-9.e+]+', '"snapshotId":0', text)
        return json.dumps(json.loads(text), sort_keys=True)

    sent = sorted(
        normalise(msgspec.json.encode(msgspec.json.decode(found[1])))
        for found in read_events([str(EVENTS)])
        if not isinstance(found, InvalidInput)
    )
    kept = [stored.event.body for stored in imported.store.list_events(-EVERYTHING, EVERYTHING, None, 1_000)]
    assert sorted(normalise(body) for body in kept if b'"namespace":"crm"' not in body) == sent


def test_again_nothing_is_new(imported: LiveGraph, recorded: str) -> None:
    before, events = imported.index.dump(), imported.store.count_events(-EVERYTHING, EVERYTHING)
    done = import_marquez(imported, recorded)
    assert done.loading is not None
    assert (done.loading.new, done.loading.changed, done.loading.retracted, done.loading.refused) == (0, 0, 0, ())
    assert done.loading.unchanged >= 170
    assert imported.index.dump() == before
    assert imported.store.count_events(-EVERYTHING, EVERYTHING) == events


def read_attributes(live: LiveGraph, key: Any) -> dict[str, Any]:
    node = live.index.assets.find_by_key(key)
    assert node is not None, key
    return {row.attribute: row.value for row in live.read_facts(live.index, [node])[node] if row.chosen}


def test_a_dataset_that_no_event_names(imported: LiveGraph) -> None:
    accounts = build_dataset_key(CRM, "public.accounts")
    found = read_attributes(imported, accounts)
    assert (found["description"], found["tags"]) == ("Who buys", ["SENSITIVE"])
    index = imported.index
    node = index.assets.find_by_key(accounts)
    assert node is not None
    columns = {index.assets.get_key(column).name: column for column in index.assets.list_columns(node)}
    email = read_attributes(imported, index.assets.get_key(columns["email"]))
    assert list(columns) == ["id", "email"]
    assert (email["type"], email["description"], email["tags"]) == ("VARCHAR", "work address", ["PII"])
    assert [index.assets.get_key(owner.owner).name for owner in index.ownership.list_owners(node)] == ["team-crm"]
    assert index.assets.find_by_key(build_dataset_key(CRM, "public.removed")) is None, "it is deleted in Marquez"


def test_the_versions_of_a_dataset_are_its_history(imported: LiveGraph) -> None:
    scope = ("dataset", CRM, "public.accounts", "schema")
    (current,) = [row for row in imported.index.dump().scopes if row[0] == ("marquez/default", scope)]
    before = imported.get_index(current[2] - 1)
    node = before.assets.find_by_key(build_dataset_key(CRM, "public.accounts"))
    assert node is not None
    assert [before.assets.get_key(column).name for column in before.assets.list_columns(node)] == ["id"]


def test_a_job_that_no_event_names_has_its_lineage_and_runs(imported: LiveGraph) -> None:
    index, job = imported.index, build_job_key(CRM, "load_contacts")
    assert read_attributes(imported, job)["description"] == "Loads contacts"
    assert read_attributes(imported, job)["tags"] == ["PII"]
    contacts, accounts = build_dataset_key(CRM, "public.contacts"), build_dataset_key(CRM, "public.accounts")
    assert (accounts, contacts) in {(row[0], row[1]) for row in index.dump().flows}
    runs = imported.store.list_runs([job], RunRole.JOB, None, 10)
    states = {stored.run.key.run_id[-1]: decode_state(stored.run.state) for stored in runs}
    assert {run: (state.completed is not None, state.failed is not None) for run, state in states.items()} == {
        "1": (True, False),
        "2": (False, True),
        "3": (False, False),
    }
    begun = {stored.run.key.run_id[-1]: from_micros(stored.run.begun or 0).isoformat() for stored in runs}
    assert begun["1"] == "2026-03-08T04:00:10+00:00"


def test_tags_by_hand_join_those_of_events(imported: LiveGraph, direct: LiveGraph) -> None:
    customers = build_dataset_key("file", "/warehouse/customers/customers")
    assert read_attributes(imported, customers)["tags"] == ["SENSITIVE"]
    assert "tags" not in read_attributes(direct, customers)
    assert read_attributes(imported, build_job_key("orchestrator", "mesh_nightly"))["tags"] == ["SENSITIVE"]


def test_the_names_of_jobs_are_those_of_events(imported: LiveGraph, direct: LiveGraph) -> None:
    """Marquez puts the name of the parent before a job's, and makes jobs of the parents."""

    def list_jobs(live: LiveGraph) -> set[str]:
        keys = (live.index.assets.get_key(node) for node in live.index.assets.list_of_kind(AssetKind.JOB))
        return {key.qualified_name for key in keys if key.parts[0] != CRM}

    assert list_jobs(imported) == list_jobs(direct)
    child = Job("orders", "nightly.load.orders", simple_name="load.orders", parent_job_name="nightly")
    assert list(dict.fromkeys(list_event_names(child))) == ["nightly.load.orders", "load.orders"]


class Killed(Exception):
    """The process ended."""


def run_until(live: LiveGraph, url: str, steps: int) -> bool:
    """Import until the import has looked `steps` times whether it is to stop; whether it came to its end."""
    left = iter(range(steps))

    def check() -> None:
        if next(left, None) is None:
            raise Killed

    try:
        ingest_marquez(LocalTarget(live, Naming()), Marquez(url=url), Path(), variables=lambda _: None, strict=False, check_stop=check)
    except Killed:
        return False
    return True


@pytest.mark.parametrize("seconds", [0.0, 1e9], ids=["what is done is saved often", "nothing was saved before the kill"])
def test_a_killed_import_continues(seconds: float, recorded: str, imported: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """No event is lost, and none is there twice."""
    monkeypatch.setattr(marquez_source, "SAVE_SECONDS", seconds)
    with open_graph() as live:
        assert not run_until(live, recorded, 67)
        assert 0 < live.store.count_events(-EVERYTHING, EVERYTHING) < 170
        assert not run_until(live, recorded, 140)
        done = import_marquez(live, recorded)
        assert done.error is None
        assert live.index.dump() == imported.index.dump()
        assert live.store.count_events(-EVERYTHING, EVERYTHING) == imported.store.count_events(-EVERYTHING, EVERYTHING)


def test_without_events_what_marquez_made_of_them_is_read() -> None:
    """An old Marquez has no list of events; lineage of columns, names and tags are then those that it keeps."""
    answers = {address: answer for address, answer in read_answers().items() if "/events/" not in address}
    with (
        set_pages(),
        serve_answers(lambda address, _: answers.get(address, (404, b'{"code":404,"message":"HTTP 404 Not Found"}'))) as url,
        open_graph() as live,
    ):
        done = import_marquez(live, url)
        assert done.loading is not None, done.error
        assert any("lists no events" in warning for warning in done.loading.warnings)
        node = live.index.assets.find_by_key(build_dataset_key("file", "/warehouse/customers/customer_profiles"))
        assert node is not None
        assert "email_hash" in [live.index.assets.get_key(column).name for column in live.index.assets.list_columns(node)]
        flows = {(row[0].qualified_name, row[1].qualified_name) for row in live.index.dump().flows}
        assert any(start.endswith("customers.email") and end.endswith("email_hash") for start, end in flows)


def read_error(answer: tuple[int, bytes]) -> str:
    with set_pages(), serve_answers(lambda *_: answer) as url, open_graph() as live:
        done = import_marquez(live, url)
        assert done.error is not None
        assert live.store.count_events(-EVERYTHING, EVERYTHING) == 0
        return f"{type(done.error).__name__}: {done.error}".replace(url, "URL")


@pytest.mark.parametrize(
    ("answer", "stated"),
    [
        ((200, b"<html>"), "InvalidInput: /api/v1/namespaces?limit=1: URL does not answer like Marquez"),
        ((200, b"{}"), "does not answer like Marquez"),
        ((404, b"nothing"), "RefusedAnswer: /api/v1/namespaces?limit=1: URL answers HTTP status 404"),
        ((500, b'{"code":500,"message":"it has been logged"}'), "URL answers HTTP status 500: it has been logged"),
        ((401, b""), "AccessRefused: URL refuses access (HTTP status 401); set the key token"),
        ((503, b""), "StoreUnavailable: Marquez does not answer at URL: HTTP status 503"),
        ((302, b""), "HTTP status 302"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_errors_state_what_is_wrong(answer: tuple[int, bytes], stated: str) -> None:
    assert stated in read_error(answer)


@pytest.mark.parametrize("url", ["marquez:5000", "ftp://marquez", "http://", "http://[", "http://h/?x=1"])
def test_an_address_is_checked(url: str) -> None:
    with open_graph() as live:
        done = import_marquez(live, url)
        assert isinstance(done.error, InvalidInput)
        assert "url" in str(done.error)


def test_a_server_that_is_away() -> None:
    with set_pages(), open_graph() as live:
        done = import_marquez(live, "http://user:hidden@127.0.0.1:9")
        assert isinstance(done.error, StoreUnavailable)
        assert "127.0.0.1:9" in str(done.error)
        assert "hidden" not in str(done.error)


def test_the_token_is_sent_and_never_shown() -> None:
    seen: list[str] = []

    def answer(_: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        seen.append(headers.get("authorization", ""))
        return 500, b'{"message": "the token secret-of-a-proxy is wrong"}'

    with set_pages(), serve_answers(answer) as url, open_graph() as live:
        done = import_marquez(live, url, token="${MARQUEZ_TOKEN}")
    assert seen == ["Bearer secret-of-a-proxy"]
    assert "secret-of-a-proxy" not in str(done.error)
    with open_graph() as live:
        assert "NOT_SET" in str(import_marquez(live, "http://127.0.0.1:9", token="${NOT_SET}").error)


def test_an_answer_that_is_too_large_is_read_in_smaller_pages(recorded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here each page with more than a few events is too large; the events are all there nevertheless."""
    del recorded
    events = [build_event(number, number) for number in range(60)]
    monkeypatch.setattr(http_reader, "MAX_BYTES", 2_000)
    with (
        serve_answers(lambda address, _: (200, answer_events(events, address))) as url,
        marquez_client.MarquezClient.connect(url, None, Redaction({}, {})) as client,
    ):
        found = [event.body for page in EventHistory(client).read_pages() for event in page.events]
    assert len(found) == 60
    assert len(set(found)) == 60


def build_event(number: int, time: int) -> dict[str, object]:
    """An event of a time (microseconds after noon)."""
    at = from_micros(1_772_971_200_000_000 + time).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"eventTime": at, "job": {"namespace": "n", "name": f"j{number}"}}


def answer_events(events: list[dict[str, Any]], address: str) -> bytes:
    return FakeMarquez(events).answer(**dict(parse_qsl(urlsplit(address).query)))


class FakeMarquez:
    """Its list of events, as Marquez's SQL makes it: events of one time come in any order, which differs from request to request.
    It ignores `declared`.

    `meshline`: as a meshline makes it. Events without a run are left out of pages after they were counted, and the oldest of more than
    `most` are not listed.
    """

    def __init__(self, events: list[dict[str, Any]], *, meshline: bool = False, most: int = 6) -> None:
        self.events = events
        self.meshline = meshline
        self.most = most
        self.asked = 0

    def answer(self, after: str, before: str, limit: str | int, sortDirection: str, declared: str = "") -> bytes:  # noqa: N803, ARG002
        self.asked += 1
        found = [event for event in self.events if after <= event["eventTime"] < before]
        turn = self.asked % (len(found) or 1)
        found, total = sorted(found[turn:] + found[:turn], key=lambda event: str(event["eventTime"])), len(found)
        if sortDirection == "desc":
            found.reverse()
        elif self.meshline and total > self.most:
            raise RefusedAnswer("that is beyond the first events", "events/lineage", 400)
        if not self.meshline:
            found = [event for event in found if event["job"]]
        return json.dumps({"totalCount": total, "events": [event for event in found[: int(limit)] if event["job"]]}).encode()

    def read(self, shape: type[EventList], _: object, **parameters: Any) -> EventList:
        return msgspec.json.decode(self.answer(**parameters), type=shape)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=12), min_size=1, max_size=4),
    st.integers(1, 4),
    st.booleans(),
)
def test_each_event_is_read_once_whenever_it_arrives(arrivals: list[list[tuple[int, bool]]], page: int, meshline: bool) -> None:  # noqa: FBT001
    """Law. `arrivals`: the times of the events that arrive before each reading, and whether they are of a run; what is late is in a
    window that is read again.
    """
    marquez, memory, number = FakeMarquez([], meshline=meshline, most=60), "", 0
    expected: set[str] = set()
    seen: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_history, "PAGE", page)
        patch.setattr(event_history, "MOST", 64)
        for times in arrivals:
            for time, of_run in times:
                event = build_event(number, time)
                marquez.events.append(event if of_run else {**event, "job": None})
                expected |= {f"j{number}"} if of_run else set()
                number += 1
            marquez.most = max(12, number // 2)  # all may have one time
            marquez.most = max(marquez.most, max(Counter(event["eventTime"] for event in marquez.events).values(), default=0))
            history = EventHistory(marquez, memory)  # type: ignore[arg-type]
            for found in history.read_pages():
                names = {event.named.job.name for event in found.events if event.named.job is not None}
                assert len(names) == len(found.events)
                assert found.again or not names & seen
                seen |= names
            memory = history.encode()
            assert seen == expected
        history = EventHistory(marquez, memory)  # type: ignore[arg-type]
        if all(of_run for times in arrivals for _, of_run in times):
            before = marquez.asked
            assert [event for found in history.read_pages() for event in found.events] == []
            assert marquez.asked - before <= 2
            assert history.count_unchanged() == number


def test_a_kill_between_pages_reads_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_history, "PAGE", 3)
    marquez = FakeMarquez([build_event(number, number) for number in range(20)])
    first, memory = EventHistory(marquez), ""  # type: ignore[arg-type]
    seen = []
    for position, page in enumerate(first.read_pages()):
        seen += [event.body for event in page.events]
        memory = first.encode()  # the page is not done yet: it is read again
        if position == 3:
            break
    again = [event.body for page in EventHistory(marquez, memory).read_pages() for event in page.events]  # type: ignore[arg-type]
    assert set(seen) | set(again) == {strip_nulls(json.dumps(event).encode()) for event in marquez.events}
    assert len(set(seen) & set(again)) <= 3


def test_too_many_events_of_one_time_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_history, "PAGE", 2)
    monkeypatch.setattr(event_history, "MOST", 8)
    marquez = FakeMarquez([build_event(number, 5) for number in range(9)])
    with pytest.raises(InvalidInput, match=r"more than 8 events of the time 2026-03-08T12:00:00\.000005Z"):
        list(EventHistory(marquez).read_pages())  # type: ignore[arg-type]


def test_an_event_with_broken_names_does_not_stop_the_others() -> None:
    """Marquez keeps what it is sent: a parent without a name, a dataset without one."""
    parent = {"facets": {"parent": {"job": {"namespace": "n", "name": None}, "run": {"runId": None}}}, "runId": "r"}
    events = [
        build_event(0, 0) | {"run": {"runId": "a"}},
        build_event(1, 1) | {"run": parent},
        build_event(2, 2) | {"run": {"runId": "b"}, "inputs": [{"name": None}]},
        build_event(3, 3) | {"run": {"runId": "c"}},
    ]
    answers: dict[str, tuple[int, bytes]] = {"namespaces": (200, b'{"namespaces":[]}')}

    def answer(address: str, _: object) -> tuple[int, bytes]:
        return answers["namespaces"] if "/namespaces" in address else (200, answer_events(events, address))

    with set_pages(), serve_answers(answer) as url, open_graph() as live:
        done = import_marquez(live, url)
        assert done.loading is not None, done.error
        assert len(done.loading.refused) == 1
        assert "inputs[0]" in str(done.loading.refused[0])
        assert live.store.count_events(-EVERYTHING, EVERYTHING) == 3


def test_a_memory_that_is_no_longer_readable_is_empty() -> None:
    assert EventHistory(FakeMarquez([]), "?").encode() == "[]"  # type: ignore[arg-type]
    assert EventHistory(FakeMarquez([]), "[[5,1],[4,1]]").encode() == "[]"  # type: ignore[arg-type]
    assert ("a", "b") not in NameSet("?")
    names = NameSet()
    names.add([("a", "b"), ("a", "c")])
    again = NameSet(names.encode())
    assert [name in again for name in (("a", "b"), ("a", "c"), ("b", "a"))] == [True, True, False]


def test_nulls_of_marquez_are_left_out_and_others_stay() -> None:
    facets = {"schema": {"fields": [{"name": "a", "description": None}]}, "symlinks": None, "own": {"x": None}}
    output = {"namespace": "n", "name": "d", "inputFacets": None, "facets": facets}
    body = json.dumps({"eventTime": "t", "inputs": None, "outputs": [output]}).encode()
    assert json.loads(strip_nulls(body)) == {
        "eventTime": "t",
        "outputs": [{"namespace": "n", "name": "d", "facets": {"schema": {"fields": [{"name": "a"}]}, "own": {"x": None}}}],
    }
    assert normalise_body(b'{"a":1,"b":[2]}') == normalise_body(b'{ "b": [2], "a": 1 }') != normalise_body(b'{"a":1,"b":[3]}')
    assert normalise_body(b"no JSON") == normalise_body(b"no JSON")


def test_a_list_with_an_entry_that_marquez_cannot_show_is_refused_and_nothing_of_it_is_retracted(imported: LiveGraph) -> None:
    answers = read_answers()
    broken = {
        address: ((500, b'{"message":"logged"}') if f"/{CRM}/datasets?" in address else answer) for address, answer in answers.items()
    }
    before = list_names(imported)
    with set_pages(), serve_answers(lambda address, _: broken.get(address, (404, b"{}"))) as url:
        done: SyncOutcome = import_marquez(imported, url)
    assert done.loading is not None
    assert any(f"namespaces/{CRM}/datasets" in str(error) for error in done.loading.refused)
    assert done.loading.retracted == 0
    assert list_names(imported) == before


def test_what_is_deleted_in_marquez_is_retracted() -> None:
    answers = read_answers()
    address = next(one for one in answers if one.startswith(f"/api/v1/namespaces/{CRM}/datasets?"))
    with set_pages(), serve_answers(lambda address, _: answers.get(address, (404, b"{}"))) as url, open_graph() as live:
        import_marquez(live, url)
        assert f"{CRM}/public.accounts" in list_names(live)
        answers[address] = (200, b'{"totalCount":0,"datasets":[]}')
        done = import_marquez(live, url)
        assert done.loading is not None
        assert done.loading.retracted > 0
        node = live.index.assets.find_by_key(build_dataset_key(CRM, "public.accounts"))
        assert node is None or not live.index.assets.is_described(node), "the job still reads it"


def list_names(live: LiveGraph) -> set[str]:
    return {live.index.assets.get_key(node).qualified_name for node in live.index.assets.list_of_kind(AssetKind.DATASET)}


def test_times_are_those_of_marquez(imported: LiveGraph) -> None:
    """A statement's time is the last change in Marquez, not the time of the import."""
    answers = read_answers()
    (_, body) = next(answer for address, answer in answers.items() if address.startswith(f"/api/v1/namespaces/{CRM}/jobs?"))
    updated = msgspec.json.decode(body)["jobs"][0]["updatedAt"]
    scope = ("marquez/default", ("job", CRM, "load_contacts", "tags"))
    (row,) = [row for row in imported.index.dump().scopes if row[0] == scope]
    assert row[1] == to_micros(datetime.fromisoformat(updated))
