"""Formats for programs: their readers must read them, whatever the names."""

from __future__ import annotations

import json
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import msgspec
import pytest
from junitparser import JUnitXml
from msgspec.structs import replace

from meshline.governance import report as as_json
from meshline.governance.report import Report, Waived
from meshline.governance.report_formats import Format, github, junit, render_report, sarif, text
from meshline.governance.rules import RULES
from tests.governance.report_formats.made import (
    HOSTILE,
    build_finding,
    build_full_report,
    build_hit,
    build_large_report,
    build_report,
    build_violation,
)

HERE = Path(__file__).parent
SARIF = json.loads((HERE / "sarif-schema-2.1.0.json").read_bytes())
WAIVED = Waived(reason="no job reads it", approver="ann", expires="2030-01-01")
names = pytest.mark.parametrize("name", [name for name in HOSTILE if "\ud800" not in name], ids=lambda name: ascii(name)[:24])


@pytest.mark.parametrize("form", list(Format))
@pytest.mark.parametrize("made", [build_report(), build_full_report(), build_large_report(300, 30)], ids=["nothing", "everything", "much"])
def test_every_format_is_utf8_and_the_same_every_time(form: Format, made: Report) -> None:
    output = render_report(made, form)
    assert output.decode("utf-8").endswith("\n")
    assert output == render_report(made, form)


@pytest.mark.parametrize("form", list(Format))
def test_every_format_names_the_producers_that_state_no_filters(form: Format) -> None:
    output = render_report(build_full_report(), form).decode("utf-8")
    if form is Format.JSON:
        assert json.loads(output)["completeness"]["silentProducers"] == ["AIRFLOW", "DBT"]
    else:
        assert "The producer of 3 jobs on the way" in output
        assert "states no filters or joins" in output
        assert "states no filters or joins" not in render_report(build_report(build_finding()), form).decode("utf-8")


@pytest.mark.parametrize("form", list(Format))
def test_ten_thousand_findings_are_written_quickly(form: Format) -> None:
    made = build_large_report()
    begun = time.thread_time()
    output = render_report(made, form)
    assert time.thread_time() - begun < 30  # 1 s to 8 s
    if form in (Format.TEXT, Format.GITHUB):
        assert len(output) < 500_000
        assert b" more" in output


# -- JSON


@names
def test_json_matches_its_schema_and_can_be_read_back(name: str) -> None:
    made = build_full_report(name)
    output = as_json.encode_report(made)
    assert msgspec.json.decode(output, type=Report) == made
    jsonschema.Draft202012Validator(json.loads(as_json.build_report_schema())).validate(json.loads(output))


def test_the_schema_names_all_fields_of_a_finding() -> None:
    schema = json.loads(as_json.build_report_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert {"fingerprint", "hits", "waived"} <= set(schema["$defs"]["Finding"]["properties"])
    output = json.loads(as_json.encode_report(build_report(build_finding())))
    output["findings"][0]["hits"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(output, schema)


# -- SARIF


@names
def test_sarif_is_valid(name: str) -> None:
    jsonschema.Draft4Validator(SARIF, format_checker=jsonschema.FormatChecker()).validate(
        json.loads(sarif.encode_sarif(build_full_report(name)))
    )


def test_sarif_states_the_finding_its_place_and_its_approver() -> None:
    made = build_report(
        build_finding(1, hits=(build_hit("mailer"),)),
        build_finding(2, waived=WAIVED),
        build_finding(3, "conditional", file=""),
        violations=(build_violation(),),
    )
    output = json.loads(sarif.encode_sarif(made))
    (run,) = output["runs"]
    first, third, policy, second = sorted(
        run["results"], key=lambda one: (bool(one["suppressions"]), one["partialFingerprints"]["meshline/v1"])
    )
    assert (first["ruleId"], first["level"]) == ("column-removed", "error")
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "contracts/customers.yaml"},
        "region": {"startLine": 12},
    }
    assert "Hits mailer (directly): a.customers.email > b.t.mail" in first["message"]["text"]
    assert first["suppressions"] == []
    assert second["suppressions"][0]["justification"] == "no job reads it (waived by ann until 2030-01-01)"
    assert "physicalLocation" not in third["locations"][0]
    assert policy["ruleId"] == "policy/pii-unmasked"
    rules = run["tool"]["driver"]["rules"]
    assert [rules[one["ruleIndex"]]["id"] for one in run["results"]] == [one["ruleId"] for one in run["results"]]
    assert RULES["column-removed"].safe in rules[0]["help"]["text"]


@pytest.mark.parametrize("rule", RULES)
def test_sarif_knows_every_rule(rule: str) -> None:
    output = json.loads(sarif.encode_sarif(build_report(build_finding(1, rule=rule))))
    jsonschema.validate(output, SARIF, cls=jsonschema.Draft4Validator)
    (known,) = output["runs"][0]["tool"]["driver"]["rules"]
    assert "{" not in known["shortDescription"]["text"]


# -- JUnit


@names
def test_junit_is_xml_with_a_case_for_each(name: str) -> None:
    output = junit.render_xml(build_full_report(name))
    ET.fromstring(output)
    (suite,) = JUnitXml.fromstring(output)
    assert (suite.tests, suite.failures, suite.skipped) == (5, 2, 1)


def test_junit_of_an_empty_report_is_a_passing_test() -> None:
    (suite,) = JUnitXml.fromstring(junit.render_xml(build_report()))
    assert (suite.tests, suite.failures) == (1, 0)


def test_junit_reports_failing_findings_as_failures() -> None:
    made = (build_finding(1), build_finding(2, "conditional"), build_finding(3, waived=WAIVED))
    for fail_on, failures in (("breaking", 1), ("conditional", 2), ("none", 0)):
        (suite,) = JUnitXml.fromstring(junit.render_xml(build_report(*made, fail_on=fail_on)))
        assert (suite.tests, suite.failures, suite.skipped) == (3, failures, 1)


# -- GitHub


def parse_command(line: str) -> tuple[str, dict[str, str], str]:
    """A command as the runner of GitHub Actions reads it."""
    _, head, data = line.split("::", 2)
    level, _, output = head.partition(" ")
    properties = dict(one.split("=", 1) for one in output.split(",")) if output else {}
    return level, {key: _unescape(value) for key, value in properties.items()}, _unescape(data)


def _unescape(value: str) -> str:
    for sign, escape in (("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C"), ("%", "%25")):
        value = value.replace(escape, sign)
    return value


def test_github_commands_point_to_the_line() -> None:
    made = build_report(
        build_finding(1, hits=(build_hit("mailer"),)),
        build_finding(2, "conditional"),
        build_finding(3, "compatible"),
        build_finding(4, waived=WAIVED),
    )
    found = [parse_command(line) for line in github.format_commands(made) if line.startswith("::")]
    assert [level for level, _, _ in found] == ["error", "warning", "notice"]
    _level, properties, message = found[0]
    assert properties == {"file": "contracts/customers.yaml", "line": "12", "title": "breaking: column-removed"}
    assert message.splitlines()[0] == "table a.customers: `email` is removed"
    assert "hits mailer (directly)" in message


@names
def test_github_runs_no_command_of_a_name(name: str) -> None:
    for line in github.format_commands(build_full_report(name)):
        assert "\n" not in line
        assert "\r" not in line
        if line.lstrip().startswith("::"):
            level, properties, message = parse_command(line)
            assert level in ("error", "warning", "notice")
            assert set(properties) <= {"file", "line", "title"}
            assert "%" not in line.replace("%25", "").replace("%0A", "").replace("%0D", "").replace("%3A", "").replace("%2C", "")
            assert message
        else:
            assert "##[" not in line


def test_github_shows_no_more_than_github_shows() -> None:
    lines = list(github.format_commands(build_large_report(300, 1)))
    assert sum(line.startswith("::error") for line in lines) == 10
    assert sum(line.startswith("::warning") for line in lines) == 10
    assert "and 90 more of the level error: --format json has all" in lines


# -- text


@names
def test_text_has_lines_of_one_line_that_begin_with_words_of_ours(name: str) -> None:
    for line in text.format_lines(build_full_report(name)):
        assert line.text.isprintable()
        assert not line.text.lstrip().startswith(("::", "##["))


def test_text_distinguishes_masked_from_unmasked() -> None:
    output = [
        line.text for line in text.format_lines(build_report(build_finding(hits=(build_hit("mailer"), build_hit("bi", masked=True)))))
    ]
    assert output[0].startswith("BREAKING: ")
    clear, masked = output.index("  hits"), output.index("  hits, masked")
    assert clear < next(n for n, line in enumerate(output) if "- mailer" in line) < masked
    assert masked < next(n for n, line in enumerate(output) if "- bi" in line)


def test_text_keeps_waived_findings() -> None:
    output = "\n".join(line.text for line in text.format_lines(build_report(build_finding(waived=WAIVED))))
    assert "WAIVED (breaking)  table a.customers: `email` is removed" in output
    assert "waived by ann until 2030-01-01: no job reads it" in output
    assert output.startswith("COMPATIBLE: 1 waived.\nPassed")


def test_an_asset_that_the_graph_does_not_contain_is_reported_as_unknown() -> None:
    output = [line.text for line in text.format_lines(build_report(build_finding(unknown=("a.b",))))]
    assert output[0].endswith("; consumers of table a.customers are unknown.")
    assert "  ! the graph does not contain a.b: its readers are unknown" in output


# -- consumers that were not asked


@pytest.mark.parametrize(
    "made",
    [build_report(), build_report(build_finding()), build_report(build_finding(waived=WAIVED)), build_full_report()],
    ids=["nothing", "one", "waived", "all"],
)
def test_the_first_line_of_a_report_without_a_graph_states_that_consumers_were_not_checked(made: Report) -> None:
    made = msgspec.structs.replace(made, consumers_checked=False, violations=(), waivers=())
    note = "consumers were not checked (--no-graph)"
    assert note in render_report(made, Format.TEXT).decode().splitlines()[0]
    assert note in render_report(made, Format.MARKDOWN).decode().splitlines()[1]
    commands = [line for line in render_report(made, Format.GITHUB).decode().splitlines() if line.startswith("::")]
    assert all(note in line.partition("%0A")[0] for line in commands)
    assert json.loads(render_report(made, Format.JSON))["consumersChecked"] is False
    run = json.loads(render_report(made, Format.SARIF))["runs"][0]
    assert run["properties"]["consumersChecked"] is False
    assert note in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    assert all(note in result["message"]["text"].splitlines()[0] for result in run["results"])
    suite = ET.fromstring(render_report(made, Format.JUNIT))
    assert [one.attrib["value"] for one in suite.iter("property") if one.attrib["name"] == "consumers"] == [note]
    assert all(note in one.attrib["message"] for one in suite.iter("failure"))


@pytest.mark.parametrize("form", list(Format))
def test_no_format_claims_that_no_consumer_is_hit_where_none_was_asked(form: Format) -> None:
    for made in (
        msgspec.structs.replace(build_report(build_finding()), consumers_checked=False),
        build_report(build_finding(unknown=("a.b",))),
    ):
        assert b"no consumer is" not in render_report(made, form)
        assert form is Format.JSON or b"onsumers" in render_report(made, form)


def test_flows_that_look_alike_are_listed_once() -> None:
    made = build_full_report()
    assert made.lineage is not None
    twice = replace(made, lineage=replace(made.lineage, flows=made.lineage.flows * 2))
    written = render_report(twice, Format.TEXT).decode()
    assert written.count("  added  ") == 1
    assert "2 flows added, 1 removed" in written
    assert "and 1 more" in written


@pytest.mark.parametrize("form", [Format.TEXT, Format.MARKDOWN, Format.GITHUB])
def test_the_first_line_counts_what_was_not_compared(form: Format) -> None:
    made = replace(build_report(), warnings=("a.json: patternProperties is not compared",))
    first = next(line for line in render_report(made, form).decode().splitlines() if "COMPATIBLE" in line)
    assert "COMPATIBLE: nothing that was compared has changed (1 input compared, 1 warning)" in first
