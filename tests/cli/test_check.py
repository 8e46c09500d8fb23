"""`meshline check`: exit codes, files, formats, and that nothing goes wrong quietly."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from meshline.governance.report_formats import Format
from tests.cli.command import EXAMPLE, find_executable, run_command
from tests.cli.test_server import run_server
from tests.forked_program import find_program

CONTRACT = (EXAMPLE / "contracts" / "campaign_audience.odcs.yaml").read_text("utf-8")
DROPPED = "".join(line for line in CONTRACT.splitlines(keepends=True) if "name: email" not in line and ".email" not in line)
MORE = CONTRACT.replace("team:\n", "      - { name: language, logicalType: string }\nteam:\n")
COMPATIBLE, BREAKING = "add customers.customers.nickname string", "drop customers.customers.email"
CONDITIONAL = "require customers.customers.phone_number"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MESHLINE_STORE", raising=False)
    return tmp_path


@pytest.fixture
def contracts(here: Path) -> tuple[Path, Path]:
    """Two versions; the new one drops `email`."""
    for name, text in (("old.yaml", CONTRACT), ("new.yaml", DROPPED)):
        (here / name).write_text(text, "utf-8")
    return here / "old.yaml", here / "new.yaml"


def format_waiver(fingerprint: str, days: int = 30) -> str:
    expires = datetime.now(UTC).date() + timedelta(days)
    return f"- fingerprint: '{fingerprint}'\n  reason: agreed\n  approver: ann\n  expires: {expires}\n"


# -- exit codes


@pytest.mark.parametrize(
    ("change", "fail_on", "code"),
    [
        (COMPATIBLE, "breaking", 0),
        (COMPATIBLE, "conditional", 0),
        (COMPATIBLE, "none", 0),
        (CONDITIONAL, "breaking", 0),
        (CONDITIONAL, "conditional", 1),
        (CONDITIONAL, "none", 0),
        (BREAKING, "breaking", 1),
        (BREAKING, "conditional", 1),
        (BREAKING, "none", 0),
    ],
)
@pytest.mark.usefixtures("here")
def test_verdicts_and_exit_codes(example: str, change: str, fail_on: str, code: int) -> None:
    ran = run_command("check", "change", change, "--fail-on", fail_on, "--store", example)
    assert ran.code == code, ran
    assert ran.out.splitlines()[1].startswith("Passed" if code == 0 else "Failed")


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["check", "nothing"],
        ["check", "change"],
        ["check", "contract"],
        ["check", "dbt", "old"],
        ["check", "change", BREAKING, "--mode", "loose"],
        ["check", "change", BREAKING, "--format", "pdf"],
        ["check", "change", BREAKING, "--fail-on", "all"],
        ["check", "change", BREAKING, "--since", "yesterday"],
        ["check", "--mode", "usage", "change", BREAKING],
        ["check", "--git"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_2(here: Path, arguments: list[str]) -> None:
    del here
    assert run_command(*arguments).code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["change", BREAKING], "there is no store at"),
        (["change", BREAKING, "--store", "sqlite:///away.db"], "there is no store at away.db"),
        (["change", BREAKING, "--store", "nosuch://store"], ""),
        (["change", BREAKING, "--server", "http://127.0.0.1:1"], "no answer from http://127.0.0.1:1"),
        (["change", BREAKING, "--server", "127.0.0.1"], "--server: found '127.0.0.1'"),
        (["change", BREAKING, "--no-graph", "--store", "sqlite:///x.db"], "--no-graph: uses no store"),
        (["change", BREAKING, "--no-graph", "--mode", "usage"], "--no-graph: usage is known from a graph"),
        (["change", BREAKING, "--no-graph", "--policies", "p.yaml"], "--no-graph: policies are about a graph"),
        (["contract", "away.yaml"], "away.yaml: the file cannot be read: No such file or directory"),
        (["contract", "-", "-"], "both versions cannot come from standard input"),
        (["--git", "main"], ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_undecided_check_is_exit_code_2(here: Path, arguments: list[str], message: str) -> None:
    ran = run_command("check", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not list(here.glob("*.db"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["change", "drop customers.customers.nothing"], "nothing"),
        (["change", "frobnicate customers.customers.email"], "frobnicate"),
        (["change", BREAKING, "--waivers", "away.yaml"], "away.yaml: the file cannot be read"),
        (["change", BREAKING, "--policies", "away"], "away: the file cannot be read"),
        (["change", BREAKING, "--policies", "."], "there are no files"),
        (["change", BREAKING, "--output", "away/report.txt"], "away/report.txt: cannot be written"),
        (["change", BREAKING, "--also", "sarif=away/report.sarif"], "away/report.sarif: cannot be written"),
        (["change", BREAKING, "--also", "pdf=x"], "--also: found 'pdf=x'; accepted is FORMAT=FILE"),
        (["change", BREAKING, "--also", "sarif"], "--also: found 'sarif'"),
        (["change", COMPATIBLE, "--output", "/dev/full"], "/dev/full"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("here")
def test_bad_input_and_output_is_2_with_a_store_too(example: str, arguments: list[str], message: str) -> None:
    ran = run_command("check", *arguments, "--store", example)
    assert ran.code == 2, ran
    assert message in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("text", [b"\xff", b"", b"- 1", b"a: [", b"a: b", b"{" * 100, b"\0"])
@pytest.mark.parametrize("kind", ["contract", "product"])
def test_a_file_that_is_none_is_2(here: Path, example: str, kind: str, text: bytes) -> None:
    (here / "x.yaml").write_bytes(text)
    ran = run_command("check", kind, "x.yaml", "--store", example)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("meshline: x.yaml")


def test_a_store_that_is_none_is_2(here: Path) -> None:
    (here / "x.db").write_bytes(b"no store" * 1000)
    ran = run_command("check", "change", BREAKING, "--store", "sqlite:///x.db")
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err


@pytest.mark.usefixtures("here")
def test_a_server_that_is_another_program_is_named_as_such() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as other:  # answers each POST with 501
        threading.Thread(target=other.serve_forever).start()
        ran = run_command("check", "change", BREAKING, "--server", f"http://127.0.0.1:{other.server_port}")
        other.shutdown()
    assert ran.code == 2
    assert "does not answer like meshline (HTTP status 501): is another program there?" in ran.err


@pytest.mark.usefixtures("here")
def test_a_server_that_is_none_is_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        client = subprocess.Popen(
            [find_program(), "check", "change", BREAKING, "--server", f"http://127.0.0.1:{port}"], stderr=subprocess.PIPE, text=True
        )
        connection, _ = deaf.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        connection.close()
        _, err = client.communicate(timeout=60)
    assert client.returncode == 2
    assert "does not answer like meshline" in err


def test_a_crash_is_2(example: str, here: Path) -> None:
    """Also one while modules are imported."""
    for module in ("meshline.app.check", "meshline.governance.report_formats.presentation"):
        code = f"import sys; sys.modules[{module!r}] = None; from meshline.cli import main; main(sys.argv[1:])"
        command = [sys.executable, "-c", code, "check", "change", COMPATIBLE, "--store", example]
        ran = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout) == (2, ""), ran
        assert "the check could not be decided; this is a defect of meshline" in ran.stderr


@pytest.mark.parametrize("change", [BREAKING, COMPATIBLE])
def test_a_reader_that_goes_away_is_2(example: str, here: Path, change: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [find_executable(), "check", "change", change, "--store", example],
        cwd=here,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert ran.returncode == 2, ran
    assert "Traceback" not in ran.stderr
    assert "Exception ignored" not in ran.stderr


def test_a_full_disk_is_2(example: str, here: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [find_executable(), "check", "change", COMPATIBLE, "--store", example],
            cwd=here,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ran.returncode == 2, ran


def test_an_interrupt_is_130(here: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell has begun these tests without interrupts
        client = subprocess.Popen([find_executable(), "check", "change", BREAKING, "--server", address], cwd=here, stderr=subprocess.PIPE)
        signal.signal(signal.SIGINT, usual)
        connection, _ = deaf.accept()
        time.sleep(0.2)
        client.send_signal(signal.SIGINT)
        _, err = client.communicate(timeout=60)
        connection.close()
    assert client.returncode == 130, err
    assert b"Traceback" not in err


# -- what is compared


def test_two_contracts(example: str, contracts: tuple[Path, Path]) -> None:
    ran = run_command("check", "contract", *contracts, "--store", example)
    assert ran.code == 1
    assert ran.out.startswith("BREAKING: contract campaign-audience-contract-v1, model campaign_audience: `email` is removed")
    assert run_command("check", "contract", contracts[0], contracts[0], "--store", example).code == 0
    (contracts[1]).write_text(MORE, "utf-8")
    assert run_command("check", "contract", *contracts, "--store", example, "--fail-on", "conditional").code == 0


def test_one_of_them_from_standard_input(example: str, contracts: tuple[Path, Path]) -> None:
    old, new = contracts
    for arguments, text in ((["-", str(new)], CONTRACT), ([str(old), "-"], DROPPED)):
        command = [find_program(), "check", "contract", *arguments, "--store", example, "--format", "json"]
        ran = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert ran.returncode == 1, ran
        assert "column-removed" in [finding["rule"] for finding in json.loads(ran.stdout)["findings"]]


def test_one_contract_is_compared_with_what_the_graph_knows(here: Path) -> None:
    (here / "old.yaml").write_text(CONTRACT, "utf-8")
    (here / "new.yaml").write_text(DROPPED, "utf-8")
    assert run_command("ingest", "contract", "old.yaml").code == 0
    assert run_command("check", "contract", "old.yaml").code == 0
    ran = run_command("check", "contract", "new.yaml", "--format", "json")
    assert ran.code == 1
    assert "column-removed" in ran.out


def test_without_a_graph_the_rules_alone_decide(contracts: tuple[Path, Path]) -> None:
    ran = run_command("check", "contract", *contracts, "--no-graph")
    assert ran.code == 1
    assert "consumers were not checked (--no-graph)" in ran.out.splitlines()[0]
    assert "no consumer is" not in ran.out
    same = run_command("check", "contract", contracts[0], contracts[0], "--no-graph")
    assert same.code == 0
    assert same.out.startswith("COMPATIBLE: nothing that matters has changed (1 input compared); consumers were not checked (--no-graph).")
    assert "  ! Consumers were not checked (--no-graph): who is hit, and by which path, is unknown.\n" in same.out
    found = run_command("check", "contract", contracts[0], contracts[0], "--no-graph", "--format", "json").json
    assert (found["consumersChecked"], found["warnings"]) == (False, [])


@pytest.mark.parametrize("kind", ["contract", "product", "schema", "ddl", "change"])
def test_one_version_without_a_graph_is_compared_with_nothing(here: Path, kind: str) -> None:
    (here / "new.yaml").write_text(CONTRACT, "utf-8")
    ran = run_command("check", kind, "new.yaml", "--no-graph")
    assert ran.code == 2
    assert "--no-graph: there is no graph to compare one version with: give the old version as well" in ran.err


def format_avro(name: str, *fields: str) -> str:
    return json.dumps({"type": "record", "name": name, "fields": [{"name": one, "type": "string"} for one in fields]})


def test_the_dataset_of_two_schemas_is_a_label_where_there_is_no_graph(here: Path) -> None:
    (here / "old.avsc").write_text(format_avro("o", "a"), "utf-8")
    (here / "new.avsc").write_text(format_avro("o"), "utf-8")
    ran = run_command("check", "schema", "old.avsc", "new.avsc", "--dataset", "shop.orders", "--no-graph")
    assert ran.code == 1
    assert ran.out.startswith("BREAKING: table shop.orders: `a` is removed; consumers were not checked (--no-graph).")
    assert "--dataset" not in run_command("check", "schema", "old.avsc", "new.avsc", "--no-graph").out
    (here / "new.avsc").write_text(format_avro("p", "a"), "utf-8")  # readers depend on the name of the record, whatever the label
    assert "`o` is renamed to `p`" in run_command("check", "schema", "old.avsc", "new.avsc", "--dataset", "shop.orders", "--no-graph").out


def test_two_schemas_that_the_graph_does_not_know_have_unknown_consumers(example: str, here: Path) -> None:
    (here / "old.avsc").write_text(format_avro("o_that_is_nowhere", "a"), "utf-8")
    (here / "new.avsc").write_text(format_avro("o_that_is_nowhere"), "utf-8")
    ran = run_command("check", "schema", "old.avsc", "new.avsc", "--store", example)
    assert ran.out.splitlines()[0].endswith("; consumers of table o_that_is_nowhere are unknown.")
    assert "  ! Cannot match this schema to a dataset, so consumers are unknown. Pass --dataset." in ran.out
    assert run_command("check", "schema", "old.avsc", "new.avsc", "--dataset", "o_nowhere", "--store", example).code == 2


def test_a_type_that_is_no_type_is_a_warning(example: str, here: Path) -> None:
    del here
    ran = run_command("check", "change", "retype customers.customers.email to blob type", "--store", example)
    assert "the type 'blob type' of email is unknown (blob type): check its spelling" in ran.out
    ran = run_command(
        "check", "change", "add customers.customers.nickname struct<a: strnig, b: map<string, decimal(9, 2)>>", "--store", example
    )
    assert "is unknown (strnig): check its spelling" in ran.out
    ran = run_command("check", "change", "add customers.customers.nickname timestamp(3) with time zone", "--store", example)
    assert "is unknown" not in ran.out


def test_several_changes_are_one_check(example: str, here: Path) -> None:
    del here
    ran = run_command("check", "change", BREAKING, COMPATIBLE, "--store", example, "--format", "json")
    assert {finding["rule"] for finding in json.loads(ran.out)["findings"]} == {"column-removed", "column-added"}


# -- how it is written


@pytest.mark.parametrize("form", list(Format))
def test_every_format_to_a_file_is_what_is_written_to_standard_output(example: str, here: Path, form: Format) -> None:
    ran = run_command("check", "change", BREAKING, "--format", form, "--store", example)
    other = run_command("check", "change", BREAKING, "--format", form, "--store", example, "--output", "report")
    assert (ran.code, other.code, other.out) == (1, 1, "")
    assert (here / "report").read_text("utf-8") == ran.out


def test_one_check_is_written_in_several_formats(example: str, here: Path) -> None:
    ran = run_command(
        "check", "change", BREAKING, "--format", "github", "--also", "markdown=comment.md", "--also", "sarif=m.sarif", "--store", example
    )
    assert ran.code == 1
    assert ran.out.startswith("::error ")
    assert (here / "comment.md").read_text("utf-8").splitlines()[1].startswith("### BREAKING: ")
    assert json.loads((here / "m.sarif").read_bytes())["version"] == "2.1.0"


# -- waivers


def find_fingerprint(example: str) -> str:
    (found,) = json.loads(run_command("check", "change", BREAKING, "--format", "json", "--store", example).out)["findings"]
    return str(found["fingerprint"])


@pytest.mark.parametrize("name", ["meshline-waivers.yaml", "mine.yaml"])
def test_a_waiver_lets_it_pass_and_stays_in_the_report(example: str, here: Path, name: str) -> None:
    (here / name).write_text(format_waiver(find_fingerprint(example)), "utf-8")
    ran = run_command("check", "change", BREAKING, "--store", example, *(["--waivers", name] if name == "mine.yaml" else []))
    assert ran.code == 0, ran
    assert "WAIVED (breaking)" in ran.out
    assert "waived by ann until" in ran.out


def test_an_expired_waiver_and_an_unused_one_are_findings(example: str, here: Path) -> None:
    (here / "meshline-waivers.yaml").write_text(format_waiver(find_fingerprint(example), -1) + format_waiver("f" * 16), "utf-8")
    ran = run_command("check", "change", BREAKING, "--store", example)
    assert ran.code == 1
    assert "waiver-expired" in ran.out
    assert "waiver-unused" in ran.out
    assert run_command("check", "change", COMPATIBLE, "--store", example).code == 0
    assert run_command("check", "change", COMPATIBLE, "--store", example, "--fail-on", "conditional").code == 1


def test_a_waiver_file_that_cannot_be_used_is_2(example: str, here: Path) -> None:
    (here / "meshline-waivers.yaml").write_text(format_waiver(find_fingerprint(example), 400), "utf-8")
    ran = run_command("check", "change", COMPATIBLE, "--store", example)
    assert (ran.code, ran.out) == (2, "")
    assert "meshline-waivers.yaml:4: expires: " in ran.err
    assert "more than a year ahead" in ran.err


# -- a server


@pytest.fixture(scope="module")
def served(example: str) -> Iterator[str]:
    with run_server("serve", "--store", example) as address:
        yield address


@pytest.mark.parametrize("form", list(Format))
def test_a_store_and_a_server_give_the_same_bytes(example: str, served: str, contracts: tuple[Path, Path], form: Format) -> None:
    (Path("meshline-waivers.yaml")).write_text(format_waiver("a" * 16), "utf-8")
    for asked in (["change", BREAKING], ["contract", *map(str, contracts)], ["change", COMPATIBLE]):
        options = ["--format", form, "--since", "2026-03-01"]
        local = run_command("check", *asked, *options, "--store", example)
        remote = run_command("check", *asked, *options, "--server", served)
        assert local.code == remote.code
        assert local.out == remote.out
        assert local.out


@pytest.mark.usefixtures("here")
def test_a_refusal_of_the_server_is_exit_code_2(served: str) -> None:
    ran = run_command("check", "change", "drop customers.customers.nothing", "--server", served)
    assert (ran.code, ran.out) == (2, "")
    assert "nothing" in ran.err


# -- modes of compatibility, and Protobuf


def write_versions(here: Path) -> None:
    fields = '{"name": "a", "type": "int"}', '{"name": "b", "type": "int", "default": 0}', '{"name": "c", "type": "int"}'
    for name, some in (("v1", (0, 2)), ("v2", (0,)), ("v3", (0, 1)), ("v4", (0, 1, 2))):
        (here / f"{name}.avsc").write_text(f'{{"type": "record", "name": "o", "fields": [{", ".join(fields[one] for one in some)}]}}')


@pytest.mark.parametrize(
    ("old", "new", "mode", "code"),
    [
        ("v2", "v3", "BACKWARD", 0),
        ("v2", "v3", "full", 0),
        ("v3", "v4", "BACKWARD", 1),
        ("v3", "v4", "FORWARD", 0),
        ("v3", "v4", "FULL", 1),
        ("v3", "v4", "NONE", 0),
        ("v3", "v2", "FORWARD_TRANSITIVE", 0),
    ],
)
def test_a_mode_of_compatibility_decides(here: Path, old: str, new: str, mode: str, code: int) -> None:
    write_versions(here)
    ran = run_command("check", "schema", f"{old}.avsc", f"{new}.avsc", "--compatibility", mode, "--no-graph")
    assert (ran.code, ran.err) == (code, "")
    assert f"compatibility {mode.upper()}, fails on breaking" in ran.out.splitlines()[1]


def test_a_transitive_mode_compares_with_every_version(here: Path) -> None:
    write_versions(here)
    command = "check", "schema", "v2.avsc", "v3.avsc", "--no-graph", "--compatibility"
    assert run_command(*command, "FORWARD_TRANSITIVE").code == 0
    ran = run_command(*command, "FORWARD_TRANSITIVE", "--earlier", "v1.avsc", "--format", "json")
    assert ran.code == 1
    assert (ran.json["compatibility"], ran.json["checked"]) == ("FORWARD_TRANSITIVE", 2)
    for form, text in (("junit", 'name="compatibility" value="FORWARD_TRANSITIVE"'), ("sarif", '"compatibility": "FORWARD_TRANSITIVE"')):
        assert text in run_command(*command, "FORWARD_TRANSITIVE", "--earlier", "v1.avsc", "--format", form).out
    assert [(one["rule"], one["verdict"]) for one in ran.json["findings"]] == [  # type: ignore[index, call-overload, union-attr]
        ("column-removed", "breaking"),
        ("column-with-default-added", "compatible"),
    ]
    assert "A reader of the old schema cannot read new data" in ran.json["findings"][0]["reason"]  # type: ignore[index, call-overload, operator]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["v1.avsc", "v2.avsc", "--compatibility", "BACKWARD", "--earlier", "v3.avsc"], "--earlier: only a transitive mode"),
        (["v1.avsc", "v2.avsc", "--earlier", "v3.avsc"], "--earlier: only a transitive mode"),
        (["v1.avsc", "--compatibility", "BACKWARD"], "--compatibility: needs two versions"),
        (["a.json", "b.json", "--compatibility", "BACKWARD"], "compatibility: it is for schemas of Avro and Protobuf"),
        (["-", "v2.avsc", "--compatibility", "FULL_TRANSITIVE", "--earlier", "v1.avsc"], "-: of more than two versions none"),
        (["v1.avsc", "v2.avsc", "--message", "A"], "--message: is for files of Protobuf"),
    ],
)
def test_a_mode_that_has_no_meaning_is_refused(here: Path, arguments: list[str], message: str) -> None:
    write_versions(here)
    for name in ("a", "b"):
        (here / f"{name}.json").write_text('{"type": "object", "properties": {"a": {"type": "string"}}}')
    ran = run_command("check", "schema", *arguments, "--no-graph")
    assert (ran.code, message in ran.err) == (2, True), ran.err


def test_two_folders_of_protobuf(here: Path) -> None:
    for name, more in (("old", "bool gift = 2;"), ("new", "")):
        (here / name / "shop").mkdir(parents=True)
        (here / name / "shop" / "item.proto").write_text(f'syntax = "proto3"; package shop; message Item {{ int32 sku = 1; {more} }}')
        (here / name / "shop" / "order.proto").write_text(
            'syntax = "proto3"; package shop; import "shop/item.proto"; message Order { repeated Item items = 1; }'
        )
    for given in (("old", "new"), ("old/shop/order.proto", "new/shop/order.proto")):
        ran = run_command("check", "schema", *given, "--no-graph")
        assert ran.code == 1
        assert ran.out.startswith("BREAKING: table shop.Order: `items.element.gift` is removed")
        assert "new/shop/order.proto:1" in ran.out
    for mode, code in (("BACKWARD", 0), ("FORWARD", 0)):
        assert run_command("check", "schema", "old", "new", "--no-graph", "--compatibility", mode).code == code
