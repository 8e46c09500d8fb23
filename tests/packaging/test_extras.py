"""Every way to install meshline that is documented, from the wheel, in an environment of its own: each command works, or is refused
with one sentence that names the missing extra and a command that installs it.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))
STORE = "sqlite:///mesh.db"
# Not `all`: that is what every other test runs with.
SETS = (
    "",
    "contracts,dbt",
    "neo4j",
    "networkx,hive",
    "iceberg",
    "glue",
    "delta",
    "postgres,duckdb",
    "sql",
    "dbt",
    "contracts",
    "kafka",
    "avro,protobuf,mcp",
    "notify",
    "oidc,semantic,access,parquet",
)
SYNCED = "sqlite:///synced.db"
SAME = {
    "dbt": {"sql"},
    "sql": {"dbt"},
    "postgres": {"sql", "dbt"},
    "duckdb": {"sql", "dbt"},
    "glue": {"catalogs"},
    "hive": {"catalogs"},
    "iceberg": {"catalogs"},
}  # what else the libraries of an extra are good for


class Environment(NamedTuple):
    """A virtual environment. `has`: the extras whose libraries it has."""

    folder: Path
    has: frozenset[str]

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"


class Case(NamedTuple):
    """A command, its exit code when it can run, the extra that it asks for, and what it needs if other extras bring that, too."""

    line: str
    code: int = 0
    needs: str = ""
    enough: str = ""


def run_uv(*arguments: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run([UV, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run_uv("build", "--wheel", "-q", "-o", folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def constraints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The versions of uv.lock: what is released later does not change what is tested."""
    file = tmp_path_factory.mktemp("constraints") / "constraints.txt"
    run_uv("export", "-q", "--frozen", "--all-extras", "--all-groups", "--no-emit-project", "--no-hashes", "-o", file)
    return file


def install_wheel(python: Path, wheel: Path, constraints: Path, extras: str) -> None:
    chosen = f"[{extras}]" if extras else ""
    run_uv("pip", "install", "-q", "--python", python, "-c", constraints, f"meshline{chosen} @ {wheel.as_uri()}")


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory, wheel: Path, constraints: Path) -> Path:
    """An environment without extras. The others begin as copies of it, with the bytecode that its test has left."""
    folder = tmp_path_factory.mktemp("plain") / "venv"
    run_uv("venv", "-q", "--python", sys.executable, folder)
    install_wheel(folder / "bin" / "python", wheel, constraints, "")
    return folder


@pytest.fixture(params=SETS, ids=lambda extras: extras or "none")
def environment(request: pytest.FixtureRequest, tmp_path: Path, plain: Path, wheel: Path, constraints: Path) -> Iterator[Environment]:
    extras = set(request.param.split(",")) - {""}
    made = Environment(tmp_path / "venv", frozenset(extras.union(*(SAME.get(one, set()) for one in extras))))
    if extras:
        shutil.copytree(plain, made.folder, symlinks=True, copy_function=os.link)
        install_wheel(made.python, wheel, constraints, request.param)
    else:
        made = made._replace(folder=plain)
    yield made
    if made.folder != plain:
        shutil.rmtree(made.folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with the example mesh, a contract of which has lost a column since the commit, and small files of each format."""
    folder = tmp_path / "work"
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("landing", "spark"))
    mesh = "version: 1\nsource: shop\nsources:\n  - {kind: contract, name: mesh, files: ['contracts/*.yaml']}\n"
    (folder / "gate" / "contracts").mkdir(parents=True)
    (folder / "gate" / "mesh.yaml").write_text(mesh, "utf-8")
    contract = (ROOT / "examples/mesh/contracts/campaign_audience.odcs.yaml").read_text("utf-8")
    (folder / "gate" / "contracts" / "audience.yaml").write_text(contract, "utf-8")
    for command in (["init", "-b", "main"], ["add", "gate"], ["commit", "-m", "a contract"]):
        subprocess.run(
            ["git", "-c", "user.name=ann", "-c", "user.email=ann@company.com", *command], cwd=folder, check=True, capture_output=True
        )
    changed = "".join(line for line in contract.splitlines(keepends=True) if "name: email" not in line and ".email" not in line)
    (folder / "gate" / "contracts" / "audience.yaml").write_text(changed, "utf-8")
    (folder / "old.yaml").write_text(contract, "utf-8")
    fields = '{"name":"id","type":"long"}'
    (folder / "old.avsc").write_text(f'{{"type":"record","name":"a.B","fields":[{fields},{{"name":"x","type":"string"}}]}}', "utf-8")
    for name, more in (("old", " string x = 2;"), ("new", "")):
        (folder / f"{name}.proto").write_text(f'syntax = "proto3"; message B {{ int32 a = 1;{more} }}', "utf-8")
    (folder / "new.avsc").write_text(f'{{"type":"record","name":"a.B","fields":[{fields}]}}', "utf-8")
    (folder / "old.json").write_text('{"$schema":"x","title":"b","type":"object","properties":{"id":{"type":"integer"},"x":{}}}', "utf-8")
    (folder / "new.json").write_text('{"$schema":"x","title":"b","type":"object","properties":{"id":{"type":"integer"}}}', "utf-8")
    (folder / "drop.sql").write_text("ALTER TABLE customers.customers DROP COLUMN email;", "utf-8")
    (folder / "policies.json").write_text('{"policies": [{"service": "lake", "serviceType": "hive"}]}', "utf-8")
    tag = '{"entityUrn": "urn:li:tag:a", "aspectName": "tagProperties", "aspect": {"json": {"name": "a"}}}'
    (folder / "datahub.json").write_text(tag, "utf-8")
    (folder / "tables.csv").write_text("table_catalog,table_schema,table_name,table_type\nSHOP,RAW,ORDERS,BASE TABLE\n", "utf-8")
    (folder / "policy.yaml").write_text(
        "{id: named, title: t, kind: dataset, require: 'name != \"\"', severity: info, message: '{name} has no name'}\n", "utf-8"
    )
    (folder / "server.toml").write_text('access = "access.yaml"\n', "utf-8")
    (folder / "access.yaml").write_text("version: 1\nrules: wrong.cedar\n", "utf-8")
    (folder / "wrong.cedar").write_text("permit(everyone);\n", "utf-8")  # so that the server does not start
    return folder


class NothingHandler(BaseHTTPRequestHandler):
    """Answers 404 to everything."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815 - as http.server names it

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def empty_server() -> Iterator[str]:
    """The address of a server that has nothing."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), NothingHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def list_cases(address: str) -> list[Case]:
    """`address`: a server that has nothing; one that is away is asked again, for ten seconds each time."""
    mesh = "examples/mesh"
    at = f"--store {STORE}"
    delta, iceberg = f"{mesh}/delta/customer_orders", f"{mesh}/iceberg/customers.customers.json"
    return [
        Case("--version"),
        Case("doctor"),
        Case("rules"),
        Case("token new ann"),
        Case("token list"),
        Case("serve --config server.toml --port 0", 2, "access"),
        Case("login --server http://127.0.0.1:1", 2),
        Case("logout --server http://127.0.0.1:1"),
        Case(f"ingest mesh {mesh}/mesh.yaml {at}"),
        Case(f"ingest openlineage {mesh}/events {at}"),
        Case(f"ingest contract {mesh}/contracts/*.yaml {at}", 0, "contracts"),
        Case(f"ingest product {mesh}/products/*.yaml {at}"),
        Case(f"ingest iceberg {iceberg} --namespace lake {at}"),
        Case(f"ingest iceberg sqlite:///catalog.db --property type=sql --property warehouse=file:///tmp {at}", 0, "iceberg"),
        Case(f"ingest iceberg http://127.0.0.1:1 {at}", 2, "iceberg", "catalogs"),
        Case(f"ingest iceberg --catalog a --property type=glue --namespace lake {at}", 2, "glue"),
        Case(f"ingest hive thrift://127.0.0.1:1 {at}", 2, "hive"),
        Case(f"ingest glue --region eu-west-1 --account 123456789012 --endpoint http://127.0.0.1:1 {at}", 2, "glue"),
        Case(f"ingest unity {address} {at}", 1),
        Case(f"ingest gravitino {address} demo {at}", 1),
        Case(f"ingest delta {delta} {at}", 0, "delta"),
        Case(f"ingest postgres postgresql://127.0.0.1:1/shop {at}", 2, "postgres"),
        Case(f"ingest duckdb missing.duckdb {at}", 1, "duckdb"),
        Case(f"ingest snowflake tables.csv --account acme-eu {at}", 0, "sql"),
        Case(f"ingest ranger policies.json --namespace lake {at}"),
        Case(f"ingest datahub datahub.json {at}"),
        Case(f"ingest superset {address} --token t {at}", 1, "sql"),
        Case(f"ingest metabase {address} --api-key k {at}", 1, "sql"),
        Case(f"ingest looker --url {address} --client-id i --client-secret s {at}", 1, "sql"),
        Case(f"ingest mlflow {address} {at}", 1, "sql"),
        Case(f"ingest debezium {mesh}/connect/*.json {at}"),
        Case(f"ingest dbt {mesh}/dbt/target --namespace marts {at}", 0, "dbt"),
        Case(f"ingest gx {mesh}/quality/customer_orders.json --dataset marts/a.b {at}"),
        Case(f"ingest soda {mesh}/soda/finance_marts.json --dataset marts/a.b {at}"),
        Case(f"ingest sql {mesh}/trino/*.sql --dialect trino {at}", 0, "sql"),
        Case(f"check change 'drop customers.email' {at}", 1),
        Case(f"check change 'drop customers.email' {at} --policies policy.yaml", 1),
        Case(f"check contract old.yaml gate/contracts/audience.yaml {at}", 1, "contracts"),
        Case("check contract old.yaml gate/contracts/audience.yaml --no-graph", 1, "contracts"),
        Case(f"check product {mesh}/products/customer-orders.yaml {at}"),
        Case(f"check dbt {mesh}/dbt/target {mesh}/dbt/target {at}", 0, "dbt"),
        Case("check schema old.avsc new.avsc --no-graph", 1, "avro"),
        Case("check schema old.proto new.proto --no-graph", 1, "protobuf"),
        Case("check schema old.json new.json --no-graph", 1),
        Case(f"check schema {delta} {delta} --no-graph"),
        Case(f"check schema {iceberg} {iceberg} {at}"),
        Case(f"check schema {iceberg} --dataset a.b --catalog http://127.0.0.1:1 {at}", 2, "iceberg", "catalogs"),
        Case(f"check ddl drop.sql --dialect trino {at}", 1, "sql"),
        Case(f"check --git main --mesh gate/mesh.yaml {at}", 1, "contracts"),
        Case("check --git main --mesh gate/mesh.yaml --no-graph", 1, "contracts"),
        Case(f"search customers {at}"),
        Case(f"search --evaluate --vectors wordllama {at}", 0, "semantic"),
        Case(f"impact customers.email {at}"),
        Case(f"lineage customers.email {at}"),
        Case(f"owners customers.email {at}"),
        Case(f"sources {at}"),
        Case(f"policies {at}"),
        Case(f"policies --violations {at}", 1),
        Case(f"identity explain customers.customers {at}"),
        Case(f"identity conflicts {at}"),
        Case(f"audit {at}"),
        Case(f"notify {at}"),
        Case(f"notify --send {at}", 0, "notify"),
        Case(f"mcp {at}", 0, "mcp"),
        Case(f"export networkx -o graph.json {at}"),
        Case(f"export openlineage -o events.json {at}"),
        Case(f"export graphml -o graph.graphml {at}", 0, "networkx"),
        Case(f"export csv -o graph.zip {at}"),
        Case(f"export cypher -o graph.cypher {at}"),
        Case(f"export parquet -o tables {at}", 0, "parquet"),
        Case("init examples/mesh --dry-run"),
        Case(f"replay --to sqlite:///again.db {at}"),
        Case(f"store check {at}"),
        Case(f"store compact {at}"),
        Case(f"store backup copy.db {at}"),
        Case(f"doctor {at}"),
        Case("search x --store neo4j://127.0.0.1:1", 2, "neo4j"),
    ]


def run_commands(environment: Environment, folder: Path, lines: list[str]) -> list[dict[str, object]]:
    """What commands left behind, run one after the other in one process of the environment."""
    done = subprocess.run(
        [environment.python, ROOT / "tests" / "packaging" / "commands.py"],
        input=json.dumps([shlex.split(line) for line in lines]),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def build_sentence(extra: str, wheel: Path) -> str:
    """The end of the one line that names the missing extra."""
    return f" needs the extra '{extra}': pip install 'meshline[{extra}] @ {wheel.as_uri()}'"


def choose_cases(environment: Environment, address: str) -> list[Case]:
    """All where nothing or the usual two extras are installed; elsewhere those that an extra decides, and what they rest on.

    The rest imports nothing of an extra, so that one more library changes nothing for it; with all libraries every other test runs it.
    """
    every = list_cases(address)
    if environment.has in (frozenset(), frozenset(("contracts", "dbt", "sql"))):
        return every
    return [case for case in every if case.needs or case.line.startswith(("ingest mesh", "ingest openlineage", "notify"))]


def test_every_command(environment: Environment, folder: Path, wheel: Path, empty_server: str) -> None:
    table = choose_cases(environment, empty_server)
    synced = f"sync examples/mesh/mesh.yaml --store {SYNCED}"
    *found, sync = run_commands(environment, folder, [*(case.line for case in table), synced])
    wrong = []
    for case, one in zip(table, found, strict=True):
        if not case.needs or (case.enough or case.needs) in environment.has:
            ok = one["code"] == case.code and "needs the extra" not in str(one["err"])
        else:
            ok = (
                one["code"] == 2
                and str(one["err"]).startswith("meshline: ")
                and str(one["err"]).endswith(f"{build_sentence(case.needs, wheel)}\n")
            )
            ok = ok and str(one["err"]).count("\n") == 1
        if not ok or "Traceback" in str(one["err"]):
            wrong.append(f"{case.line}: {one}")
    assert not wrong, "\n\n".join(wrong)
    missing = [extra for extra in ("delta", "dbt", "sql", "contracts") if extra not in environment.has]
    assert sync["code"] == (1 if missing else 0), sync
    lines = [line for line in str(sync["err"]).splitlines() if "needs the extra" in line]
    assert [line.partition(build_sentence(extra, wheel))[2] for extra, line in zip(missing, lines, strict=True)] == [""] * len(missing)
    assert all(build_sentence(extra, wheel) in line for extra, line in zip(missing, lines, strict=True)), lines


def test_demo_and_serve_without_extras(plain: Path, folder: Path, wheel: Path) -> None:
    """As processes: the example is served, although most of its sources could not be read."""
    meshline = plain / "bin" / "meshline"
    process = subprocess.Popen([meshline, "demo", "--port", "0"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    first = process.stderr.readline()
    address = first.removeprefix("The example mesh is on ").strip()
    contract, change = run_commands(  # the server reads the texts, so that it is the server's extra
        Environment(plain, frozenset()),
        folder,
        [f"check contract old.yaml old.yaml --server {address}", f"check change 'drop customers.email' --server {address}"],
    )
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert first.startswith("The example mesh is on http://127.0.0.1:"), first + err
    assert "customers.customers.email affects 81 assets" in out
    assert "Traceback" not in err
    assert contract["code"] == 2
    assert str(contract["err"]).endswith(f"{build_sentence('contracts', wheel)}\n")
    assert change["code"] == 1
    refused = subprocess.run(
        [meshline, "serve", "--kafka", "127.0.0.1:1", "--port", "0"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1] == f"meshline: consuming from Kafka{build_sentence('kafka', wheel)}"
    assert "Traceback" not in refused.stderr


def test_the_line_of_the_message_installs_what_is_missing(plain: Path, tmp_path: Path, folder: Path, constraints: Path) -> None:
    made = Environment(tmp_path / "venv", frozenset())
    shutil.copytree(plain, made.folder, symlinks=True, copy_function=os.link)
    check = "check schema old.avsc new.avsc --no-graph"
    (refused,) = run_commands(made, folder, [check])
    line = shlex.split(str(refused["err"]).rpartition(": ")[2])
    assert line[:2] == ["pip", "install"]
    run_uv("pip", "install", "-q", "--python", made.python, "-c", constraints, *line[2:])
    assert run_commands(made, folder, [check])[0]["code"] == 1
