"""Access rules on what callers write: in two meshes that differ only in what a caller may not see, each mutation is answered alike, and
leaves alike what he may ask for afterwards and what the audit log has of it. The mutations are generated from the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest
from graphql import GraphQLField, GraphQLNonNull, get_named_type
from starlette.testclient import TestClient

from meshline.api.graphql.context import DENIAL_FIELDS, REQUEST_FIELDS
from meshline.graph.model import AssetKey, AssetKind, build_column_key, build_dataset_key, build_owner_key
from tests.api.test_etag import SCHEMA
from tests.api.test_matrix import write_value
from tests.api.test_two_worlds_http import ADMIN, READER, RULES, WRITER, Asked, send, serve_world
from tests.api.worlds import MARKS, PLAIN, STRANGE, USUAL, Secret, World

VARYING = re.compile(r"req_[0-9a-f]{16}|st_[0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|\+00:00)")  # what no two processes have alike
STATED = "{ statement asset { id name tags { key } owners { owner { name } } } }"
ASKED = "{ id state assetName selector purpose asker principal mine asset { id name } approvers steps { kind by state } }"
DENIED = "{ kind value until by reason }"
JOINED = "{ joined rule { source } }"
NAMING = frozenset({"acceptNamingRule", "removeNamingRule"})
SEEN = (
    "{ accessRequests { totalCount nodes " + ASKED + " } }",
    "{ datasets { nodes { id name description tags { key } owners { owner { name } } consumers { nodes { name } } } } }",
    "{ owners { nodes { name title contact } } consumers { nodes { name title } } }",
)
FIELDS: Mapping[str, GraphQLField] = SCHEMA.mutation_type.fields if SCHEMA.mutation_type is not None else {}


def list_ids(secrets: Sequence[Secret]) -> list[str]:
    """Of one asset that the caller sees, of some that are hidden in one of the worlds, and of nothing."""
    hidden = [
        key.id
        for word in (one.word for one in secrets)
        for key in (
            build_dataset_key("wh", f"{word}.0"),
            build_column_key(build_dataset_key("wh", f"{word}.1"), "a"),
            AssetKey(AssetKind.DOMAIN, (word,)),
        )
    ]
    return [build_dataset_key("wh", "open.0").id, *hidden, "ds_00000000000000000000000000000000", "req_0123456789abcdef", "st_999999"]


def list_names(secrets: Sequence[Secret]) -> dict[str, list[str]]:
    """By argument: names of what the caller sees, of what is hidden in one of the worlds, of himself, his group, and of nothing."""
    others = ["writer", "open-team", "nothing"]
    return {
        "owner": ["team-0", *(f"{one.word}_team-1" for one in secrets), f"{secrets[0].word}-owner", *others],
        "consumer": ["app-0", *(f"{one.word}_app-1" for one in secrets), f"{secrets[0].word}-more", *others],
    }


def list_mutations(ids: Sequence[str], names: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Each mutation with all combinations of ids and of the names of what it ties to an asset."""
    for name, field in FIELDS.items():
        needed = {one: argument.type for one, argument in field.args.items() if isinstance(argument.type, GraphQLNonNull)}
        given = {one: names.get(one, ids) for one, kind in needed.items() if one in names or get_named_type(kind).name == "ID"}
        for chosen in product(*given.values()):
            values = {one: write_value(kind) for one, kind in needed.items()} | {
                one: json.dumps(text) for one, text in zip(given, chosen, strict=True)
            }
            shape = ASKED if name in REQUEST_FIELDS else DENIED if name in DENIAL_FIELDS else JOINED if name in NAMING else STATED
            yield f"mutation {{ {name}({', '.join(f'{one}: {value}' for one, value in values.items())}) {shape} }}"


def ask(client: TestClient, query: str, token: str) -> str:
    answer = send(client, Asked("POST", "/graphql", content={"query": query}), token)
    return VARYING.sub("...", f"{answer.status_code} {answer.text}")


def ask_for_hidden(client: TestClient, world: World) -> str:
    """A request of an administrator for what the caller may not see: its id."""
    asset = build_dataset_key("wh", f"{world.secret.word}.0").id
    query = f'mutation {{ requestAccess(asset: "{asset}", purpose: "{world.secret.word[:6]}", for: "token:other") {{ id }} }}'
    answer = send(client, Asked("POST", "/graphql", content={"query": query}), ADMIN).json()
    return str(answer["data"]["requestAccess"]["id"])


def write_decision(request: str, decision: str) -> str:
    return f'mutation {{ decideAccess(request: "{request}", decision: {decision}, reason: "r") {ASKED} }}'


def test_two_worlds(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("worlds")
    worlds = (World(USUAL, PLAIN), World(USUAL, STRANGE), World(USUAL, PLAIN, more=True))
    ids, names = list_ids((PLAIN, STRANGE)), list_names((PLAIN, STRANGE))
    with ExitStack() as opened:
        clients = [opened.enter_context(serve_world(world, folder / str(n))) for n, world in enumerate(worlds)]
        of_others = [ask_for_hidden(*one) for one in zip(clients, worlds, strict=True)]
        for token in (READER, WRITER):
            done = 0
            for query in (*list_mutations(ids, names), *SEEN):
                answer, *others = (ask(client, query, token) for client in clients)
                assert others == [answer] * len(others), query
                assert "INTERNAL" not in answer, query
                assert MARKS[0] not in answer or MARKS[0] in query
                done += '"errors"' not in answer
            assert done > len(SEEN), "some are carried out"
            for id_, client in zip(of_others, clients, strict=True):
                for decision in ("APPROVE", "REFUSE"):
                    unknown, known = (write_decision(one, decision) for one in ("req_0123456789abcdef", id_))
                    assert ask(client, known, token) == ask(client, unknown, token), "as of one that is not there"
        audits = [list_audited(client) for client in clients]
        assert audits[1:] == [audits[0]] * 2
        assert len(audits[0]) > 3


def list_audited(client: TestClient) -> list[tuple[str, str, str]]:
    """What the audit log has of mutations: those of reads and of refused writes are written when the clock comes to it."""
    query = "{ audit(kind: MUTATION, first: 500) { nodes { actor subject details } pageInfo { hasNextPage } } }"
    found = send(client, Asked("POST", "/graphql", content={"query": query}), ADMIN).json()["data"]["audit"]
    assert not found["pageInfo"]["hasNextPage"]
    return [(one["actor"], one["subject"], one["details"]["mutation"]) for one in found["nodes"]]


def test_who_may_tie_which_owners_and_consumers(tmp_path: Path) -> None:
    """He does not see every asset: those that he sees, himself, and his groups; of a hidden one the answer is that of none."""
    asset = build_dataset_key("wh", "open.0").id
    hidden, refused = f"{MARKS[0]}_team-1", f"{MARKS[0]}_app-1"
    with serve_world(World(USUAL, PLAIN), tmp_path / "world") as client:
        for mutation, kind, seen, unseen in (("addOwner", "owner", "team-0", hidden), ("addConsumer", "consumer", "app-0", refused)):
            done, failed = {}, {}
            for name in (seen, "writer", "open-team", unseen, "nothing"):
                query = f'mutation {{ {mutation}(asset: "{asset}", {kind}: "{name}") {{ asset {{ name }} }} }}'
                answer = send(client, Asked("POST", "/graphql", content={"query": query}), WRITER).json()
                done[name] = "errors" not in answer
                failed[name] = [(one["message"], one["extensions"]["code"], one["path"]) for one in answer.get("errors", ())]
                new = query.replace(name, f"new-{name}")
                assert "errors" not in send(client, Asked("POST", "/graphql", content={"query": new}), ADMIN).json()
            assert done == {seen: True, "writer": True, "open-team": True, unseen: False, "nothing": False}
            message = "you see no {} {!r}: name one that you see, yourself or a group of yours (access rules)"
            for name in (unseen, "nothing"):
                assert failed[name] == [(message.format(kind, name), "NOT_FOUND", [mutation])]


def test_a_statement_that_ties_a_hidden_owner_is_retracted_by_who_sees_it(tmp_path: Path) -> None:
    asset = build_dataset_key("wh", "open.0").id
    state = f'mutation {{ addOwner(asset: "{asset}", owner: "stewards") {{ statement }} }}'
    tag = f'mutation {{ addTag(asset: "{build_owner_key("stewards").id}", tag: "secret") {{ statement }} }}'
    with serve_world(World(USUAL, PLAIN), tmp_path / "world", RULES + 'restrict: [{on: "tag:secret"}]\n') as client:
        statement = send(client, Asked("POST", "/graphql", content={"query": state}), ADMIN).json()["data"]["addOwner"]["statement"]
        send(client, Asked("POST", "/graphql", content={"query": tag}), ADMIN)
        retract = f'mutation {{ retract(statement: "{statement}") {{ statement }} }}'
        unknown = f'mutation {{ retract(statement: "{statement}9") {{ statement }} }}'
        assert ask(client, retract, WRITER) == ask(client, unknown, WRITER)
        assert '"errors"' not in ask(client, retract, ADMIN)
