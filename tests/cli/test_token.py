"""Tokens: made once, known by their hash, sent by the command line without showing them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshline.app.tokens import hash_token
from tests.cli.command import EXAMPLE, ROOT, run_command, run_successfully
from tests.cli.test_server import run_server


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_token_and_its_entry() -> None:
    ran = run_successfully("token", "new", "airflow@prod", "--role", "writer")
    (entry,) = tomllib.loads(ran.err)["tokens"]
    assert entry == {"name": "airflow@prod", "role": "writer", "hash": hash_token(ran.out.strip())}
    assert ran.out.count("\n") == 1
    assert ran.out.strip() not in ran.err
    assert run_successfully("token", "new", "airflow@prod").out != ran.out
    assert 'role = "reader"' in run_successfully("token", "new", "eve").err
    (entry,) = tomllib.loads(run_successfully("token", "new", "ann", "--group", "sales", "--group", "stewards").err)["tokens"]
    assert entry["groups"] == ["sales", "stewards"]


@pytest.mark.parametrize(
    "arguments", [["", "--role", "admin"], ["a b"], ["a\nb"], ["x" * 101], ["eve", "--role", "king"], ["eve", "--group", "a b"], []]
)
def test_wrong_use(arguments: list[str]) -> None:
    ran = run_command("token", "new", *arguments)
    assert (ran.code, ran.out) == (2, "")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A server with a token for each role, made and configured as in the documentation; its address and the tokens."""
    folder = tmp_path_factory.mktemp("guarded")
    made = {role: run_successfully("token", "new", f"the-{role}", "--role", role) for role in ("reader", "writer", "admin")}
    file = folder / "meshline.toml"
    file.write_text(f'store = "sqlite:///{folder / "mesh.db"}"\n' + "".join(ran.err for ran in made.values()))
    with run_server("serve", "--config", str(file)) as address:
        yield address, {role: ran.out.strip() for role, ran in made.items()}


def test_commands_send_the_token(guarded: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address, tokens = guarded
    asked = ("search", "email", "--server", address)
    refused = run_command(*asked)
    assert (refused.code, refused.out) == (2, "")
    way = "send a token: `Authorization: Bearer ...`, or MESHLINE_TOKEN or `meshline login` for the command line"
    assert refused.err == f"meshline: {address} refused: {way}\n"
    monkeypatch.setenv("MESHLINE_TOKEN", tokens["reader"])
    assert "no asset has" in run_successfully(*asked).out
    forbidden = run_command("ingest", "mesh", EXAMPLE / "mesh.yaml", "--server", address)
    assert forbidden.code == 2
    assert "this needs a token with the role writer, and 'the-reader' has the role reader" in forbidden.err
    monkeypatch.delenv("MESHLINE_TOKEN")
    (tmp_path / "writer.token").write_text(tokens["writer"] + "\n")
    monkeypatch.setenv("MESHLINE_TOKEN_FILE", str(tmp_path / "writer.token"))
    assert "events ingested" in run_successfully("ingest", "openlineage", EXAMPLE / "events" / "dbt.ndjson", "--server", address).err
    assert "email" in run_successfully(*asked).out


@pytest.mark.parametrize("text", ["", "two words", "un\N{LATIN SMALL LETTER E WITH ACUTE}", "\x00"])
def test_what_is_no_token(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "wrong.token").write_text(text, encoding="utf-8")
    monkeypatch.setenv("MESHLINE_TOKEN_FILE", "wrong.token")
    ran = run_command("search", "x", "--server", "http://127.0.0.1:9")
    assert ran.code == 2
    assert ran.err == "meshline: wrong.token: this is not a token: a token is one word of ASCII characters\n"


def test_a_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHLINE_TOKEN_FILE", "nowhere")
    ran = run_command("search", "x", "--server", "http://127.0.0.1:9")
    assert ran.code == 2
    assert ran.err.startswith("meshline: nowhere: no token can be read there")


def test_no_command_takes_a_token_as_an_argument() -> None:
    """Arguments are visible to every user of the machine."""
    sources = (ROOT / "meshline" / "cli").glob("*.py")
    assert not [path for path in sources if '"--token"' in path.read_text()]
