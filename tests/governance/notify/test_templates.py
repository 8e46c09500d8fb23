"""Messages: by templates that a person may replace, and in which no name calls, links or marks up."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshline.errors import InvalidInput
from meshline.governance.notify.messages import FIELDS, load_templates
from tests.governance.notify.sending import build_body


def test_the_plain_message() -> None:
    message = load_templates().build_message([build_body(safe="Deprecate it first.")], markdown=False)
    assert message.title == "[meshline] wh/sales.orders: 1 notice for team:finance"
    assert message.body.startswith("Hello team:finance,\n")
    assert (
        "* breaking: `email` is removed\n"
        "  in wh/sales.orders, since 2023-11-14 22:13 UTC (column-removed, f1); source: iceberg/lake\n"
        "  Every query that reads it fails. Deprecate it first.\n"
        "  Your affected assets: wh/fin.revenue" in message.body
    )


def test_a_long_list_is_counted() -> None:
    many = [
        build_body(fingerprint=f"f{n}", text=f"`c{n}` is removed", assets=tuple(f"t{m}" for m in range(30)), more=5) for n in range(150)
    ]
    message = load_templates().build_message(many, markdown=False)
    assert message.body.count("is removed") == 100
    assert "and 50 more" in message.body
    assert "t9 and 25 more" in message.body


@pytest.mark.parametrize("markdown", [False, True])
@pytest.mark.parametrize(
    "name", ["<!channel>", "@everyone", "<@U123>", "a\r\nBcc: x@y.org", "\x1b[31m", "[x](http://e.org)", "<img src=x>", "$receiver"]
)
def test_a_name_stays_a_name(name: str, markdown: bool) -> None:  # noqa: FBT001
    message = load_templates().build_message([build_body(name, subject=name, text=f"{name} is removed", assets=(name,))], markdown=markdown)
    for text in (message.title, message.body):
        assert "<!channel>" not in text
        assert "<@U123>" not in text
        assert "@everyone" not in text
        assert "\x1b" not in text
        assert "\r" not in text
    assert "\n" not in message.title
    if markdown:
        assert "[x](http" not in message.body
        assert "<img" not in message.body.replace("\\<img", "")


def test_templates_of_a_folder_go_before(tmp_path: Path) -> None:
    (tmp_path / "title.txt").write_text("$count, $breaking of them break; it costs $$5")
    (tmp_path / "item.txt").write_text("- $rule $subject")
    message = load_templates(tmp_path).build_message([build_body()], markdown=False)
    assert message.title == "1 notice, 1 of them break; it costs $5"
    assert "- column-removed wh/sales.orders" in message.body


@pytest.mark.parametrize(
    ("name", "text", "refused"),
    [
        ("title.txt", "a\n$unknown", r"title\.txt:2: found \$unknown; accepted: \$breaking, "),
        ("title.txt", "$items", r"title\.txt:1: found \$items"),
        ("item.md", "costs $5", r"item\.md:1: found a \$ that names nothing"),
        ("item.md", "${receiver.__class__}", r"item\.md:1: found a \$ that names nothing"),
        ("mail.txt", "", r"found mail\.txt; accepted: title\.txt"),
        ("message.txt", "x" * 20_001, "at most 20000 characters"),
    ],
)
def test_an_error_in_a_template_is_named(tmp_path: Path, name: str, text: str, refused: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInput, match=refused):
        load_templates(tmp_path)


def test_all_fields_may_be_used(tmp_path: Path) -> None:
    for name, fields in FIELDS.items():
        (tmp_path / name).write_text(" ".join(f"${field}" for field in sorted(fields)))
    for markdown in (False, True):
        assert "column-removed" in load_templates(tmp_path).build_message([build_body()], markdown=markdown).body
