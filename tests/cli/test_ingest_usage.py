"""`meshline ingest usage`, and what impact and checks state of it; through a server, too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.cli.command import run_command, run_successfully


def test_readers_are_named_with_their_last_read(filled: str, tmp_path: Path) -> None:
    old = (datetime.now(UTC) - timedelta(days=400)).date()
    new = (datetime.now(UTC) - timedelta(days=3)).date()
    (tmp_path / "usage.csv").write_text(
        f"user,dataset,columns,count,day\nsam,customers.customers,email,7,{old}\nsvc-desk,customers.customers,email;full_name,2,{new}\n",
        "utf-8",
    )
    done = run_successfully("ingest", "usage", tmp_path / "usage.csv", "--reader", "svc-*=support-desk", "--store", filled)
    assert "usage/default: 2 of 2 statements read" in done.err + done.out
    shown = run_successfully("impact", "customers.email", "--store", filled).out
    assert f"customers.customers (email); last read {old} (400 days ago), 7 reads since {old}" in shown
    assert f"customers.customers (email); last read {new}, 2 reads since {new}" in shown
    checked = run_command("check", "change", "drop customers.customers.email", "--store", filled).out
    assert f"last read {old}" in checked
    as_markdown = run_command("check", "change", "drop customers.customers.email", "--format", "markdown", "--store", filled).out
    assert f"directly, last read {old}" in as_markdown
    repeated = run_successfully("ingest", "usage", tmp_path / "usage.csv", "--reader", "svc-*=support-desk", "--store", filled)
    assert "2 unchanged" in repeated.err + repeated.out


def test_what_cannot_be_used_is_named(filled: str, tmp_path: Path) -> None:
    (tmp_path / "usage.ndjson").write_text('{"user": "a", "dataset": "customers.customers"}\n', "utf-8")
    done = run_command("ingest", "usage", tmp_path / "usage.ndjson", "--store", filled)
    assert done.code == 1
    assert "usage.ndjson:1: the record has no time; accepted is a day, or first and last" in done.err
    assert run_command("ingest", "usage", tmp_path / "usage.ndjson", "--reader", "x", "--store", filled).code == 2
    absent = run_command("ingest", "usage", tmp_path / "absent.csv", "--store", filled)
    assert absent.code != 0
    assert "no file matches" in absent.err
