"""`meshline denial`: what it adds is refused by a server of the same store, until it is removed or ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshline.app.tokens import Role
from tests.api.conftest import run_application, serve_application
from tests.api.test_auth import build_authorization
from tests.api.test_notifying import wait_until
from tests.cli.command import Ran, run_command, run_successfully
from tests.oidc.issuer import AUDIENCE, run_issuer

WHO = {"query": "{ about { actor } }"}


def test_a_person_is_denied_and_allowed_again(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/mesh.db"
    with run_issuer() as issuer:
        given = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "grants": [{"user": "ann", "role": Role.READER}]}
        with run_application(store=store, refresh_seconds=0.05, **given) as client:
            headers = build_authorization(issuer.sign())

            def ask() -> int:
                return client.post("/graphql", json=WHO, headers=headers).status_code

            assert ask() == 200
            shown = run_command("denial", "add", "sub", "ann", "--hours", "2", "--reason", "has left", "--store", store)
            assert (shown.code, "sub ann is denied until" in shown.err) == (0, True)
            wait_until(lambda: ask() == 401)
            (entry,) = json.loads(run_successfully("denial", "list", "--format", "json", "--store", store).out)["denials"]
            assert (entry["kind"], entry["value"], entry["reason"], entry["issuedUntil"]) == ("sub", "ann", "has left", None)
            assert "has left" in run_successfully("denial", "list", "--store", store).out
            assert run_command("denial", "remove", "sub", "ann", "--store", store).code == 0
            wait_until(lambda: ask() == 200)
    assert "nothing is denied" in run_successfully("denial", "list", "--store", store).out
    log = run_successfully("audit", "--kind", "access", "--store", store).out
    assert "denial, sub ann" in log
    assert "reason has left" in log


def test_a_person_is_denied_at_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once: nothing of what other servers write is followed here meanwhile."""
    store = f"sqlite:///{tmp_path}/mesh.db"
    with run_issuer() as issuer:
        grants = [{"user": "ann", "role": Role.READER}, {"user": "eve", "role": Role.ADMIN}]
        given = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "grants": grants}
        with serve_application(lambda _url: {"store": store, "refresh_seconds": 3600.0, **given}) as server:

            def run(person: str, *arguments: str) -> Ran:
                monkeypatch.setenv("MESHLINE_TOKEN", issuer.sign(sub=person))
                return run_command(*arguments, "--server", server)

            assert run("ann", "search", "x").code == 0
            refused = run("ann", "denial", "add", "sub", "eve")
            assert (refused.code, "this needs a token with the role admin" in refused.err) == (2, True), refused.err
            assert "role writer" in run("ann", "denial", "list").err
            assert "is denied until" in run("eve", "denial", "add", "sub", "ann", "--reason", "has left").err
            assert "this server denies its caller" in run("ann", "search", "x").err
            (entry,) = json.loads(run("eve", "denial", "list", "--format", "json").out)["denials"]
            assert (entry["kind"], entry["value"], entry["reason"], entry["by"]) == ("sub", "ann", "has left", "user eve")
            assert run("eve", "denial", "remove", "sub", "ann").code == 0
            assert run("ann", "search", "x").code == 0
            assert "is not on the deny list" in run("eve", "denial", "remove", "sub", "ann").err
    log = run_successfully("audit", "--kind", "access", "--store", store).out
    assert log.count("denial, sub ann") == 2


def test_a_server_without_identity_provider_denies_nothing(tmp_path: Path) -> None:
    with serve_application(lambda _url: {"store": f"sqlite:///{tmp_path}/mesh.db"}) as server:
        for arguments in (("list",), ("add", "sub", "ann"), ("remove", "sub", "ann")):
            refused = run_command("denial", *arguments, "--server", server)
            assert (refused.code, "the setting `oidc_issuer`" in refused.err) == (2, True), refused.err


def test_what_is_refused(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/mesh.db"
    assert "there is no store" in run_command("denial", "list", "--store", store).err
    with run_application(store=store):
        pass
    for arguments, sentence in (
        (("add", "sub", ""), "value: give 1 to 500"),
        (("add", "sub", "a\nb"), "value: give 1 to 500"),
        (("add", "sub", "a", "--reason", "x" * 501), "reason: give 0 to 500"),
        (("remove", "sub", "eve"), "is not on the deny list"),
        (("add", "name", "ann"), "Invalid value"),
        (("add", "sub", "ann", "--hours", "0"), "Invalid value"),
    ):
        refused = run_command("denial", *arguments, "--store", store)
        assert (refused.code, sentence in refused.err) == (2, True), refused.err
