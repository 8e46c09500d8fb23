"""The reading commands over the example mesh, and the command line itself."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from meshline import __version__
from meshline.cli.options import parse_time_at
from meshline.governance.report_formats.markdown import format_prose
from tests.cli.command import EXAMPLE, find_executable, run_command, run_successfully

GROUPS = {
    "ingest": ["openlineage", "mesh"],
    "check": ["contract", "product", "dbt", "schema", "ddl", "change"],
    "store": ["check", "compact", "backup"],
    "token": ["new", "list"],
    "set": ["owner", "tag", "description", "consumer", "same-as", "not-same-as"],
    "unset": ["owner", "tag", "description", "consumer", "same-as", "not-same-as"],
}
COMMANDS = [
    "serve",
    "mcp",
    "demo",
    "ingest",
    "search",
    "lineage",
    "impact",
    "owners",
    "export",
    "replay",
    "check",
    "store",
    "token",
    "init",
]
COMMANDS += ["set", "unset", "retract", "list", "show", "diff", "paths", "evidence", "provenance", "coverage", "products", "consumers"]
COMMANDS += ["quality", "schemas", "runs", "events"]


def measure_children() -> float:
    """Seconds of processor time of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_names_every_command_and_is_quick() -> None:
    begun = measure_children()
    shown = subprocess.run([find_executable(), "--help"], capture_output=True, text=True, check=True).stdout
    assert all(f"\n  {command} " in shown for command in COMMANDS)
    assert measure_children() - begun < 3  # 0.3 s
    assert shown.count("...") == 1  # COMMAND [ARGS]...: no summary is cut short


@pytest.mark.parametrize("group", ["", "ingest", "check", "store", "identity", "token", "set", "unset"])
def test_help_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch, group: str) -> None:
    command = [*group.split(), "--help"]
    monkeypatch.setenv("COLUMNS", "200")
    wide = run_successfully(*command).out
    assert wide.count("...") == 1, "COMMAND [ARGS]...: no summary is cut short"
    monkeypatch.delenv("COLUMNS")
    assert max(map(len, run_successfully(*command).out.splitlines())) <= 80, "no terminal"


def test_help_imports_nothing_heavy() -> None:
    heavy = ("numpy", "numba", "strawberry", "pydantic", "httpx", "rich", "ruamel")
    code = f"import sys, meshline.cli.app; print(*(m for m in {heavy} if m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_questions_import_nothing_of_a_server() -> None:
    code = (
        "import sys, meshline.api.graphql; print(*(m for m in ('httpx', 'uvicorn', 'meshline.app.service', 'sqlglot') if m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.parametrize(
    "command",
    [[c] for c in COMMANDS if c not in GROUPS] + [[group, c] for group, commands in GROUPS.items() for c in commands],
    ids=" ".join,
)
def test_every_command_has_help(command: list[str]) -> None:
    shown = run_successfully(*command, "--help").out
    assert shown.startswith(f"Usage: meshline {' '.join(command)} ")


def test_version() -> None:
    assert run_successfully("--version").out == f"{__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["impact"], ["owners"], ["owners", "a", "--orphans"], ["lineage", "a", "--depth", "-1"], ["impact", "a", "--reach", "x"]],
    ids=" ".join,
)
def test_wrong_use(arguments: list[str]) -> None:
    ran = run_command(*arguments)
    assert ran.code == 2
    assert "Usage: meshline" in ran.err


def test_search(example: str) -> None:
    shown = run_successfully("search", "customers email", "--store", example).out
    assert re.search(
        r"^column +http://iceberg-rest.internal:8181/customers.customers.email +customer-directory in customers$", shown, re.MULTILINE
    )
    assert run_successfully("search", "zzzzz", "--store", example).out == "no asset has 'zzzzz' in its names, descriptions or tags\n"
    found = run_successfully("search", "customers", "--kind", "dataset", "--limit", "1", "--format", "json", "--store", example).json
    assert found["totalCount"] != 1
    assert isinstance(found["nodes"], list)
    assert len(found["nodes"]) == 1


def test_search_is_evaluated_by_the_descriptions_of_the_store(example: str) -> None:
    shown = run_successfully("search", "--evaluate", "--store", example).out
    assert re.search(r"^DATASET: 4 of 4 found among the first 10 \(mean reciprocal rank 0\.[0-9]+\)$", shown, re.MULTILINE)
    rows = json.loads(run_successfully("search", "--evaluate", "--format", "json", "--store", example).out)
    for row in rows:
        assert row["found"] + len(row["missed"]) == row["asked"] or len(row["missed"]) == 10
    for arguments, message in (((), "a TEXT to search for is needed"), (("x", "--evaluate"), "--evaluate takes a store")):
        refused = run_command("search", *arguments, "--store", example)
        assert refused.code == 2
        assert message in " ".join(refused.err.split())


def test_synonyms_that_titles_teach_are_proposed_as_a_part_of_a_mesh_file(tmp_path: Path) -> None:
    store, file = f"sqlite:///{tmp_path / 'new.db'}", tmp_path / "titles.yaml"
    notes = [f"  - {{dataset: pg/a.{name}, columns: [{{name: gp_nr, title: Business partner number}}]}}\n" for name in "xyz"]
    file.write_text("version: 1\ndatasets:\n" + "".join(notes[:2]), encoding="utf-8")
    run_successfully("ingest", "mesh", str(file), "--store", store)
    assert "no synonyms are learned" in run_successfully("search", "--propose-synonyms", "--store", store).out
    file.write_text("version: 1\ndatasets:\n" + "".join(notes), encoding="utf-8")
    run_successfully("ingest", "mesh", str(file), "--store", store)
    proposed = run_successfully("search", "--propose-synonyms", "--store", store).out
    assert proposed == "synonyms:\n  - [business partner, gp] # 3 tables, as pg/a.x.gp_nr\n"
    rows = json.loads(run_successfully("search", "--propose-synonyms", "--format", "json", "--store", store).out)
    assert rows == [{"term": "business partner", "word": "gp", "tables": 3, "example": "pg/a.x.gp_nr"}]
    file.write_text(f"version: 1\ndatasets:\n{''.join(notes)}{proposed}", encoding="utf-8")
    run_successfully("ingest", "mesh", str(file), "--store", store)
    assert "no synonyms are learned" in run_successfully("search", "--propose-synonyms", "--store", store).out, "it is stated"
    for arguments in (("x",), ("--evaluate",), ("--server", "http://x")):
        refused = run_command("search", *arguments, "--propose-synonyms", *(() if "--server" in arguments else ("--store", store)))
        assert refused.code == 2
        assert "--propose-synonyms takes a store" in " ".join(refused.err.split())


def test_owners(example: str) -> None:
    shown = run_successfully("owners", "customers.customers.email", "--store", example).out
    assert shown == (
        "http://iceberg-rest.internal:8181/customers.customers.email\n"
        "  data-protection  steward  dpo@company.com, #data-protection  its own, stated by mesh/example-mesh\n"
    )
    inherited = run_successfully("owners", "receipts.amount", "--store", example).out
    assert "payments-engineering" in inherited
    assert "from its data product receipts, stated by mesh/example-mesh" in inherited
    owned = run_successfully("owners", "--owned-by", "omar", "--store", example).out
    assert "orders.customer_orders" in owned


def test_an_ambiguous_name_lists_candidates(example: str) -> None:
    ran = run_command("impact", "customer_id", "--store", example)
    assert ran.code == 2
    assert "customers.customers.customer_id" in ran.err
    assert ran.err.count("\n") == 1


def test_a_name_that_nothing_has(example: str) -> None:
    ran = run_command("impact", "customers.customers.emial", "--store", example)
    assert ran.code == 2
    assert re.search(r"did you mean \S*/customers\.customers\.email ", ran.err), "the most alike first"


def test_a_name_copied_from_a_markdown_report_is_found(example: str) -> None:
    """Names outside of code have a zero-width space after `://`, so that they do not become links."""
    name = run_successfully("search", "customer_profiles", "--kind", "dataset", "--store", example).out.split()[1]
    assert (
        run_successfully("owners", format_prose(name).replace("\\", ""), "--store", example).out
        == run_successfully("owners", name, "--store", example).out
    )


def test_lineage_begins_with_what_was_asked(example: str) -> None:
    upstream = run_successfully("lineage", "orders.customer_orders", "--upstream", "--store", example).out
    assert re.match(r"orders\.customer_orders comes from [0-9]+ assets\n", upstream)
    by_product = run_successfully(
        "lineage", "finance.revenue_daily", "--granularity", "product", "--upstream", "--store", example
    ).out.split("\n")
    assert re.fullmatch(r"\S*finance\.revenue_daily comes from [0-9]+ products?", by_product[0])
    assert by_product[1] == "This is the lineage of the product finance-marts, by --granularity product."


def test_lineage_of_a_job_begins_with_what_it_writes_or_reads(example: str) -> None:
    """A job whose output has no readers did flow to "0 assets", and into nothing."""
    job = "job:payments/receipts.overwrite_by_expression.lake_payments_receipts"
    assert "\nbeginning with payments.receipts\n" in run_successfully("lineage", job, "--store", example).out + "\n"
    upstream = run_successfully("lineage", job, "--upstream", "--store", example).out.split("\n")
    assert {"orders.customer_orders", "payments.payment_confirmed"} <= set(upstream[1].removeprefix("beginning with ").split(", "))
    assert "beginning with" not in run_successfully("lineage", "orders.customer_orders", "--store", example).out


def test_an_unavailable_neo4j_is_reported_once() -> None:
    ran = run_command("search", "x", "--store", "neo4j://u:p@127.0.0.1:1")
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "meshline: Neo4j at neo4j://127.0.0.1:1 does not answer (Unable to retrieve routing information): is it running? Try again."
    ]


def test_policies_by_severity(example: str) -> None:
    everything = run_command("policies", "--violations", "--store", example)
    errors = run_command("policies", "--violations", "--severity", "error", "--store", example)
    assert "warning: " in everything.out
    assert "warning: " not in errors.out
    assert re.search(r"^[a-z-]+: [0-9]+ violations?$", everything.out, re.MULTILINE)
    assert "give --violations as well" in run_command("policies", "--severity", "error", "--store", example).err


def test_owners_as_of(example: str) -> None:
    """No source had stated an owner then, and the answer states that: it is not known that there was none."""
    ask = ("owners", "customers.customers.email", "--store", example)
    now, before = run_successfully(*ask).out, run_successfully(*ask, "--as-of", "2026-03-07").out
    assert "data-protection  steward" in now
    assert before.startswith(
        "http://iceberg-rest.internal:8181/customers.customers.email has no owner at any level as of 2026-03-07\n\nNOT CERTAIN\n"
    )
    later = r"  ! Owners, contracts and ports of products of the source kind mesh are known only since 20[-0-9T:.]+Z: this answer may miss"
    assert re.search(later, before)
    assert re.sub(" as of .*", "", run_successfully(*ask, "--as-of", "now").out) == now
    found = run_successfully(*ask, "--as-of", "2026-03-07", "--format", "json").json
    assert (found["owners"], found["asOf"]) == ([], "2026-03-07T00:00:00+00:00")
    assert '"relation": "OWNS"' in json.dumps(found["knownLater"])
    assert "knownLater" not in run_successfully(*ask, "--format", "json").json
    orphans = ("owners", "--orphans", "--kind", "dataset", "--store", example)
    assert len(run_successfully(*orphans, "--as-of", "2026-03-07").out.splitlines()) > len(run_successfully(*orphans).out.splitlines())
    assert re.search(later, run_successfully(*orphans, "--as-of", "2026-03-07").out)


def test_an_asset_that_was_not_known_then(example: str) -> None:
    """It has an owner now, and the name is no mistake: the answer is since when the asset is known."""
    missing = run_command("owners", "--owned-by", "omar", "--as-of", "2026-03-07", "--store", example)
    assert (missing.code, missing.out) == (2, "")
    since = r"meshline: 'owner:omar' is not known as of 2026-03-07: its sources state it since 20[-0-9T:.]+Z\n"
    found = re.fullmatch(since, missing.err)
    assert found, missing.err
    start = missing.err.split()[-1]
    assert "omar" not in run_command("owners", "--owned-by", "omar", "--as-of", start, "--store", example).err
    assert run_command("lineage", "owner:omar", "--as-of", "2026-03-07", "--store", example).err == missing.err
    asset = run_successfully("search", "omar", "--kind", "owner", "--format", "json", "--store", example).json["nodes"][0]["id"]  # type: ignore[index, call-overload]
    assert run_command("lineage", str(asset), "--as-of", "2026-03-07", "--store", example).err == missing.err
    nowhere = run_command("owners", "omarr", "--as-of", "2026-03-07", "--store", example)
    assert "no asset is called 'omarr'" in nowhere.err


def test_as_of(example: str) -> None:
    before = run_successfully("impact", "customers.customers.email", "--as-of", "2026-03-07", "--store", example).out
    now = run_successfully("impact", "customers.customers.email", "--store", example).out
    assert "as of 2026-03-07:" in before
    assert "contact_email" in before
    assert "contact_email" not in now
    assert "No consumer or owner of it is known." in before
    later = (
        r"! Owners, consumers, contracts and ports of products of the source kind mesh are known only since 20[-0-9T:.]+Z: this answer may"
    )
    assert re.search(later, before)
    assert "known only since" not in now
    assert run_successfully("impact", "customers.customers.email", "--as-of", "2026-03-07T00:00Z", "--store", example).out == before
    assert "is in the future" in run_successfully("lineage", "customers.customers", "--as-of", "2999-01-01", "--store", example).out
    refused = run_command("impact", "customers.customers.email", "--as-of", "the day before", "--store", example)
    assert refused.code == 2
    assert "yesterday" in " ".join(refused.err.split())


NOW = datetime(2026, 3, 8, 15, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-07", "2026-03-07T00:00:00+00:00"),
        ("2026-03-07T00:00Z", "2026-03-07T00:00:00+00:00"),
        ("2026-03-07 08:30", "2026-03-07T08:30:00+00:00"),
        ("2026-03-07T08:30:01.5+01:00", "2026-03-07T07:30:01.500000+00:00"),
        ("yesterday", "2026-03-07T00:00:00+00:00"),
        ("Today", "2026-03-08T00:00:00+00:00"),
        ("now", "2026-03-08T15:30:12+00:00"),
        ("7d", "2026-03-01T15:30:12+00:00"),
        ("2 w", "2026-02-22T15:30:12+00:00"),
        ("90m", "2026-03-08T14:00:12+00:00"),
    ],
)
def test_times_as_people_type_them(text: str, expected: str) -> None:
    assert parse_time_at(text, NOW).isoformat() == expected


@pytest.mark.parametrize("text", ["", "tomorrow", "7", "-7d", "2026-13-01", "999999w", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="accepted are a date"):
        parse_time_at(text, NOW)


@pytest.mark.parametrize("name", ["contract:customer-orders-contract-v2", "owner:omar"])
def test_impact_of_a_contract_or_an_owner_follows_what_it_governs_or_owns(example: str, name: str) -> None:
    """A promise or a person that hangs on tables is no all-clear."""
    impact = run_successfully("impact", name, "--store", example).out
    assert re.match(rf"{name.partition(':')[2]} affects [0-9]+ assets", impact)
    assert "orders.customer_orders" in impact
    assert "NOTIFY CONSUMERS" in impact
    lineage = run_successfully("lineage", name, "--store", example).out
    assert re.match(rf"{name.partition(':')[2]} flows to [1-9][0-9]* assets", lineage)
    assert re.match(
        rf"{name.partition(':')[2]} comes from [1-9][0-9]* assets", run_successfully("lineage", name, "--upstream", "--store", example).out
    )


@pytest.mark.parametrize("command", ["impact", "lineage"])
def test_dependencies_on_a_consumer_are_refused(example: str, command: str) -> None:
    ran = run_command(command, "consumer:analytics-bi", "--store", example)
    assert ran.code == 2
    assert "'analytics-bi' is a consumer, which no recorded data leaves" in ran.err
    assert "contracts and owners" in ran.err
    assert "analytics-bi comes from " in run_successfully("lineage", "consumer:analytics-bi", "--upstream", "--store", example).out


def test_lineage_formats(example: str, tmp_path: Path) -> None:
    del tmp_path
    text = run_successfully("lineage", "customers.customers.email", "--depth", "1", "--store", example).out
    assert text.startswith("customers.customers.email flows to ")
    drawn = run_successfully("lineage", "customers.customers", "--granularity", "dataset", "--format", "dot", "--store", example).out
    assert drawn.startswith("digraph lineage {\n")
    assert drawn.endswith("}\n")
    data = run_successfully(
        "lineage", "finance-marts", "--upstream", "--granularity", "product", "--format", "json", "--store", example
    ).json
    assert isinstance(data["nodes"], list)
    assert {node["asset"]["kind"] for node in data["nodes"] if isinstance(node, dict) and isinstance(node["asset"], dict)} == {
        "DATA_PRODUCT"
    }


def test_a_merge_is_parted_and_joined_again(new: str) -> None:
    name, path = "http://iceberg-rest.internal:8181/orders.orders", "file//warehouse/orders/orders"
    run_successfully("ingest", "openlineage", EXAMPLE / "events", "--store", new)
    assert f"{path} is {name}" in run_successfully("identity", "explain", path, "--store", new).out
    ran = run_command("identity", "part", path, path, "--reason", "x", "--store", new)
    assert (ran.code, "both ids are of the same name" in ran.err) == (2, True)
    ran = run_command("identity", "part", "orders", path, "--reason", "x", "--store", new)
    assert ran.code != 0
    output = run_successfully("identity", "part", "orders.orders", path, "--reason", "two feeds", "--by", "ann", "--store", new).out
    assert output.startswith(f"{name} is not {path} (st_")
    explained = run_successfully("identity", "explain", path, "--store", new).out
    assert explained.startswith(f"{path}\n")
    assert f"so without effect:\n  {path} is {name}" in explained
    assert "two feeds (person/ann since " in explained
    run_successfully("identity", "retract", output.split("(")[1].rstrip(")\n"), "--store", new)
    assert f"one because:\n  {path} is {name}" in run_successfully("identity", "explain", path, "--store", new).out


MESH = """\
version: 1
source: own
teams: [{name: orders-engineering, email: orders@company.com}]
people: [{name: ana, email: ana@company.com}]
contracts: [{id: c, dataset: db/clean, owner: "user:ana@company.com"}]
"""


@pytest.mark.parametrize("first", ["mesh", "events"])
def test_the_forms_of_an_owner_are_one_owner(new: str, tmp_path: Path, first: str) -> None:
    def build_owned_dataset(name: str, *owners: str) -> dict[str, object]:
        facet = {"_producer": "p", "_schemaURL": "s", "owners": [{"name": one, "type": "OWNER"} for one in owners]}
        return {"namespace": "db", "name": name, "facets": {"ownership": facet}}

    head = {"eventTime": "2026-01-01T00:00:00Z", "producer": "p", "schemaURL": "s"}
    datasets = (
        build_owned_dataset("clean", "team:orders-engineering", "user:ana@company.com"),
        build_owned_dataset("raw", "orders@company.com", "former@company.com"),
    )
    (tmp_path / "events.ndjson").write_text("\n".join(json.dumps({**head, "dataset": one}) for one in datasets))
    (tmp_path / "mesh.yaml").write_text(MESH)
    loads = [("ingest", "mesh", "mesh.yaml"), ("ingest", "openlineage", "events.ndjson")]
    for load in loads if first == "mesh" else loads[::-1]:
        run_successfully(*load, "--store", new)
    data = run_successfully("owners", "--owned-by", "ana", "--format", "json", "--store", new).out
    assert "db/clean" in data
    assert '"c"' in data
    assert "db/raw" in run_successfully("owners", "--owned-by", "team:orders-engineering", "--store", new).out
    assert re.findall(r"(?m)^owner +(\S+)", run_successfully("search", "ana", "--store", new).out) == ["ana"]
    listed = run_successfully("owners", "db/raw", "--store", new).out
    assert re.search(r"orders-engineering.*orders@company.com", listed)
    assert "former@company.com" in listed
    assert "no contact" not in listed


def test_search_with_vectors(filled: str) -> None:
    search = ("search", "purchase", "--kind", "column", "--store", filled)
    assert "order" not in run_successfully(*search).out
    assert "order" in run_successfully(*search, "--vectors", "wordllama").out
    rows = json.loads(run_successfully("search", "--evaluate", "--vectors", "wordllama", "--format", "json", "--store", filled).out)
    assert [(row["kind"], row["vectors"]) for row in rows] == [
        (kind, vectors) for kind in ("DATASET", "COLUMN", "DATA_PRODUCT") for vectors in (False, True)
    ]
    assert all(first["asked"] == second["asked"] for first, second in zip(rows[::2], rows[1::2], strict=True))
    file = Path(f"{filled.removeprefix('sqlite:///')}.vectors")
    assert file.exists()
    down = run_successfully(*search, "--vectors", "http://127.0.0.1:1/v1/embeddings")
    assert "order" not in down.out
    assert "only words are compared: the model of search_vectors at http://127.0.0.1:1/v1/embeddings does not answer" in down.err
    assert file.exists()
    refused = run_command(*search, "--vectors", "http://user:secret@models/v1/embeddings")
    assert refused.code == 2
    assert "secret" not in refused.err
    refused = run_command(*search, "--vectors", "llama")
    assert refused.code == 2
    assert "search_vectors" in refused.err
    assert run_command("search", "x", "--vectors", "wordllama", "--server", "http://127.0.0.1:1").code == 2
