"""OpenLineage's client for Python and OpenLineage's client for Java, with each transport and the settings of docs/openlineage.md.

The one for Python runs in every run (over Kafka: tests/ingest/test_kafka.py). The one for Java is recorded in every run, and runs with
--all.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from meshline.app.tokens import generate_token, hash_token
from meshline.graph.model import build_job_key
from tests.api.conftest import AskGraph, serve_application
from tests.cli.command import run_successfully
from tests.ingest.producers.recordings import DATABASE, describe_shapes, import_script, open_graph, parse_lines, read_recording
from tests.kafka import KafkaBroker
from tests.sizes import ALL

PROGRAM = Path(__file__).parent / "send_events.py"
EVENTS, OF_RUNS = 6, 4  # that the programs send each time: those of runs, a dataset event, a job event
ANSWERS = """query($run: ID!, $broken: ID!, $declared: ID!, $namespace: String!) {
  run: node(id: $run) { ... on Job { processingType owners { owner { name } } parents { name } writes { name }
    runs { totalCount nodes { state } } } }
  broken: node(id: $broken) { ... on Job { writes { name } lastRun { state error } } }
  declared: node(id: $declared) { ... on Job { reads { name } runs { totalCount } } }
  dataset(namespace: $namespace, name: "shop.mart.masked_customers") { description columns(first: 9) { nodes { name } } }
  email: resolve(name: "shop.raw.customers.email") { id }
  country: resolve(name: "shop.raw.customers.country") { id }
}"""
IMPACT = """query($of: [ID!]!) { impact(of: $of) { assets(kinds: [COLUMN], first: 9) { nodes { reach masked node { name } } }
  completeness { possibleOnly silentOnFilters provisional } } }"""

producers, openlineage_java = import_script("producers"), import_script("openlineage_java")


def check_answers(ask: Callable[..., Any], namespace: str) -> None:
    """What the events of either program mean. `namespace`: of its jobs."""
    jobs = {"run": "mask_customers", "broken": "broken", "declared": "declared"}
    ids = {role: build_job_key(namespace, name).id for role, name in jobs.items()}
    found = ask(ANSWERS, **ids, namespace=DATABASE)
    assert found["run"] == {
        "processingType": "BATCH",
        "owners": [{"owner": {"name": "team:customers-engineering"}}],
        "parents": [{"name": "nightly"}],
        "writes": [{"name": "shop.mart.masked_customers"}],
        "runs": {"totalCount": 1, "nodes": [{"state": "COMPLETE"}]},
    }
    assert found["broken"] == {"writes": [], "lastRun": {"state": "FAIL", "error": "disk full"}}
    assert found["declared"] == {"reads": [{"name": "shop.mart.masked_customers"}], "runs": {"totalCount": 0}}
    columns = [{"name": "customer_id"}, {"name": "mail_hash"}]
    assert found["dataset"] == {"description": "Customers without their addresses", "columns": {"nodes": columns}}
    for column, affected in {
        "email": [("mail_hash", "DIRECT", True)],
        "country": [("customer_id", "INDIRECT", False), ("mail_hash", "INDIRECT", False)],
    }.items():
        impact = ask(IMPACT, of=[found[column]["id"]])["impact"]
        nodes = impact["assets"]["nodes"]
        assert sorted((one["node"]["name"], one["reach"], one["masked"]) for one in nodes) == affected
        assert impact["completeness"] == {"possibleOnly": 0, "silentOnFilters": 0, "provisional": 0}


def build_ask(url: str, token: str = "") -> Callable[..., Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(query: str, **variables: object) -> Any:
        body = httpx.post(f"{url}/graphql", json={"query": query, "variables": variables}, headers=headers, timeout=60).json()
        assert "errors" not in body, body["errors"]
        return body["data"]

    return ask


def count_events(url: str, token: str, namespaces: Sequence[str]) -> dict[str, int]:
    """The events of runs that a server has, by the namespace of their jobs."""
    headers = {"Authorization": f"Bearer {token}"}
    events = httpx.get(f"{url}/api/v1/events/lineage", params={"limit": 100}, headers=headers, timeout=60).json()["events"]
    return {namespace: sum(event["job"]["namespace"] == namespace for event in events) for namespace in namespaces}


def read_settings(producer: str, url: str = "", file: Path | None = None) -> str:
    places = {producers.MESHLINE: url} if url else {}
    settings = producers.read_settings(producer, places | ({producers.FILE: str(file)} if file else {}))
    assert isinstance(settings, str)
    return settings


def add_token(settings: str, url: str, token: str) -> str:
    """The settings with a token for a server, as docs/openlineage.md adds it."""
    return re.sub(rf"^( *)url: {re.escape(url)}$", rf"\g<0>\n\1auth: {{type: api_key, apiKey: {token}}}", settings, flags=re.MULTILINE)


def run_python(folder: Path, **settings: str) -> None:
    """Send the events once for each of the settings, whose names become the namespaces of the jobs."""
    for name, text in settings.items():
        (folder / f"{name}.yml").write_text(text)
    sendings = [f"{name}={folder / name}.yml" for name in settings]
    subprocess.run([sys.executable, "-W", "error", str(PROGRAM), *sendings], check=True, timeout=120)


def test_the_client_for_python_over_http(tmp_path: Path) -> None:
    """Sync, with and without gzip, in the background, and to several places of which one does not answer. The server wants a token."""
    writer, reader = generate_token(), generate_token()
    roles = {"writer": hash_token(writer), "reader": hash_token(reader)}
    tokens = [{"name": role, "role": role, "hash": hashed} for role, hashed in roles.items()]
    with serve_application(lambda _: {"tokens": tokens}) as url:
        http, several = read_settings("Python client", url), read_settings("Python client to several places", url, tmp_path / "copy.ndjson")
        dead = "    file:\n"
        assert "compression: gzip\n" in http
        assert dead in several
        settings = {
            "packed": http,
            "plain": http.replace("compression: gzip\n", ""),
            "background": http.replace("type: http", "type: async_http"),
            "several": several.replace(
                dead, f"    dead:\n      type: http\n      url: http://127.0.0.1:1\n      retry: {{total: 0}}\n{dead}"
            ),
        }
        run_python(tmp_path, **{name: add_token(text, url, writer) for name, text in settings.items()})
        assert count_events(url, reader, [*settings]) == dict.fromkeys(settings, OF_RUNS)
        ask = build_ask(url, reader)
        for name in settings:
            check_answers(ask, name)
    copies = parse_lines((tmp_path / "copy.ndjson").read_text())
    assert len(copies) == EVENTS
    assert {event["job"]["namespace"] for event in copies if "job" in event} == {"several"}


def test_the_client_for_python_to_a_file(tmp_path: Path) -> None:
    settings = "transport:\n  type: file\n  log_file_path: {}\n  append: {}\n"
    run_python(tmp_path, file=settings.format(tmp_path / "events.ndjson", "true"), apart=settings.format(tmp_path / "one", "false"))
    assert len(list(tmp_path.glob("one*"))) == EVENTS, "a file for each event"
    store = f"sqlite:///{tmp_path / 'files.db'}"
    ran = run_successfully("ingest", "openlineage", tmp_path / "events.ndjson", *sorted(tmp_path.glob("one*")), "--store", store)
    assert f"{2 * EVENTS} events ingested" in ran.err
    with open_graph(parse_lines((tmp_path / "events.ndjson").read_text())) as live:
        check_answers(AskGraph(live), "file")


def test_the_recorded_client_for_java() -> None:
    with open_graph(read_recording("openlineage-java")) as live:
        check_answers(AskGraph(live), "nights")


@pytest.mark.server
@pytest.mark.skipif(not ALL, reason="only with --all; a recorded one is read in every run")
def test_the_client_for_java_with_each_transport(kafka: KafkaBroker, tmp_path: Path) -> None:
    topic, file = kafka.topic(), tmp_path / "events.ndjson"
    places = {producers.BROKER: kafka.servers, producers.TOPIC: topic.name}
    over_kafka = producers.read_settings("Java client over Kafka", places)
    consume = ("--kafka", kafka.servers, "--kafka-topic", topic.name)
    for name, options in {"Java client": (), "Java client to several places": (), "Java client over Kafka": consume}.items():
        home = tmp_path / name.replace(" ", "_")
        home.mkdir()
        with producers.serve(home, *options) as meshline:
            settings = over_kafka if options else read_settings(name, meshline.url, file if "several" in name else None)
            openlineage_java.send_events(home, settings)
            events = meshline.wait_for_events(lambda events: len(events) == EVENTS)
            assert describe_shapes(events) == describe_shapes(read_recording("openlineage-java"))
            check_answers(build_ask(meshline.url), "nights")
    events = parse_lines(file.read_text())
    assert describe_shapes(events) == describe_shapes(read_recording("openlineage-java")), "the copy in a file"
