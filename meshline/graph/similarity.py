"""Texts that are much alike: the matches of `difflib`, of which only those are computed that may be among the best."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

_BITS = 64  # characters of a text that the bound compares: its last ones
_MOST_COMPARED = 200  # texts that difflib compares, each about a tenth of a millisecond
_LONGEST = 512  # characters of a longer text that the bound looks at


def find_close_matches(text: str, candidates: Collection[str], most: int, cutoff: float) -> list[str]:
    """Up to `most` of the candidates that are at least as similar as `cutoff`, the best first, as `difflib.get_close_matches`.

    Only of a text with more than 64 characters, or if more than 200 candidates may be among the best, may one be missing.
    """
    known = [one for one in dict.fromkeys(candidates) if 2 * min(len(one), len(text)) >= cutoff * (len(one) + len(text))]
    bounds = bound_ratios(text, known)
    matcher = difflib.SequenceMatcher()
    matcher.set_seq2(text)
    best: list[tuple[float, str]] = []
    for place in np.argsort(-bounds, kind="stable")[:_MOST_COMPARED].tolist():
        if len(text) <= _BITS and (bounds[place] < cutoff or (len(best) == most and bounds[place] < best[0][0])):
            break
        matcher.set_seq1(known[place])
        ratio = matcher.ratio()
        if ratio >= cutoff:
            heapq.heappush(best, (ratio, known[place]))
            if len(best) > most:
                heapq.heappop(best)
    return [one for _, one in sorted(best, reverse=True)]


def bound_ratios(text: str, others: Sequence[str]) -> npt.NDArray[np.float64]:
    """How similar each of the others may be to the text (0 to 1): by the longest common subsequence, which no matching blocks exceed.

    The subsequences of all of them are computed at once, with the text in the bits of one integer (Hyyrö, 2004).
    """
    if not others or not text:
        return np.zeros(len(others))
    tail = text[-_BITS:]
    codes = _encode_texts([one[-_LONGEST:] for one in others])
    lengths = np.array([len(one) for one in others])
    masks = np.zeros(codes.shape, np.uint64)
    for character in set(tail):
        masks[codes == ord(character)] = sum(1 << place for place, one in enumerate(tail) if one == character)
    state = np.full(len(others), 2**64 - 1, np.uint64)
    for row in masks:
        common = state & row
        state = (state + common) | (state - common)
    used = np.uint64(2 ** len(tail) - 1)
    found = np.bitwise_count(~state & used).astype(np.float64)
    ratios: npt.NDArray[np.float64] = 2 * found / (len(tail) + lengths)
    return ratios


def _encode_texts(texts: Sequence[str]) -> npt.NDArray[np.uint32]:
    """The characters of texts as numbers: of each text a column, filled up with zeros."""
    width = max(map(len, texts))
    return np.ascontiguousarray(np.array(texts, f"<U{max(width, 1)}").view(np.uint32).reshape(len(texts), -1).T)
