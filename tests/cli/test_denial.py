"""`meshline denial`: what it adds is refused by a server of the same store, until it is removed or ends."""

from __future__ import annotations

import json
from pathlib import Path

from meshline.app.tokens import Role
from tests.api.conftest import run_application
from tests.api.test_auth import build_authorization
from tests.api.test_notifying import wait_until
from tests.cli.command import run_command, run_successfully
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
