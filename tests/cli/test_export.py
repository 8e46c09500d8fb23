"""`meshline export` as tables, as Cypher and of a part of the graph, and `lineage --format svg`."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pyarrow.parquet as pq
import pytest

from meshline.cli.terminal import escape_cell
from tests.api.conftest import serve_application
from tests.cli.command import EXAMPLE, run_command, run_successfully
from tests.servers import Neo4jServer

HOSTILE = [  # names that a spreadsheet, Cypher, XML or a terminal would read as something else
    '=HYPERLINK("http://x")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(1)",
    "it's \\'); MATCH (n) DETACH DELETE n; //",
    "C:\\users\\u0027 and \\\\u0022",
    '`back` "quoted" <b>&amp;</b> ]]>',
    "日本語 \U0001f600 é ü",
    "a;b\n",
]


def read_tables(output: Path) -> dict[str, list[dict[str, str]]]:
    return {
        name: list(csv.DictReader(io.StringIO((output / f"{name}.csv").read_text("utf-8"), newline=""))) for name in ("assets", "edges")
    }


def write_hostile_mesh(folder: Path) -> Path:
    fields: list[object] = [{"name": name, "type": "text", "description": name} for name in HOSTILE]
    facet = {"_producer": "p", "_schemaURL": "s", "fields": fields}
    datasets: list[object] = [
        {"namespace": "db", "name": name, "facets": {"schema": facet, "documentation": {"description": name}}} for name in HOSTILE
    ]
    event: dict[str, object] = {
        "eventTime": "2026-01-01T00:00:00Z",
        "producer": "p",
        "schemaURL": "s",
        "job": {"namespace": "j", "name": HOSTILE[4]},
    }
    event |= {
        "eventType": "COMPLETE",
        "run": {"runId": "01a1ff85-a5a3-7e73-8e0f-d9eafada5f18"},
        "inputs": datasets[:4],
        "outputs": datasets[4:],
    }
    (folder / "events.ndjson").write_text(json.dumps(event))
    return folder / "events.ndjson"


def test_tables_have_the_whole_graph(example: str, tmp_path: Path) -> None:
    whole = run_successfully("export", "networkx", "--store", example).json
    assert isinstance(whole["nodes"], list)
    assert isinstance(whole["edges"], list)
    run_successfully("export", "csv", "-o", tmp_path / "tables", "--store", example)
    run_successfully("export", "csv", "-o", tmp_path / "tables.zip", "--store", example)
    run_successfully("export", "parquet", "-o", tmp_path / "parquet", "--store", example)
    tables = read_tables(tmp_path / "tables")
    assert [row["id"] for row in tables["assets"]] == [node["id"] for node in whole["nodes"] if isinstance(node, dict)]
    assert len(tables["edges"]) == len(whole["edges"])
    with zipfile.ZipFile(tmp_path / "tables.zip") as archive:
        for name in ("assets.csv", "edges.csv"):
            assert archive.read(name) == (tmp_path / "tables" / name).read_bytes()
    for name, rows in tables.items():
        stored = pq.read_table(tmp_path / "parquet" / f"{name}.parquet").to_pylist()
        assert len(stored) == len(rows)
        same = ("id", "kind", "description") if name == "assets" else ("source", "target", "type", "subtype", "job")
        assert [tuple(escape_cell(row[column] or "") for column in same) for row in stored] == [tuple(row[c] for c in same) for row in rows]
    assert {row["masking"] for row in pq.read_table(tmp_path / "parquet" / "edges.parquet").to_pylist()} == {True, False, None}


@pytest.mark.parametrize("form", ["csv", "networkx", "cypher"])
def test_the_same_graph_gives_the_same_file(example: str, new: str, tmp_path: Path, form: str) -> None:
    """Whatever the order in which it was ingested."""
    run_successfully("ingest", "mesh", EXAMPLE / "mesh.yaml", "--store", new)
    run_successfully("ingest", "openlineage", EXAMPLE / "events" / "spark.ndjson", "--store", new)
    run_successfully("ingest", "openlineage", EXAMPLE / "events", "--store", new)
    suffix = ".zip" if form == "csv" else ""
    contents = []
    for place, store in enumerate((example, new)):
        output = tmp_path / f"{place}{suffix}"
        run_successfully("export", form, "-o", output, "--as-of", "2026-03-20", "--store", store)
        contents.append(output.read_bytes())
    assert contents[0] == contents[1]


def test_hostile_names_in_tables(new: str, tmp_path: Path) -> None:
    run_successfully("ingest", "openlineage", write_hostile_mesh(tmp_path), "--store", new)
    run_successfully("export", "csv", "-o", tmp_path / "tables", "--store", new)
    names = {row["name"] for row in read_tables(tmp_path / "tables")["assets"]}
    assert {escape_cell(name) for name in HOSTILE} - names == set()
    assert not [name for name in names if name.startswith(("=", "+", "@"))]


def test_cypher_is_loaded_by_neo4j(example: str, new: str, tmp_path: Path, neo4j: Neo4jServer) -> None:
    """Into a database of its own, twice: the second time changes nothing."""
    run_successfully("ingest", "openlineage", write_hostile_mesh(tmp_path), "--store", new)
    for store in (example, new):
        whole = run_successfully("export", "networkx", "--store", store).json
        assert isinstance(whole["nodes"], list)
        assert isinstance(whole["edges"], list)
        script = run_successfully("export", "cypher", "--store", store).out
        try:
            with neo4j.session() as session:
                neo4j.wipe()
                counts = []
                for _ in range(2):
                    for statement in re.split(r";\n(?=UNWIND|$)", script):
                        if statement.strip() and not statement.startswith("CREATE CONSTRAINT"):
                            session.run(statement).consume()
                    names = {row["name"] for row in session.run("MATCH (n:Asset) RETURN n.name AS name")}
                    counts.append(
                        [
                            session.run("MATCH (n:Asset) RETURN count(n) AS found").single(strict=True)["found"],
                            session.run("MATCH (:Asset)-[r:FLOWS_TO]->(:Asset) RETURN count(r) AS found").single(strict=True)["found"],
                        ]
                    )
                assert counts[0] == counts[1]
                nodes = [node for node in whole["nodes"] if isinstance(node, dict)]
                flows = {json.dumps(e, sort_keys=True) for e in whole["edges"] if isinstance(e, dict) and e["type"] == "FLOWS_TO"}
                assert counts[0] == [len(nodes), len(flows)]
                assert names == {node["name"] for node in nodes}, "each letter by letter"
                described = session.run(
                    "MATCH (n:Column) WHERE n.description IS NOT NULL AND n.description <> n.name RETURN n.name"
                ).values()
                assert store == example or described == []
        finally:
            neo4j.wipe()


def test_a_part_of_the_graph(example: str) -> None:
    def list_names(*arguments: str) -> set[str]:
        found = run_successfully("export", "networkx", *arguments, "--store", example).json
        nodes, edges = found["nodes"], found["edges"]
        assert isinstance(nodes, list)
        assert isinstance(edges, list)
        ids = {node["id"] for node in nodes if isinstance(node, dict)}
        assert all(edge["source"] in ids and edge["target"] in ids for edge in edges if isinstance(edge, dict))
        return {str(node["qualified_name"]) for node in nodes if isinstance(node, dict)}

    lake = "http://iceberg-rest.internal:8181/"
    both = list_names("--of", "customers.customer_profiles")
    up = list_names("--of", "customers.customer_profiles", "--direction", "upstream")
    down = list_names("--of", "customers.customer_profiles", "--direction", "downstream")
    assert up | down == both
    assert f"{lake}customers.customers.email" in up - down
    assert f"{lake}marketing.campaign_audience" in down - up
    near = list_names("--of", "customers.customer_profiles", "--direction", "downstream", "--depth", "0")
    assert near < down
    assert {f"{lake}customers.customer_profiles", "file//warehouse/customers/customer_profiles"} <= near, "all names of it"
    assert any(name.endswith("customers/customer_profiles.email_hash") for name in near)
    assert "customer-profiles" in near, "the product that it belongs to"
    lineage = run_successfully(
        "lineage", "customers.customer_profiles", "--granularity", "dataset", "--format", "json", "--store", example
    ).json
    assert isinstance(lineage["nodes"], list)
    assert {str(node["asset"]["qualifiedName"]) for node in lineage["nodes"] if isinstance(node, dict)} - down == set()  # type: ignore[index, call-overload]
    of_product = list_names("--of", "product:customer-profiles", "--direction", "downstream")
    assert of_product >= down - {"finance-marts"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("csv",), "--output names the folder or zip file"),
        (("parquet",), "--output names the folder"),
        (("networkx", "--depth", "1"), "need --of"),
        (("openlineage", "--of", "x"), "writes all events"),
        (("networkx", "--of", "nothing.of.this.name"), "no asset is called"),
        (("csv", "-o", "/proc/nothing/x"), "cannot be written"),
        (("csv", "-o", "/proc/nothing/x.zip"), "cannot be written"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use(example: str, arguments: tuple[str, ...], message: str) -> None:
    ran = run_command("export", *arguments, "--store", example)
    assert ran.code == 2
    assert message in " ".join(ran.err.split())


SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("customers.customers.email",),
        ("finance.revenue_daily", "--upstream", "--granularity", "dataset"),
        ("customers.customers", "--group-by", "owner"),
    ],
    ids=" ".join,
)
def test_a_picture_has_all_nodes_and_no_boxes_that_overlap(example: str, arguments: tuple[str, ...]) -> None:
    picture = ET.fromstring(run_successfully("lineage", *arguments, "--format", "svg", "--store", example).out.encode())
    plain = [one for one in arguments if one not in ("--group-by", "owner")]
    data = run_successfully("lineage", *plain, "--format", "json", "--store", example).json
    assert isinstance(data["nodes"], list)
    assert isinstance(data["edges"], list)
    assert len(picture.findall(f"{SVG}path")) == len(data["edges"])
    boxes = [
        tuple(float(box.get(name, "")) for name in ("x", "y", "width", "height")) for box in picture.iter(f"{SVG}rect") if box.get("rx")
    ]
    width, height = float(picture.get("width", "")), float(picture.get("height", ""))
    for place, (x, y, w, h) in enumerate(boxes):
        assert x >= 0
        assert x + w <= width
        assert y + h <= height
        for other_x, other_y, other_w, other_h in boxes[:place]:
            assert x >= other_x + other_w or other_x >= x + w or y >= other_y + other_h or other_y >= y + h
    texts = {text.text for text in picture.iter(f"{SVG}text")}
    for node in data["nodes"]:
        assert isinstance(node, dict)
        name = str(node["asset"]["name"])  # type: ignore[index, call-overload]
        assert any(text is not None and (text.endswith((name, "…"))) for text in texts), name


def test_a_picture_of_hostile_names(new: str, tmp_path: Path) -> None:
    run_successfully("ingest", "openlineage", write_hostile_mesh(tmp_path), "--store", new)
    out = run_successfully("lineage", 'db/=HYPERLINK("http://x")', "--granularity", "dataset", "--format", "svg", "--store", new).out
    texts = [text.text or "" for text in ET.fromstring(out.encode()).iter(f"{SVG}text")]
    assert any("日本語" in text for text in texts)
    assert any("<b>&amp;</b>" in text for text in texts), "escaped once"


@pytest.fixture(scope="module")
def served(example: str) -> Iterator[str]:
    with serve_application(lambda _url: {"store": example}) as url:
        yield url


@pytest.mark.parametrize(
    "arguments",
    [
        *(("networkx",), ("graphml",), ("cypher",), ("openlineage",), ("csv", "-o", "{}.zip")),
        ("cypher", "--of", "customers.customers.email", "--direction", "downstream", "--depth", "2", "--as-of", "2026-03-20"),
    ],
    ids=" ".join,
)
def test_a_server_gives_the_same_bytes(example: str, served: str, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    found = []
    for name, place in (("local", ("--store", example)), ("remote", ("--server", served))):
        ran = run_successfully("export", *(one.format(tmp_path / name) for one in arguments), *place)
        file = tmp_path / f"{name}.zip"
        found.append(file.read_bytes() if file.exists() else ran.out)
    assert found[0] == found[1]
    assert len(found[0]) > 1_000


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ({"direction": "up"}, "direction"),
        ({"depth": "-1"}, "depth"),
        ({"depth": "1" * 30}, "depth"),
        ({"asOf": "yesterday"}, "asOf"),
        ({"off": "x"}, "off"),
        ({"of": ["x"] * 1_001}, "of"),
    ],
)
def test_wrong_parameters(served: str, parameters: dict[str, str | list[str]], path: str) -> None:
    answer = httpx.get(f"{served}/api/v1/export", params=parameters)
    assert (answer.status_code, answer.json()["error"]["path"]) == (400, path)


def test_a_server_that_breaks_off_or_is_another(tmp_path: Path) -> None:
    """Nothing is written of an answer that is cut off."""

    class Broken(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-ndjson" if "/cut" in self.path else "text/plain")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"node": {}}\n')

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for path, message in (("/cut", "no answer from"), ("", "no answer from|does not answer like meshline")):
            ran = run_command("export", "networkx", "-o", tmp_path / "x", "--server", f"http://127.0.0.1:{server.server_port}{path}")
            assert ran.code == 2
            assert re.search(message, ran.err), ran
            assert not (tmp_path / "x").exists()
    finally:
        server.shutdown()
        server.server_close()
