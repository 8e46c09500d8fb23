"""Where settings come from: arguments, then the environment, then the file, then the defaults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meshline.app.settings import DEFAULT_FILE, IN_FILE, PREFIX, Settings, list_settings, load_settings
from meshline.app.tokens import Role, Token, hash_token
from meshline.errors import InvalidInput

TOKEN = {"name": "eve", "role": "reader", "hash": hash_token("secret")}

# For each setting another value than its default, as Python has it.
OTHERS: dict[str, Any] = {
    "store": "sqlite:///other.db",
    "host": "::1",
    "port": 9000,
    "tokens": [TOKEN],
    "access": "/etc/meshline/access.yaml",
    "access_days": 30,
    "access_lapse_days": 7,
    "access_remind_days": 2,
    "access_executor": "https://grants.mesh.example/access",
    "access_data": True,
    "access_executor_secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
    "access_executor_caller": "service:granter",
    "oidc_issuer": "https://login.mesh.example",
    "oidc_audience": "https://mesh.example",
    "oidc_groups": "realm_access.roles",
    "oidc_name": "email",
    "oidc_client": "meshline-cli",
    "oidc_scopes": "openid",
    "oidc_agents": ["assistant"],
    "web_address": "https://mesh.example",
    "oidc_web_client": "meshline-web",
    "oidc_web_secret": "secret",
    "oidc_web_scopes": "openid groups",
    "oidc_introspection_client": "meshline-server",
    "oidc_introspection_secret": "secret",
    "grants": [{"group": "sales", "role": "writer", "scopes": ["ingest"]}],
    "proxy_networks": ["10.1.0.0/16"],
    "proxy_user_header": "X-Auth-Request-User",
    "proxy_groups_header": "X-Auth-Request-Groups",
    "insecure": True,
    "allowed_hosts": ["mesh.example"],
    "source": "openlineage/other",
    "mesh": "mesh.yaml",
    "policies": "rules",
    "kafka": "kafka:9092",
    "kafka_topic": "lineage",
    "kafka_group": "mesh",
    "kafka_config": "client.properties",
    "raw_retention_days": 7,
    "observation_retention_days": 8,
    "run_retention_days": 9,
    "journal_retention_days": 10,
    "audit_retention_days": 11,
    "queue_size": 5,
    "queue_bytes": 6,
    "max_body_bytes": 2048,
    "bodies_bytes": 4096,
    "event_datasets": 6,
    "event_pairs": 7,
    "event_facets": 8,
    "event_columns": 9,
    "event_flows": 10,
    "follow_seconds": 0.25,
    "refresh_seconds": 0.5,
    "sync_at_once": 3,
    "query_seconds": 2.5,
    "check_seconds": 7.5,
    "request_queue": 9,
    "readers": 2,
    "query_nodes": 11,
    "query_objects": 12,
    "query_depth": 13,
    "query_aliases": 14,
    "query_tokens": 15,
    "page_size": 16,
    "search_vectors": "wordllama",
    "search_vectors_model": "tiny",
    "search_vectors_token": "token",
    "search_vectors_most": 17,
    "search_vectors_file": "mesh.vectors",
    "index_kept": False,
    "index_file": "mesh.index",
    "notify": True,
    "notify_send": True,
    "notify_on": "breaking",
    "notify_channels": {"email": "mailto://localhost/{email}"},
    "notify_owners": {"team:finance": ["json://localhost/finance"]},
    "notify_fallback": ["json://localhost/all"],
    "notify_webhook": "https://mesh.example/hook",
    "notify_webhook_secret": "whsec_x",
    "notify_markdown": True,
    "notify_templates": "templates",
    "notify_wait_seconds": 1.5,
    "notify_every_seconds": 2.5,
    "notify_per_minute": 3,
    "notify_attempts": 4,
    "notify_days": 5.5,
    "log_level": "warning",
    "log_format": "json",
    "token": "meshline_x",
    "token_file": "token.txt",
}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_settings(values: dict[str, Any], path: Path = DEFAULT_FILE) -> Path:
    """A settings file. TOML has JSON's strings, numbers and booleans; a table of it is not JSON's object."""
    tables = {name: values.pop(name) for name in ("tokens", "grants") if name in values}
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items() if not isinstance(value, dict)]
    for name, value in values.items():
        if isinstance(value, dict):
            lines += [f"[{name}]", *(f"{json.dumps(key)} = {json.dumps(entry)}" for key, entry in value.items())]
    for table, entries in tables.items():
        for entry in entries:
            lines += [f"[[{table}]]", *(f"{name} = {json.dumps(value)}" for name, value in entry.items())]
    path.write_text("\n".join(lines))
    return path


def test_every_setting_has_another_value_here() -> None:
    assert list(OTHERS) == IN_FILE
    defaults = Settings()
    assert [name for name, value in OTHERS.items() if getattr(load_settings(**{name: value}), name) == getattr(defaults, name)] == []


@pytest.mark.parametrize("name", IN_FILE)
def test_each_setting_by_each_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = OTHERS[name]
    monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    given = load_settings(**{name: value})
    with monkeypatch.context() as environment:
        environment.setenv(PREFIX + name.upper(), value if isinstance(value, str) else json.dumps(value))
        assert load_settings() == given
    write_settings({name: value})
    assert load_settings() == given


def test_arguments_win_over_the_environment_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write_settings({"port": 1, "host": "file", "source": "file"})
    monkeypatch.setenv("MESHLINE_PORT", "2")
    monkeypatch.setenv("MESHLINE_HOST", "environment")
    found = load_settings(port=3, host=None)
    assert (found.port, found.host, found.source, found.page_size) == (3, "environment", "file", 1000)


def test_the_file_is_named_or_found(monkeypatch: pytest.MonkeyPatch) -> None:
    write_settings({"port": 1})
    assert load_settings().port == 1
    one, two = write_settings({"port": 2}, Path("one.toml")), write_settings({"port": 3}, Path("two.toml"))
    monkeypatch.setenv("MESHLINE_CONFIG", str(one))
    assert load_settings().port == 2
    assert load_settings(config=two).port == 3
    monkeypatch.setenv("MESHLINE_CONFIG", "")
    assert load_settings().port == 8080


def test_a_file_that_is_named_must_be_there() -> None:
    with pytest.raises(InvalidInput, match=r"^nowhere\.toml: cannot be read"):
        load_settings(config=Path("nowhere.toml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", r"^meshline\.toml: there is no setting 'prot'; there are store, host, port, "),
        ("config = 'other.toml'", r"^meshline\.toml: there is no setting 'config'"),
        ("[server]\nport = 1", "there is no setting 'server'"),
        ("port = ", r"^meshline\.toml: is no TOML: "),
        ("port = 'no port'", r"^meshline\.toml: port: "),
        ("log_level = 'loud'", r"^meshline\.toml: log_level: "),
        ("[[tokens]]\nname = 'a'\nrole = 'king'\nhash = 'x'", r"^meshline\.toml: tokens\[0\]\.role: "),
        (f"[[tokens]]\nname = 'a'\nrole = 'admin'\nhash = '{hash_token('x')}'\nexpires = 1", r"^meshline\.toml: tokens\[0\]\.expires: "),
        (
            f"[[tokens]]\nname = 'a'\nrole = 'admin'\nhash = '{hash_token('x')}'\nexpires = 2027-01-31T12:00:00",
            r"tokens\[0\]\.expires: .*timezone",
        ),
        (
            f"[[tokens]]\nname = 'a'\nrole = 'reader'\nhash = '{hash_token('x')}'\nscopes = ['ingest']",
            "ingest needs the role writer, and the role is",
        ),
        (f"[[tokens]]\nname = 'a'\nrole = 'admin'\nhash = '{hash_token('x')}'\nscopes = ['state']", "state needs the scope read, too"),
        (f"[[tokens]]\nname = 'a'\nrole = 'admin'\nhash = '{hash_token('x')}'\nscopes = []", r"tokens\[0\]\.scopes: "),
        (
            "".join(f"[[tokens]]\nname = 'a'\nrole = '{role}'\nhash = '{hash_token(role)}'\n" for role in Role),
            "the entries of a differ in role",
        ),
        ("".join(f"[[tokens]]\nname = '{n}'\nrole = 'admin'\nhash = '{hash_token('x')}'\n" for n in "ab"), "the same hash"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(text: str, message: str) -> None:
    DEFAULT_FILE.write_text(text)
    with pytest.raises(InvalidInput, match=message) as caught:
        load_settings()
    assert caught.value.code == "INVALID_INPUT"


def test_what_is_wrong_elsewhere_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    write_settings({"port": 1})
    with pytest.raises(InvalidInput, match=r"^--what: "):
        load_settings(what=1, port=1)
    with pytest.raises(InvalidInput, match=r"^--port: "):
        load_settings(port="no port")
    monkeypatch.setenv("MESHLINE_PORT", "no port")
    with pytest.raises(InvalidInput, match=r"^MESHLINE_PORT: "):
        load_settings()
    monkeypatch.setenv("MESHLINE_TOKENS", "no JSON")
    with pytest.raises(InvalidInput, match=r"^the environment: no JSON"):
        load_settings()


def test_a_wrong_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHLINE_TOKENS", json.dumps([{**TOKEN, "hash": "my secret word"}]))
    with pytest.raises(InvalidInput, match=r"MESHLINE_TOKENS\[0\]\.hash") as caught:
        load_settings()
    assert "my secret word" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    shown = repr(load_settings(store="neo4j://user:hunter2@host", token="meshline_t0ken", tokens=[TOKEN]))
    assert all(secret not in shown for secret in ("hunter2", "meshline_t0ken", TOKEN["hash"]))
    assert "hash" not in repr(Token(name="eve", role=Role.READER, hash=hash_token("x")))


def test_every_setting_is_documented() -> None:
    rows = list(list_settings())
    assert [row.variable for row in rows] == [f"MESHLINE_{name.upper()}" for name in Settings.model_fields]
    assert [row.key for row in rows if row.key] == IN_FILE
    assert all(row.meaning.endswith(".") for row in rows)


def test_only_the_settings_read_the_environment() -> None:
    root = Path(__file__).parents[2] / "meshline"
    texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in root.rglob("*.py")}
    readers = {name for name, text in texts.items() if "os.environ" in text or "getenv" in text}
    assert readers == {
        "app/settings.py",
        "ingest/changes/git_repository.py",  # handed on to git
        "cli/comment.py",  # the variables of the CI system, which are no settings
        "cli/init.py",  # the names of variables, by which it knows what a mesh may have; no value
        "cli/completion.py",  # a shell waits for it: the settings take longer to import than it may take
    }
