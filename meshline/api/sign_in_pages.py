"""Signing in and out at the page: the addresses that the browser of a person visits, and that at which the provider reports a sign-out."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import wraps
from html import escape
from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qs

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from meshline.api.errors import JSON, build_error_response, get_status
from meshline.api.operations import BUSY, HTML, INVALID, TEXT, Answer, Operation, Parameter, build_json_answer, build_refusal
from meshline.api.rest.request_body import check_media, read_body
from meshline.api.session_cookie import SessionCookie
from meshline.app.access_journal import AccessJournal
from meshline.app.sessions import LONGEST, SECOND, Session, digest_secret
from meshline.app.sign_in import CALLBACK, OTHER_BROWSER, SignIn
from meshline.app.tokens import TokenRefused
from meshline.errors import InvalidInput, MeshlineError, NotPermitted, QueueFull
from meshline.graph.model import from_micros

SIGN_IN, SIGN_OUT, REPORT, SESSION = "/sign-in", "/sign-out", "/sign-out/report", "/session"
SIGN_IN_SECONDS = 600  # from the first step to the second
REPORT_BYTES = 64 * 1024
FORM = frozenset({"application/x-www-form-urlencoded"})
_STATE = re.compile(r"[A-Za-z0-9_-]{43}")

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class SignInParts(NamedTuple):
    """What the addresses need: `app.state.sign_in`, which is None where people cannot sign in at the page."""

    sign_in: SignIn
    cookie: SessionCookie
    journal: AccessJournal


class SessionAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """`sign_in`: whether people can sign in at the page. `name`: of the person whose session it is, for people; `actor`: as the audit log
    has it. Empty: there is no session. `ends`: at the latest.
    """

    sign_in: bool
    name: str = ""
    actor: str = ""
    ends: str = ""


class SignOutAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """`next`: the address that the browser opens now: of the provider, where that session ends, too."""

    next: str


_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sign-in: meshline</title></head>
<body>
<h1>You are not signed in</h1>
<p role="alert">{reason}</p>
<p><a href="/sign-in">Sign in</a> <a href="/">Start</a></p>
</body>
</html>
"""


def _show_failures(handler: Handler) -> Handler:
    """For an address that a person opens: why it fails is a page."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except TokenRefused as error:
            reason: MeshlineError = NotPermitted(str(error))
        except MeshlineError as error:
            reason = error
        request.state.code = reason.code
        shown = build_error_response(reason, request.scope)
        headers = {name: value for name, value in shown.headers.items() if name == "retry-after"}
        return Response(_PAGE.format(reason=escape(str(reason))), get_status(reason), headers, media_type=HTML)

    return answer


def _get_parts(request: Request) -> SignInParts:
    """Raises HTTPException 404."""
    found: SignInParts | None = request.app.state.sign_in
    if found is None:
        raise HTTPException(404, detail="people do not sign in at this server: it has no `oidc_web_client`")
    return found


@_show_failures
async def begin_sign_in(request: Request) -> Response:
    """303 to the provider. `to`: where the person is led back to."""
    parts = _get_parts(request)
    parts.journal.check_current()
    begun = await parts.sign_in.begin(request.query_params.get("to") or "/")
    answer = RedirectResponse(begun.address, 303)
    for header in parts.cookie.list_forgotten(request.headers):
        answer.headers.append("Set-Cookie", header)
    answer.headers.append("Set-Cookie", parts.cookie.build_sign_in(begun.name, begun.secret, SIGN_IN_SECONDS))
    return answer


@_show_failures
async def finish_sign_in(request: Request) -> Response:
    """303 to where the person wanted to go, with a session; or a page that states why there is none."""
    parts = _get_parts(request)
    parts.journal.check_current()
    given = request.query_params
    if len(given.multi_items()) != len(given):
        raise InvalidInput("the answer of the identity provider has a parameter twice: sign in again")
    state = given.get("state", "")
    if not _STATE.fullmatch(state):
        raise InvalidInput(OTHER_BROWSER)
    session, secret, path = await parts.sign_in.finish(parts.cookie.read_sign_in(request.headers, state[:16]), given)
    parts.journal.denials.check_claims({"sub": session.subject, "sid": session.sid, "iat": session.issued})
    if not parts.journal.sessions.has_room():
        raise QueueFull("this server has as many sessions as it can: try again later", retry_after=60)
    earlier = parts.cookie.read(request.headers)
    await run_in_threadpool(parts.journal.begin_session, session, "" if earlier is None else digest_secret(earlier))
    answer = RedirectResponse(parts.sign_in.web_address + path, 303)
    answer.headers.append("Set-Cookie", parts.cookie.build_sign_in(state[:16], "", 0))
    answer.headers.append("Set-Cookie", parts.cookie.build(secret, LONGEST // SECOND))
    return answer


async def end_session(request: Request) -> Response:
    """200 with the address of the provider at which its session ends, too; the session here has ended, if there was one."""
    parts = _get_parts(request)
    parts.cookie.check_origin(request.headers)
    found = _find_session(parts, request.headers)
    if found is not None:
        await run_in_threadpool(parts.journal.end_session, found)
    next_ = "/" if found is None else await parts.sign_in.build_end_address()
    return Response(msgspec.json.encode(SignOutAnswer(next_ or "/")), headers={"Set-Cookie": parts.cookie.build("", 0)}, media_type=JSON)


async def receive_sign_out(request: Request) -> Response:
    """200 for a sign-out that the provider reports (back-channel logout); 400 if it has not signed it, or has reported it before."""
    parts = _get_parts(request)
    parts.journal.check_current()
    check_media(request, FORM)
    given = parse_qs((await read_body(request, REPORT_BYTES)).decode("ascii", "replace"), max_num_fields=10).get("logout_token", [])
    if len(given) != 1:
        raise InvalidInput("one logout token is expected", "logout_token")
    try:
        found = await parts.sign_in.read_logout(given[0])
    except TokenRefused as error:
        raise InvalidInput(str(error), "logout_token") from error
    if not await run_in_threadpool(parts.journal.receive_logout, *found):
        raise InvalidInput("this logout token was received before", "logout_token")
    return Response(status_code=200)


async def get_session(request: Request) -> Response:
    """200, without a session, too: the page shows it."""
    parts: SignInParts | None = request.app.state.sign_in
    found = None if parts is None else _find_session(parts, request.headers)
    if found is None:
        answer = SessionAnswer(parts is not None)
    else:
        answer = SessionAnswer(sign_in=True, name=found.shown, actor=found.principal.actor_name, ends=from_micros(found.ends).isoformat())
    return Response(msgspec.json.encode(answer), media_type=JSON)


def _find_session(parts: SignInParts, headers: Headers) -> Session | None:
    secret = parts.cookie.read(headers)
    return None if secret is None else parts.cookie.find_session(secret)


_MISSING = build_refusal("People do not sign in at this server.")
_FAILED = Answer("The sign-in has failed; the page states why.", {HTML: TEXT})
OPERATIONS = {
    (SIGN_IN, "GET"): Operation(
        "Sign in at the identity provider, in a browser.",
        {
            303: Answer("To the provider.", {}, ("Location",)),
            400: _FAILED,
            404: _MISSING,
            503: Answer(_FAILED.meaning, _FAILED.content, ("Retry-After",)),
        },
        parameters=(Parameter("to", "query", "The path of this server to be led back to."),),
    ),
    (CALLBACK, "GET"): Operation(
        "Where the identity provider leads the browser to.",
        {
            303: Answer("The person has a session, and is led back.", {}, ("Location",)),
            400: _FAILED,
            403: _FAILED,
            404: _MISSING,
            503: Answer(_FAILED.meaning, _FAILED.content, ("Retry-After",)),
        },
        parameters=tuple(
            Parameter(name, "query", meaning)
            for name, meaning in (
                ("state", "As this server sent it."),
                ("code", "It is exchanged for the tokens."),
                ("iss", "The issuer."),
                ("error", "Why there is no code."),
            )
        ),
    ),
    (SIGN_OUT, "POST"): Operation(
        "End the session of this browser. Only pages of this server may do that.",
        {
            200: build_json_answer("The session has ended.", SignOutAnswer),
            403: build_refusal("A page of another site asks."),
            404: _MISSING,
            503: BUSY,
        },
    ),
    (REPORT, "POST"): Operation(
        "Where the identity provider reports that a person has signed out (OpenID Connect Back-Channel Logout).",
        {
            200: Answer("The sessions have ended.", {}),
            400: INVALID,
            404: _MISSING,
            413: build_refusal("The body is too large."),
            415: build_refusal("This address does not accept the content type or encoding."),
            503: BUSY,
        },
        body={"type": "object", "required": ["logout_token"], "properties": {"logout_token": TEXT}},
        body_media=sorted(FORM),
    ),
    (SESSION, "GET"): Operation(
        "Who is signed in, in this browser.", {200: build_json_answer("The person, if any.", SessionAnswer), 503: BUSY}
    ),
}
