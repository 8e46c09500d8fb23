"""An issuer that answers as a test wants it to: with wrong documents, slowly, not at all; and that signs whatever it is given."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

AUDIENCE = "https://mesh.example"
DISCOVERY, KEYS = "/.well-known/openid-configuration", "/keys"
FIRST = ECKey.generate_key("P-256", {"kid": "first", "use": "sig"})


class Answer(NamedTuple):
    body: bytes
    status: int = 200
    headers: Mapping[str, str] = {}
    seconds: float = 0.0  # until it begins, unless the issuer ends before


class ScriptedIssuer:
    """`answers`: what is answered instead of the right document, by path. `counts`: requests by path; `bodies`: what was sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: list[dict[str, Any]] = [FIRST.as_dict(private=False)]
        self.answers: dict[str, Callable[[], Answer]] = {}
        self.counts: Counter[str] = Counter()
        self.bodies: dict[str, bytes] = {}  # the last one by path
        self.ended = threading.Event()

    def answer(self, path: str) -> Answer:
        self.counts[path] += 1
        if path in self.answers:
            return self.answers[path]()
        documents: dict[str, object] = {DISCOVERY: {"issuer": self.url, "jwks_uri": self.url + KEYS}, KEYS: {"keys": self.keys}}
        return Answer(json.dumps(documents[path]).encode()) if path in documents else Answer(b"{}", 404)

    def answer_always(self, path: str, answer: Answer) -> None:
        self.answers[path] = lambda: answer

    def build_claims(self, **other: object) -> dict[str, Any]:
        """The claims of a good token of a person; `other`: those that differ, None = missing."""
        now = int(time.time_ns() // 1_000_000_000)
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "client_id": "cli", "iat": now, "exp": now + 300, **other}
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, key: RSAKey | ECKey | OKPKey = FIRST, header: Mapping[str, object] | None = None, **claims: object) -> str:
        """A token. `header`: what differs from a good one, None = missing."""
        given = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid, **(header or {})}
        wanted = {name: value for name, value in given.items() if value is not None}
        return sign(wanted, self.build_claims(**claims), key)


def sign(header: Mapping[str, Any], claims: Mapping[str, Any], key: Any) -> str:
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    return jws.serialize_compact(dict(header), json.dumps(claims), key, algorithms=[header["alg"]], registry=registry)


@contextmanager
def run_issuer() -> Iterator[ScriptedIssuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = found.answer(self.path)
            found.ended.wait(answer.seconds)
            try:
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)
            except OSError:  # the client has not waited
                pass

        def do_POST(self) -> None:
            found.bodies[self.path] = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, *_given: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = ScriptedIssuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield found
    finally:
        found.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
