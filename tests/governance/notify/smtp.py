"""A real SMTP server (RFC 5321, what a client of mail needs of it), as a process of its own: each message becomes a file of a folder.

python smtp.py PORT FOLDER
"""

from __future__ import annotations

import socketserver
import sys
from itertools import count
from pathlib import Path

NUMBERS = count(1)


class Handler(socketserver.StreamRequestHandler):
    folder: Path

    def handle(self) -> None:
        self._write_line("220 test ESMTP")
        recipients: list[str] = []
        while line := self.rfile.readline():
            verb = line.decode("latin-1").strip()
            command = verb.upper()
            if command.startswith(("EHLO", "HELO")):
                self._write_line("250-test\r\n250 8BITMIME")
            elif command.startswith("RCPT"):
                recipients.append(verb.partition(":")[2])
                self._write_line("550 unknown" if "unknown@" in verb else "250 ok")
            elif command == "DATA":
                self._write_line("354 go on")
                self._keep(recipients)
                recipients = []
                self._write_line("250 kept")
            elif command == "QUIT":
                self._write_line("221 bye")
                return
            else:
                self._write_line("250 ok")

    def _keep(self, recipients: list[str]) -> None:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        path = self.folder / f"{next(NUMBERS):04}.eml"
        part = path.with_suffix(".part")
        part.write_bytes(f"X-Recipients: {','.join(recipients)}\r\n".encode() + b"".join(lines))
        part.rename(path)

    def _write_line(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    Handler.folder = Path(sys.argv[2])
    with Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()
