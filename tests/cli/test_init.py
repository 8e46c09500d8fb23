"""`meshline init`: a mesh file from what a folder has; and that `meshline sync` reads it."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path

import duckdb
import jsonschema
import pytest

from meshline.ingest.documents import parse_yaml
from meshline.ingest.mesh import parse_mesh_file
from tests.cli.command import EXAMPLE, ROOT, run_command, run_successfully

SCHEMA = json.loads((ROOT / "meshline" / "ingest" / "mesh.schema.json").read_text())

COMPOSE = """\
services:
  rest: {image: "apache/iceberg-rest-fixture:1.9", ports: ["18181:8181"]}
  polaris: {image: "apache/polaris:latest", ports: [{target: 8182, published: 9182}, {target: 8181, published: 9181}]}
  inside: {image: "tabulario/iceberg-rest"}
  marquez: {image: "marquezproject/marquez:0.50", ports: ["127.0.0.1:5002:5000", "5001:5001"]}
  kafka: {image: "confluentinc/cp-kafka:7.6", ports: ["9092:9092"]}
  db: {image: "postgres:16", ports: ["15432:5432"], environment: ["POSTGRES_PASSWORD=hunter22", "POSTGRES_USER=shop"]}
  registry: {image: "confluentinc/cp-schema-registry:7.6", ports: ["8081:8081"]}
  trino: {image: "trinodb/trino"}
  connect: {image: "quay.io/debezium/connect:3.0"}
"""
PYICEBERG = """\
catalog:
  lake: {uri: "https://ann:hunter22@polaris.internal/api/catalog", credential: "id:hunter22", warehouse: sales, token: hunter22}
  plain: {uri: "http://rest:8181", s3.secret-access-key: hunter22, s3.region: eu}
"""


def check_file(file: Path) -> dict[str, list[dict[str, object]]]:
    """The value of a mesh file, which our own schema and parser accept."""
    value = parse_yaml(file.read_bytes(), str(file)).value
    assert isinstance(value, dict)
    jsonschema.Draft202012Validator(SCHEMA).validate(value)
    assert parse_mesh_file(file.read_bytes(), str(file), strict=True).refused == ()
    return value  # type: ignore[return-value]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example mesh without its mesh file."""
    shutil.copytree(EXAMPLE, tmp_path / "shop", ignore=shutil.ignore_patterns("mesh.yaml", "landing"))
    return tmp_path / "shop"


def test_what_is_found_in_the_example_is_synced(folder: Path, new: str) -> None:
    ran = run_successfully("init", folder)
    kinds = {"openlineage": "events", "iceberg": "iceberg-files", "delta": "tables", "debezium": "connectors", "dbt": "marts"}
    kinds |= {"sql": "trino", "contract": "contracts", "product": "products"}
    for kind, name in kinds.items():
        assert f"  {kind}/{name} in " in ran.err
    assert "  openlineage/events in events/*.ndjson: OpenLineage events\n" in ran.err
    assert "  gx/quality (commented out) in quality/customer_orders.json: " in ran.err
    written = check_file(folder / "mesh.yaml")
    assert {source["kind"]: source["name"] for source in written["sources"]} == kinds
    text = (folder / "mesh.yaml").read_text()
    assert "needs the extra contracts" in text
    assert "  #   dataset: NAMESPACE/NAME" in text
    synced = run_successfully("sync", folder / "mesh.yaml", "--store", new)
    assert synced.err.count(" 0 refused\n") == 1 + len(kinds)
    assert "openlineage/events: 170 of 170 events read" in synced.err
    assert "orders.customer_orders" in run_successfully("impact", "customers.customers.email", "--store", new).out


def test_the_same_folder_gives_the_same_file(folder: Path) -> None:
    run_successfully("init", folder)
    first = (folder / "mesh.yaml").read_bytes()
    again = run_successfully("init", folder)
    assert again.err.endswith("mesh.yaml is up to date\n")
    shutil.rmtree(folder / "trino")
    changed = run_command("init", folder)
    assert changed.code == 2
    assert "--force replaces it, --dry-run shows the new one" in changed.err
    assert (folder / "mesh.yaml").read_bytes() == first
    shown = run_successfully("init", folder, "--dry-run")
    assert (folder / "mesh.yaml").read_bytes() == first
    assert "trino" not in shown.out
    run_successfully("init", folder, "--force")
    assert (folder / "mesh.yaml").read_text() == shown.out
    assert not list(folder.glob(".mesh.yaml.*"))


def test_servers_are_commented_out_and_secrets_are_variables(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    (tmp_path / ".pyiceberg.yaml").write_text(PYICEBERG)
    (tmp_path / "openlineage.yml").write_text(
        "transport: {type: http, url: 'https://ann:hunter22@marquez:5000', auth: {apiKey: hunter22}}\n"
    )
    ran = run_successfully("init", tmp_path)
    text = (tmp_path / "mesh.yaml").read_text()
    assert check_file(tmp_path / "mesh.yaml")["sources"] == []
    for part in ('uri: "http://localhost:18181"', 'uri: "http://localhost:9181/api/catalog"', 'url: "http://localhost:5002"'):
        assert f"  #   {part}" in text
    for reason in (
        "service inside",
        "service kafka",
        "service trino",
        "service connect",
        "openlineage.yml: its events go to marquez",
    ):
        assert reason in ran.err
        assert reason in text
    assert "hunter22" not in text + ran.err + ran.out
    names = ["DB_PASSWORD", "ICEBERG_LAKE_CREDENTIAL", "ICEBERG_LAKE_TOKEN", "ICEBERG_LAKE_URI", "ICEBERG_PLAIN_S3_SECRET_ACCESS_KEY"]
    assert f"set these variables of the environment: {', '.join(names)}" in ran.err
    run_successfully("init", tmp_path, "--servers", "--force")
    sources = check_file(tmp_path / "mesh.yaml")["sources"]
    assert [source["name"] for source in sources] == ["lake", "plain", "db", "marquez", "polaris", "registry", "rest"]
    assert sources[0]["uri"] == "https://${ICEBERG_LAKE_URI}@polaris.internal/api/catalog"
    assert sources[2]["url"] == "postgresql://shop@localhost:15432/shop"
    assert sources[2]["password"] == "${DB_PASSWORD}"
    assert sources[5]["namespace"] == "kafka://localhost:9092"
    assert sources[1]["properties"] == {"s3.region": "eu", "s3.secret-access-key": "${ICEBERG_PLAIN_S3_SECRET_ACCESS_KEY}"}


SERVICES = """\
services:
  metastore: {image: "apache/hive:4.0.1", ports: ["19083:9083", "10000:10000"]}
  server2: {image: "apache/hive:4.0.1", ports: ["10001:10000"]}
  bi: {image: "apache/superset:6.1.0", ports: ["18088:8088"], environment: {SUPERSET_SECRET_KEY: hunter22}}
  metabase: {image: "metabase/metabase:v0.58", ports: ["13000:3000"]}
  gravitino: {image: "apache/gravitino:1.0.0", ports: ["18090:8090"]}
  unity: {image: "unitycatalog/unitycatalog:v0.3", ports: ["18080:8080"]}
  aws: {image: "localstack/localstack", ports: ["14566:4566"]}
  gms: {image: "acryldata/datahub-gms:v1.1", ports: ["8080:8080"]}
"""
HIVE_SITE = """\
<configuration>
  <!-- <property><name>hive.metastore.uris</name><value>thrift://old:9083</value></property> -->
  <property><name>javax.jdo.option.ConnectionPassword</name><value>hunter22</value></property>
  <property><name>hive.metastore.uris</name><value>thrift://metastore.internal:9083</value></property>
</configuration>
"""
VARIABLES = """\
# METABASE_URL=http://commented
export SUPERSET_URL=https://ann:hunter22@superset.internal
SUPERSET_USERNAME=hunter22
SUPERSET_PASSWORD = hunter22
DATABRICKS_HOST="https://hunter22.cloud.databricks.com"
DATABASE_URL=postgresql://hunter22@db/shop
SCHEMA_REGISTRY_URL=https://hunter22
MULTI='hunter22
GRAVITINO_URL
'
"""


def test_servers_of_compose_of_hive_and_of_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of variables alone: no value is in the file or on the screen, and what needs a decision is never active."""
    for name in [one for one in os.environ if one.startswith(("AWS_", "DATAHUB_", "METABASE_", "POSTGRES_", "DATABASE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("METABASE_URL", "https://hunter22")
    monkeypatch.setenv("METABASE_API_KEY", "hunter22")
    monkeypatch.setenv("AWS_REGION", "hunter22")
    monkeypatch.setenv("SUPERSET_URL", "https://hunter22")  # which the file has, too
    (tmp_path / "compose.yaml").write_text(SERVICES)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "hive-site.xml").write_text(HIVE_SITE)
    (tmp_path / ".env.local").write_text(VARIABLES)
    ran = run_successfully("init", tmp_path, "--servers")
    text = (tmp_path / "mesh.yaml").read_text()
    assert "hunter22" not in text + ran.err + ran.out
    sources = {f"{source['kind']}/{source['name']}": source for source in check_file(tmp_path / "mesh.yaml")["sources"]}
    assert {name: source.get("url") or source.get("uri") or source.get("endpoint") for name, source in sources.items()} == {
        "hive/metastore": "thrift://localhost:19083",
        "superset/bi": "http://localhost:18088",
        "metabase/metabase": "http://localhost:13000",
        "unity/unity": "${DATABRICKS_HOST}",
        "glue/aws": "http://localhost:14566",
        "hive/metastore-2": "thrift://metastore.internal:9083",
        "unity/unity-2": "http://localhost:18080",
        "superset/superset": "${SUPERSET_URL}",
        "metabase/metabase-2": "${METABASE_URL}",
    }
    assert sources["superset/superset"]["user"] == "${SUPERSET_USERNAME}"
    assert sources["metabase/metabase-2"]["api_key"] == "${METABASE_API_KEY}"
    for line in (
        "gravitino/gravitino (commented out)",
        "glue/glue (commented out): the environment: variable AWS_REGION: decide whether AWS Glue is a catalog of yours",
        "postgres/postgres (commented out): .env.local: variable DATABASE_URL: decide whether it is PostgreSQL",
        "registry/registry (commented out): .env.local: variable SCHEMA_REGISTRY_URL: write the address of a broker",
        "service server2 (apache/hive:4.0.1): it publishes no port on this machine",
        "DataHub is read from files",
    ):
        assert line in ran.err, line
    assert "GRAVITINO_URL" not in text
    for commented in ("#   metalake: METALAKE", '#   url: "${DATABASE_URL}"', '#   namespace: "kafka://HOST:PORT"'):
        assert commented in text
    run_successfully("init", tmp_path, "--force")
    assert check_file(tmp_path / "mesh.yaml")["sources"] == []


def test_files_of_databases_usage_and_datahub(tmp_path: Path, new: str) -> None:
    (tmp_path / "data").mkdir()
    with duckdb.connect(tmp_path / "data" / "a shop.duckdb") as connection:
        connection.execute("CREATE TABLE orders (id int)")
    (tmp_path / "other.duckdb").write_text("no database")
    reads = {"user": "ann", "dataset": "a shop.main.orders", "day": "2026-03-01"}
    (tmp_path / "reads.ndjson").write_text(json.dumps(reads) + "\n")
    (tmp_path / "reads.csv").write_text("user,dataset,day,window\nann,main.orders,2026-03-01,\n")
    (tmp_path / "list.csv").write_text("user,dataset\nann,x\n")
    aspect = {
        "entityType": "dataset",
        "entityUrn": "urn:li:dataset:(urn:li:dataPlatform:kafka,a,PROD)",
        "aspectName": "status",
        "aspect": {},
    }
    (tmp_path / "metadata.json").write_text(json.dumps([aspect]))
    run_successfully("init", tmp_path)
    sources = {source["kind"]: source for source in check_file(tmp_path / "mesh.yaml")["sources"]}
    assert {kind: source.get("files") or source.get("path") for kind, source in sources.items()} == {
        "duckdb": "data/a shop.duckdb",
        "datahub": ["metadata.json"],
        "usage": ["reads.csv", "reads.ndjson"],
    }
    synced = run_command("sync", tmp_path / "mesh.yaml", "--store", new).err
    assert re.search(r"^duckdb/a-shop: [12] of [12] statements read", synced, re.MULTILINE), synced
    assert "usage/usage: 1 of 1 statements read, 0 unchanged, 1 new" in synced, "by the end of the table's name"


def test_the_events_that_a_client_writes_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "lineage.txt").write_bytes((ROOT / "examples" / "event.json").read_bytes())
    (tmp_path / "openlineage.yml").write_text("transport: {type: file, log_file_path: logs/lineage.txt}\n")
    run_successfully("init", tmp_path)
    assert check_file(tmp_path / "mesh.yaml")["sources"][0]["files"] == ["logs/lineage.txt"]


def test_exports_of_consumers_are_sources(tmp_path: Path, new: str) -> None:
    (tmp_path / "bi" / "pages").mkdir(parents=True)
    (tmp_path / "bi" / "evidence.config.yaml").write_text("appearance: {default: light}\n")
    (tmp_path / "bi" / "pages" / "index.md").write_text("# Sales\n")
    (tmp_path / "feast.json").write_text('{"project": "shop", "featureServices": [{"spec": {"name": "fraud"}}]}')
    (tmp_path / "scan.json").write_text('{"workspaces": [{"id": "w", "reports": [{"id": "r"}]}], "datasourceInstances": []}')
    (tmp_path / "looker.json").write_text('{"dashboards": [{"id": "1", "title": "D"}], "looks": [], "explores": []}')
    run_successfully("init", tmp_path)
    written = check_file(tmp_path / "mesh.yaml")
    assert {source["kind"] for source in written["sources"]} == {"evidence", "feast", "powerbi", "looker"}
    synced = run_successfully("sync", tmp_path / "mesh.yaml", "--store", new)
    assert synced.err.count("1 of 1 statements read") == 4


def test_a_dbt_project_without_artifacts_and_schemas_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "marts" / "models").mkdir(parents=True)
    (tmp_path / "marts" / "dbt_project.yml").write_text("name: marts\nversion: '1.0'\n")
    (tmp_path / "marts" / "models" / "view.sql").write_text("create view x as select 1")
    (tmp_path / "order.avsc").write_text('{"type": "record"}')
    (tmp_path / "order.proto").write_text("message Order {}")
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "v.sql").write_text("create view x as select 1")
    ran = run_successfully("init", tmp_path)
    assert "marts/target has no manifest.json: run `dbt docs generate`" in ran.err
    assert "order.avsc and 1 more: schemas in files are no source" in ran.err
    assert "sql/views (commented out)" in ran.err
    assert "view.sql" not in ran.err
    assert check_file(tmp_path / "mesh.yaml")["sources"] == []


def test_a_hostile_folder(tmp_path: Path, new: str) -> None:
    """Loops of links, thousands of folders, a device, huge and unreadable files, YAML bombs, and names that are patterns or YAML."""
    root = tmp_path / "=hostile: [x]"
    (root / "a").mkdir(parents=True)
    (root / "a" / "loop").symlink_to(root)
    (root / "secret.yaml").symlink_to("/etc/passwd")
    for place in range(60):
        for inner in range(60):
            (root / "many" / f"{place}" / f"{inner}").mkdir(parents=True)
    deep = root / "deep"
    for _ in range(30):
        deep /= "d"
    deep.mkdir(parents=True)
    os.mkfifo(root / "pipe.json")
    with (root / "huge.json").open("wb") as huge:
        huge.write(b'{"eventTime":')
        huge.truncate(10 * 2**30)
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{c}: &{c} [{', '.join([f'*{p}'] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    )
    (root / "bomb.yaml").write_text(f"kind: DataContract\napiVersion: v3.0.2\n{bomb}")
    (root / "deep.yaml").write_text("DataContract: " + "[" * 5000)
    (root / "object.yaml").write_text("kind: DataContract\nx: !!python/object/apply:os.system ['echo hacked']\n")
    (root / "binary.yaml").write_bytes(b"DataContract\xff\xfe\x00")
    (root / "nested.json").write_text("[" * 100_000)
    event = (ROOT / "examples" / "event.json").read_bytes()
    for name in ("[a-z]*.ndjson", "- {kind: x}.ndjson", "ü \U0001f600.ndjson", "quo\"te'.ndjson"):
        (root / name).write_bytes(b" ".join(event.split(b"\n")))
    (root / "ev\nil.ndjson").write_bytes(event)
    (root / os.fsdecode(b"bad\xff.ndjson")).write_bytes(event)
    (root / "other.ndjson").write_text('{"a": 1}\n')
    (root / "closed").mkdir()
    (root / "closed").chmod(0)
    try:
        begun = time.monotonic()
        ran = run_successfully("init", root)
        assert time.monotonic() - begun < 60
    finally:
        (root / "closed").chmod(0o700)
    for note in (
        "a/loop: links are not followed",
        "secret.yaml: links are not followed",
        "folders deep",
        "bomb.yaml: ",
        "its name cannot be written",
    ):
        assert note in ran.err, note
    files = check_file(root / "mesh.yaml")["sources"][0]["files"]
    assert isinstance(files, list)
    assert len(files) == 4
    synced = run_successfully("sync", root / "mesh.yaml", "--store", new)
    assert "openlineage/events: 4 of 4 events read" in synced.err
    assert "root:" not in (root / "mesh.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("nowhere",), "there is no such folder"), ((".", "-o", "/tmp/mesh.yaml"), "accepted is a file in")],
    ids=["folder", "output"],
)
def test_wrong_use(new: str, arguments: tuple[str, ...], message: str) -> None:
    del new
    ran = run_command("init", *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_an_empty_folder(tmp_path: Path, new: str) -> None:
    (tmp_path / "link.yaml").symlink_to(tmp_path / "other.yaml")
    ran = run_command("init", tmp_path, "-o", tmp_path / "link.yaml")
    assert (ran.code, "it is a link" in ran.err) == (2, True)
    assert run_successfully("init", tmp_path).err.startswith("0 sources found\n")
    run_successfully("sync", tmp_path / "mesh.yaml", "--store", new)
