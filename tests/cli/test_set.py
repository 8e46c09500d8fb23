"""`meshline set`, `unset` and `retract`: in a store, and on a server with tokens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshline.app.tokens import Role, Token, generate_token, hash_token
from tests.api.conftest import serve_application
from tests.cli.command import Ran, run_command, run_successfully

STATEMENTS = [
    (("owner", "payments.receipts"), ("finance-analytics",), ("--type", "steward")),
    (("tag", "payments.receipts.amount"), ("classification=restricted",), ()),
    (("description", "payments.receipts"), (), ("What was paid.",)),
    (("consumer", "payments.receipts.amount"), ("the auditors",), ("--purpose", "audit")),
    (("not-same-as", "payments.receipts"), ("products.product_sales",), ("--reason", "two subjects")),
]


@pytest.mark.parametrize(("about", "value", "options"), STATEMENTS, ids=[about[0] for about, _, _ in STATEMENTS])
def test_a_statement_is_made_and_retracted(filled: str, about: tuple[str, ...], value: tuple[str, ...], options: tuple[str, ...]) -> None:
    made = run_successfully("set", *about, *value, *options, "--by", "ana", "--store", filled).out
    found = re.search(r"\((st_\d+)\)\n$", made)
    assert found, made
    again = run_command("unset", *about, *value, "--by", "bob", "--store", filled)
    assert again.code == 2
    assert "no statement of bob" in again.err
    assert "person/ana" in again.err
    retracted = run_successfully("unset", *about, *value, "--store", filled).out
    assert retracted.startswith(f"retracted ({found[1]} of ana): ")
    assert run_command("unset", *about, *value, "--store", filled).code == 2
    assert run_command("retract", found[1], "--store", filled).err == f"meshline: there is no active statement '{found[1]}'\n"
    log = run_successfully("audit", "--kind", "mutation", "--actor", "ana", "--store", filled).out
    assert found[1] in log or about[0] in log


def test_datasets_are_joined_and_separated(filled: str) -> None:
    joined = run_successfully("set", "same-as", "payments.receipts", "products.product_sales", "--reason", "x", "--store", filled).out
    assert re.fullmatch(r"\S+/payments.receipts is \S+/products.product_sales \(st_\d+\)\n", joined)
    assert "products.product_sales" in run_successfully("show", "payments.receipts", "--store", filled).out
    run_successfully("unset", "same-as", "payments.receipts", "products.product_sales", "--store", filled)
    assert "product_sales" not in run_successfully("show", "payments.receipts", "--store", filled).out


def test_a_statement_of_a_source_is_corrected_there(filled: str) -> None:
    ran = run_command("unset", "owner", "finance-marts", "finance-analytics", "--store", filled)
    assert ran.code == 2
    assert ran.err.endswith("it is stated by mesh/example-mesh: correct it there\n")


def test_statements_of_two_people(filled: str) -> None:
    for person in ("ana", "bob"):
        run_successfully("set", "tag", "payments.receipts", "gold", "--by", person, "--store", filled)
    ran = run_command("unset", "tag", "payments.receipts", "gold", "--store", filled)
    assert ran.code == 2
    assert re.search(r"person/ana \(st_\d+\), person/bob \(st_\d+\); give --by", ran.err)
    run_successfully("unset", "tag", "payments.receipts", "gold", "--by", "bob", "--store", filled)
    assert "gold" in run_successfully("show", "payments.receipts", "--store", filled).out


def test_a_description_from_a_file(filled: str, tmp_path: Path) -> None:
    (tmp_path / "text.md").write_text("Zahlungen, été\nsecond line", "utf-8")
    run_successfully("set", "description", "payments.receipts", "--file", "text.md", "--store", filled)
    assert "Zahlungen, été" in run_successfully("show", "payments.receipts", "--store", filled).out
    for arguments, message in ((("x", "--file", "text.md"), "give one of"), ((), "give one of"), (("--file", "none.md"), "cannot be read")):
        ran = run_command("set", "description", "payments.receipts", *arguments, "--store", filled)
        assert ran.code == 2
        assert message in ran.err
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in run_command("set", "description", "payments.receipts", "--file", "bytes", "--store", filled).err
    (tmp_path / "huge").write_text("x" * 200_000)
    assert "more than 100,000 bytes" in run_command("set", "description", "payments.receipts", "--file", "huge", "--store", filled).err


def test_on_a_server_the_token_is_the_author(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader = generate_token(), generate_token()
    roles = {"wanda": (Role.ADMIN, writer), "rita": (Role.READER, reader)}
    given: dict[str, object] = {
        "store": filled,
        "tokens": [Token(name=name, role=role, hash=hash_token(text)) for name, (role, text) in roles.items()],
    }
    with serve_application(lambda _url: given) as server:

        def run(token: str, *arguments: str) -> Ran:
            monkeypatch.setenv("MESHLINE_TOKEN", token)
            return run_command(*arguments, "--server", server)

        made = run(writer, "set", "tag", "payments.receipts", "gold")
        assert made.code == 0, made.err
        other = run(writer, "set", "tag", "payments.receipts", "gold", "--by", "ana")
        assert (other.code, "the token belongs to 'wanda'" in other.err) == (2, True)
        refused = run(reader, "set", "tag", "payments.receipts", "silver")
        assert (refused.code, refused.out) == (2, "")
        assert "needs a token with the role admin" in refused.err
        assert "gold" in run(reader, "show", "payments.receipts").out
        assert run(reader, "unset", "tag", "payments.receipts", "gold").code == 2
        retracted = run(writer, "unset", "tag", "payments.receipts", "gold")
        assert "of wanda)" in retracted.out
