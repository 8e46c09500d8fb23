"""Reader processes: answers are as new as what was acknowledged and of one revision, whatever is killed, and for every caller."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from meshline.api.handover import Handover, encode_handover
from meshline.app.tokens import Actor, Role, hash_token
from meshline.graph.content import encode_facts
from meshline.graph.index_file import LEAST_HEADS, Snapshots
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, Facts, Statement, build_dataset_key
from meshline.graph.store.base import Batch
from meshline.graph.store.factory import open_store
from tests.faults.served import READY_SECONDS, Started, run_server
from tests.faults.truth import Truth, list_raw_events, remove_revision
from tests.faults.wire import EVENT, GRAPHQL, JSON, Wire, build_request, open_wire, send_request
from tests.servers import Neo4jServer
from tests.sizes import ALL, choose_size

ADMIN, ANALYST, LATE = "meshline_admin", "meshline_analyst", "meshline_late"
RULES = """\
version: 1
default: nothing
grants:
  - {who: [token:admin], on: [everything]}
  - {who: [token:analyst], on: ["namespace:wh"]}
"""
SEEN = """{
  about { revision }
  datasets(first: 200) { nodes { name description columns { nodes { name } } facts { attribute value } } }
  jobs(first: 200) { nodes { name } }
}"""
PAST = f"""query($at: DateTime) {{
  impact(of: ["{build_dataset_key("wh", "source").id}"], asOf: $at) {{
    total assets {{ nodes {{ node {{ name }} }} }} completeness {{ revision }}
  }}
  datasets(filter: {{namespace: "wh"}}, asOf: $at) {{
    nodes {{ name description columns {{ nodes {{ name }} }} facts {{ attribute value }} }}
  }}
}}"""
WRITERS, READERS = 4, 4
EACH = choose_size(12, 150)  # events of a writer


def build_settings(file: Path, *tokens: str) -> Path:
    """A file with these tokens; all but ADMIN are of readers."""
    roles = {name: "admin" if name == ADMIN else "reader" for name in tokens}
    entries = [
        f'[[tokens]]\nname = "{name.removeprefix("meshline_")}"\nrole = "{role}"\nhash = "{hash_token(name)}"\n'
        for name, role in roles.items()
    ]
    file.write_text("\n".join(entries))
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readers")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Started]:
    """With one reader, which answers."""
    rules = folder / "access.yaml"
    rules.write_text(RULES)
    config = build_settings(folder / "meshline.toml", ADMIN, ANALYST, LATE)
    with run_server(f"sqlite:///{folder}/mesh.db", folder / "log", "--readers", "1", config=config, access=rules) as started:
        find_reader(started)
        yield started


def headers(token: str = ADMIN) -> Mapping[str, str]:
    return {**JSON, "Authorization": f"Bearer {token}"}


def find_reader(server: Started, besides: int = 0) -> int:
    """The process id of the reader, as soon as it answers."""
    end = time.monotonic() + READY_SECONDS
    while True:
        found = re.findall(r"reader 1 is started process=([0-9]+)", server.log)
        ready = send_request(server.port, "GET", "/readyz", headers=headers()).json
        if found and int(found[-1]) != besides and any(one["revision"] is not None for one in ready.get("readers", [])):
            return int(found[-1])
        assert time.monotonic() < end, server.log[-3000:]
        time.sleep(0.05)


def build_event(writer: int, number: int) -> bytes:
    """It changes a dataset's description, and columns that others change, too."""
    fields = [{"name": f"c{n}", "type": "string"} for n in range(1 + number % 5)]
    event = {
        "eventTime": f"2026-03-01T{number // 60:02}:{number % 60:02}:0{writer}Z",
        "producer": f"https://example.com/{writer}/{number}",
        "run": {"runId": f"00000000-0000-4000-8000-{writer:04}{number:08}"},
        "job": {"namespace": "etl", "name": f"job{number % 7}"},
        "eventType": "COMPLETE",
        "inputs": [{"namespace": "wh", "name": "source"}],
        "outputs": [
            {
                "namespace": "wh",
                "name": f"target{(writer + number) % 3}",
                "facets": {"schema": {"fields": fields}, "documentation": {"description": f"by {writer}, {number}"}},
            }
        ],
    }
    return json.dumps(event).encode()


def build_unordered_event(writer: int, number: int) -> bytes:
    """One that comes late, unless it is the first: of as many as the writers send, some are of each time."""
    event = json.loads(build_event(writer, number))
    event["eventTime"] = f"2026-03-01T00:{number * 7 % EACH % 60:02}:0{writer}Z"
    return json.dumps(event).encode()


class Asked(NamedTuple):
    """An answer, and the revision that was acknowledged before the question."""

    acknowledged: int
    variables: dict[str, str]
    answer: dict[str, Any]

    @property
    def revision(self) -> int:
        about = self.answer["about"] if "about" in self.answer else self.answer["impact"]["completeness"]
        found = about["revision"]
        assert isinstance(found, int)
        return found


class Traffic:
    """Writers and readers at once, each with a connection of its own. The question is asked with one after the other of the variables."""

    def __init__(
        self,
        port: int,
        build: Callable[[int, int], bytes] = build_event,
        query: str = SEEN,
        variables: Sequence[dict[str, str]] = ({},),
    ) -> None:
        self.port = port
        self.build = build
        self.query = query
        self.variables = itertools.cycle(variables)
        self.acknowledged = 0
        self.revisions: dict[bytes, int] = {}  # of each event
        self.asked: list[Asked] = []
        self.writing = WRITERS

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for writer in range(WRITERS):
                group.create_task(self.write(writer))
            for _ in range(READERS):
                group.create_task(self.read())

    async def write(self, writer: int) -> None:
        async with open_wire(self.port) as wire:
            for number in range(EACH):
                body = self.build(writer, number)
                answer = await wire.request("POST", EVENT, body, headers())
                assert answer.status == 201, answer
                self.revisions[body] = answer.json["revision"]
                self.acknowledged = max(self.acknowledged, answer.json["revision"])
                assert (await self.ask(wire)).acknowledged >= answer.json["revision"]
        self.writing -= 1

    async def read(self) -> None:
        async with open_wire(self.port) as wire:
            while self.writing:
                await self.ask(wire)

    async def ask(self, wire: Wire) -> Asked:
        acknowledged, variables = self.acknowledged, next(self.variables)
        body = json.dumps({"query": self.query, "variables": variables}).encode()
        answer = await wire.request("POST", GRAPHQL, body, headers())
        assert answer.status == 200, answer
        assert "errors" not in answer.json, answer.json
        self.asked.append(Asked(acknowledged, variables, answer.json["data"]))
        return self.asked[-1]


def count_answers(server: Started) -> float:
    """How many questions the readers have answered, by the server's metrics: none if it has answered all itself."""
    text = send_request(server.port, "GET", "/metrics", headers=headers()).body.decode()
    found = re.search(r"^meshline_reader_questions_total ([0-9.]+)$", text, re.MULTILINE)
    assert found is not None, text
    return float(found[1])


def test_answers_are_new_and_of_one_revision(server: Started, folder: Path) -> None:
    before = count_answers(server)
    traffic = Traffic(server.port)
    asyncio.run(traffic.run())
    assert count_answers(server) - before > len(traffic.asked) * 0.9
    check_truth(f"sqlite:///{folder}/mesh.db", traffic)


def check_truth(url: str, traffic: Traffic) -> None:
    """Each answer has what was acknowledged, and is that of a graph which is made again, of the events up to its revision."""
    with closing(open_store(url)) as store:
        bodies = [bytes(kept.event.body) for kept in list_raw_events(store)]
    answers: dict[int, list[Asked]] = {}
    for asked in traffic.asked:
        assert asked.revision >= asked.acknowledged
        answers.setdefault(asked.revision, []).append(asked)
    assert len(answers) > 3
    truth = Truth()
    for revision in sorted(set(traffic.revisions.values())):
        truth.add_bodies([body for body in bodies if traffic.revisions.get(body) == revision])
        for asked in answers.pop(revision, []):
            expected = truth.ask(traffic.query, **asked.variables)
            assert remove_revision(asked.answer) == remove_revision(expected), f"another answer at revision {revision}"
    truth.close()
    assert not {revision for revision in answers if revision > min(traffic.revisions.values())}


@pytest.mark.skipif(not ALL, reason="only with --all: the law over SQLite is that over Neo4j")
@pytest.mark.server
def test_answers_over_neo4j(neo4j: Neo4jServer, folder: Path) -> None:
    config = build_settings(folder / "meshline-neo4j.toml", ADMIN)
    with run_server(neo4j.url, folder / "log-neo4j", "--readers", "1", config=config) as server:
        find_reader(server)
        traffic = Traffic(server.port)
        asyncio.run(traffic.run())
        assert count_answers(server) > len(traffic.asked) * 0.9
    check_truth(neo4j.url, traffic)


def test_answers_about_past_times(folder: Path) -> None:
    """Readers make the graphs of the times of the index that is kept, beside writers of events of those times and earlier ones."""
    url = f"sqlite:///{folder}/past.db"
    with closing(open_store(url)) as store:  # so many that the index is kept
        facts = [Facts(assets=(AssetFact(build_dataset_key("more", f"d{n}"), {"title": "one"}),)) for n in range(LEAST_HEADS)]
        live = LiveGraph.open(store, snapshots=Snapshots(folder / "past.db.index"))
        live.commit(lambda _: Batch(statements=[Statement("mesh/m", ("d", f"{n}"), 0, encode_facts(one)) for n, one in enumerate(facts)]))
        assert live.keep_index()
    config = build_settings(folder / "meshline-past.toml", ADMIN)
    times = [{"at": f"2026-03-01T00:{minute:02}:30Z"} for minute in (0, EACH % 60 // 4, EACH % 60 // 2, 59)]
    with run_server(url, folder / "log-past", "--readers", "1", config=config) as server:
        reader, traffic = find_reader(server), Traffic(server.port, build_unordered_event, PAST, times)
        first = build_unordered_event(WRITERS, 0)
        traffic.revisions[first] = send_request(server.port, "POST", EVENT, first, headers()).json["revision"]
        asyncio.run(traffic.run())
        assert count_answers(server) > len(traffic.asked) * 0.9
        mapped = Path(f"/proc/{reader}/maps").read_text().count("past.db.index")
        assert mapped > len(times), "of the present, and of each time"
        assert "Traceback" not in server.log
    check_truth(url, traffic)


def ask(server: Started, query: str, token: str = ADMIN) -> Any:
    answer = send_request(server.port, "POST", GRAPHQL, json.dumps({"query": query}).encode(), headers(token))
    assert answer.status == 200, answer
    assert "errors" not in answer.json, answer.json
    return answer.json


def test_a_hidden_asset_stays_hidden(server: Started) -> None:
    hidden = build_event(8, 1).replace(b'"wh"', b'"secret"')
    assert send_request(server.port, "POST", EVENT, hidden, headers()).status == 201
    before = count_answers(server)
    query = "{ datasets { nodes { namespace } } }"
    seen = {token: {one["namespace"] for one in ask(server, query, token)["data"]["datasets"]["nodes"]} for token in (ADMIN, ANALYST)}
    assert seen == {ADMIN: {"wh", "secret"}, ANALYST: {"wh"}}
    forged = {**headers(ANALYST), "Meshline-Handover": encode_handover(Handover(Actor("admin", Role.ADMIN), "", 0, 0, "")).decode()}
    answer = send_request(server.port, "POST", GRAPHQL, json.dumps({"query": query}).encode(), forged)
    assert {one["namespace"] for one in answer.json["data"]["datasets"]["nodes"]} == {"wh"}
    assert count_answers(server) == before + 3


def test_rules_and_tokens_that_change_count_at_once(server: Started, folder: Path) -> None:
    query = "{ datasets { nodes { namespace } } }"
    assert ask(server, query, LATE)["data"]["datasets"]["nodes"] == []
    (folder / "access.yaml").write_text(RULES.replace("token:analyst]", "token:analyst, token:late]"))
    wait_for(lambda: ask(server, query, LATE)["data"]["datasets"]["nodes"] != [])
    before = count_answers(server)
    assert {one["namespace"] for one in ask(server, query, LATE)["data"]["datasets"]["nodes"]} == {"wh"}
    assert count_answers(server) == before + 1
    build_settings(folder / "meshline.toml", ADMIN, ANALYST)
    wait_for(lambda: send_request(server.port, "POST", GRAPHQL, b'{"query": "{__typename}"}', headers(LATE)).status == 401)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + READY_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_readers_count_is_not_lost(server: Started) -> None:
    """Queries in the metrics; checks, and reads of other domains, in the audit log."""
    queries = read_metric(server, 'meshline_queries_total{operation="coverage",outcome="ok"}')
    for _ in range(3):
        ask(server, "{ coverage { orphans } }")
    assert read_metric(server, 'meshline_queries_total{operation="coverage",outcome="ok"}') == queries + 3
    assert send_request(server.port, "POST", EVENT, build_event(9, 2), headers()).status == 201
    before = count_answers(server)
    body = json.dumps({"things": [{"kind": "change", "after": {"name": "change", "text": "drop wh/target2.c0"}}]}).encode()
    url = f"http://127.0.0.1:{server.port}/api/v1/check"
    answer = httpx.post(url, content=body, headers=headers(), timeout=READY_SECONDS)  # the first one of a process starts what parses texts
    assert answer.status_code == 200, answer.text
    assert count_answers(server) == before + 1
    entries = ask(server, "{ audit(kind: CHECK) { nodes { actor } } }")["data"]["audit"]["nodes"]
    assert entries == [{"actor": "admin"}]


def read_metric(server: Started, name: str) -> float:
    text = send_request(server.port, "GET", "/metrics", headers=headers()).body.decode()
    return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name} ")), 0.0)


def test_a_client_that_leaves(server: Started) -> None:
    """Its question is not waited for, and others are answered."""

    async def leave() -> None:
        for _ in range(20):
            async with open_wire(server.port) as wire:
                await wire.send(build_request("POST", GRAPHQL, json.dumps({"query": SEEN}).encode(), headers()))

    asyncio.run(leave())
    wait_for(lambda: send_request(server.port, "GET", "/readyz", headers=headers()).status == 200)
    assert "data" in ask(server, SEEN)
    assert "Traceback" not in server.log


def test_a_reader_is_killed(server: Started) -> None:
    """No question fails: the server answers meanwhile, and starts another reader."""
    first = find_reader(server)

    async def ask_all() -> None:
        async def ask_some() -> None:
            async with open_wire(server.port) as wire:
                for _ in range(30):
                    answer = await wire.request("POST", GRAPHQL, json.dumps({"query": SEEN}).encode(), headers())
                    assert answer.status == 200, answer
                    assert "errors" not in answer.json, answer.json

        async def kill() -> None:
            await asyncio.sleep(0.2)
            os.kill(first, signal.SIGKILL)

        await asyncio.gather(kill(), *(ask_some() for _ in range(4)))

    asyncio.run(ask_all())
    second = find_reader(server, besides=first)
    before = count_answers(server)
    assert "data" in ask(server, SEEN)
    assert count_answers(server) == before + 1
    assert second != first
    assert "Traceback" not in server.log


def test_the_server_is_killed(server: Started) -> None:
    """The last test with this server. No process is left."""
    reader = find_reader(server)
    server.kill()
    server.wait()
    wait_for(lambda: not is_running(reader))


def is_running(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
