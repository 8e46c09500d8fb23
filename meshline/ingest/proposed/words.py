"""Changes in words: `drop orders.customer_orders.email`, `rename a.b.c to d`, one a line, or with `;` or `,` between them.

`ALTER TABLE ...` is read as SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import zip_longest

from meshline.errors import Ambiguous, InvalidInput, MissingExtra, NotFound
from meshline.graph.definitions import Definition
from meshline.ingest.documents import text_of
from meshline.ingest.proposed.entries import entries
from meshline.ingest.proposed.grammar import VERBS
from meshline.ingest.proposed.sentences import FORMS, Sentence, Work
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
    sql = [sentence for sentence in sentences if _is_sql(sentence.text)]
    for sentence in sentences:
        if sentence in sql:
            continue
        try:
            work.take(sentence)
        except NotFound as error:
            raise NotFound(f"{sentence.where}: {error}" if sentence.where else str(error)) from error
        except Ambiguous as error:
            raise Ambiguous(f"{sentence.where}: {error}" if sentence.where else str(error), error.candidates) from error
        except InvalidInput as error:
            raise error if error.where else InvalidInput(str(error), sentence.where) from error
    pairs = tuple(pair for table in work.tables for pair in [table.pair(given.after.name)] if pair is not None)
    proposed = Proposal(pairs, tuple(one for pair in pairs for one in entries(pair, known)), tuple(work.warnings))
    if sql:
        proposed = _joined(proposed, _altered(given, known, sql), given.after.name)
    return (
        proposed
        if proposed.pairs
        else proposed._replace(warnings=(*proposed.warnings, "nothing changes: the tables are so already, or the changes undo each other"))
    )


def _is_sql(text: str) -> bool:
    return text.split(maxsplit=1)[0].lower() == "alter"


def _altered(given: Given, known: Known, sql: Iterable[Sentence]) -> Proposal:
    """What statements of SQL change. They stand on the lines on which they were written. Raises InvalidInput, MissingExtra, ..."""
    try:
        ddl = import_module("meshline.ingest.proposed.ddl")
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("meshline"):
            raise
        raise MissingExtra("sql", "reading ALTER TABLE") from error
    text = ""
    for sentence in sql:
        text += "\n" * (sentence.line - 1 - text.count("\n")) + sentence.text + ";"
    name = given.after.name if given.after is not None else ""
    found: Proposal = ddl.propose(given._replace(kind="ddl", after=Text(name, text.encode())), known)
    return found


def _joined(words: Proposal, sql: Proposal, name: str) -> Proposal:
    """Both. Raises InvalidInput where they change one table: which came first would be lost."""
    both = _names(words) & _names(sql)
    if both:
        raise InvalidInput(f"{', '.join(sorted(both))}: changed in words and by SQL; write all changes of a table in one of them", name)
    return Proposal((*words.pairs, *sql.pairs), (*words.entries, *sql.entries), (*words.warnings, *sql.warnings))


def _names(proposal: Proposal) -> set[str]:
    return {one.value.model.name for pair in proposal.pairs for one in pair if one is not None and isinstance(one.value, Definition)}


def _sentences(text: Text) -> Iterator[Sentence]:
    """At ends of lines and `;`, and at a `,` before a verb unless it is SQL; not within quotes, parentheses and <>."""
    written = text_of(text.data, text.name)
    if len(written) > MAX_CHARACTERS:
        raise InvalidInput(f"it has more than {MAX_CHARACTERS} characters", text.name)
    parts = [match[0] for match in _TOKENS.finditer(written)]
    line, depth, now = 1, 0, ""
    for part, following in zip_longest(parts, parts[1:], fillvalue=""):
        divides = part == "," and not depth and following.split(maxsplit=1)[:1] and _verb(following) and not (now.split() and _is_sql(now))
        if part in ";\n" or divides:
            yield from _sentence(now, line, text.name)
            line += part == "\n"
            now, depth = "", 0
        else:
            depth += (part in "(<[") - (part in ")>]")
            now += part
    yield from _sentence(now, line, text.name)


def _verb(text: str) -> bool:
    return text.split(maxsplit=1)[0].lower() in VERBS


def _sentence(text: str, line: int, file: str) -> Iterator[Sentence]:
    text = text.strip()
    if text and not text.startswith(("#", "--")):
        yield Sentence(text, line, f"{file}:{line}" if file else repr(text[:200]))
