"""The recorded events of the example mesh hold what its README promises. Needs nothing but the files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

MESH = Path(__file__).resolve().parents[2] / "examples" / "mesh"
EVENTS = MESH / "events"
FILES = ("spark.ndjson", "dbt.ndjson")
RENAME = "orders_nightly.overwrite_by_expression.lake_orders_customer_orders"

Event = dict[str, Any]


class Flow(NamedTuple):
    """One row of the README's table; names as there, a target without a column is a whole table."""

    start: str
    end: str
    type: str
    subtype: str
    masking: str


@cache
def read_events(file: str) -> list[Event]:
    return [json.loads(line) for line in (EVENTS / file).read_text(encoding="utf-8").splitlines()]


def read_all_events() -> list[Event]:
    return [event for file in FILES for event in read_events(file)]


def parse_time(event: Event) -> datetime:
    return datetime.fromisoformat(event["eventTime"])


def shorten_name(dataset: Event) -> str:
    """A dataset's name as the README writes it."""
    name = re.sub(r"^/warehouse/", "", re.sub(r"/(dt=[0-9-]+|snapshot-[0-9]+)$", "", dataset["name"]))
    return name if name.startswith(("landing/", "exports/")) else name.replace("/", ".")


def iterate_outputs(found: list[Event]) -> Iterator[tuple[Event, Event]]:
    for event in found:
        for output in event.get("outputs", ()):
            yield event, output


def iterate_flows(found: list[Event]) -> Iterator[Flow]:
    """All flows that column lineage facets state."""
    for _, output in iterate_outputs(found):
        facet = output["facets"].get("columnLineage", {})
        for column, field in facet.get("fields", {}).items():
            yield from _iterate_steps(field["inputFields"], f"{shorten_name(output)}.{column}")
        yield from _iterate_steps(facet.get("dataset", ()), shorten_name(output))


def _iterate_steps(sources: list[Event], end: str) -> Iterator[Flow]:
    for source in sources:
        start = f"{shorten_name(source)}.{source['field']}"
        for how in source.get("transformations") or [{"type": "DIRECT", "subtype": ""}]:
            yield Flow(start, end, how["type"], how["subtype"], "yes" if how.get("masking") else "no")


def read_table() -> list[Flow]:
    text = (MESH / "README.md").read_text(encoding="utf-8")
    rows = text.partition("<!-- lineage:")[2].partition("\n\n")[0].splitlines()[3:]
    return [Flow(*(cell.strip() for cell in row.strip("|").split("|"))) for row in rows]


def list_second_night() -> list[Event]:
    return [event for event in read_all_events() if parse_time(event).day == 8]


def list_failed_runs() -> set[tuple[str, str]]:
    return {(e["run"]["runId"], e["job"]["name"]) for e in read_all_events() if e["eventType"] == "FAIL"}


def list_completed() -> list[Event]:
    failed = list_failed_runs()
    return [e for e in read_all_events() if e["eventType"] == "COMPLETE" and (e["run"]["runId"], e["job"]["name"]) not in failed]


def test_example_files_are_small_and_complete() -> None:
    assert sorted(path.name for path in EVENTS.iterdir()) == sorted(FILES)
    assert sum((EVENTS / file).stat().st_size for file in FILES) < 1_000_000
    for event in read_all_events():
        assert {"eventTime", "eventType", "run", "job", "producer", "schemaURL"} <= event.keys()
        assert parse_time(event).strftime("%Y-%m-%d") in {"2026-03-01", "2026-03-08"}


@pytest.mark.parametrize("file", FILES)
def test_no_place_of_a_machine_is_named(file: str) -> None:
    text = (EVENTS / file).read_text(encoding="utf-8")
    paths = set(re.findall(r'"(?:[a-z]+://)?(/[^" ]+)"', text))
    assert {path for path in paths if not path.startswith("/warehouse/")} == set()
    hosts = set(re.findall(r'https?://([^/":]+)', text))
    assert hosts <= {"iceberg-rest.internal", "github.com", "openlineage.io", "bi.company.com"}
    assert not re.search(r"127\.0\.0\.1|/home/|/root/|/tmp/|/Users/", text)


def test_the_table_of_the_readme() -> None:
    now = [e for e in list_completed() if parse_time(e).day == 8]
    stated = set(iterate_flows(now))
    rows = read_table()
    assert len(rows) > 15
    assert [row for row in rows if row not in stated] == []
    # And nothing else takes the address on.
    starts = {row.start for row in rows}
    targets = {flow.end for flow in stated if flow.start in starts and flow.start.endswith(("email", "email_hash", "buyer_key"))}
    assert targets == {row.end for row in rows if row.start.endswith(("email", "email_hash", "buyer_key"))}


def test_runs_that_completed_and_failed() -> None:
    kinds = {event["eventType"] for event in read_all_events()}
    assert kinds == {"START", "RUNNING", "COMPLETE", "FAIL"}
    assert len(list_failed_runs()) == 1
    failed = [e for e in read_all_events() if (e["run"]["runId"], e["job"]["name"]) in list_failed_runs()]
    assert {e["eventType"] for e in failed} == {"START", "RUNNING", "COMPLETE", "FAIL"}
    phone = {f.end for f in iterate_flows(failed) if f.start == "customers.customers.phone_number"}
    assert phone == {"marketing.campaign_audience.email"}
    kept = [e for e in read_all_events() if e not in failed]
    assert {f.end for f in iterate_flows(kept) if f.start == "customers.customers.phone_number"} == {"customers.customers.phone_number"}


def test_a_running_event_without_inputs() -> None:
    assert any(e["eventType"] == "RUNNING" and not e["inputs"] and e["outputs"] for e in read_all_events())


def test_a_merge_reads_its_target() -> None:
    merges = [e for e in list_completed() if e["job"]["facets"].get("sql", {}).get("query", "").startswith("MERGE")]
    assert merges
    for event in merges:
        assert {shorten_name(d) for d in event["outputs"]} <= {shorten_name(d) for d in event["inputs"]}


@pytest.mark.parametrize("subtype", ["JOIN", "FILTER", "GROUP_BY", "CONDITIONAL"])
def test_indirect_lineage(subtype: str) -> None:
    assert any(f.type == "INDIRECT" and f.subtype == subtype for f in iterate_flows(list_completed()))


def test_a_masked_transformation() -> None:
    assert {f.end for f in iterate_flows(list_completed()) if f.masking == "yes" and f.start.endswith("email")} >= {
        "customers.customer_profiles.email_hash",
        "exports/finance/customer_orders.buyer_key",
    }


def test_a_run_without_column_lineage() -> None:
    blind = [(e, o) for e, o in iterate_outputs(list_completed()) if e["inputs"] and "columnLineage" not in o["facets"]]
    assert {(shorten_name(o), *(shorten_name(i) for i in e["inputs"])) for e, o in blind} == {
        ("payments.fraud_signals", "orders.customer_orders")
    }


def test_a_column_renamed_between_the_nights() -> None:
    written = {
        parse_time(e).day: [field["name"] for field in o["facets"]["schema"]["fields"]]
        for e, o in iterate_outputs(list_completed())
        if e["job"]["name"] == RENAME
    }
    assert "contact_email" in written[1]
    assert "customer_email" not in written[1]
    assert [name.replace("customer_email", "contact_email") for name in written[8]] == written[1]


def test_the_late_event_comes_last() -> None:
    spark = read_events("spark.ndjson")
    late = spark[-1]
    newer = [e for e in spark[:-1] if e["job"] == late["job"] or e["job"]["name"] == late["job"]["name"]]
    assert (late["eventType"], late["job"]["name"]) == ("COMPLETE", RENAME)
    assert max(map(parse_time, newer)) > parse_time(late)
    order = [parse_time(e) for e in spark]
    assert order != sorted(order)


def test_five_domains_and_two_consumers() -> None:
    tables = {
        shorten_name(o).split(".")[0]
        for _, o in iterate_outputs(list_completed())
        if o["namespace"] == "file" and "exports/" not in o["name"]
    }
    assert tables == {"orders", "customers", "products", "payments", "marketing"}
    marts = {o["name"].split(".")[1] for _, o in iterate_outputs(list_completed()) if o["namespace"].startswith("duckdb:")}
    assert marts == {"staging", "finance", "analytics"}
    assert {i["name"].split(".")[1] for e in list_completed() for i in e["inputs"] if i["namespace"].startswith("duckdb:")} >= {"lake"}


def test_symlinks_give_one_table_several_names() -> None:
    links = {
        (d["name"], link["namespace"], link["name"])
        for e in read_all_events()
        for d in [*e["inputs"], *e["outputs"]]
        for link in d["facets"].get("symlinks", {}).get("identifiers", ())
    }
    assert ("/warehouse/customers/customers", "http://iceberg-rest.internal:8181", "customers.customers") in links
    exported = {o["name"] for _, o in iterate_outputs(list_completed()) if "/exports/" in o["name"]}
    assert exported == {
        "/warehouse/exports/finance/customer_orders",
        "/warehouse/exports/finance/payment_confirmed/snapshot-0001",
        "/warehouse/exports/finance/payment_confirmed/snapshot-0002",
    }


def test_dbt_tests_and_exposures() -> None:
    facets = [d["facets"] for e in read_events("dbt.ndjson") for d in [*e["inputs"], *e["outputs"]]]
    assert any("dataQualityAssertions" in f for f in facets)
    assert any("dbt_exposures" in f for f in facets)
