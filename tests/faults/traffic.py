"""Seeded OpenLineage traffic: runs of a small pipeline whose lineage changes all the time, every event another one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

Event = dict[str, Any]

START = datetime(2026, 3, 1, tzinfo=UTC)
LAYERS, WIDTH = 5, 5  # datasets
COLUMNS = ("id", "email", "amount", "day")
SUBTYPES = (("DIRECT", "IDENTITY"), ("DIRECT", "TRANSFORMATION"), ("INDIRECT", "FILTER"), ("INDIRECT", "CONDITIONAL"))
NAMESPACE = "s3://lake"


def generate_bodies(seed: int) -> Iterator[bytes]:
    """Endless events, each as the JSON text of one request."""
    for event in generate_events(seed):
        yield json.dumps(event).encode()


def generate_events(seed: int) -> Iterator[Event]:
    """Endless events. A few runs are under way at any time, so that their events mix."""
    chance = random.Random(seed)
    under_way: list[list[Event]] = []
    number = 0
    while True:
        if len(under_way) < 4:
            under_way.append(_run(chance))
            continue
        run = chance.choice(under_way)
        event = run.pop(0)
        if not run:
            under_way.remove(run)
        number += 1
        yield {
            "eventTime": (START + timedelta(seconds=number)).isoformat(),
            "producer": f"https://example.com/{seed}/{number}",  # no two events are the same
            **event,
        }


def _run(chance: random.Random) -> list[Event]:
    """The events of one run, without their times; now and then of a job or a dataset."""
    layer, place = chance.randrange(1, LAYERS), chance.randrange(WIDTH)
    inputs = [_name(layer - 1, at) for at in sorted(chance.sample(range(WIDTH), chance.randint(1, 2)))]
    output = _name(layer, place)
    job = {"namespace": "pipeline", "name": f"make_{output}"}
    shape = chance.random()
    if shape < 0.05:
        return [{"dataset": {**_build_dataset(output), "facets": {"schema": _build_schema(COLUMNS), **_build_documentation(chance)}}}]
    if shape < 0.1:
        return [{"job": {**job, "name": f"{job['name']}_declared"}, "inputs": [_build_dataset(name) for name in inputs], "outputs": []}]
    run = {"runId": str(_draw_uuid(chance)), "facets": {}}
    named = {"run": run, "job": job, "inputs": [_build_dataset(name) for name in inputs]}
    facets = {"schema": _build_schema(COLUMNS)}
    if chance.random() < 0.8:
        facets["columnLineage"] = _build_lineage(chance, inputs)
    end = "FAIL" if chance.random() < 0.1 else "COMPLETE"
    return [
        {**named, "eventType": "START", "outputs": [_build_dataset(output)]},
        *([{**named, "inputs": [], "eventType": "RUNNING"}] if chance.random() < 0.3 else []),
        {**named, "eventType": end, "outputs": [{**_build_dataset(output), "facets": facets}]},
    ]


def _name(layer: int, place: int) -> str:
    return f"layer{layer}/table{place}"


def _build_dataset(name: str) -> Event:
    return {"namespace": NAMESPACE, "name": name}


def _build_schema(names: tuple[str, ...]) -> Event:
    return {"fields": [{"name": name, "type": "string"} for name in names]}


def _build_documentation(chance: random.Random) -> Event:
    return {"documentation": {"description": f"What is known of it, {chance.choice(['early', 'late', 'confirmed'])}."}}


def _build_lineage(chance: random.Random, inputs: list[str]) -> Event:
    fields = chance.sample(COLUMNS, chance.randint(1, len(COLUMNS)))
    return {"fields": {field: {"inputFields": [_build_source(chance, inputs) for _ in range(chance.randint(1, 2))]} for field in fields}}


def _build_source(chance: random.Random, inputs: list[str]) -> Event:
    type_, subtype = chance.choice(SUBTYPES)
    return {
        **_build_dataset(chance.choice(inputs)),
        "field": chance.choice(COLUMNS),
        "transformations": [{"type": type_, "subtype": subtype, "masking": chance.random() < 0.1}],
    }


def _draw_uuid(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
