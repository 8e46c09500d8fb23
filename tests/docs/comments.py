"""In place of the APIs of GitHub and GitLab: comments that are listed in pages, written and replaced."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MARKER = "<!-- meshline check -->"
OWN, OTHER = 41, 42  # users of GitLab


class Comment:
    """A comment by a bot or a person."""

    def __init__(self, body: str, *, bot: bool = True) -> None:
        self.body = body
        self.bot = bot


class CommentServer:
    """`address`: of the API. `comments`: all of them; `written`: those that were written here. `statuses`: answers to give first."""

    def __init__(self) -> None:
        self.address = ""
        self.comments: list[Comment] = []
        self.written: list[Comment] = []
        self.refusing = False
        self.statuses: list[int] = []
        self.calls: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []


def _build_handler(server: CommentServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def handle_call(self) -> None:
            parts = urlsplit(self.path)
            server.calls.append((self.command, parts.path))
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            if server.statuses:
                self.answer(server.statuses.pop(0), {"message": "later"})
            elif server.refusing:
                self.answer(403, {"message": "Resource not accessible by integration"})
            elif parts.path == "/user":
                self.answer(200, {"id": OWN})
            elif self.command == "GET":
                query = parse_qs(parts.query)
                size, page = int(query["per_page"][0]), int(query["page"][0])
                shown = list(enumerate(server.comments))[(page - 1) * size : page * size]
                self.answer(200, [self.describe(number, one) for number, one in shown])
            elif self.command == "POST":
                server.comments.append(Comment(body["body"]))
                server.written.append(server.comments[-1])
                self.answer(201, {"id": len(server.comments) - 1})
            else:
                server.comments[int(parts.path.rpartition("/")[2])].body = body["body"]
                self.answer(200, {})

        do_GET = do_POST = do_PUT = do_PATCH = handle_call  # noqa: N815 - the names that the library calls

        def describe(self, number: int, one: Comment) -> dict[str, Any]:
            author = {"id": OWN if one.bot else OTHER}
            return {"id": number, "body": one.body, "user": {"type": "Bot" if one.bot else "User"}, "author": author, "system": False}

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is given
            del format, arguments

    return Handler


@contextmanager
def run_comment_server() -> Iterator[CommentServer]:
    server = CommentServer()
    with ThreadingHTTPServer(("127.0.0.1", 0), _build_handler(server)) as listening:
        server.address = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
