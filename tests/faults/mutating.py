"""Events made wrong: seeded changes of good ones, each named, so that a failure names what was sent."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Json = Any

HUGE_TEXT = "x" * 200_000
ODD_TEXTS = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff\ud800",
    "💥",
    "́" * 50,
    "\u202e\ufeff",
    "'; DROP TABLE head; --",
    "../..",
    HUGE_TEXT,
]
ODD_NUMBERS = [0, -1, 2**31, 2**63, -(2**63) - 1, 2**64, 10**400, 1e308, -0.0, 1.5]
ODD_TIMES = [
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z",
    "2026-03-01", "12:00", "2026-W09-1T00:00:00Z", "2026-03-01T24:00:00Z", "1e9", "2026-03-01T00:00:00.1234567890123Z",
    "1969-12-31T23:59:59.999999Z", "2026-03-01T00:00:00+99:00", "٢٠٢٦-03-01T00:00:00Z",
]  # fmt: skip
ODD_IDS = ["", "x", "00000000-0000-0000-0000-00000000000g", "../../x", "\x00", "a" * 50_000]


class Mutation(NamedTuple):
    """`headers` beyond those of JSON. `name` identifies how to make it again: kind, file and number."""

    name: str
    body: bytes
    headers: dict[str, str]


def list_places(value: Json) -> list[tuple[Json, Any]]:
    """Every (container, key or index) inside a value."""
    result: list[tuple[Json, Any]] = []
    stack = [value]
    while stack:
        here = stack.pop()
        keys = list(here) if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else ()
        for key in keys:
            result.append((here, key))
            stack.append(here[key])
    return result


def remove(chance: random.Random, event: Json) -> None:
    container, key = chance.choice(list_places(event))
    del container[key]


def retype(chance: random.Random, event: Json) -> None:
    container, key = chance.choice(list_places(event))
    container[key] = chance.choice(
        [None, True, 7, -1.5, "text", [], {}, [[]], {"a": {"b": []}}, [None], container[key] and [container[key]]]
    )


def odd_text(chance: random.Random, event: Json) -> None:
    texts = [(c, k) for c, k in list_places(event) if isinstance(c[k], str)]
    container, key = chance.choice(texts)
    container[key] = chance.choice(ODD_TEXTS)


def odd_number(chance: random.Random, event: Json) -> None:
    container, key = chance.choice(list_places(event))
    container[key] = chance.choice(ODD_NUMBERS)


def odd_time(chance: random.Random, event: Json) -> None:
    event["eventTime"] = chance.choice(ODD_TIMES)


def odd_id(chance: random.Random, event: Json) -> None:
    event["run"] = {"runId": chance.choice(ODD_IDS)}


def odd_key(chance: random.Random, event: Json) -> None:
    objects = [event, *(c[k] for c, k in list_places(event) if isinstance(c[k], dict))]
    chosen = chance.choice(objects)
    chosen[chance.choice(ODD_TEXTS)] = chance.choice([None, {}, "x"])


def deepen(chance: random.Random, event: Json) -> None:
    container, key = chance.choice(list_places(event))
    value: Json = container[key]
    for _ in range(chance.choice([10, 100, 400])):  # Python's own encoder goes no deeper; `deep` does
        value = [value] if chance.random() < 0.5 else {"a": value}
    container[key] = value


def widen(chance: random.Random, event: Json) -> None:
    """Many of what there is one of."""
    lists = [(c, k) for c, k in list_places(event) if isinstance(c[k], list) and c[k]]
    if lists:
        container, key = chance.choice(lists)
        container[key] = container[key] * chance.choice([2, 50, 500])


def cross(chance: random.Random, event: Json) -> None:
    """A part in another's place."""
    found = list_places(event)
    (to, key), (of, at) = chance.choice(found), chance.choice(found)
    to[key] = json.loads(json.dumps(of[at]))


def self_parent(chance: random.Random, event: Json) -> None:
    """A run that is its own parent, or its root's."""
    run: dict[str, Json] = event["run"] if isinstance(event.get("run"), dict) else {"runId": "r"}
    facets: dict[str, Json] = run["facets"] if isinstance(run.get("facets"), dict) else {}
    me = {"run": {"runId": run.get("runId")}, "job": event.get("job")}
    facets["parent"] = me if chance.random() < 0.5 else {**me, "root": me}
    event["run"] = {**run, "facets": facets}


CHANGES: list[Callable[[random.Random, Json], None]] = [
    remove, retype, odd_text, odd_number, odd_time, odd_id, odd_key, deepen, widen, cross, self_parent,
]  # fmt: skip


def change_event(event: Json, name: str, seed: int, number: int) -> Iterator[Mutation]:
    """So many changes of one event; one in three is changed twice."""
    for i in range(number):
        chance = random.Random(f"{seed} {name} {i}")
        copy = json.loads(json.dumps(event))
        applied: list[str] = []
        for _ in range(1 if i % 3 else 2):
            change = CHANGES[i % len(CHANGES)] if not applied else chance.choice(CHANGES)
            applied.append(change.__name__)
            try:
                change(chance, copy)
            except (TypeError, KeyError, IndexError):  # an earlier change left nothing to change
                break
        yield Mutation(f"{'+'.join(applied)} {name} {seed} {i}", json.dumps(copy).encode(), {})


def spoil_body(body: bytes, name: str, seed: int) -> Iterator[Mutation]:
    """The text of an event with an error in the text itself, or in the headers that describe it."""
    chance = random.Random(f"{seed} {name}")
    text = body.decode()
    packed = gzip.compress(body)
    gzipped = {"Content-Encoding": "gzip"}
    at = chance.randrange(1, len(body))

    def build_mutation(kind: str, body: bytes, headers: dict[str, str] | None = None) -> Mutation:
        return Mutation(f"{kind} {name} {seed}", body, headers or {})

    yield build_mutation("cut", body[:at])
    yield build_mutation("flipped", body[:at] + bytes([body[at] ^ 1 << chance.randrange(8)]) + body[at + 1 :])
    yield build_mutation("twice", body + body)
    yield build_mutation("trailing", body + b"\x00")
    yield build_mutation("utf-16", text.encode("utf-16"))
    yield build_mutation("utf-32", text.encode("utf-32"))
    yield build_mutation("latin-1", text.replace("a", "é", 3).encode("latin-1", "replace"))
    yield build_mutation("byte order mark", b"\xef\xbb\xbf" + body)
    yield build_mutation("NaN", text.replace(": ", ': NaN, "x": ', 1).encode())
    yield build_mutation("Infinity", text.replace("{", '{"_n": -Infinity, "_m": 1e999, ', 1).encode())
    yield build_mutation("repeated keys", text.replace("{", '{"eventTime": "1999-01-01T00:00:00Z", "job": null, "inputs": 5, ', 1).encode())
    yield build_mutation("lone surrogates", text.replace(': "', ': "\\ud800', 2).encode())
    yield build_mutation("raw surrogates", text.replace(': "', ': "\ud800', 2).encode("utf-8", "surrogatepass"))
    yield build_mutation("deep", text.replace("{", '{"deep": ' + "[" * 100_000 + "]" * 100_000 + ", ", 1).encode())
    yield build_mutation("deep objects", text.replace("{", '{"deep": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + ", ", 1).encode())
    yield build_mutation("unclosed", b"[" * 100_000)
    yield build_mutation("gzip cut", packed[: max(2, at % len(packed))], gzipped)
    yield build_mutation("gzip of gzip", gzip.compress(packed), gzipped)
    yield build_mutation("gzip not", body, gzipped)
    yield build_mutation("gzip members", packed[:0] + gzip.compress(body[:at]) + gzip.compress(body[at:]), gzipped)
    yield build_mutation("gzip and rubbish", packed + b"rubbish", gzipped)
    yield build_mutation("brotli", body, {"Content-Encoding": "br"})
    yield build_mutation("form", body, {"Content-Type": "multipart/form-data; boundary=x"})
    yield build_mutation("xml", body, {"Content-Type": "application/xml"})
    yield build_mutation("charset", body, {"Content-Type": "application/json; charset=utf-16"})
    yield build_mutation("empty", b"")
    yield build_mutation("null", b"null")
    yield build_mutation("list", b"[" + body + b"]")
    yield build_mutation("text", json.dumps(text).encode())
