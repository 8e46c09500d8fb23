"""`meshline comment`: one comment for each request, whatever is there already."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.cli.comment import CUT, cut_text
from tests.cli.command import Ran, run_command
from tests.docs.comments import MARKER, Comment, CommentServer, run_comment_server

BREAKING, COMPATIBLE = f"{MARKER}\n### BREAKING: one\n", f"{MARKER}\n### COMPATIBLE: nothing\n"
VARIABLES = ("GITHUB_REPOSITORY", "GITHUB_API_URL", "GITHUB_TOKEN", "GITHUB_REF", "GITHUB_EVENT_PATH", "CI_API_V4_URL", "CI_PROJECT_ID")


@pytest.fixture(params=["github", "gitlab"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommentServer]:
    """The API of each, and the variables of its CI."""
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, "CI_MERGE_REQUEST_IID", "MESHLINE_COMMENT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with run_comment_server() as found:
        named = (
            {
                "GITHUB_REPOSITORY": "shop/orders",
                "GITHUB_API_URL": found.address,
                "GITHUB_TOKEN": "a-token",
                "GITHUB_REF": "refs/pull/7/merge",
            }
            if request.param == "github"
            else {"CI_API_V4_URL": found.address, "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "7", "MESHLINE_COMMENT_TOKEN": "a-token"}
        )
        for name, value in named.items():
            monkeypatch.setenv(name, value)
        yield found


def write(text: str, *arguments: str) -> Ran:
    Path("report.md").write_text(text, "utf-8")
    return run_command("comment", "report.md", *arguments)


def test_one_comment_is_written_and_replaced(server: CommentServer) -> None:
    assert write(COMPATIBLE).out == "There is no comment: nothing was found.\n"
    assert write(BREAKING).out == "The comment is written.\n"
    assert write(BREAKING).out == "The comment is up to date.\n"
    assert write(COMPATIBLE).out == "The comment is replaced.\n"
    assert [one.body for one in server.comments] == [COMPATIBLE]
    assert {path for _, path in server.calls} & {"/repos/shop/orders/issues/7/comments", "/projects/3/merge_requests/7/notes"}
    assert all(one.get("authorization") == "Bearer a-token" or one.get("private-token") == "a-token" for one in server.headers)


def test_it_is_found_among_many_and_not_confused_with_those_of_others(server: CommentServer) -> None:
    server.comments = [Comment(f"{number}") for number in range(250)]
    server.comments[3] = Comment(BREAKING, bot=False)  # a person who quotes it
    server.comments[5] = Comment(f"> {BREAKING}")
    server.comments[230] = Comment(BREAKING)
    assert write(COMPATIBLE).out == "The comment is replaced.\n"
    assert server.comments[230].body == COMPATIBLE
    assert (len(server.comments), server.comments[3].body) == (250, BREAKING)


def test_each_name_has_its_comment(server: CommentServer) -> None:
    for name in ("", "orders", "orders 2", "orders"):
        assert write(BREAKING, "--name", name).code == 0
    assert [one.body.splitlines()[0] for one in server.comments] == [
        MARKER,
        "<!-- meshline check: orders -->",
        "<!-- meshline check: orders 2 -->",
    ]
    refused = write(BREAKING, "--name", "--> x")
    assert (refused.code, "--name: accepted are" in refused.err) == (2, True)


def test_a_server_that_is_busy_is_asked_again(server: CommentServer) -> None:
    server.statuses = [502, 503]
    assert write(BREAKING).code == 0
    server.statuses = [503, 503, 503]
    ran = write(BREAKING)
    assert (ran.code, "503: later" in ran.err) == (2, True)


def test_a_refusal_is_2_and_does_not_show_the_token(server: CommentServer) -> None:
    server.refusing = True
    ran = write(BREAKING)
    assert ran.code == 2
    assert "403: Resource not accessible by integration; the token may not write comments here" in ran.err
    assert "a-token" not in ran.err


def test_number_is_that_of_the_event(tmp_path: Path, server: CommentServer, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "event.json").write_text(json.dumps({"pull_request": {"number": 12}}))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    assert write(BREAKING).code == 0
    assert write(BREAKING, "--number", "13").code == 0
    numbers = {path.split("/")[-2] for _, path in server.calls if path != "/user"} - {"comments"}
    assert numbers == ({"12", "13"} if "GITHUB_REPOSITORY" in os.environ else {"7", "13"})


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "this is no job of GitHub Actions or GitLab CI"),
        ({"GITHUB_REPOSITORY": "shop/orders"}, "GITHUB_TOKEN: it must be set"),
        ({"GITHUB_REPOSITORY": "shop/orders", "GITHUB_TOKEN": "a\nb"}, "GITHUB_TOKEN: it must be set"),
        ({"GITHUB_REPOSITORY": "../x", "GITHUB_TOKEN": "t"}, "GITHUB_REPOSITORY: found '../x'"),
        (
            {"GITHUB_REPOSITORY": "shop/orders", "GITHUB_TOKEN": "t", "GITHUB_REF": "refs/heads/main"},
            "GITHUB_REF: this job runs for no pull",
        ),
        (
            {"GITHUB_REPOSITORY": "shop/orders", "GITHUB_TOKEN": "t", "GITHUB_EVENT_PATH": "report.md"},
            "GITHUB_EVENT_PATH: it cannot be read",
        ),
        (
            {"CI_API_V4_URL": "http://x", "MESHLINE_COMMENT_TOKEN": "t", "CI_PROJECT_ID": "3"},
            "CI_MERGE_REQUEST_IID: this job runs for no merge",
        ),
        (
            {"CI_API_V4_URL": "http://[", "MESHLINE_COMMENT_TOKEN": "t", "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "1"},
            "which is no address",
        ),
        (
            {"GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t", "GITHUB_REF": "refs/pull/1/head", "GITHUB_API_URL": "http://127.0.0.1:1"},
            "no answer from GitHub",
        ),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, "CI_MERGE_REQUEST_IID", "MESHLINE_COMMENT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ran = write(BREAKING)
    assert (ran.code, message in ran.err) == (2, True), ran.err


@pytest.mark.parametrize("text", ["", "### BREAKING", "\x00"])
def test_only_a_report_is_written(server: CommentServer, text: str) -> None:
    ran = write(text)
    assert (ran.code, "this is no report in Markdown" in ran.err) == (2, True)
    assert server.calls == []


def test_a_report_that_is_too_long_is_cut(server: CommentServer) -> None:
    assert write(BREAKING + "a line 😀\n" * 200_000).code == 0
    (one,) = server.comments
    limit = 65_536 if "repos" in server.calls[0][1] else 1_000_000
    assert limit - 100 < len(one.body.encode("utf-16-le")) // 2 <= limit
    assert one.body.endswith(CUT)


@given(st.text(max_size=300), st.integers(len(CUT), 300))
def test_cut_text_is_whole_lines_of_it(text: str, length: int) -> None:
    found = cut_text(text, length)
    assert len(found.encode("utf-16-le", "surrogatepass")) // 2 <= length
    assert found == text or (text.startswith(found.removesuffix(CUT)) and found.endswith(CUT))
