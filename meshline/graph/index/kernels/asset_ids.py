"""The kernel that computes the ids of many nodes: `meshline.graph.model.compute_asset_id`, that is BLAKE2b over JSON.

In Python a million ids take four seconds, for which the first query by id would have to wait.

Arrays: `h`, the state of the hash, uint64, shape (8,); `v` and `m`, the working vector and the block, uint64, shape (16,);
`message`, uint8, one-dimensional: the key as JSON, padded to whole blocks of 128 bytes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meshline.graph.index.arrays import I32, U8, Names
from meshline.graph.index.kernels.hash_tables import find_begin
from meshline.graph.index.kernels.jit import register_inner, register_kernel

_IV = np.array(
    [
        0x6A09E667F3BCC908,
        0xBB67AE8584CAA73B,
        0x3C6EF372FE94F82B,
        0xA54FF53A5F1D36F1,
        0x510E527FADE682D1,
        0x9B05688C2B3E6C1F,
        0x1F83D9ABFB41BD6B,
        0x5BE0CD19137E2179,
    ],
    np.uint64,
)
_SIGMA = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    ],
    np.int64,
)
_MIX = np.array(
    [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15], [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]], np.int64
)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8).copy()
_SHORT = np.frombuffer(b"\x08b\x09t\x0an\x0cf\x0dr", np.uint8).copy()  # control characters that have an escape of their own

U64 = npt.NDArray[np.uint64]
BLOCK = 128


@register_inner
def rotate_right(value: np.uint64, by: int) -> np.uint64:
    """`value` rotated right by `by` bits (0 < `by` < 64)."""
    return np.uint64((value >> np.uint64(by)) | (value << np.uint64(64 - by)))


@register_inner
def compress_block(h: U64, v: U64, m: U64, message: U8, at: int, length: int, last: int) -> None:
    """Mix the block at `message[at]` into the state `h` (RFC 7693, 3.2). Overwrites `v` and `m`.

    `length`: bytes of the message up to the end of this block; `last`: 1 for the last block, else 0.
    """
    for i in range(16):
        word = np.uint64(0)
        for j in range(8):
            word |= np.uint64(message[at + 8 * i + j]) << np.uint64(8 * j)
        m[i] = word
    for i in range(8):
        v[i] = h[i]
        v[i + 8] = _IV[i]
    v[12] ^= np.uint64(length)
    if last:
        v[14] = ~v[14]
    for turn in range(12):
        sigma = _SIGMA[turn % 10]
        for i in range(8):
            a, b, c, d = _MIX[i, 0], _MIX[i, 1], _MIX[i, 2], _MIX[i, 3]
            v[a] = v[a] + v[b] + m[sigma[2 * i]]
            v[d] = rotate_right(v[d] ^ v[a], 32)
            v[c] = v[c] + v[d]
            v[b] = rotate_right(v[b] ^ v[c], 24)
            v[a] = v[a] + v[b] + m[sigma[2 * i + 1]]
            v[d] = rotate_right(v[d] ^ v[a], 16)
            v[c] = v[c] + v[d]
            v[b] = rotate_right(v[b] ^ v[c], 63)
    for i in range(8):
        h[i] ^= v[i] ^ v[i + 8]


@register_inner
def put_string(names: Names, name: int, message: U8, at: int) -> int:
    """Write `,"..."`, a string of `names` as JSON, to `message[at]`; the position after it."""
    message[at] = 0x2C
    message[at + 1] = 0x22
    at += 2
    for i in range(find_begin(names, name), names.end[name]):
        letter = names.text[i]
        if letter in (0x22, 0x5C):
            message[at] = 0x5C
            message[at + 1] = letter
            at += 2
        elif letter < 0x20:
            at = put_control(letter, message, at)
        else:
            message[at] = letter
            at += 1
    message[at] = 0x22
    return at + 1


@register_inner
def put_control(letter: int, message: U8, at: int) -> int:
    """Write the JSON escape of a control character (below 0x20) to `message[at]`; the position after it."""
    message[at] = 0x5C
    for i in range(0, len(_SHORT), 2):
        if _SHORT[i] == letter:
            message[at + 1] = _SHORT[i + 1]
            return at + 2
    message[at + 1] = 0x75
    message[at + 2] = 0x30
    message[at + 3] = 0x30
    message[at + 4] = _HEX[letter >> 4]
    message[at + 5] = _HEX[letter & 15]
    return at + 6


@register_inner
def measure_key(kind: U8, first: int, second: int, third: int, names: Names) -> int:
    """An upper limit of the bytes that `put_key` writes: the key as JSON and the padding of its last block.

    `kind`: uint8, the JSON up to the kind (`["KIND"`); `first`, `second`, `third`: string numbers, or NONE.
    """
    room = len(kind) + 1 + BLOCK
    for name in (first, second, third):
        if name >= 0:
            room += 6 * (names.end[name] - find_begin(names, name)) + 3
    return int(room)


@register_inner
def put_key(kind: U8, first: int, second: int, third: int, names: Names, message: U8) -> int:
    """Write the key as JSON to `message`, and zeros to the end of a block; the bytes of the JSON. Arguments as in `measure_key`."""
    for i in range(len(kind)):
        message[i] = kind[i]
    at = len(kind)
    for name in (first, second, third):
        if name >= 0:
            at = put_string(names, name, message, at)
    message[at] = 0x5D
    at += 1
    for i in range(at, at + BLOCK):
        message[i] = 0
    return at


@register_inner
def compute_digest(h: U64, v: U64, m: U64, message: U8, length: int) -> np.uint64:
    """The first 8 of the 16 bytes of the BLAKE2b digest of `message[:length]`, as a big-endian number. Overwrites `h`, `v` and `m`."""
    for i in range(8):
        h[i] = _IV[i]
    h[0] ^= np.uint64(0x01010000 ^ 16)
    done = 0
    while length - done > BLOCK:
        compress_block(h, v, m, message, done, done + BLOCK, 0)
        done += BLOCK
    compress_block(h, v, m, message, done, length, 1)
    word = np.uint64(0)
    for i in range(8):
        word = np.uint64((word << np.uint64(8)) | ((h[0] >> np.uint64(8 * i)) & np.uint64(255)))
    return word


@register_kernel("U8", "I32", "I32", "I32", Names, "U8", "U64", "U64", "U64", "U64")
def hash_keys(kind: U8, first: I32, second: I32, third: I32, names: Names, message: U8, h: U64, v: U64, m: U64, hashes: U64) -> int:
    """Compute the first 8 bytes of the ids of n keys of one kind, each with up to three parts.

    `kind`: uint8, the JSON up to the kind (`["KIND"`). `first`, `second`, `third`: int32, shape (n,), string numbers or NONE.
    `message`: uint8, working memory. `h`: uint64, shape (8,); `v`, `m`: uint64, shape (16,). `hashes`: uint64, shape (n,), the result.

    Returns the number of keys that are done: less than n if the next key does not fit into `message`. Only for the compiled form:
    numpy warns of overflows, which are intended here.
    """
    for row in range(len(first)):
        if measure_key(kind, first[row], second[row], third[row], names) > len(message):
            return row
        length = put_key(kind, first[row], second[row], third[row], names, message)
        hashes[row] = compute_digest(h, v, m, message, length)
    return len(first)
