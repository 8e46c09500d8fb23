"""Access rules on what callers write: in two meshes that differ only in what a caller may not see, each mutation is answered alike, and
leaves alike what he may ask for afterwards and what the audit log has. The mutations are generated from the schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import product

import pytest
from graphql import GraphQLField, GraphQLNonNull, get_named_type
from starlette.testclient import TestClient

from meshline.api.graphql.context import DENIAL_FIELDS, REQUEST_FIELDS
from meshline.graph.model import AssetKey, AssetKind, build_column_key, build_dataset_key
from tests.api.test_etag import SCHEMA
from tests.api.test_matrix import write_value
from tests.api.test_two_worlds_http import ADMIN, READER, WRITER, Asked, send, serve_world
from tests.api.worlds import MARKS, PLAIN, STRANGE, USUAL, Secret, World, share_schema

VARYING = re.compile(r"req_[0-9a-f]{16}|st_[0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|\+00:00)")  # what no two processes have alike
STATED = "{ statement asset { id name tags { key } owners { owner { name } } } }"
ASKED = "{ id state assetName selector purpose asker principal mine asset { id name } approvers steps { kind by state } }"
DENIED = "{ kind value until by reason }"
JOINED = "{ joined rule { source } }"
NAMING = frozenset({"acceptNamingRule", "removeNamingRule"})
SEEN = (
    "{ accessRequests { totalCount nodes " + ASKED + " } }",
    "{ datasets { nodes { id name description tags { key } owners { owner { name } } consumers { nodes { name } } } } }",
    "{ owners { nodes { name } } consumers { nodes { name } } }",
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


def list_mutations(ids: Sequence[str]) -> Iterator[str]:
    """Each mutation with all combinations of ids."""
    for name, field in FIELDS.items():
        needed = {one: argument.type for one, argument in field.args.items() if isinstance(argument.type, GraphQLNonNull)}
        named = [one for one, kind in needed.items() if get_named_type(kind).name == "ID"]
        for chosen in product(ids, repeat=len(named)):
            values = {one: write_value(kind) for one, kind in needed.items()} | {
                one: f'"{id_}"' for one, id_ in zip(named, chosen, strict=True)
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


@pytest.fixture(autouse=True, scope="module")
def _schema() -> Iterator[None]:
    with share_schema():
        yield


def test_two_worlds(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("worlds")
    worlds = (World(USUAL, PLAIN), World(USUAL, STRANGE), World(USUAL, PLAIN, more=True))
    ids = list_ids((PLAIN, STRANGE))
    with ExitStack() as opened:
        clients = [opened.enter_context(serve_world(world, folder / str(n))) for n, world in enumerate(worlds)]
        of_others = [ask_for_hidden(*one) for one in zip(clients, worlds, strict=True)]
        for token in (READER, WRITER):
            done = 0
            for query in (*list_mutations(ids), *SEEN):
                answer, *others = (ask(client, query, token) for client in clients)
                assert others == [answer] * len(others), query
                assert "INTERNAL" not in answer, query
                assert MARKS[0] not in answer, query
                done += '"errors"' not in answer
            assert done > len(SEEN), "some are carried out"
            for id_, client in zip(of_others, clients, strict=True):
                for decision in ("APPROVE", "REFUSE"):
                    unknown, known = (write_decision(one, decision) for one in ("req_0123456789abcdef", id_))
                    assert ask(client, known, token) == ask(client, unknown, token), "as of one that is not there"
        audits = [ask(client, "{ audit(first: 500) { nodes { action actor details } } }", ADMIN) for client in clients]
        assert len({audit.count('"action"') for audit in audits}) == 1
        assert audits[0].count('"MUTATION"') > 3
