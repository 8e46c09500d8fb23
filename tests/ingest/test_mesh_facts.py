"""The mesh file: what each kind of entry states, as text that a reviewer reads."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from meshline.graph.content import decode_facts
from meshline.graph.model import Facts
from meshline.graph.naming import Naming
from meshline.ingest import mesh

FILE = """\
version: 1
source: shop
namespaces: {lake: "S3A://wh/", files: file}
domains:
  - name: commerce
    title: Commerce
    domains:
      - {name: orders, owner: orders@company.com, tags: [core], datasets: ["lake/orders.*", "s3a://*/raw/*", "files//in/*"]}
teams:
  - {name: orders-team, email: orders@company.com, slack: "#orders", members: [olga]}
people:
  - {name: olga, title: Olga Ruiz}
products:
  - name: customer-orders
    domain: orders
    owner: orders-team
    version: 2.1.0
    slo: {freshness: 1h, retries: 3}
    input_ports: [{dataset: files//in/orders}]
    output_ports: [{dataset: lake/orders.out, type: sql, endpoint: "trino://t/x", format: Iceberg}]
    datasets: ["lake/orders.tmp_*", {namespace: lake, name: "orders.raw_*"}, {namespace: "s3a://wh[1]/", name: "x/*"}]
owners:
  - {dataset: lake/orders.out, column: email, owner: olga, type: steward}
  - {dataset: lake/orders.out, owner: olga}
  - {product: customer-orders, owner: olga, type: business}
contracts:
  - {id: c1, title: Contract, version: 1.0.0, status: active, owner: orders-team, dataset: lake/orders.out}
consumers:
  - name: finance
    type: team
    owner: olga
    consumes:
      - {dataset: lake/orders.out, columns: [id, total], contract: c1, purpose: reports}
      - {dataset: {namespace: lake, name: /orders.out/dt=2024-01-01}}
      - {product: customer-orders}
datasets:
  - dataset: lake/orders.out
    description: All orders.
    tags: [gold]
    columns: [{name: email, tags: [pii]}]
same_as:
  - {a: files//in/orders, b: lake/orders.raw, why: the same bytes}
not_same_as:
  - {a: files//in/orders, b: lake/orders.out, why: another feed}
"""

STATED = """\
mesh domain commerce
  DOMAIN commerce {"title":"Commerce"}
mesh domain orders
  DOMAIN orders {"members":["s3://wh/orders.*","s3://*/raw/*","file//in/*"],"tags":["core"]}
  DOMAIN orders -PART_OF-> DOMAIN commerce
  OWNER orders-team -OWNS-> DOMAIN orders {"type":"technical"}
mesh team orders-team
  OWNER orders-team {"contact":"orders@company.com, #orders","email":"orders@company.com","owner_type":"team",\
"people":["olga"],"slack":"#orders"}
mesh person olga
  OWNER olga {"owner_type":"person","title":"Olga Ruiz"}
mesh product customer-orders
  DATA_PRODUCT customer-orders {"members":["s3://wh/orders.tmp_*","s3://wh/orders.raw_*","s3://wh[[]1]/x/*"],"slo":{"freshness":"1h","retries":3},"version":"2.1.0"}
  DATA_PRODUCT customer-orders -PART_OF-> DOMAIN orders
  DATA_PRODUCT customer-orders -PORT-> DATASET file//in/orders {"direction":"input"}
  DATA_PRODUCT customer-orders -PORT-> DATASET s3://wh/orders.out \
{"direction":"output","endpoint":"trino://t/x","format":"Iceberg","type":"sql"}
  OWNER orders-team -OWNS-> DATA_PRODUCT customer-orders {"type":"technical"}
mesh owner olga steward   s3a://wh/ orders.out email
  OWNER olga -OWNS-> COLUMN s3://wh/orders.out.email {"type":"steward"}
mesh owner olga technical   s3a://wh/ orders.out\x20
  OWNER olga -OWNS-> DATASET s3://wh/orders.out {"type":"technical"}
mesh owner olga business customer-orders\x20\x20
  OWNER olga -OWNS-> DATA_PRODUCT customer-orders {"type":"business"}
mesh contract c1
  CONTRACT c1 {"status":"active","title":"Contract","version":"1.0.0"}
  OWNER orders-team -OWNS-> CONTRACT c1 {"type":"technical"}
  CONTRACT c1 -GOVERNS-> DATASET s3://wh/orders.out {"status":"active","version":"1.0.0"}
mesh consumer finance
  CONSUMER finance {"consumer_type":"team"}
  OWNER olga -OWNS-> CONSUMER finance {"type":"technical"}
  CONSUMER finance -CONSUMES-> DATASET s3://wh/orders.out
  CONSUMER finance -CONSUMES-> DATA_PRODUCT customer-orders
  CONSUMER finance -CONSUMES-> COLUMN s3://wh/orders.out.id {"contract":"c1","purpose":"reports"}
  CONSUMER finance -CONSUMES-> COLUMN s3://wh/orders.out.total {"contract":"c1","purpose":"reports"}
mesh dataset s3a://wh/ orders.out
  DATASET s3://wh/orders.out {"description":"All orders.","tags":["gold"]}
  COLUMN s3://wh/orders.out.email {"tags":["pii"]}
mesh same_as file /in/orders s3a://wh/ orders.raw
  DATASET file//in/orders -SAME_AS-> DATASET s3://wh/orders.raw {"why":"the same bytes"}
mesh not_same_as file /in/orders s3a://wh/ orders.out
  DATASET file//in/orders -DIFFERENT_FROM-> DATASET s3://wh/orders.out {"why":"another feed"}
"""


def format_facts(facts: Facts) -> Iterator[str]:
    for asset in facts.assets:
        yield f"{asset.key.kind} {asset.key.qualified_name} {format_json(asset.attributes)}".rstrip()
    for edge in facts.edges:
        ends = f"{edge.start.kind} {edge.start.qualified_name} -{edge.type}-> {edge.end.kind} {edge.end.qualified_name}"
        yield f"{ends} {format_json(edge.attributes)}".rstrip()


def format_json(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode() if value else ""


def test_statements_of_each_entry() -> None:
    read = mesh.parse_mesh_file(FILE.encode(), "mesh.yaml", strict=True)
    stated = mesh.build_statements(read, Naming([(r"/dt=[^/]*$", "")]), 5)
    text = "".join(f"{' '.join(s.scope)}\n" + "".join(f"  {line}\n" for line in format_facts(decode_facts(s.content.blob))) for s in stated)
    assert text.replace("S3A", "s3a") == STATED
    assert {(s.source, s.observed_at) for s in stated} == {("mesh/shop", 5)}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "mesh.yaml").write_text("version: 1\n")
    subprocess.run(["git", "-C", str(tmp_path), "add", "mesh.yaml"], check=True)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    dates = {
        "GIT_COMMITTER_DATE": "2024-03-01T12:00:00Z",
        "GIT_AUTHOR_DATE": "2023-01-01T12:00:00Z",
        "PATH": "/usr/bin:/bin:/usr/local/bin",
    }
    subprocess.run(["git", *identity, "-C", str(tmp_path), "commit", "-qm", "x", "--no-verify"], check=True, env=dates)
    return tmp_path


def test_the_time_of_a_file_is_its_commit_s_if_it_is_unchanged(repository: Path) -> None:
    path = repository / "mesh.yaml"
    assert mesh.read_file_time(path) == 1_709_294_400_000_000
    path.write_text("version: 1\nteams: []\n")
    assert mesh.read_file_time(path) > 1_709_294_400_000_000 + 10**12


def test_the_time_of_a_file_outside_a_repository_is_now(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text("version: 1\n")
    assert mesh.read_file_time(tmp_path / "mesh.yaml") > 1_709_294_400_000_000 + 10**12
