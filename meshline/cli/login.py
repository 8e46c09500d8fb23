"""`meshline login` and `meshline logout`: a person signs in at the identity provider of a server (device flow, RFC 8628).

The sign-in is kept in a file that only its user can read, for that server alone; commands with `--server` send its token, and get a
new one when it has expired.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias
from urllib.parse import urlsplit

import msgspec
import typer

from meshline.errors import InvalidInput
from meshline.words import format_caller

if TYPE_CHECKING:
    import httpx

METADATA = "/.well-known/oauth-protected-resource"  # RFC 9728
DISCOVERY = "/.well-known/openid-configuration"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
ANSWER_SECONDS = 15.0
INTERVAL = 5.0  # seconds between two questions whether the person has signed in, if the provider asks for no other
SOON = 30.0  # seconds: a token that ends within them is renewed
LONGEST = 2_000  # characters of what is shown or kept of a provider

sleep = time.sleep

ServerUrl: TypeAlias = Annotated[str, typer.Option(help="The address of the server.", show_default=False, metavar="URL")]


class Login(msgspec.Struct, kw_only=True):
    """A sign-in at one server. `ends`: when the access token does, in seconds since the epoch."""

    issuer: str
    client: str
    token_endpoint: str
    revocation_endpoint: str = ""
    access_token: str
    refresh_token: str = ""
    ends: float


def login(
    *,
    server: ServerUrl,
    audience: Annotated[
        str | None,
        typer.Option(help="The audience of the server, where that is not its address.", show_default=False, metavar="TEXT"),
    ] = None,
) -> None:
    """Sign in at the identity provider of a server.

    Commands with --server then send the token for it. Shows an address and a code: open the address in a browser on any machine,
    and confirm the code there.
    """
    from meshline.cli.terminal import write_message

    url = _check_server(server)
    with _connect() as client:
        metadata = _get_object(client, f"{url}{METADATA}", "the server")
        resource = _check_audience(url, metadata.get("resource"), audience)
        issuers, name = metadata.get("authorization_servers"), metadata.get("meshline_client")
        if not isinstance(issuers, list) or not issuers or not isinstance(issuers[0], str) or not isinstance(name, str):
            raise InvalidInput("this server names no identity provider with a client for the command line: use a token", server)
        issuer = issuers[0]
        document = _get_object(client, issuer.rstrip("/") + DISCOVERY, "the identity provider")
        if document.get("issuer") != issuer:
            raise InvalidInput("this is the document of another identity provider", issuer)
        scopes = " ".join(str(one) for one in metadata.get("scopes_supported") or ())
        found = Login(
            issuer=issuer,
            client=name,
            token_endpoint=_get_endpoint(document, "token_endpoint", issuer),
            revocation_endpoint=_get_endpoint(document, "revocation_endpoint", issuer) if "revocation_endpoint" in document else "",
            access_token="",
            ends=0.0,
        )
        asked = {"client_id": name, "scope": scopes, "resource": resource}
        begun = _post_form(client, _get_endpoint(document, "device_authorization_endpoint", issuer), asked)
        _raise_failure(begun, issuer)
        address = _check_shown(begun.get("verification_uri_complete") or begun.get("verification_uri"), issuer)
        write_message(f"Open {address} and confirm the code {_check_shown(begun.get('user_code'), issuer)}")
        _wait_until_confirmed(client, found, begun)
        _change_login(url, found)
        write_message(f"signed in to {url}" + _describe_caller(client, url, found.access_token))


def logout(*, server: ServerUrl) -> None:
    """End a sign-in.

    Its token is withdrawn at the identity provider, and forgotten here.
    """
    import httpx

    from meshline.cli.terminal import write_message

    url = _check_server(server)
    found = _read_logins().get(url)
    if found is None:
        write_message(f"there is no sign-in for {url}")
        return
    _change_login(url, None)
    if found.revocation_endpoint and found.refresh_token:
        with _connect() as client:
            try:
                answer = client.post(found.revocation_endpoint, data={"token": found.refresh_token, "client_id": found.client})
                failure = "" if answer.is_success else f"HTTP status {answer.status_code}"
            except httpx.HTTPError as error:
                failure = str(error) or type(error).__name__
        if failure:
            write_message(f"the identity provider has not withdrawn the token, which is forgotten here: {failure}")
    write_message(f"signed out of {url}")


def find_login_token(server: str) -> str | None:
    """The token of the sign-in for a server, renewed if it ends soon; None without a sign-in. Raises InvalidInput if it has ended."""
    url = server.rstrip("/")
    if url not in _read_logins():
        return None
    with _lock_logins():  # a refresh token can be used once: of several commands, one renews
        found = _read_logins().get(url)
        if found is None:
            return None
        if found.ends - time.time() < SOON:
            with _connect() as client:
                given = {"grant_type": "refresh_token", "refresh_token": found.refresh_token, "client_id": found.client}
                answer = _post_form(client, found.token_endpoint, given) if found.refresh_token else {"error": "expired"}
            if "error" in answer:
                raise InvalidInput(f"the sign-in has ended: run `meshline login --server {url}` again", url)
            _keep_tokens(found, answer)
            _write_logins({**_read_logins(), url: found})
    return found.access_token


# -- the device flow


def _wait_until_confirmed(client: httpx.Client, found: Login, begun: Mapping[str, Any]) -> None:
    """Ask for the tokens until the person has signed in. Raises InvalidInput if that is refused, or not done in time."""
    interval = max(float(begun.get("interval") or INTERVAL), 1.0)
    end = time.monotonic() + min(float(begun.get("expires_in") or 600), 3600)
    given = {"grant_type": DEVICE_CODE, "device_code": str(begun.get("device_code")), "client_id": found.client}
    while time.monotonic() < end:
        sleep(interval)
        answer = _post_form(client, found.token_endpoint, given)
        match answer.get("error"):
            case None:
                _keep_tokens(found, answer)
                return
            case "authorization_pending":
                continue
            case "slow_down":
                interval += 5.0
            case "access_denied":
                raise InvalidInput("the sign-in was refused", found.issuer)
            case "expired_token":
                break
            case _:
                _raise_failure(answer, found.issuer)
    raise InvalidInput("the code has expired before it was confirmed: run the command again", found.issuer)


def _keep_tokens(found: Login, answer: Mapping[str, Any]) -> None:
    token = answer.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInput("the identity provider has sent no access token", found.issuer)
    found.access_token = token
    refresh = answer.get("refresh_token")
    found.refresh_token = refresh if isinstance(refresh, str) else found.refresh_token
    lifetime = answer.get("expires_in")
    found.ends = time.time() + (lifetime if isinstance(lifetime, int | float) else 300)


def _describe_caller(client: httpx.Client, url: str, token: str) -> str:
    """What the server knows of the caller. Raises InvalidInput with its sentence if it refuses the token, which stays kept."""
    body = {"query": "{ about { actor actorName role } }"}
    try:
        answer = client.post(f"{url}/graphql", json=body, headers={"Authorization": f"Bearer {token}"}).json()
    except ValueError:
        return ""
    if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
        raise InvalidInput(f"signed in, but the server refuses the caller: {answer['error'].get('message')}", url)
    about = ((answer.get("data") if isinstance(answer, dict) else None) or {}).get("about") or {}
    caller = format_caller(str(about.get("actor")), about.get("actorName"))
    return f" as {caller}, with the role {str(about.get('role')).lower()}" if about else ""


# -- what servers and providers answer


@contextmanager
def _connect() -> Iterator[httpx.Client]:
    """A client that follows no redirect, which could lead to any host. Failures of the connection become InvalidInput."""
    import httpx

    try:
        with httpx.Client(timeout=ANSWER_SECONDS, follow_redirects=False) as client:
            yield client
    except httpx.HTTPError as error:
        where = str(error.request.url.copy_with(query=None)) if getattr(error, "_request", None) is not None else ""
        raise InvalidInput(f"no answer ({error or type(error).__name__})", where) from error


def _get_object(client: httpx.Client, address: str, who: str) -> dict[str, Any]:
    _check_address(address)
    answer = client.get(address)
    try:
        found = answer.json() if answer.status_code == 200 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidInput(f"{who} does not answer with a JSON object here (HTTP status {answer.status_code})", address)
    return found


def _post_form(client: httpx.Client, address: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """The answer of the provider, which may be an `error`."""
    answer = client.post(address, data={name: value for name, value in fields.items() if value})
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict) or (not answer.is_success and "error" not in found):
        raise InvalidInput(f"the identity provider answers with HTTP status {answer.status_code}", address)
    return found


def _raise_failure(answer: Mapping[str, Any], issuer: str) -> None:
    if "error" in answer:
        shown = " ".join(str(answer[name]) for name in ("error", "error_description") if name in answer)
        raise InvalidInput(shown[:LONGEST], issuer)


def _get_endpoint(document: Mapping[str, Any], name: str, issuer: str) -> str:
    address = document.get(name)
    if not isinstance(address, str):
        raise InvalidInput(f"the identity provider has no {name}: it does not support signing in on the command line", issuer)
    _check_address(address)
    return address


def _check_address(address: str) -> None:
    from meshline.app.provider import is_safe_address

    if not is_safe_address(address):
        raise InvalidInput("a token is sent to https:// addresses only, and to http:// of this machine", address[:LONGEST])


def _check_server(server: str) -> str:
    url = server.rstrip("/")
    _check_address(url)
    return url


def _check_audience(url: str, resource: object, given: str | None) -> str:
    """The audience to ask a token for. A server that names that of another one would get tokens that open the other one."""
    if not isinstance(resource, str):
        raise InvalidInput("the server does not name its audience", url)
    mine, other = urlsplit(url), urlsplit(resource)
    if resource != given and (mine.scheme, mine.netloc) != (other.scheme, other.netloc):
        raise InvalidInput(f"the server asks for a token for {resource!r}: if that is right, repeat this with --audience", url)
    return resource


def _check_shown(text: object, issuer: str) -> str:
    """A text that can be shown: control characters would reach the terminal."""
    if not isinstance(text, str) or not text.isprintable() or len(text) > LONGEST:
        raise InvalidInput("the identity provider has sent no address, or no code, that can be shown", issuer)
    return text


# -- the file


def get_login_file() -> Path:
    """The file of the sign-ins of this user."""
    import platformdirs

    return platformdirs.user_state_path("meshline", appauthor=False) / "logins.json"


def _read_logins() -> dict[str, Login]:
    path = get_login_file()
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Login])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput("the sign-ins cannot be read: remove the file, and sign in again", str(path)) from error


def _write_logins(logins: Mapping[str, Login]) -> None:
    """Written as a whole, to a file that no other user could ever read."""
    path = get_login_file()
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(json.dumps(msgspec.to_builtins(logins)).encode())
    new.replace(path)


def _change_login(url: str, found: Login | None) -> None:
    with _lock_logins():
        logins = {name: one for name, one in _read_logins().items() if name != url}
        _write_logins(logins if found is None else {**logins, url: found})


@contextmanager
def _lock_logins() -> Iterator[None]:
    import fcntl  # not on Windows, where all other commands work

    folder = get_login_file().parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "logins.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
