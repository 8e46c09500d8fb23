"""Broken contents and the kernels as they are written, which notice where they read beyond an array. Run as a module: SEED NUMBER."""

from __future__ import annotations

import sys
from contextlib import suppress
from random import Random

from meshline.errors import StoreCorrupt
from meshline.graph.content import encode_facts
from meshline.graph.index import LineageIndex
from meshline.graph.index.kernels.jit import is_compiled
from meshline.graph.model import AssetFact, Content, Facts
from meshline.graph.store.base import Head
from tests.index.heads import build_flow, build_same_as, build_schema, to_dataset

# What begins values of other lengths: strings, bytes, arrays and maps with 8, 16 and 32 bits, numbers of 64 bits.
HEADS = bytes([0xC4, 0xC5, 0xC6, 0xC7, 0xCB, 0xCF, 0xD3, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0x9F, 0x8F, 0xBF])

WHOLE = encode_facts(
    Facts(
        assets=(AssetFact(to_dataset("a"), {"tags": ["x"], "spelling": ["a", "A"], "dropped": False, "n": [1.5, None, {"k": 2**40}]}),),
        edges=(*build_schema("a", "x", "y").edges, build_same_as("a", "b", why="same")),
        flows=(build_flow("a.x", "b.y"), build_flow("a", "b")),
    )
).blob


def damage_content(random: Random) -> bytes:
    blob = bytearray(WHOLE)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(blob))
        blob[at] = random.choice(HEADS) if random.random() < 0.5 else blob[at] ^ 1 << random.randrange(8)
    return bytes(blob[: random.randint(0, len(blob))]) if random.random() < 0.3 else bytes(blob)


def load_contents(*blobs: bytes) -> None:
    """Load blobs as the contents of as many heads, read at once."""
    heads = [
        Head(number, "openlineage/x", ("s", str(number)), 0, 0, 0, "", provisional=False, content=Content(bytes(16), blob))
        for number, blob in enumerate(blobs, 1)
    ]
    with suppress(StoreCorrupt):
        LineageIndex.load([heads], 1)


def main(seed: str, number: int) -> None:
    for at in range(number):
        blob = damage_content(Random(f"{seed} {at}"))
        for blobs in ([blob], [blob, WHOLE], [WHOLE, blob]):
            try:
                load_contents(*blobs)
            except Exception as error:
                error.add_note(f"seed {seed}, number {at}: {blob!r}")
                raise
    assert not is_compiled()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
