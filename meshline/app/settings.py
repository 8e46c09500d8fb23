"""Every setting, in one table. The only module that reads the environment (`MESHLINE_<NAME>`, `variable`) and the settings file."""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError
from pydantic_settings import TomlConfigSettingsSource as TomlSource

from meshline.app.grants import Grant
from meshline.app.tokens import Token, check_tokens, read_tokens
from meshline.errors import InvalidInput

MEBIBYTE = 1024 * 1024
DAY = 86_400_000_000  # microseconds
PREFIX = "MESHLINE_"
DEFAULT_FILE = Path("meshline.toml")  # of the current folder; read if it is there
NO_FILE = Path()  # MESHLINE_CONFIG= (empty): read none


class Settings(BaseSettings):
    """The settings of one process. Values come from arguments, the environment, the settings file, then these defaults."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    config: Path | None = Field(
        default=None, description="The settings file. By default `meshline.toml` of the current folder, if it is there; empty: none."
    )
    store: str = Field(
        default="sqlite:///meshline.db",
        repr=False,  # it may contain a password
        description="The store of the graph: `sqlite:///file.db`, `sqlite://:memory:` or `neo4j://user:password@host`.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on. Any but a loopback address needs `tokens` (or `insecure`).")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 chooses a free port.")
    tokens: tuple[Token, ...] = Field(
        default=(),
        repr=False,
        description="Bearer tokens: entries with `name`, `role` (`reader`, `writer`, `admin`) and `hash`, and if wanted `scopes` and"
        " `expires`, made by `meshline token new`. If there are any, every request except health checks needs a token.",
    )
    access: Path | None = Field(
        default=None,
        description="The file of access rules: who may see which assets; see docs/access. Without it, every caller sees all assets.",
    )
    access_days: int = Field(default=365, ge=1, le=3650, description="Longest time for which access may be asked for, in days.")
    access_lapse_days: int = Field(
        default=14, ge=1, le=365, description="Days after which a request for access lapses that is not decided."
    )
    access_remind_days: int = Field(
        default=3,
        ge=0,
        le=365,
        description="Days before a request for access lapses, at most half its time, when those who may decide are reminded; 0: never.",
    )
    access_executor: SecretStr | None = Field(
        default=None,
        description="An address that grants access to data: it receives a POST with a signed CloudEvent for each approved request for data."
        " Without it, data cannot be asked for, unless `access_data` is set. See docs/access.md. `${NAME}` is the environment's NAME.",
    )
    access_data: bool = Field(
        default=False,
        description="Whether data may be asked for without an executor: people grant what is approved, and a sync sees it.",
    )
    access_executor_secret: SecretStr | None = Field(
        default=None, description="The key that signs these events: `whsec_` and base64 of at least 24 random bytes."
    )
    access_executor_caller: str = Field(
        default="",
        pattern=r"^$|^(token|service|user):\S.*$",
        description="Who confirms the grants of the executor: `token:NAME` or `service:NAME`. If empty, only the role admin.",
    )
    oidc_issuer: str | None = Field(
        default=None,
        description="The identity provider (OpenID Connect) whose access tokens are accepted: its issuer, exactly as its tokens have it."
        " See docs/identity-provider.md.",
    )
    oidc_audience: str | None = Field(
        default=None, description="What those tokens must have in `aud`: as a rule the address of this server. Needed with `oidc_issuer`."
    )
    oidc_groups: str = Field(
        default="groups", min_length=1, description="The claim with the groups of a caller; `realm_access.roles` is a claim in a claim."
    )
    oidc_name: str = Field(
        default="sub", min_length=1, description="The claim with the name of a person. It must be one that people cannot change themselves."
    )
    oidc_client: str | None = Field(
        default=None, description="The client of `meshline login` at the identity provider: a public one, with the device flow."
    )
    oidc_scopes: str = Field(default="openid offline_access", description="The scopes that `meshline login` asks for, separated by spaces.")
    oidc_agents: tuple[str, ...] = Field(
        default=(),
        description="Clients of the identity provider that act for the people whose tokens they have: such a caller may only what both"
        " the person and the service of this name may.",
    )
    web_address: str | None = Field(
        default=None,
        description="The address of this server as browsers have it: `https://meshline.company.com`. Needed with `oidc_web_client`.",
    )
    oidc_web_client: str | None = Field(
        default=None,
        description="The client of the page at the identity provider, with which people sign in there: with the code flow, and"
        " `/sign-in/callback` of `web_address` as its redirect address.",
    )
    oidc_web_secret: SecretStr | None = Field(default=None, description="The secret of that client, unless it is a public one.")
    oidc_web_scopes: str = Field(default="openid", description="The scopes that the page asks for, separated by spaces.")
    oidc_introspection_client: str | None = Field(
        default=None,
        description="The client with which this server asks the identity provider about tokens that are no JWT (RFC 7662). Without it,"
        " such tokens are refused.",
    )
    oidc_introspection_secret: SecretStr | None = Field(default=None, description="The secret of that client. Needed with it.")
    grants: tuple[Grant, ...] = Field(
        default=(),
        description="What callers of the identity provider, or of a trusted proxy, may: entries with one of `user`, `group` and"
        " `service`, a `role`, and if wanted `scopes`. Who is in none of them may nothing.",
    )
    proxy_networks: tuple[str, ...] = Field(
        default=(),
        description="Networks of proxies that authenticate callers and name them in headers: `10.1.2.3`, `10.1.0.0/16`. From other"
        " addresses these headers are refused. See docs/identity-provider.md.",
    )
    proxy_user_header: str = Field(default="X-Forwarded-User", min_length=1, description="The header in which they name the caller.")
    proxy_groups_header: str = Field(
        default="X-Forwarded-Groups",
        min_length=1,
        description="The header in which they name the groups of the caller, separated by commas.",
    )
    insecure: bool = Field(
        default=False, description="Listen on any address without tokens: every client that reaches the port may do everything."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="Host names that clients may use (the `Host` header, without the port), besides loopback names."
        " If empty: only loopback names if there are no tokens and the address is loopback, else any name.",
    )
    source: str = Field(
        default="openlineage/default",
        min_length=1,
        description="The source name of events from HTTP and Kafka.",
    )
    mesh: Path | None = Field(
        default=None, description="A mesh file (domains, products, owners, consumers; naming and precedence rules) to load at start."
    )
    policies: Path | None = Field(
        default=None, description="A folder with your own policies (`*.yaml`), in addition to those of the product; see docs/policies."
    )
    kafka: str | None = Field(
        default=None, description="Also ingest OpenLineage events from this Kafka: its bootstrap servers, `host:port`, separated by commas."
    )
    kafka_topic: str = Field(
        default="openlineage.events",
        min_length=1,
        description="The topic of the events. Messages that cannot be ingested go to the topic of this name with `.dead-letter` appended.",
    )
    kafka_group: str = Field(
        default="meshline", min_length=1, description="The consumer group. A new group begins with the oldest message of the topic."
    )
    kafka_config: Path | None = Field(
        default=None, description="A properties file for Kafka's client (librdkafka's names): login, certificates, timeouts."
    )
    raw_retention_days: int = Field(default=30, ge=0, description="Days for which raw events are kept for replay.")
    observation_retention_days: int = Field(
        default=30,
        ge=0,
        description="Days after which repeated statements are packed: their times are kept, and not which run made them;"
        " see docs/operations.md.",
    )
    run_retention_days: int = Field(
        default=365, ge=0, description="Days for which runs and the counts of events are kept, from the last event of a run on."
    )
    journal_retention_days: int = Field(
        default=365, ge=0, description="Days for which notices that are settled and sessions that have ended are kept."
    )
    audit_retention_days: int | None = Field(
        default=None, ge=0, description="Days for which the audit log is kept. Without it, it is kept for ever."
    )
    queue_size: int = Field(default=10_000, ge=1, description="Events that may wait to be written; more are answered 503 with Retry-After.")
    queue_bytes: int = Field(default=256 * MEBIBYTE, ge=1, description="Bytes of events that may wait to be written.")
    max_body_bytes: int = Field(default=32 * MEBIBYTE, ge=1024, description="Largest request body, before and after decompression.")
    bodies_bytes: int = Field(
        default=256 * MEBIBYTE,
        ge=1024,
        description="Bytes of all request bodies in progress, before and after decompression; more are answered 503 with Retry-After.",
    )
    event_datasets: int = Field(
        default=10_000,
        ge=1,
        description="Most inputs and outputs of one event, and of all events of a run; an event over a limit is refused.",
    )
    event_pairs: int = Field(default=100_000, ge=1, description="Most inputs times outputs of one event, and of all events of a run.")
    event_facets: int = Field(default=20_000, ge=1, description="Most facets of one event.")
    event_columns: int = Field(
        default=50_000, ge=1, description="Most columns in the schemas of one event, and most in its column lineage."
    )
    event_flows: int = Field(default=200_000, ge=1, description="Most input fields in the column lineage of one event.")
    follow_seconds: float = Field(
        default=0.1,
        gt=0,
        description="Seconds between two checks for changes of the graph that other processes wrote to the same store.",
    )
    refresh_seconds: float = Field(
        default=1.0,
        gt=0,
        description="Seconds between two checks for what else other processes wrote: requests for access, sessions, rules that join names.",
    )
    sync_at_once: int = Field(
        default=2, ge=0, description="How many sources of the mesh file (those with `every`) are synced at the same time; 0: none."
    )
    query_seconds: float = Field(default=10.0, gt=0, description="Longest time for one GraphQL request, in seconds.")
    check_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Longest time for one check after it started, and for reading a mesh file or a source that a client sends, in seconds.",
    )
    request_queue: int = Field(
        default=200, ge=1, description="Queries, and checks, that may wait in the queue; more are answered 503 with Retry-After."
    )
    readers: Literal["auto"] | Annotated[int, Field(ge=0, le=64)] = Field(
        default="auto",
        description="Processes that answer questions beside the one that writes; see docs/deployment.md. `auto`: none for a graph of up to"
        " 20,000 columns, else one for each processor beyond the first, as far as there is memory. 0: none. A store in memory has none.",
    )
    query_nodes: int = Field(
        default=2_000_000,
        ge=1,
        description="Most columns and datasets that one traversal visits; the answer states when this limit stopped it.",
    )
    query_objects: int = Field(default=50_000, ge=1, description="Most objects that one GraphQL answer may contain.")
    query_depth: int = Field(default=20, ge=1, description="Deepest nesting of a GraphQL request.")
    query_aliases: int = Field(default=100, ge=0, description="Most aliases in a GraphQL request.")
    query_tokens: int = Field(default=4_000, ge=1, description="Longest GraphQL request, in tokens.")
    page_size: int = Field(default=1_000, ge=1, description="Largest page (`first`) of a connection.")
    search_vectors: str = Field(
        default="off",
        repr=False,  # a user may have written a password into the address, which is then refused
        pattern=r"^(off|wordllama|folder:.+|https?://.+)$",
        description="Whether searches also compare the vectors of names: `off`, `wordllama` (the model of the extra `semantic`),"
        " `folder:PATH` (a model of your own), or the address of your own server that answers like OpenAI's `/v1/embeddings`; see"
        " docs/search.md.",
    )
    search_vectors_model: str = Field(default="", description="The name of the model at that server, if it has several.")
    search_vectors_token: SecretStr | None = Field(
        default=None, description="The token for that server. In the file, `${NAME}` is the environment's NAME."
    )
    search_vectors_most: int = Field(
        default=1_000_000,
        ge=1,
        le=20_000_000,
        description="Most names that have a vector: each takes as many bytes as its vector has numbers. Names beyond are found by their"
        " words only, and the answer states it.",
    )
    search_vectors_file: Path | None = Field(
        default=None,
        description="The file in which vectors are kept for the next start. By default one beside the SQLite store (its name and"
        " `.vectors`), else one in the user's folder for caches.",
    )
    index_kept: bool = Field(
        default=True,
        description="Whether the index of a large graph is kept in a file, so that the next start takes a second in place of many. See"
        " docs/operations.md.",
    )
    index_file: Path | None = Field(
        default=None,
        description="That file. By default one beside the SQLite store (its name and `.index`), else one in the user's folder for caches.",
    )
    notify: bool = Field(
        default=False,
        description="Record notifications for landed changes and policy violations; see docs/notifications.md.",
    )
    notify_send: bool = Field(
        default=False, description="Send notifications. If false they are recorded but not sent: `meshline notify --pending` shows them."
    )
    notify_on: Literal["breaking", "conditional"] = Field(
        default="conditional",
        description="The least severe verdict that is notified; `conditional` includes deprecations and changes of owners.",
    )
    notify_channels: dict[str, SecretStr] = Field(
        default={},
        description="Channels by kind of contact (`email`, `slack`, ...): an address of apprise with `{email}`, `{slack}`, ... as a"
        " placeholder for the contact. The first kind for which the recipient has a valid contact is used."
        " `${NAME}` is the environment's NAME.",
    )
    notify_owners: dict[str, tuple[SecretStr, ...]] = Field(
        default={}, description="Addresses of apprise for owners and consumers by name, in place of their channels."
    )
    notify_fallback: tuple[SecretStr, ...] = Field(
        default=(), description="Addresses of apprise for notices whose recipients have no channel."
    )
    notify_webhook: SecretStr | None = Field(
        default=None, description="An address that receives every notice: a POST with one CloudEvent each, signed."
    )
    notify_webhook_secret: SecretStr | None = Field(
        default=None, description="The key that signs the events: `whsec_` and base64 of at least 24 random bytes."
    )
    notify_markdown: bool = Field(default=False, description="Send messages in Markdown; if false as plain text.")
    notify_templates: Path | None = Field(default=None, description="A folder with templates of messages that replace the product's.")
    notify_wait_seconds: float = Field(default=30.0, ge=0, description="Seconds for which notices are gathered into one message.")
    notify_every_seconds: float = Field(default=300.0, ge=0, description="Least time between two messages to one address, in seconds.")
    notify_per_minute: int = Field(default=30, ge=1, description="Most messages per minute, to all recipients together.")
    notify_attempts: int = Field(default=10, ge=1, description="Most attempts to send one message.")
    notify_days: float = Field(default=7.0, gt=0, description="Days after which a notice that could not be sent is given up.")
    log_level: Literal["debug", "info", "warning", "error", "critical"] = Field(default="info", description="How much to log.")
    log_format: Literal["text", "json"] = Field(default="text", description="How to log: lines for people, or one JSON object per line.")
    token: SecretStr | None = Field(default=None, description="The token that commands with `--server` send.")
    token_file: Path | None = Field(default=None, description="A file that contains that token.")

    @property
    def authenticates(self) -> bool:
        """Whether callers need to prove who they are."""
        return bool(self.tokens or self.proxy_networks) or self.oidc_issuer is not None

    def compute_raw_cutoff(self) -> int:
        """Raw events received before this time may be deleted: microseconds since the epoch, UTC."""
        return time.time_ns() // 1000 - self.raw_retention_days * DAY

    @field_validator("tokens")
    @classmethod
    def _check_tokens(cls, tokens: tuple[Token, ...]) -> tuple[Token, ...]:
        return check_tokens(tokens)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        path = _find_file(init_settings(), env_settings())
        return (init_settings, env_settings) if path is None else (init_settings, env_settings, TomlSource(settings_cls, path))


NOT_IN_FILE = frozenset({"config"})
IN_FILE = [name for name in Settings.model_fields if name not in NOT_IN_FILE]


def load_settings(**given: object) -> Settings:
    """Settings from arguments (those that are not None), the environment and the settings file.

    Raises InvalidInput with the origin of the setting that cannot be used.
    """
    arguments = {name: value for name, value in given.items() if value is not None}
    try:
        environment = EnvSettingsSource(Settings, env_prefix=PREFIX)()
        path = _find_file(arguments, environment)
        if path is not None:
            _check_keys(path)
        return Settings(**arguments)  # type: ignore[arg-type]  # pydantic checks them
    except SettingsError as error:
        raise InvalidInput(f"no JSON ({error})", "the environment") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        inner = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"][1:])
        raise InvalidInput(str(first["msg"]), f"{_find_origin(name, arguments, environment, path)}{inner}") from error


def find_token_file(settings: Settings) -> Path | None:
    """The file that the tokens are from, to be read again when it changes; None if they are from elsewhere."""
    given = {} if settings.config is None else {"config": settings.config}
    path = _find_file(given, EnvSettingsSource(Settings, env_prefix=PREFIX)())
    try:
        return path.absolute() if path is not None and read_tokens(path) == settings.tokens else None
    except InvalidInput:  # it has changed since
        return None


def read_variable(name: str) -> str | None:
    """A variable of the environment, for `${NAME}` in settings, mesh files and commands; None if it is not set."""
    return os.environ.get(name)


def _find_file(arguments: Mapping[str, Any], environment: Mapping[str, Any]) -> Path | None:
    """The settings file to read, if any. A file that is named must exist."""
    named = arguments.get("config", environment.get("config"))
    if named is None:
        return DEFAULT_FILE if DEFAULT_FILE.is_file() else None
    return None if Path(named) == NO_FILE else Path(named)


def _check_keys(path: Path) -> None:
    """Raises InvalidInput for a file that cannot be read, or has a key that no setting has."""
    try:
        keys = tomllib.loads(path.read_text("utf-8")).keys()
    except OSError as error:
        raise InvalidInput(f"cannot be read ({error.strerror or error}): it is the settings file", str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"is no TOML: {error}", str(path)) from error
    if unknown := sorted(keys - set(IN_FILE)):
        raise InvalidInput(f"there is no setting {unknown[0]!r}; there are {', '.join(IN_FILE)}", str(path))


def _find_origin(name: str, arguments: Mapping[str, object], environment: Mapping[str, object], path: Path | None) -> str:
    """The origin of a setting, in the form in which a user can find it."""
    if name in arguments:
        return f"--{name.replace('_', '-')}"
    return f"{path}: {name}" if path is not None and name not in environment else f"{PREFIX}{name.upper()}"


class SettingRow(NamedTuple):
    """One row of the table of settings. `key`: empty for a setting that cannot be in the file."""

    variable: str
    key: str
    default: str
    meaning: str


def list_settings() -> Iterator[SettingRow]:
    """The settings for the documentation, in order."""
    for name, field in Settings.model_fields.items():
        key = name if name in IN_FILE else ""
        yield SettingRow(f"{PREFIX}{name.upper()}", key, _format_default(field.default), str(field.description))


def _format_default(default: object) -> str:
    """A default as it would be written in the file; empty if there is none."""
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, dict):
        return "{}"
    return f'"{default}"' if isinstance(default, str) else str(default if default != () else [])


INTRODUCTION = """\
# Settings

`scripts/make-docs` makes this page from the code. Options of the command line win over the environment, the environment over the
settings file, and that over the defaults. The file is TOML: the one that `--config` or `MESHLINE_CONFIG` names, else `meshline.toml`
of the current folder if it exists. Keys that are not in the table are refused. In the environment, lists and tables
(`MESHLINE_TOKENS`, `MESHLINE_GRANTS`, `MESHLINE_ALLOWED_HOSTS`,
`MESHLINE_NOTIFY_CHANNELS`, ...) are JSON.

```toml
store = "sqlite:////var/lib/meshline/mesh.db"
host = "0.0.0.0"
log_format = "json"

[[tokens]]
name = "airflow"
role = "writer"
hash = "sha256:..."

[notify_channels]
email = "mailtos://mesh:${SMTP_PASSWORD}@smtp.company.com/{email}"
```
"""


def build_settings_page() -> str:
    """`docs/settings.md`."""
    rows = [f"| `{row.variable}` | {_format_code(row.key)} | {_format_code(row.default)} | {row.meaning} |" for row in list_settings()]
    return "\n".join([INTRODUCTION, "| variable | in the file | default | meaning |", "| --- | --- | --- | --- |", *rows, ""])


def _format_code(code: str) -> str:
    return f"`{code}`" if code else ""
