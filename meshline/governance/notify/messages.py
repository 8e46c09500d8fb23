"""Builds one message from the notices of a receiver, by templates that users can replace."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.governance.notify.outbox import ACCESS_REQUESTED, NoticeBody
from meshline.governance.report_formats.markdown import format_prose
from meshline.words import format_caller, format_count, make_printable, shorten_text

MOST_ITEMS = 100  # of one message; the rest are counted
MOST_NAMES = 10
LONGEST_TITLE = 150
LONGEST_TEXT = 600
LONGEST_TEMPLATE = 20_000

# The templates, and the names that each may use.
_OF_MESSAGE = frozenset({"receiver", "count", "breaking", "what", "items", "more"})
_OF_ITEM = frozenset({"verdict", "text", "subject", "rule", "why", "safe", "since", "source", "assets", "fingerprint"})
_OF_REQUESTS = _OF_MESSAGE - {"breaking"}
_OF_REQUEST = frozenset({"subject", "since", "request", "asker", "principal", "kind", "action", "purpose", "until"})
_REQUEST = "request-"  # what the names of templates about requests for access begin with
FIELDS: Mapping[str, frozenset[str]] = {
    "title.txt": _OF_MESSAGE - {"items"},
    "message.txt": _OF_MESSAGE,
    "item.txt": _OF_ITEM,
    "message.md": _OF_MESSAGE,
    "item.md": _OF_ITEM,
    "request-title.txt": _OF_REQUESTS - {"items"},
    "request-message.txt": _OF_REQUESTS,
    "request-item.txt": _OF_REQUEST,
    "request-message.md": _OF_REQUESTS,
    "request-item.md": _OF_REQUEST,
}
_WORST = {"breaking": 0, "conditional": 1, "compatible": 2}
_CALLS = re.compile(r"(<(?=[!@#])|@(?=(?:everyone|here|channel|all)\b))")  # what chat programs treat as mentions of people


class Message(NamedTuple):
    """A message that can be sent."""

    title: str
    body: str
    is_markdown: bool


class Templates(NamedTuple):
    """`string.Template`s: names are replaced, and no code runs."""

    texts: Mapping[str, Template]

    def build_message(self, notices: Sequence[NoticeBody], *, markdown: bool) -> Message:
        """One message of all notices of one receiver: each change or violation once, the worst first. All are about requests for access,
        or none is.
        """
        suffix = "md" if markdown else "txt"
        about, build_item = (_REQUEST, _build_request) if notices[0].event == ACCESS_REQUESTED else ("", _build_item)
        escape = format_prose if markdown else _escape_text
        once = {(one.fingerprint, one.subject, one.text): one for one in reversed(notices)}
        distinct = sorted(once.values(), key=lambda one: (_WORST.get(one.verdict, 3), one.subject, one.text))
        item = self.texts[f"{about}item.{suffix}"]
        items = "\n".join(item.substitute(build_item(one, notices, escape)).rstrip("\n") for one in distinct[:MOST_ITEMS])
        receivers = ", ".join(dict.fromkeys(one.receiver.name for one in notices))
        breaking = sum(1 for one in distinct if one.verdict == "breaking")
        subjects = list(dict.fromkeys(one.subject for one in distinct))
        fields = {
            "receiver": shorten_text(receivers, LONGEST_TITLE),
            "count": format_count(len(distinct), "notice"),
            "breaking": str(breaking),
            "what": shorten_text(subjects[0], LONGEST_TITLE) + (f" and {len(subjects) - 1} more" if len(subjects) > 1 else ""),
            "more": f"and {len(distinct) - MOST_ITEMS} more" if len(distinct) > MOST_ITEMS else "",
        }
        title = shorten_text(_escape_text(" ".join(self.texts[f"{about}title.txt"].substitute(fields).split())), LONGEST_TITLE)
        shown = {name: escape(text) for name, text in fields.items()}
        return Message(title, self.texts[f"{about}message.{suffix}"].substitute(shown, items=items), markdown)


def load_templates(folder: Path | None = None) -> Templates:
    """The built-in templates, replaced by those of a folder. Raises InvalidInput."""
    own = files("meshline.governance.notify") / "templates"
    texts = {name: (own / name).read_text("utf-8") for name in FIELDS}
    if folder is not None:
        if not folder.is_dir():
            raise InvalidInput("there is no such folder of templates", str(folder))
        unknown = sorted(path.name for path in folder.iterdir() if path.name not in FIELDS and not path.name.startswith("."))
        if unknown:
            raise InvalidInput(f"found {unknown[0]}; accepted: {', '.join(FIELDS)}", str(folder))
        texts.update({path.name: _read_template(path) for path in sorted(folder.iterdir()) if path.name in FIELDS})
    return Templates({name: _parse_template(name, text, folder) for name, text in texts.items()})


def _read_template(path: Path) -> str:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot be read: {error}", str(path)) from error
    if len(text) > LONGEST_TEMPLATE:
        raise InvalidInput(f"a template has at most {LONGEST_TEMPLATE} characters", str(path))
    return text


def _parse_template(name: str, text: str, folder: Path | None) -> Template:
    template = Template(text)
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{name if folder is None else folder / name}:{number}"
        if not Template(line).is_valid():
            raise InvalidInput("found a $ that names nothing; write $$ for the sign", where)
        unknown = sorted(set(Template(line).get_identifiers()) - FIELDS[name])
        if unknown:
            raise InvalidInput(f"found ${unknown[0]}; accepted: {', '.join(f'${field}' for field in sorted(FIELDS[name]))}", where)
    return template


def _build_item(one: NoticeBody, all_: Sequence[NoticeBody], escape: Callable[[str], str]) -> dict[str, str]:
    """The fields of one change or violation, with the affected assets of all its receivers."""
    same = [other for other in all_ if (other.fingerprint, other.subject) == (one.fingerprint, one.subject)]
    names = list(dict.fromkeys(name for other in same for name in other.assets))
    more = max(0, len(names) - MOST_NAMES) + max(other.more for other in same)
    fields = {
        "verdict": one.verdict,
        "text": one.text,
        "subject": one.subject,
        "rule": one.rule,
        "why": one.why,
        "safe": one.safe,
        "since": _format_minute(one.at),
        "source": one.source,
        "assets": ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more else ""),
        "fingerprint": one.fingerprint,
    }
    return {name: escape(shorten_text(text, LONGEST_TEXT)) for name, text in fields.items()}


def _build_request(one: NoticeBody, _all: Sequence[NoticeBody], escape: Callable[[str], str]) -> dict[str, str]:
    """The fields of one request for access."""
    asked = {name: str(one.details.get(name, "")) for name in _OF_REQUEST}
    asker = format_caller(asked["asker"], str(one.details.get("askerName", "")))
    fields = {**asked, "asker": asker, "subject": one.subject, "since": _format_minute(one.at)}
    return {name: escape(shorten_text(text, LONGEST_TEXT)) for name, text in fields.items()}


def _format_minute(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _escape_text(text: str) -> str:
    """Plain text in which no name mentions people."""
    return _CALLS.sub(lambda found: f"{found[1]}\N{ZERO WIDTH SPACE}", make_printable(text))
