"""Records what a client of Marquez sends to a server, as a fixture of tests/api/marquez/test_recorded.py.

    python recorder.py http://127.0.0.1:8080 OUT.jsonl -- COMMAND...

runs the command with MARQUEZ_URL, the address of a proxy in front of the server. For the clients the server must be empty; for the page it
has the events of examples/mesh. Nothing of Marquez is in this repository: its client for Python comes from its registry (marquez-python,
with pytz), that for Java and the page from a build of its source.

    python recorder.py URL python.jsonl -- python calls.py
    python recorder.py URL java.jsonl -- java -cp 'out:lib/*' Calls.java
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FORWARDED = ("content-type", "accept")


def build_handler(target: str, recorded: list[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def send_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() in FORWARDED}
            request = urllib.request.Request(target + self.path, body or None, headers, method=self.command)
            try:
                answer = urllib.request.urlopen(request)
            except urllib.error.HTTPError as error:
                answer = error
            content = answer.read()
            path = re.sub(r"([?&]at=)[^&]*", r"\g<1>2026-03-08T12:00:00Z", self.path)  # a time that is never in the future
            recorded.append({"method": self.command, "path": path, "body": json.loads(body or "null"), "status": answer.status})
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = send_on  # noqa: N815 - names of the base class

        def log_message(self, *_: object) -> None:
            """Write no line for each request."""

    return Handler


def main() -> int:
    target, out, dashes, *command = sys.argv[1:]
    if dashes != "--":
        raise SystemExit(__doc__)
    recorded: list[dict[str, Any]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), build_handler(target.rstrip("/"), recorded))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    done = subprocess.run(command, env={**os.environ, "MARQUEZ_URL": url}, check=False)
    Path(out).write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in recorded), "utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
