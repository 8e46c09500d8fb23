"""Tokens, roles, and the names under which a server may be asked."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.api.addresses import AddressRoute
from meshline.api.app import ADDRESSES
from meshline.api.auth import check_exposure, is_loopback
from meshline.api.explorer import ROUTES
from meshline.api.marquez.routes import ADDRESSES as MARQUEZ
from meshline.app.settings import load_settings
from meshline.app.tokens import PREFIX, Actor, Role, Token, TokenRefused, TokenRegister, generate_token, hash_token
from meshline.errors import InvalidInput
from tests.api.conftest import URL, run_application
from tests.api.test_ingest import build_event

SECRETS = {role: generate_token() for role in Role}
TOKENS = [{"name": f"the-{role}", "role": role, "hash": hash_token(secret)} for role, secret in SECRETS.items()]
ABOUT = {"query": "{ about { version } }"}
MESH = "version: 1\nsource: t\nteams:\n  - name: a\n"
YAML = {"Content-Type": "application/yaml"}
ADD_TAG = 'mutation { addTag(asset: "x", tag: "y"%s) { statement } }'


def build_authorization(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def use_address(client: TestClient, path: str, method: str, headers: dict[str, str]) -> int:
    """The status of a request that a server without authentication would answer well."""
    bodies: dict[str, dict[str, Any]] = {
        "/graphql": {"params": {"query": "{ about { version } }"}} if method == "GET" else {"json": ABOUT},
        "/mcp": {"json": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "headers": {"Accept": "application/json", **headers}},
        "/api/v1/check": {"json": {"things": []}},
        "/api/v1/lineage": {"params": {"nodeId": "job:nowhere:none"}} if method == "GET" else {"json": build_event()},
        "/api/v1/lineage/batch": {"json": [build_event()]},
        "/api/v1/mesh": {"content": MESH, "headers": {**YAML, **headers}},
        "/api/v1/sources": {} if method == "GET" else {"params": {"source": "delta/lake"}, "json": {}},
        "/api/v1/jobs/runs/{run}/facets": {"params": {"type": "run"}},
        "/api/v1/search": {"params": {"q": "a"}},
        "/api/v1/column-lineage": {"params": {"nodeId": "job:nowhere:none"}},
        "/api/v1/runlineage/upstream": {"params": {"runId": "none"}},
        "/api/v2beta/search/datasets": {"params": {"q": "a"}},
        "/api/v2beta/search/jobs": {"params": {"q": "a"}},
    }
    puts: dict[str, dict[str, Any]] = {
        "/api/v1/namespaces/{namespace}": {"ownerName": "a"},
        "/api/v1/sources/{source}": {"type": "KAFKA", "connectionUrl": "kafka://a"},
        "/api/v1/namespaces/{namespace}/datasets/{dataset}": {"type": "DB_TABLE", "physicalName": "d", "sourceName": "{source}"},
        "/api/v1/namespaces/{namespace}/jobs/{job}": {"type": "BATCH"},
    }
    if method == "PUT" and path in puts:
        bodies[path] = {"json": puts[path]}
    path = path.replace("{id}", "ds_1").replace("{file:path}", "assets/index-1a2b3c4d.js")
    return client.request(method, path, **{"headers": headers, **bodies.get(path, {})}).status_code


@pytest.fixture(scope="module")
def guarded() -> Iterator[TestClient]:
    with run_application(tokens=TOKENS) as client:
        yield client


def test_what_a_reader_of_a_source_asks_for_needs_the_role_writer(guarded: TestClient) -> None:
    """Without `source`, the same address answers Marquez's clients, which may be readers."""
    asked = {role: guarded.get("/api/v1/sources?source=delta/lake", headers=build_authorization(SECRETS[role])) for role in Role}
    assert {role: answer.status_code for role, answer in asked.items()} == {Role.READER: 403, Role.WRITER: 200, Role.ADMIN: 200}


def test_every_route_has_a_role_or_is_open_on_purpose(guarded: TestClient) -> None:
    routes = guarded.app.routes  # type: ignore[attr-defined]
    assert [type(route) for route in routes] == [AddressRoute], "every request goes through the table of addresses"
    assert {address.path for address in ADDRESSES if address.role is None} == {
        *("/healthz", "/readyz", "/.well-known/oauth-protected-resource"),
        *("/", "/explorer/{file:path}", *ROUTES),  # the files of the page, which have no data of the graph
        *SIGN_IN,
    }


SIGN_IN = {"/sign-in", "/sign-in/callback", "/sign-out", "/sign-out/report", "/session"}  # tests/oidc
NEEDS_PROVIDER = SIGN_IN - {"/session"}


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda a: a.path)
def test_each_address_admits_the_roles_that_it_should(guarded: TestClient, address: Any) -> None:
    for method in address.methods:
        for role, secret in SECRETS.items():
            status = use_address(guarded, address.path, method, build_authorization(secret))
            if address.role is None or role.includes(address.role):
                missing = address in MARQUEZ or address.path in NEEDS_PROVIDER
                assert status in (200, 201) or (missing and status == 404), (address, method, role)
            else:
                assert status == 403, (address, method, role)
        for headers in (
            {},
            build_authorization(generate_token()),
            {"Authorization": f"Basic {SECRETS[Role.ADMIN]}"},
            build_authorization(""),
        ):
            expected = 401 if address.role else 404 if address.path in NEEDS_PROVIDER else 200
            assert use_address(guarded, address.path, method, headers) == expected, (address, method, headers)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize(
    "path", ["/nothing", "/index.html", "/healthz/", "/graphql/", "/%2Fgraphql", "/api/v1/lineage/../mesh", "/openapi.json%00"]
)
def test_what_is_not_there_is_closed(guarded: TestClient, method: str, path: str) -> None:
    answer = guarded.request(method, path, follow_redirects=False)
    assert answer.status_code == 401
    assert guarded.request(method, path, headers=build_authorization(SECRETS[Role.READER]), follow_redirects=False).status_code in (
        401,
        404,
        405,
        307,
        403,
    )


def test_refusals_name_what_is_needed(guarded: TestClient) -> None:
    anonymous = guarded.post("/graphql", json=ABOUT)
    assert (anonymous.status_code, anonymous.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert anonymous.headers["www-authenticate"] == 'Bearer realm="meshline"'
    stranger = guarded.post("/graphql", json=ABOUT, headers=build_authorization("made-up"))
    assert stranger.headers["www-authenticate"] == 'Bearer realm="meshline", error="invalid_token"'
    assert "made-up" not in stranger.text
    reader = guarded.post("/api/v1/lineage", json=build_event(), headers=build_authorization(SECRETS[Role.READER]))
    assert (reader.status_code, reader.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert reader.json()["error"]["message"] == "this needs a token with the role writer, and 'the-reader' has the role reader"
    assert reader.headers["www-authenticate"] == 'Bearer realm="meshline", error="insufficient_scope", scope="writer"'
    assert reader.headers["x-content-type-options"] == "nosniff"


def test_the_scheme_is_written_in_any_case(guarded: TestClient) -> None:
    assert guarded.post("/graphql", json=ABOUT, headers={"Authorization": f"bearer  {SECRETS[Role.READER]}"}).status_code == 200


def test_health_without_detail_for_strangers(guarded: TestClient) -> None:
    assert guarded.get("/healthz").json() == {"status": "ok"}
    assert guarded.get("/readyz").json() == {"status": "ready"}
    assert guarded.get("/readyz", headers=build_authorization("wrong")).json() == {"status": "ready"}
    known = build_authorization(SECRETS[Role.READER])
    assert guarded.get("/healthz", headers=known).json().keys() == {"status", "version"}
    assert guarded.get("/readyz", headers=known).json().keys() == {"status", "revision"}


def test_why_it_is_not_ready_is_no_strangers_business(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_application(tokens=TOKENS) as client:
        monkeypatch.setattr(client.app.state.service, "waiting_for", "the store at secret.host is gone")  # type: ignore[attr-defined]
        assert client.get("/readyz").json() == {"status": "not ready"}
        answer = client.get("/readyz", headers=build_authorization(SECRETS[Role.READER])).json()
        assert answer == {"status": "not ready", "reasons": ["the store at secret.host is gone"]}


def test_bodies_of_strangers_are_not_read(guarded: TestClient) -> None:
    bomb = gzip.compress(bytes(100_000_000))
    answer = guarded.post("/api/v1/lineage", content=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 401


# -- mutations


def test_a_caller_can_ask_for_its_own_name_and_role(guarded: TestClient, client: TestClient) -> None:
    query = {"query": "{ about { actor role } }"}
    for role, secret in SECRETS.items():
        about = guarded.post("/graphql", json=query, headers=build_authorization(secret)).json()["data"]["about"]
        assert about == {"actor": f"the-{role}", "role": role.name}
    assert client.post("/graphql", json=query).json()["data"]["about"] == {"actor": None, "role": "ADMIN"}


def add_tag(client: TestClient, role: Role, by: str = "") -> Any:
    body = {"query": ADD_TAG % (f', by: "{by}"' if by else "")}
    return client.post("/graphql", json=body, headers=build_authorization(SECRETS[role]))


def test_mutations_need_an_admin(guarded: TestClient) -> None:
    for role in (Role.READER, Role.WRITER):
        answer = add_tag(guarded, role)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
        assert 'scope="admin"' in answer.headers["www-authenticate"]
    assert add_tag(guarded, Role.ADMIN).json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"  # there is no asset x
    hidden = {"query": 'query q { about { version } } mutation m { retract(statement: "st_1") { statement } }', "operationName": "m"}
    assert guarded.post("/graphql", json=hidden, headers=build_authorization(SECRETS[Role.WRITER])).status_code == 403
    assert (
        guarded.post("/graphql", json={**hidden, "operationName": "q"}, headers=build_authorization(SECRETS[Role.READER])).status_code
        == 200
    )


def test_the_author_of_a_statement_is_the_one_that_the_token_names() -> None:
    with run_application(tokens=TOKENS) as client:
        assert client.put("/api/v1/mesh", content=MESH, headers={**YAML, **build_authorization(SECRETS[Role.WRITER])}).status_code == 200
        admin = build_authorization(SECRETS[Role.ADMIN])
        found = client.post("/graphql", json={"query": "{ owners { nodes { id } } }"}, headers=admin).json()
        query = 'mutation($id: ID!) { addTag(asset: $id, tag: "y"%s) { asset { tags { source } } } }'
        variables = {"id": found["data"]["owners"]["nodes"][0]["id"]}
        for by in ("", ', by: "the-admin"'):
            answer = client.post("/graphql", json={"query": query % by, "variables": variables}, headers=admin).json()
            assert answer["data"]["addTag"]["asset"]["tags"] == [{"source": "person/the-admin"}]
        other = client.post("/graphql", json={"query": query % ', by: "eve"', "variables": variables}, headers=admin).json()
        assert other["errors"][0]["extensions"] == {"code": "INVALID_INPUT", "path": "by"}


def test_without_tokens_a_statement_must_name_its_author(client: TestClient) -> None:
    client.put("/api/v1/mesh", content=MESH, headers=YAML)
    found = client.post("/graphql", json={"query": "{ owners { nodes { id } } }"}).json()["data"]["owners"]["nodes"][0]["id"]
    answer = client.post("/graphql", json={"query": ADD_TAG.replace('"x"', f'"{found}"') % ""}).json()
    assert answer["errors"][0]["message"] == "by: give the name of the person who states it"


# -- tokens


def test_a_token_is_random_and_known_by_its_hash() -> None:
    token = generate_token()
    assert token.startswith(PREFIX)
    assert len(token) == len(PREFIX) + 64  # 256 bits
    assert token == token.lower()
    assert len({generate_token() for _ in range(100)}) == 100
    assert hash_token(token) == f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"
    tokens = TokenRegister([Token(name="eve", role=Role.WRITER, hash=hash_token(token))])
    assert tokens.find_actor(token) == Actor("eve", Role.WRITER)
    for other in (
        "",
        token[:-1],
        token + "x",
        hash_token(token),
        token.upper(),
        "\udcff".encode("utf-8", "surrogatepass").decode("latin-1"),
    ):
        with pytest.raises(TokenRefused):
            tokens.find_actor(other)
    with pytest.raises(TokenRefused):
        TokenRegister([]).find_actor("")


def test_each_role_includes_the_ones_before() -> None:
    assert [[one.includes(other) for other in Role] for one in Role] == [[True, False, False], [True, True, False], [True, True, True]]


# -- where a server may listen, and as what it may be asked


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LOCALHOST."])
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    check_exposure(load_settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "mesh.example", "localhost.example", "127.0.0.1.example", ""])
def test_others_need_tokens_or_a_word(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(InvalidInput, match=r"without tokens.*meshline token new.*--insecure"):
        check_exposure(load_settings(host=host))
    check_exposure(load_settings(host=host, tokens=TOKENS))
    check_exposure(load_settings(host=host, insecure=True))


def ask_as_host(client: TestClient, host: str) -> int:
    return client.post("/graphql", json=ABOUT, headers={"Host": host}).status_code


def test_a_foreign_name_for_loopback_is_not_ours(client: TestClient) -> None:
    for host in ("127.0.0.1", "127.0.0.1:8080", "localhost", "LocalHost:1", "[::1]:8080", "[::1]", "127.1.2.3"):
        assert ask_as_host(client, host) == 200, host
    for host in (
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.0.1",
        "",
        "[::2]",
        ":80",
    ):
        assert ask_as_host(client, host) == 421, host
    answer = client.get("/healthz", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "WRONG_HOST")
    assert "evil" not in answer.text


def test_names_that_are_allowed() -> None:
    with run_application(allowed_hosts=["Mesh.Example"]) as client:
        assert [ask_as_host(client, host) for host in ("mesh.example:80", "localhost", "other.example")] == [200, 200, 421]
    with run_application(host="0.0.0.0", insecure=True) as client:
        assert ask_as_host(client, "anything.example") == 200
    with run_application(host="0.0.0.0", insecure=True, allowed_hosts=["mesh.example"]) as client:
        assert [ask_as_host(client, host) for host in ("mesh.example", "127.0.0.1", "other.example")] == [200, 200, 421]
    with run_application(tokens=TOKENS) as client:
        answer = client.post("/graphql", json=ABOUT, headers={"Host": "any.example", **build_authorization(SECRETS[Role.READER])})
        assert answer.status_code == 200


def test_no_page_of_another_origin_may_read(client: TestClient) -> None:
    asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = client.options("/graphql", headers=asking)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert client.base_url == URL
