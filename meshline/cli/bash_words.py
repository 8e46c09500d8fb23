"""The words that bash sends for completion, with names in one piece: bash takes a colon for the end of a word (COMP_WORDBREAKS).

What it then wants is the rest of a name alone, behind its last colon.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "_MESHLINE_COMPLETE"


def join_words() -> str:
    """Rewrite COMP_WORDS and COMP_CWORD of the environment. Returns the beginning of the last word that bash keeps."""
    pieces = os.environ.get("COMP_WORDS", "").split("\n")
    place = os.environ.get("COMP_CWORD", "")
    if len(pieces) < 2 or not place.isdigit():
        return ""
    words: list[str] = []
    is_open = False  # the next piece belongs to the last word
    for piece in pieces[: int(place) + 1]:
        is_colon = piece != "" and set(piece) == {":"}
        if words and (is_open or is_colon):
            words[-1] += piece
        else:
            words.append(piece)
        is_open = is_colon
    if int(place) >= len(pieces):
        words.append("")
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = "\n".join(words), str(len(words) - 1)
    last = words[-1]
    return last[: last.rfind(":") + 1] if len(words) < min(int(place), len(pieces)) + 1 else ""


@contextmanager
def strip_names() -> Iterator[None]:
    """Within the block, what is written for bash are the rests of names; nothing changes unless bash asks for completions."""
    kept = join_words() if os.environ.get(VARIABLE) == "complete_bash" else ""
    if not kept:
        yield
        return
    written, out = io.StringIO(), sys.stdout
    sys.stdout = written
    try:
        yield
    finally:
        sys.stdout = out
        out.write("".join(f"{line.removeprefix(kept)}\n" for line in written.getvalue().splitlines()))
        out.flush()
