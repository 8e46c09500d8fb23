"""`meshline comment`: a report of a check as the one comment on a pull request of GitHub or a merge request of GitLab."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import typer

from meshline.errors import InvalidInput, MeshlineError

if TYPE_CHECKING:
    import httpx

MARKER = "<!-- meshline check -->"  # the first line of a report in Markdown, by which its comment is found again
SECONDS = 30.0  # to wait for each answer
PAGE = 100  # comments in one answer
MAX_PAGES = 100
MAX_BYTES = 4 * 2**20  # of a report
RETRIES = 2
GITHUB_LENGTH, GITLAB_LENGTH = 65_536, 1_000_000  # UTF-16 units and characters that a comment may have
CUT = "\n\nThe report is longer than a comment may be: the rest is in the log of the job.\n"

_NAME = re.compile(r"[A-Za-z0-9._/ ]{1,100}")


class CommentRefused(MeshlineError):
    """The comment cannot be written."""

    code = "COMMENT_REFUSED"


class Platform(Protocol):
    """Where comments are written."""

    length: int

    def list_own(self) -> Iterator[tuple[str, str]]:
        """(id, text) of the comments of the owner of the token."""

    def create(self, text: str) -> None:
        """Write a new comment."""

    def update(self, id_: str, text: str) -> None:
        """Replace the text of a comment."""


class Connection(NamedTuple):
    """An API. `client` has its address and token."""

    client: httpx.Client
    name: str

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of an answer. Raises CommentRefused."""
        import httpx

        answer: httpx.Response | None = None
        for attempt in range(RETRIES + 1):
            try:
                answer = self.client.request(method, path, **options)
            except httpx.HTTPError as error:
                if attempt == RETRIES or method == "POST":  # what was posted may have arrived
                    raise CommentRefused(f"no answer from {self.name}: {error}") from error
                continue
            if answer.status_code < 500 or method == "POST":
                break
        assert answer is not None
        if answer.is_error:
            found = f"{self.name} answers {method} {path} with {answer.status_code}: {_read_message(answer)}"
            raise CommentRefused(f"{found}{_explain_code(answer.status_code)}")
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise CommentRefused(f"{self.name} answers {method} {path} with something other than JSON") from error

    def list_pages(self, path: str) -> Iterator[Any]:
        """The items of all pages. Raises CommentRefused."""
        for page in range(1, MAX_PAGES + 1):
            found = self.call("GET", path, params={"per_page": PAGE, "page": page})
            if not isinstance(found, list):
                raise CommentRefused(f"{self.name} answers GET {path} with something other than a list")
            yield from (one for one in found if isinstance(one, dict))
            if len(found) < PAGE:
                return


def _read_message(answer: httpx.Response) -> str:
    try:
        found = answer.json()
    except ValueError:
        return answer.reason_phrase
    return (
        str(found.get("message") or found.get("error") or answer.reason_phrase)[:300] if isinstance(found, dict) else answer.reason_phrase
    )


def _explain_code(status: int) -> str:
    return "; the token may not write comments here (a pull request from a fork has none that may)" if status in (401, 403, 404) else ""


class GitHub:
    """Comments on a pull request. Those of bots are its own: with the marker, a bot of the repository has written them."""

    length = GITHUB_LENGTH

    def __init__(self, connection: Connection, repository: str, number: int) -> None:
        self._connection = connection
        self._repository = f"/repos/{repository}"
        self._comments = f"{self._repository}/issues/{number}/comments"

    def list_own(self) -> Iterator[tuple[str, str]]:
        for one in self._connection.list_pages(self._comments):
            author = one.get("user")
            if isinstance(author, dict) and author.get("type") == "Bot":
                yield str(one.get("id")), str(one.get("body") or "")

    def create(self, text: str) -> None:
        self._connection.call("POST", self._comments, json={"body": text})

    def update(self, id_: str, text: str) -> None:
        self._connection.call("PATCH", f"{self._repository}/issues/comments/{id_}", json={"body": text})


class GitLab:
    """Notes on a merge request, of the user whose token it is."""

    length = GITLAB_LENGTH

    def __init__(self, connection: Connection, project: str, number: int) -> None:
        self._connection = connection
        self._notes = f"/projects/{project}/merge_requests/{number}/notes"

    def list_own(self) -> Iterator[tuple[str, str]]:
        own = self._connection.call("GET", "/user")
        for one in self._connection.list_pages(self._notes):
            author = one.get("author")
            if isinstance(own, dict) and isinstance(author, dict) and author.get("id") == own.get("id") and not one.get("system"):
                yield str(one.get("id")), str(one.get("body") or "")

    def create(self, text: str) -> None:
        self._connection.call("POST", self._notes, json={"body": text})

    def update(self, id_: str, text: str) -> None:
        self._connection.call("PUT", f"{self._notes}/{id_}", json={"body": text})


def comment(
    report: Annotated[Path, typer.Argument(help="The report, as `meshline check --format markdown` writes it.", metavar="FILE")],
    *,
    number: Annotated[
        int | None,
        typer.Option(
            help="The pull or merge request. [default: the one for which the job runs]", show_default=False, min=1, metavar="NUMBER"
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="A name of the check, if there are several on one request: each has its comment.")] = "",
) -> None:
    """Write a report as the one comment of this CI job.

    It is on the pull or merge request of the job, and replaces the comment of an earlier run. On GitHub, GITHUB_TOKEN must be set; on
    GitLab, MESHLINE_COMMENT_TOKEN, a token with the scope `api`. If nothing is found, there is no first comment.
    """
    if name and _NAME.fullmatch(name) is None:
        raise InvalidInput("accepted are letters, digits, spaces and . _ / (at most 100)", "--name")
    text = _read_report(report)
    marker = f"<!-- meshline check: {name} -->" if name else MARKER
    text = text.replace(MARKER, marker, 1)
    with _open_platform(os.environ, number) as platform:
        typer.echo(write_comment(platform, text, marker))


def _read_report(path: Path) -> str:
    from meshline.ingest.documents import decode_text
    from meshline.ingest.sources.files import read_bytes

    text = decode_text(read_bytes(path, MAX_BYTES), str(path))
    if not text.startswith(MARKER):
        raise InvalidInput("this is no report in Markdown: `meshline check --format markdown` writes one", str(path))
    return text


def write_comment(platform: Platform, text: str, marker: str) -> str:
    """Write the one comment. Returns what was done, as a sentence. Raises CommentRefused."""
    text = cut_text(text, platform.length)
    own = next(((id_, body) for id_, body in platform.list_own() if body.startswith(marker)), None)
    if own is None:
        if text.removeprefix(marker).lstrip().startswith("### COMPATIBLE"):
            return "There is no comment: nothing was found."
        platform.create(text)
        return "The comment is written."
    id_, body = own
    if body.replace("\r\n", "\n").rstrip() == text.rstrip():
        return "The comment is up to date."
    platform.update(id_, text)
    return "The comment is replaced."


def cut_text(text: str, length: int) -> str:
    """The text, or as much of it as a comment may have, in whole lines. `length`: in UTF-16 units, which no way of counting exceeds."""
    if _measure_text(text) <= length:
        return text
    room, kept = length - _measure_text(CUT), list[str]()
    for line in text.splitlines(keepends=True):
        room -= _measure_text(line)
        if room < 0:
            break
        kept.append(line)
    return "".join(kept) + CUT


def _measure_text(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class _Opened:
    """A platform whose connection is closed at the end of the block."""

    def __init__(self, connection: Connection, platform: Platform) -> None:
        self._connection = connection
        self._platform = platform

    def __enter__(self) -> Platform:
        return self._platform

    def __exit__(self, *_: object) -> None:
        self._connection.client.close()


def _open_platform(environment: Mapping[str, str], number: int | None) -> _Opened:
    """The platform in whose CI this process runs, by the variables that it sets. Raises InvalidInput."""
    if environment.get("GITHUB_REPOSITORY"):
        repository = environment["GITHUB_REPOSITORY"]
        if re.fullmatch(r"\w[\w-]*/[\w.-]*\w[\w.-]*", repository, re.ASCII) is None:
            raise InvalidInput(f"found {repository!r}; accepted is owner/name", "GITHUB_REPOSITORY")
        token = _get_token(environment, "GITHUB_TOKEN")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        connection = _connect("GitHub", environment.get("GITHUB_API_URL") or "https://api.github.com", headers)
        return _Opened(connection, GitHub(connection, repository, number or _find_pull_request(environment)))
    if environment.get("CI_API_V4_URL"):
        token = _get_token(environment, "MESHLINE_COMMENT_TOKEN")
        project = environment.get("CI_PROJECT_ID", "")
        found = number or _parse_number(environment.get("CI_MERGE_REQUEST_IID", ""))
        if not project.isdecimal() or not found:
            raise InvalidInput("this job runs for no merge request: give --number, in a project", "CI_MERGE_REQUEST_IID")
        connection = _connect("GitLab", environment["CI_API_V4_URL"], {"PRIVATE-TOKEN": token})
        return _Opened(connection, GitLab(connection, project, found))
    raise InvalidInput("this is no job of GitHub Actions or GitLab CI: neither GITHUB_REPOSITORY nor CI_API_V4_URL is set")


def _connect(name: str, address: str, headers: Mapping[str, str]) -> Connection:
    import httpx

    from meshline import __version__

    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(f"found {address!r}, which is no address", name)
    client = httpx.Client(base_url=address, headers={**headers, "User-Agent": f"meshline/{__version__}"}, timeout=SECONDS)
    return Connection(client, name)


def _get_token(environment: Mapping[str, str], name: str) -> str:
    token = environment.get(name, "").strip()
    if not token or not token.isascii() or not token.isprintable():
        raise InvalidInput("it must be set to a token that may write comments", name)
    return token


def _find_pull_request(environment: Mapping[str, str]) -> int:
    """The number of the pull request: in the event of the job, else in its ref. Raises InvalidInput."""
    path = environment.get("GITHUB_EVENT_PATH", "")
    if path and Path(path).is_file():
        try:
            event = json.loads(Path(path).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"it cannot be read: {error}", "GITHUB_EVENT_PATH") from error
        request = event.get("pull_request") if isinstance(event, dict) else None
        if isinstance(request, dict) and isinstance(request.get("number"), int):
            return int(request["number"])
    match = re.fullmatch(r"refs/pull/(\d{1,9})/\w+", environment.get("GITHUB_REF", ""), re.ASCII)
    if match is None:
        raise InvalidInput("this job runs for no pull request: give --number", "GITHUB_REF")
    return int(match[1])


def _parse_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
