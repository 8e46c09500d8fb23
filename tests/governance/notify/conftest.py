from __future__ import annotations

import email
import email.policy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.governance.notify.http import Receiver, run_receiver

SMTP = Path(__file__).with_name("smtp.py")


class Mailbox(NamedTuple):
    port: int
    folder: Path

    @property
    def url(self) -> str:
        """A pattern for apprise."""
        return f"mailto://127.0.0.1:{self.port}/{{email}}?from=mesh%40company.com&mode=insecure"

    def read_mails(self) -> list[EmailMessage]:
        parsed = (email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in sorted(self.folder.glob("*.eml")))
        return list(parsed)


def get_text(mail: EmailMessage) -> str:
    """The part in plain text."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@contextmanager
def run_mail_server(folder: Path, port: int = 0) -> Iterator[Mailbox]:
    """A mail server as a process."""
    folder.mkdir(exist_ok=True)
    with subprocess.Popen([sys.executable, SMTP, str(port), folder], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Mailbox(int(process.stdout.readline()), folder)
        finally:
            process.kill()


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    with run_mail_server(tmp_path / "mail") as found:
        yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as found:
        yield found
