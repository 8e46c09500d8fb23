"""Changes in words: `drop orders.customer_orders.email`, `rename a.b.c to d`, one a line, or with `;` or `,` between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

from meshline.errors import Ambiguous, InvalidInput, NotFound
from meshline.ingest.documents import text_of
from meshline.ingest.proposed.entries import entries
from meshline.ingest.proposed.sentences import FORMS, STEPS, Sentence, Work
from meshline.ingest.proposed.shape import Given, Known, Proposal, Text

MAX_CHARACTERS = 100_000
MAX_CHANGES = 1_000

_TOKENS = re.compile(r'"(?:[^"]|"")*"|[()<>\[\]]|[;\n,]|[^"()<>\[\];\n,]+|"')


def propose(given: Given, known: Known) -> Proposal:
    """Raises InvalidInput, NotFound, Ambiguous; all with the sentence's place."""
    if given.after is None:
        raise InvalidInput(f"no change is given; accepted are {FORMS}")
    work = Work(known)
    sentences = list(_sentences(given.after))
    if not sentences:
        raise InvalidInput(f"no change is given; accepted are {FORMS}", given.after.name)
    if len(sentences) > MAX_CHANGES:
        raise InvalidInput(f"{len(sentences)} changes are too many; {MAX_CHANGES} may be asked for at once", given.after.name)
    for sentence in sentences:
        try:
            work.take(sentence)
        except NotFound as error:
            raise NotFound(f"{sentence.where}: {error}" if sentence.where else str(error)) from error
        except Ambiguous as error:
            raise Ambiguous(f"{sentence.where}: {error}" if sentence.where else str(error), error.candidates) from error
        except InvalidInput as error:
            raise error if error.where else InvalidInput(str(error), sentence.where) from error
    pairs = tuple(pair for table in work.tables for pair in [table.pair(given.after.name)] if pair is not None)
    warnings = () if pairs else ("the changes take each other back: nothing changes",)
    return Proposal(pairs, tuple(one for pair in pairs for one in entries(pair, known)), warnings)


def _sentences(text: Text) -> Iterator[Sentence]:
    """At ends of lines and `;`, and at a `,` before a verb; not within quotes, parentheses and <>."""
    written = text_of(text.data, text.name)
    if len(written) > MAX_CHARACTERS:
        raise InvalidInput(f"it has more than {MAX_CHARACTERS} characters", text.name)
    parts = [match[0] for match in _TOKENS.finditer(written)]
    line, depth, now = 1, 0, ""
    for part, following in zip_longest(parts, parts[1:], fillvalue=""):
        if part in ";\n" or (part == "," and not depth and following.split(maxsplit=1)[:1] and _verb(following)):
            yield from _sentence(now, line, text.name)
            line += part == "\n"
            now, depth = "", 0
        else:
            depth += (part in "(<[") - (part in ")>]")
            now += part
    yield from _sentence(now, line, text.name)


def _verb(text: str) -> bool:
    return text.split(maxsplit=1)[0].lower() in STEPS


def _sentence(text: str, line: int, file: str) -> Iterator[Sentence]:
    text = text.strip()
    if text and not text.startswith(("#", "--")):
        yield Sentence(text, line, f"{file}:{line}" if file else repr(text[:200]))
