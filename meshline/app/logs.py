"""Logs: lines for people or JSON for machines; each record within a request contains the id of the request."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from typing import Literal, TextIO

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")  # the id of the current request; copied into its worker threads
DETAILS = "details"  # the attribute of a record with its structured details: {name: value}

# Messages about clients that offer another protocol (Java's HttpClient offers HTTP/2): an answer in HTTP/1.1 is what they expect.
_OFFERS = ("Unsupported upgrade request", "No supported WebSocket library")
_LIBRARIES = ("uvicorn", "uvicorn.error", "uvicorn.access", "mcp")


def configure_logs(level: str, form: Literal["text", "json"], stream: TextIO | None = None, *, process: str = "") -> None:
    """Let this process log to standard error. Only for a server process, which owns its logging. `process`: the name of one beside the
    server, which its records contain.
    """
    handler = LineHandler(stream or sys.stderr)
    handler.addFilter(_identify)
    if process:
        handler.addFilter(partial(_name_process, process))
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # not shown, and each costs time for every record
    for name in _LIBRARIES:  # only their warnings: requests are logged by meshline itself
        logging.getLogger(name).setLevel("WARNING" if level == "info" else level.upper())
    logging.getLogger("uvicorn.error").addFilter(_is_news)


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes the records of an event loop together at the end of its turn, before later ones of any thread; warnings and what other
    threads log at once. Each write is a call of the system, for which a thread gives the interpreter away.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []  # that are not written yet
        self._due: asyncio.AbstractEventLoop | None = None  # the loop that will write them

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record) + self.terminator)
            loop = _find_loop() if record.levelno < logging.WARNING else None
            if loop is None:
                self.flush()
            elif self._due is not loop:
                self._due = loop
                loop.call_soon(self.flush)
        except Exception:  # noqa: BLE001 - as of logging: what cannot be logged must not fail what logs it
            self.handleError(record)

    def flush(self) -> None:
        self.acquire()
        try:
            lines, self._lines, self._due = self._lines, [], None
            if lines:
                self.stream.write("".join(lines))
            super().flush()
        finally:
            self.release()


def _find_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _is_news(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_OFFERS)


def _identify(record: logging.LogRecord) -> bool:
    record.request_id = REQUEST_ID.get()
    return True


def _name_process(name: str, record: logging.LogRecord) -> bool:
    record.process_name = name
    return True


def _format_time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _collect_details(record: logging.LogRecord) -> dict[str, object]:
    found = dict(getattr(record, DETAILS, {}))
    if request_id := getattr(record, "request_id", ""):
        found.setdefault("request_id", request_id)
    if name := getattr(record, "process_name", ""):
        found.setdefault("process", name)
    return found


class JsonLines(logging.Formatter):
    """One JSON object per record: time, level, logger, message, its details, and `error` with a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _format_time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_collect_details(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """`time level logger: message name=value ...`; text of a client cannot break the line or control a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        details = "".join(f" {name}={_format_value(value)}" for name, value in _collect_details(record).items())
        line = f"{_format_time(record)} {record.levelname} {record.name}: {_escape_text(record.getMessage())}{details}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _escape_text(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _format_value(value: object) -> str:
    text = str(value)
    return text if text and text.isprintable() and " " not in text and '"' not in text else json.dumps(text)
