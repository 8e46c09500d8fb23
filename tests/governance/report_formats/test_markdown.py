"""The comment on a pull request: what a Markdown reader makes of it."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from meshline.governance.report_formats.markdown import LIMIT, MARK, format_code, format_prose, format_row, render_markdown
from tests.governance.report_formats.made import HOSTILE, build_finding, build_full_report, build_hit, build_large_report, build_report
from tests.sizes import count_examples

GITHUB = 65_536
_CODE = re.compile(r"<code>.*?</code>", re.DOTALL)
_OURS = re.compile(r"</?(h3|p|ul|li|strong|code|table|thead|tbody|tr|th|td|details|summary)>|<!-- meshline check -->")


def render_html(text: str) -> str:
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:24])
def test_names_stay_names(name: str) -> None:
    output = render_html(render_markdown(build_full_report(name)))
    plain = _CODE.sub("", output)
    assert "<" not in _OURS.sub("", output), output
    assert not re.search(r"[@#][A-Za-z0-9]|://\w|www\.", plain), plain
    for table in re.findall(r"<table>.*?</table>", output, re.DOTALL):
        assert {len(re.findall(r"<t[hd]>", line)) for line in table.split("<tr>")[1:]} in ({4}, {3}), table


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.isprintable() and name.strip() and len(name) < 50])
def test_a_name_is_rendered_unchanged(name: str) -> None:
    shown = re.sub(r"</?(p|code)>|\u200b|\n", "", render_html(format_code(name)))
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        shown = shown.replace(entity, sign)
    assert shown == name
    output = re.sub(r"</?(p|code)>|\u200b|\n", "", render_html(format_prose(name.replace("`", "'"))))
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        output = output.replace(entity, sign)
    assert output == name.replace("`", "'")


@given(st.text(st.sampled_from("`\\|*_<>[]()!#@&$~:/.-+= ab1\n\t") | st.characters(), max_size=30))
@settings(max_examples=count_examples(500), deadline=None)
def test_no_text_becomes_markup(text: str) -> None:
    table = "| a | b |\n| --- | --- |\n" + format_row(format_code(text), f"x{format_prose(text)}x")
    plain = _CODE.sub("", render_html(f"- x{format_prose(text)}x and {format_code(text)}\n\n{table}\n"))
    assert "<" not in _OURS.sub("", plain), plain
    assert plain.count("</td>") == 2


@pytest.mark.parametrize("name", ["|", "\\|", "\\\\|", "\\\\\\|", "a|b|c", "\\", "`|`"])
def test_no_name_ends_a_cell(name: str) -> None:
    for cell in (format_code(name), format_prose(name)):
        table = "| a | b |\n| --- | --- |\n" + format_row(cell, "end")
        assert render_html(table).endswith("<td>end</td>\n</tr>\n</tbody>\n</table>\n")


def test_the_verdict_is_the_first_line_with_its_reason() -> None:
    first = render_markdown(build_report(build_finding(hits=(build_hit("mailer"), build_hit("bi", masked=True))))).splitlines()
    assert first[0] == MARK
    assert first[1] == "### BREAKING: table a.customers: `email` is removed; 2 consumers hit, 1 of them by masked values only."


def test_affected_consumers_are_listed_by_owner() -> None:
    output = render_markdown(
        build_report(
            build_finding(hits=(build_hit("mailer", owner="ann"), build_hit("bi", masked=True, owner="bob"), build_hit("ann's", owner="")))
        )
    )
    rows = [line for line in output.splitlines() if line.startswith(("| `", "| no known"))]
    assert rows == [
        "| no known owner |  | `ann's` (directly) | **breaking** |",
        "| `ann` |  | `mailer` (directly) | **breaking** |",
        "| `bob` |  | `bi` (directly, masked) | **breaking** |",
    ]


def test_paths_are_folded() -> None:
    output = render_markdown(build_report(build_finding(hits=(build_hit("mailer"),))))
    folded = re.findall(r"<details>.*?</details>", output, re.DOTALL)
    assert any("`a.customers.email > b.t.mail` by `nightly`" in part for part in folded)
    assert "b.t.mail" not in re.sub(r"<details>.*?</details>", "", output, flags=re.DOTALL)


def test_zero_findings() -> None:
    assert render_markdown(build_report()).splitlines()[1] == "### COMPATIBLE: nothing that matters has changed (1 input compared)."


@pytest.mark.parametrize(("findings", "hits"), [(10_000, 20), (10_000, 0), (3, 5_000), (500, 500)])
def test_a_report_of_any_size_fits_the_limit_and_counts_what_is_left_out(findings: int, hits: int) -> None:
    made = build_large_report(findings, hits)
    begun = time.thread_time()
    output = render_markdown(made)
    assert time.thread_time() - begun < 10  # about 1 s
    assert len(output.encode("utf-16-le")) // 2 <= LIMIT < GITHUB
    assert output.count("<details>") == output.count("</details>")
    if findings == 10_000:
        shown = output.count("fingerprint `")
        assert f"and {findings - shown:,} more: `--format json` has all." in output
    assert "warning 0" in output


@pytest.mark.parametrize("sign", ["x", "🙂", "|", "`", "<", "@"])
def test_long_names_fit(sign: str) -> None:
    made = build_full_report(sign * 5_000)
    many = build_report(*made.findings * 2_000, notify=made.notify * 2_000, warnings=made.warnings * 2_000)
    assert len(render_markdown(many).encode("utf-16-le")) // 2 < GITHUB
