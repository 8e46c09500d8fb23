"""Tokens of an identity provider: each check of a token, and how the keys of the provider are fetched and kept."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey, RSAKey

from meshline.app import provider as oidc
from meshline.app.access_file import read_access_rules
from meshline.app.grants import Grant
from meshline.app.oidc import ClaimNames, TokenIssuer, build_issuer
from meshline.app.provider import Provider, is_safe_address
from meshline.app.settings import load_settings
from meshline.app.tokens import AccessScope, Actor, Role, TokenRefused
from meshline.errors import InvalidInput, ProviderUnavailable
from tests.api.conftest import run_application
from tests.api.test_auth import ABOUT, SECRETS, TOKENS, build_authorization
from tests.api.test_ingest import build_event
from tests.api.test_metrics import read_metrics
from tests.oidc.issuer import AUDIENCE, DISCOVERY, FIRST, KEYS, Answer, ScriptedIssuer, run_issuer

T = TypeVar("T")
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
SECOND = ECKey.generate_key("P-256", {"kid": "second"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
GRANTS = [
    Grant(user="ann", role=Role.ADMIN),
    Grant(group="readers", role=Role.READER),
    Grant(group="checkers", role=Role.READER, scopes=(AccessScope.CHECK,)),
    Grant(service="airflow", role=Role.WRITER, scopes=(AccessScope.INGEST,)),
]


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def build(issuer: ScriptedIssuer, clock: Clock | None = None, groups: str = "groups", name: str = "sub") -> TokenIssuer:
    return TokenIssuer(Provider(issuer.url, clock or Clock()), AUDIENCE, ClaimNames(groups, name), GRANTS)


def find(issuer: ScriptedIssuer, token: str, **built: str) -> Actor:
    return asyncio.run(build(issuer, **built).find_actor(token))  # type: ignore[arg-type]


def refuse(issuer: ScriptedIssuer, token: str, **built: str) -> str:
    with pytest.raises(TokenRefused) as caught:
        find(issuer, token, **built)
    assert token not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def steady() -> Iterator[ScriptedIssuer]:
    """An issuer with keys of each kind, that no test changes."""
    with run_issuer() as found:
        found.keys += [key.as_dict(private=False) for key in (RSA, ED)]
        yield found


def fill(claims: Mapping[str, Any], issuer: ScriptedIssuer) -> dict[str, Any]:
    """Claims with the times and the address of this test: those of a table are made long before it is run."""
    filled = json.loads(json.dumps(claims).replace("{issuer}", issuer.url))
    now = int(time.time())
    return {name: now + value["from now"] if isinstance(value, dict) and "from now" in value else value for name, value in filled.items()}


# -- what is accepted


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [("ES256", FIRST), ("RS256", RSA), ("PS256", RSA), ("Ed25519", ED), pytest.param("EdDSA", ED, id="EdDSA-the-old-name")],
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_a_good_token_of_each_algorithm(steady: ScriptedIssuer, algorithm: str, key: Any) -> None:
    assert find(steady, steady.sign(key, {"alg": algorithm})) == Actor("user ann", Role.ADMIN, frozenset(AccessScope))


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"typ": "JWT"}, {"client_id": None, "azp": "cli"}),  # as Keycloak writes it
        ({"typ": "application/at+jwt"}, {}),
        ({"x5t": "any", "jku": "https://evil.example/keys", "jwk": SECOND.as_dict(private=False)}, {}),
        ({}, {"aud": ["https://other.example", AUDIENCE]}),
        ({}, {"exp": {"from now": -20}}),  # within the leeway
        ({}, {"nbf": {"from now": 20}}),
    ],
    ids=["Keycloak", "RFC 9068", "a key of its own", "several audiences", "within the leeway", "not before"],
)
def test_what_providers_write_in_other_ways(steady: ScriptedIssuer, header: dict[str, Any], claims: dict[str, Any]) -> None:
    assert find(steady, steady.sign(header=header, **fill(claims, steady))).name == "user ann"


# -- each check


def encode(value: object) -> str:
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()


CLAIMS: list[tuple[dict[str, object], str]] = [
    ({"iss": None}, "of another issuer"),
    ({"iss": "https://evil.example"}, "of another issuer"),
    ({"iss": ["{issuer}"]}, "of another issuer"),
    ({"iss": "{issuer}/"}, "of another issuer"),
    ({"aud": None}, f"have the identity provider put {AUDIENCE} into `aud`"),  # Keycloak without a mapper
    ({"aud": "https://other.example"}, "for another audience"),
    ({"aud": f"{AUDIENCE}.evil.example"}, "for another audience"),
    ({"aud": [["https://mesh.example"]]}, "for another audience"),
    ({"exp": None}, "no end"),
    ({"exp": {"from now": -3600}}, "has expired"),
    ({"exp": "9999999999"}, "no end"),
    ({"exp": True}, "no end"),
    ({"nbf": {"from now": 3600}}, "not valid yet"),
    ({"iat": {"from now": 3600}}, "issued in the future"),
    ({"sub": None}, "does not name its subject"),  # Keycloak without the scope basic
    ({"sub": ""}, "does not name its subject"),
    ({"sub": 7}, "does not name its subject"),
    ({"client_id": None}, "no access token"),
    ({"aud": [AUDIENCE, "cli"]}, "no access token"),  # an ID token, where the audience is a client
    ({"typ": "ID"}, "no access token"),
    ({"typ": "Refresh"}, "no access token"),
    ({"groups": 7}, "no list of names"),
    ({"groups": ["a", 7]}, "no list of names"),
    ({"_claim_names": {"groups": "src1"}}, "too many groups"),
    ({"hasgroups": True}, "too many groups"),
    ({"sub": "ann\n"}, "no name in `sub`"),
    ({"sub": "a" * 201}, "no name in `sub`"),
]


@pytest.mark.parametrize(("claims", "sentence"), CLAIMS, ids=lambda one: json.dumps(one)[:50])
def test_each_check_of_the_claims(steady: ScriptedIssuer, claims: dict[str, Any], sentence: str) -> None:
    assert sentence in refuse(steady, steady.sign(**fill(claims, steady)))


def test_each_check_of_the_header(steady: ScriptedIssuer) -> None:
    def check(sentence: str, **header: object) -> None:
        assert sentence in refuse(steady, steady.sign(header=header)), header

    check("does not name its key", kid=None)
    check("does not list the key", kid="third")
    check("its type", typ=None)
    check("its type", typ="logout+jwt")
    header = {"alg": "ES256", "typ": ["at+jwt"], "kid": "first"}
    assert "its type" in refuse(steady, f"{encode(header)}.{encode(steady.build_claims())}.{'A' * 86}")
    brought = {
        "jwk": SECOND.as_dict(private=False),
        "jku": f"{steady.url}/evil",
    }  # the key is that of the provider, whatever a token brings
    for named, sentence in (("third", "does not list the key"), ("first", "its signature is wrong")):
        assert sentence in refuse(steady, steady.sign(SECOND, {**brought, "kid": named}))
    assert steady.counts["/evil"] == 0


def test_only_listed_algorithms(steady: ScriptedIssuer) -> None:
    claims = steady.build_claims()
    for algorithm in ("none", "None", "nOnE", "", None, "es256", "HS256", ["ES256"]):
        header = {"alg": algorithm, "typ": "at+jwt", "kid": "first"}
        for signature in ("", "AAAA"):
            shown = refuse(steady, f"{encode(header)}.{encode(claims)}.{signature}")
            assert "its algorithm is none of" in shown or "no signed JWT" in shown, (algorithm, shown)


def test_a_public_key_is_no_shared_secret(steady: ScriptedIssuer) -> None:
    """The oldest trick: HS256 with what is public of the key."""
    for secret in (RSA.as_pem(private=False), json.dumps(RSA.as_dict(private=False)).encode()):
        text = f"{encode({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'rsa'})}.{encode(steady.build_claims())}"
        signature = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        assert "its algorithm is none of" in refuse(steady, f"{text}.{encode(signature)}")


def test_a_key_of_another_type_than_the_algorithm(steady: ScriptedIssuer) -> None:
    for key, algorithm, named in ((FIRST, "ES256", "rsa"), (RSA, "RS256", "first"), (ED, "Ed25519", "first"), (FIRST, "ES256", "ed")):
        shown = refuse(steady, steady.sign(key, {"alg": algorithm, "kid": named}))
        assert "its key does not fit its algorithm" in shown or "its signature is wrong" in shown


def test_the_signature(steady: ScriptedIssuer) -> None:
    head, body, signature = steady.sign().split(".")
    admin = encode({**steady.build_claims(), "sub": "root"})
    other = steady.sign(SECOND, {"kid": "first"}).split(".")[2]
    for token in (f"{head}.{admin}.{signature}", f"{head}.{body}.{other}", f"{head}.{body}."):
        shown = refuse(steady, token)
        assert "its signature is wrong" in shown or "no signed JWT" in shown or "does not fit" in shown


def test_what_is_critical_and_unknown_is_refused(steady: ScriptedIssuer) -> None:
    header = {"alg": "ES256", "typ": "at+jwt", "kid": "first", "crit": ["exp-b64"], "exp-b64": True}
    assert "refused" in refuse(steady, f"{encode(header)}.{encode(steady.build_claims())}.{'A' * 86}")


def test_a_token_that_is_too_long(steady: ScriptedIssuer) -> None:
    assert "more than 16384 characters" in refuse(steady, steady.sign(padding="x" * 13_000))
    assert find(steady, steady.sign(padding="x" * 11_000)).name == "user ann"


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture(scope="module")
def checked(steady: ScriptedIssuer) -> TokenIssuer:
    return build(steady)


@settings(max_examples=150)
@given(data=st.data())
def test_no_changed_token_is_accepted(
    steady: ScriptedIssuer, checked: TokenIssuer, loop: asyncio.AbstractEventLoop, data: st.DataObject
) -> None:
    token = steady.sign()
    place = data.draw(st.integers(0, len(token) - 1))
    part = data.draw(st.text(min_size=1, max_size=4))
    changed = token[:place] + part + token[place + data.draw(st.integers(0, 3)) :]
    if decode(changed) != decode(token):
        with pytest.raises(TokenRefused):
            loop.run_until_complete(checked.find_actor(changed))
    nested = "[" * data.draw(st.integers(1, 9000))
    with pytest.raises(TokenRefused):
        loop.run_until_complete(checked.find_actor(f"{token.partition('.')[0]}.{encode(nested.encode())}.{'A' * 86}"))


def decode(token: str) -> list[bytes]:
    """What a token means: several texts of base64 have the same bytes."""
    try:
        return [base64.urlsafe_b64decode(part + "==") for part in token.split(".")]
    except ValueError:
        return []


# -- who it is


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"sub": "airflow", "client_id": "airflow"}, ("service airflow", Role.WRITER, {AccessScope.INGEST})),
        ({"sub": "4711", "client_id": None, "azp": "airflow", "idtyp": "app"}, ("service airflow", Role.WRITER, {AccessScope.INGEST})),
        (
            {"sub": "ann", "client_id": "airflow"},
            ("user ann", Role.ADMIN, set(AccessScope)),
        ),  # a person who uses a client is not the client
        ({"sub": "bob", "client_id": "airflow"}, ("user bob", Role.READER, set())),
        ({"sub": "ann", "client_id": "ann"}, ("service ann", Role.READER, set())),  # and a client is no person of that name
        ({"sub": "bob", "groups": ["checkers"]}, ("user bob", Role.READER, {AccessScope.CHECK})),
        (
            {"sub": "bob", "groups": ["checkers", "readers", "others"]},
            ("user bob", Role.READER, {AccessScope.CHECK, AccessScope.READ, AccessScope.METRICS, AccessScope.REQUEST}),
        ),
        ({"sub": "bob", "groups": "checkers"}, ("user bob", Role.READER, {AccessScope.CHECK})),
        ({"sub": "bob", "roles": ["readers"]}, ("user bob", Role.READER, set())),
    ],
    ids=lambda one: json.dumps(one) if isinstance(one, dict) else "",
)
def test_grants(steady: ScriptedIssuer, claims: dict[str, Any], expected: tuple[str, Role, set[AccessScope]]) -> None:
    assert find(steady, steady.sign(**claims))[:3] == (expected[0], expected[1], frozenset(expected[2]))


DOTTED: dict[str, Any] = {"https://company.com/groups": ["checkers"]}


def test_the_claims_of_groups_and_names_are_configured(steady: ScriptedIssuer) -> None:
    nested = steady.sign(sub="bob", realm_access={"roles": ["checkers"]})
    assert find(steady, nested, groups="realm_access.roles").scopes == frozenset((AccessScope.CHECK,))
    dotted = steady.sign(sub="bob", **DOTTED)
    assert find(steady, dotted, groups="https://company.com/groups").scopes == frozenset((AccessScope.CHECK,))
    assert find(steady, steady.sign(sub="4711", email="ann"), name="email").name == "user ann"
    assert "no name in `email`" in refuse(steady, steady.sign(), name="email")


def test_access_rules_apply_by_group_and_by_name(steady: ScriptedIssuer, tmp_path: Path) -> None:
    file = tmp_path / "access.yaml"
    file.write_text(
        "version: 1\ndefault: nothing\ngrants:\n"
        "  - {who: group:readers, on: domain:sales}\n  - {who: user:bob, on: domain:orders}\n  - {who: token:bob, on: everything}\n"
    )
    rules = read_access_rules(file)

    def list_domains(**claims: Any) -> set[str]:
        rights = rules.find_rights(find(steady, steady.sign(**claims)))
        assert rights is not None
        return {selector.name for selector in rights.granted}

    assert list_domains(sub="bob") == {"orders"}
    assert list_domains(sub="eve", groups=["readers", "others"]) == {"sales"}
    assert list_domains(sub="bob", client_id="bob") == set(), "a service of that name"


def test_a_grant_names_one_principal_and_fits_its_role() -> None:
    for wrong in ({}, {"user": "a", "group": "b"}, {"user": "a", "scopes": ["ingest"]}, {"user": "a", "scopes": []}, {"user": ""}):
        with pytest.raises(InvalidInput, match=r"grants"):
            load_settings(grants=[{"role": "reader", **wrong}])


# -- the keys


def run(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(make())


def count_fetches(issuer: ScriptedIssuer) -> int:
    return issuer.counts[KEYS]


async def is_accepted(checked: TokenIssuer, token: str) -> bool:
    try:
        await checked.find_actor(token)
    except TokenRefused:
        return False
    return True


def test_a_new_key_is_fetched_and_an_unknown_one_seldom(issuer: ScriptedIssuer) -> None:
    async def act() -> None:
        clock = Clock()
        checked = build(issuer, clock)
        assert await is_accepted(checked, issuer.sign())
        assert await is_accepted(checked, issuer.sign())
        assert count_fetches(issuer) == 1, "the keys are kept"
        new = issuer.sign(SECOND)
        clock.now += 31
        issuer.keys.append(SECOND.as_dict(private=False))
        assert await is_accepted(checked, new)
        assert count_fetches(issuer) == 2
        for name in "abc":
            assert not await is_accepted(checked, issuer.sign(header={"kid": name}))
        assert count_fetches(issuer) == 2, "within the interval, an unknown key is not asked for"
        clock.now += 31
        assert not await is_accepted(checked, issuer.sign(header={"kid": "d"}))
        assert count_fetches(issuer) == 3

    run(act)


def test_a_withdrawn_key_is_forgotten(issuer: ScriptedIssuer) -> None:
    async def act() -> None:
        clock = Clock()
        checked = build(issuer, clock)
        assert await is_accepted(checked, issuer.sign())
        issuer.keys[:] = [SECOND.as_dict(private=False)]
        clock.now += oidc.FRESH_SECONDS + 1
        await is_accepted(checked, issuer.sign())  # fetched beside it
        fetching = checked.provider._fetching
        assert fetching is not None
        await fetching
        assert not await is_accepted(checked, issuer.sign())
        assert await is_accepted(checked, issuer.sign(SECOND))

    run(act)


def test_all_who_wait_share_one_fetch(issuer: ScriptedIssuer) -> None:
    right = json.dumps({"keys": [FIRST.as_dict(private=False)]}).encode()
    issuer.answer_always(KEYS, Answer(right, seconds=0.2))

    async def act() -> None:
        clock = Clock()
        checked = build(issuer, clock)
        assert all(await asyncio.gather(*(is_accepted(checked, issuer.sign()) for _ in range(20))))
        assert count_fetches(issuer) == 1
        clock.now += 31
        issuer.answer_always(
            KEYS, Answer(json.dumps({"keys": [key.as_dict(private=False) for key in (FIRST, SECOND)]}).encode(), seconds=0.2)
        )
        assert all(await asyncio.gather(*(is_accepted(checked, issuer.sign(SECOND)) for _ in range(20))))
        assert count_fetches(issuer) == 2
        # One who goes away does not end it for the others.
        clock.now += 31
        first = asyncio.create_task(is_accepted(checked, issuer.sign(header={"kid": "a"})))
        second = asyncio.create_task(is_accepted(checked, issuer.sign(header={"kid": "b"})))
        await asyncio.sleep(0.05)
        first.cancel()
        assert await second is False
        assert count_fetches(issuer) == 3

    run(act)


def test_known_keys_are_used_while_the_provider_is_down(issuer: ScriptedIssuer) -> None:
    async def act() -> None:
        clock = Clock()
        checked = build(issuer, clock)
        assert await is_accepted(checked, issuer.sign())
        issuer.answer_always(DISCOVERY, Answer(b"", 500))
        for seconds in (oidc.FRESH_SECONDS + 1, 3600.0, oidc.STALE_SECONDS - oidc.FRESH_SECONDS - 3700):
            clock.now += seconds
            assert await is_accepted(checked, issuer.sign())
            assert not await is_accepted(checked, issuer.sign(header={"kid": "other"}))
        clock.now += 200
        with pytest.raises(ProviderUnavailable, match="does not answer"):
            await checked.find_actor(issuer.sign())
        asked = issuer.counts[DISCOVERY]
        with pytest.raises(ProviderUnavailable):
            await checked.find_actor(issuer.sign())
        assert issuer.counts[DISCOVERY] == asked, "not with each request"
        issuer.answers.clear()
        clock.now += oidc.RETRY_SECONDS
        assert await is_accepted(checked, issuer.sign())

    run(act)


OTHER_DOCUMENT = {"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"}
WRONG: Mapping[str, tuple[str, Answer, str]] = {
    "status": (KEYS, Answer(b"{}", 503), "HTTP status 503"),
    "redirect": (KEYS, Answer(b"", 302, {"Location": "/elsewhere"}), "HTTP status 302"),
    "redirect of discovery": (DISCOVERY, Answer(b"", 307, {"Location": "/elsewhere"}), "HTTP status 307"),
    "too large": (KEYS, Answer(b'{"keys": [' + b" " * oidc.ANSWER_BYTES + b"]}"), "more than 262144 bytes"),
    "no JSON": (KEYS, Answer(b"<html>"), "does not answer with JSON"),
    "deep JSON": (KEYS, Answer(b"[" * 100_000), "does not answer with JSON"),
    "a list": (KEYS, Answer(b"[]"), "JSON object"),
    "no keys": (KEYS, Answer(b'{"keys": []}'), "no key that can be used"),
    "keys of another form": (KEYS, Answer(b'{"keys": {"a": 1}}'), "no key that can be used"),
    "another issuer": (DISCOVERY, Answer(json.dumps(OTHER_DOCUMENT).encode()), "another issuer"),
    "slow": (KEYS, Answer(b"{}", seconds=60.0), "Timeout"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_cannot_be_used(
    issuer: ScriptedIssuer, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, answer, reason = WRONG[name]
    if answer.seconds:
        monkeypatch.setattr(oidc, "ANSWER_SECONDS", 0.5)
    issuer.answer_always(path, answer)
    begun = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        find(issuer, issuer.sign())
    assert time.monotonic() - begun < 30, "it does not wait for an answer that takes a minute"
    assert issuer.counts["/elsewhere"] == 0
    assert [record.levelname for record in caplog.records if reason in record.message] == ["WARNING"], caplog.text


@pytest.mark.parametrize(
    "address", ["http://keys.example/keys", "file:///etc/passwd", "//keys.example", 7, None, "https://", "http://[::1"]
)
def test_keys_come_from_safe_addresses_only(issuer: ScriptedIssuer, address: object, caplog: pytest.LogCaptureFixture) -> None:
    issuer.answer_always(DISCOVERY, Answer(json.dumps({"issuer": issuer.url, "jwks_uri": address}).encode()))
    with pytest.raises(ProviderUnavailable):
        find(issuer, issuer.sign())
    assert "no https:// address" in caplog.text


def test_keys_that_cannot_be_used_do_not_hide_the_others(issuer: ScriptedIssuer) -> None:
    with pytest.warns(match="2048 bits"):
        short = RSAKey.generate_key(1024, {"kid": "short"})
    issuer.keys[:0] = [
        *(
            {"kty": "new", "kid": "a"},
            {"kty": "EC", "kid": "b"},
            {"kty": "RSA", "kid": "c", "n": 7},
            {"kty": "oct", "kid": "d", "k": "AAAA"},
        ),
        *(short.as_dict(private=False), {**SECOND.as_dict(private=False), "kid": None}),
    ]
    assert find(issuer, issuer.sign()).name == "user ann"
    assert "does not list the key" in refuse(issuer, issuer.sign(short, {"alg": "RS256"}))


def test_a_key_for_something_else_is_not_used(issuer: ScriptedIssuer) -> None:
    for other in ({"use": "enc"}, {"alg": "ES384"}, {"key_ops": ["sign"]}):
        issuer.keys[:] = [{**SECOND.as_dict(private=False), **other}]
        assert "its key does not fit" in refuse(issuer, issuer.sign(SECOND)), other


# -- the settings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"oidc_issuer": "http://login.company.com", "oidc_audience": "a"}, "oidc_issuer: the identity provider needs an https"),
        ({"oidc_issuer": "login.company.com", "oidc_audience": "a"}, "oidc_issuer: the identity provider needs an https"),
        ({"oidc_issuer": "https://login.company.com"}, "oidc_audience: is needed with"),
    ],
)
def test_settings_that_are_not_complete(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        build_issuer(load_settings(**given))


def test_safe_addresses() -> None:
    assert all(map(is_safe_address, ("https://a", "http://127.0.0.1:1", "http://localhost/x", "http://[::1]:1")))
    assert not any(
        map(is_safe_address, ("http://a", "http://127.0.0.1.evil.example", "http://localhost.evil.example", "https:", "ftp://a", ""))
    )


# -- the whole application

CHALLENGE = f'Bearer realm="meshline", error="invalid_token", resource_metadata="{AUDIENCE}/.well-known/oauth-protected-resource"'
SETTINGS: dict[str, Any] = {"oidc_audience": AUDIENCE, "grants": [grant.model_dump(mode="json", exclude_none=True) for grant in GRANTS]}


def test_an_application_with_an_identity_provider(
    issuer: ScriptedIssuer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with run_application(oidc_issuer=issuer.url, **SETTINGS) as client:

        def ask(token: str) -> Any:
            return client.post("/graphql", json={"query": "{ about { actor role } }"}, headers=build_authorization(token))

        assert ask(issuer.sign()).json()["data"]["about"] == {"actor": "user ann", "role": "ADMIN"}
        assert client.post("/graphql", json=ABOUT).status_code == 401, "the server is closed, although it has no tokens of its own"
        assert client.post("/graphql", json=ABOUT, headers={**build_authorization(issuer.sign()), "Host": "any.example"}).status_code == 200
        service = issuer.sign(sub="airflow", client_id="airflow")
        assert client.post("/api/v1/lineage", json=build_event(), headers=build_authorization(service)).status_code == 201
        assert ask(service).status_code == 403
        stranger = issuer.sign(sub="eve")
        refused = ask(stranger)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
        assert refused.json()["error"]["message"].startswith("no entry of `grants` in the settings of this server is for 'user eve'")
        assert client.get("/nothing", headers=build_authorization(stranger)).status_code == 403
        assert client.get("/healthz", headers=build_authorization(stranger)).json() == {"status": "ok"}
        assert "version" in client.get("/healthz", headers=build_authorization(issuer.sign())).json()
        wrong = ask(issuer.sign(aud="https://other.example"))
        assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, CHALLENGE)
        assert AUDIENCE in wrong.json()["error"]["message"]
        assert client.get("/healthz", headers=build_authorization(issuer.sign(aud="x"))).json() == {"status": "ok"}
        old = issuer.sign()
        later = time.time_ns() + 400 * 1_000_000_000
        monkeypatch.setattr(time, "time_ns", lambda: later)
        assert ask(old).json()["error"]["message"] == "this token has expired: get a new one from the identity provider"
        found = read_metrics(client, **build_authorization(issuer.sign()))
        counted = {reason: found.get_value("auth_refusals_total", reason=reason) for reason in ("invalid_jwt", "expired_token", "role")}
        assert counted == {"invalid_jwt": 1, "expired_token": 1, "role": 3}
    assert old.split(".")[1] not in caplog.text
    assert old.split(".")[2] not in caplog.text


def test_a_provider_that_is_down_is_no_affair_of_static_tokens(issuer: ScriptedIssuer) -> None:
    issuer.answer_always(DISCOVERY, Answer(b"", 500))
    with run_application(oidc_issuer=issuer.url, tokens=TOKENS, **SETTINGS) as client:
        answer = client.post("/graphql", json=ABOUT, headers=build_authorization(issuer.sign()))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "PROVIDER_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0
        assert client.post("/graphql", json=ABOUT, headers=build_authorization(SECRETS[Role.READER])).status_code == 200
        assert client.get("/healthz", headers=build_authorization(issuer.sign())).json() == {"status": "ok"}
        found = read_metrics(client, **build_authorization(SECRETS[Role.READER]))
        assert found.get_value("auth_refusals_total", reason="provider") == 1
