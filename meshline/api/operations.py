"""How the OpenAPI document describes the operations of an address: the types, and the answers that many operations share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from meshline.api.errors import JSON, ErrorAnswer
from meshline.api.rest.request_body import COMPRESSED, IDENTITY

Schema: TypeAlias = dict[str, Any]

Shape: TypeAlias = type[msgspec.Struct] | Schema

HTML = "text/html"
OBJECT: Schema = {"type": "object"}
TEXT: Schema = {"type": "string"}


class Answer(NamedTuple):
    """One status of an operation: its content by media type, and the headers that it always has."""

    meaning: str
    content: Mapping[str, Shape]
    headers: Sequence[str] = ()


class Parameter(NamedTuple):
    """A parameter of an operation in the query, a header, or the path."""

    name: str
    place: str  # query, header, path
    meaning: str
    required: bool = False
    schema: Schema = TEXT


class Operation(NamedTuple):
    """A path with a method: its answers by HTTP status, and its request."""

    summary: str
    answers: Mapping[int, Answer]
    body: Shape | None = None
    body_media: Sequence[str] = ()
    parameters: Sequence[Parameter] = ()


def build_json_answer(meaning: str, shape: Shape) -> Answer:
    return Answer(meaning, {JSON: shape})


def build_refusal(meaning: str, *headers: str) -> Answer:
    return Answer(meaning, {JSON: ErrorAnswer}, headers)


UNCHANGED = Answer("The caller has the answer already: it sent its ETag.", {})
ENCODING = Parameter(
    "Content-Encoding",
    "header",
    "gzip, or none.",
    schema={"type": "string", "enum": sorted(COMPRESSED | IDENTITY - {""})},
)
INVALID = build_refusal("The input is invalid; `path` gives the place.")
TOO_LARGE = build_refusal("The body is too large, before or after decompression.")
UNSUPPORTED = build_refusal("This address does not accept the content type or encoding.")
BUSY = build_refusal(
    "Not now: the graph is being loaded, the store or the identity provider does not answer, or the queue is full. Try again.",
    "Retry-After",
)
TOO_LONG = build_refusal("Reading the input takes too long or too much memory: send it in smaller parts.")
WITH_BODY = {400: INVALID, 413: TOO_LARGE, 415: UNSUPPORTED, 503: BUSY}
ALWAYS = {
    421: build_refusal("The Host header names another server."),
    500: build_refusal("Internal error; the log has the details."),
}
WITH_ROLE = {
    401: build_refusal("Authentication required or token unknown.", "WWW-Authenticate"),
    403: build_refusal("The role of the token is too low.", "WWW-Authenticate"),
}
