"""The page for browsers: its files, which the build of `explorer/` leaves in the package, and the headers that confine what runs in it.

All files are read when the application starts, and requests only name one of them, so that no path leads out of the folder. They have no
data of the graph: the page asks for that by GraphQL, with a token where the server has tokens. So they need no role.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from pathlib import Path
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from meshline.api.errors import handle_http_error
from meshline.api.etags import matches_etag
from meshline.api.gzip_middleware import LEAST, parse_encodings
from meshline.api.operations import HTML

FOLDER = Path(__file__).resolve().parent.parent / "explorer_page"
SHELL, GRAPHIQL = "index.html", "graphiql.html"
ASSETS = "assets/"  # the folder of files whose names have a hash of what is in them
HOW_TO = "The page is not built: run scripts/setup where npm is installed (Node 20.19 or newer), or install a wheel, which has it."

ROUTES = (  # what the page shows is in its address: each answers with the same file
    "/search",
    "/a/{id}",
    *("/lineage", "/impact", "/why", "/change", "/diff"),
    *("/domains", "/owners", "/products", "/datasets", "/jobs", "/consumers", "/contracts", "/tags", "/namespaces"),
    *("/quality", "/policies", "/sources", "/events", "/runs/{id}", "/identity", "/requests", "/audit"),
)

_CONFINED = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types "
)
POLICY = "meshline"  # of Trusted Types: it passes the address of the page's own worker
POLICIES = {GRAPHIQL: "default"}  # by file: this one escapes HTML that a library shows (explorer/src/graphiql/policy.ts)
HEADERS = {"Cross-Origin-Opener-Policy": "same-origin", "Vary": "Accept-Encoding"}
IMMUTABLE = "public, max-age=31536000, immutable"
CURRENT = "no-cache"  # kept by the browser, and asked for again with its ETag each time
ENCODINGS = {"br": ".br", "gzip": ".gz"}  # by preference; the endings of the files that the build has compressed
_MEDIA = {".js": "text/javascript", ".mjs": "text/javascript", ".map": "application/json", ".woff2": "font/woff2", ".svg": "image/svg+xml"}


class PageFile(NamedTuple):
    """One file. `confined`: its Content-Security-Policy, also of a script: a worker has that of its own file.

    `bodies`: by content encoding, "" = as it is.
    """

    media: str
    etag: str
    cache: str
    confined: str
    bodies: dict[str, bytes]

    def build_response(self, request: Request, status: int = 200) -> Response:
        """The file, or 304 for a browser that has it, unless the status is that of an error."""
        headers = {**HEADERS, "Content-Security-Policy": self.confined, "ETag": self.etag, "Cache-Control": self.cache}
        if status == 200 and matches_etag(request.headers.get("if-none-match", ""), self.etag):
            return Response(status_code=304, headers=headers)
        encoding = _choose_encoding(request.headers.get("accept-encoding", ""), self.bodies)
        if encoding:
            headers["Content-Encoding"] = encoding
        return Response(self.bodies[encoding], status, headers, media_type=self.media)


def load_page(folder: Path) -> dict[str, PageFile]:
    """The files of the page by their path in the folder; none if the page is not built. What begins with a dot is not for browsers."""
    if not (folder / SHELL).is_file():
        return {}
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
    endings = tuple(ENCODINGS.values())
    return {
        name: _load_file(name, path)
        for name, path in found.items()
        if not (any(part.startswith(".") for part in name.split("/")) or name.endswith(endings))
    }


def _load_file(name: str, path: Path) -> PageFile:
    plain = path.read_bytes()
    media = _MEDIA.get(path.suffix) or mimetypes.guess_type(name, strict=True)[0] or "application/octet-stream"
    bodies = {"": plain}
    for encoding, ending in ENCODINGS.items():
        packed = path.with_name(path.name + ending)
        if packed.is_file() and not packed.is_symlink():
            bodies[encoding] = packed.read_bytes()
    if "gzip" not in bodies and len(plain) >= LEAST and media.startswith(("text/", "application/json", "image/svg")):
        bodies["gzip"] = gzip.compress(plain, 9, mtime=0)
    etag = f'W/"{hashlib.sha256(plain).hexdigest()[:32]}"'  # weak: the same for all encodings of the file
    return PageFile(media, etag, IMMUTABLE if name.startswith(ASSETS) else CURRENT, _CONFINED + POLICIES.get(name, POLICY), bodies)


def _choose_encoding(accepted: str, bodies: dict[str, bytes]) -> str:
    offered = parse_encodings(accepted)
    return next((encoding for encoding in ENCODINGS if encoding in bodies and encoding in offered), "")


async def get_shell(request: Request) -> Response:
    """A route of the page: the file that draws it."""
    return get_file(request, SHELL).build_response(request)


async def get_asset(request: Request) -> Response:
    """A file of the page."""
    return get_file(request, request.path_params["file"]).build_response(request)


def get_file(request: Request, name: str) -> PageFile:
    """Raises HTTPException 404."""
    page: dict[str, PageFile] = request.app.state.page
    found = page.get(name)
    if found is None:
        raise HTTPException(404, detail="the page has no such file" if page else HOW_TO)
    return found


async def answer_http_error(request: Request, error: HTTPException) -> Response:
    """404 and 405: people who open an address that is none see the page, which states that and has the search."""
    asked_by_person = request.method == "GET" and HTML in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if error.status_code == 404 and asked_by_person and SHELL in request.app.state.page:
        return get_file(request, SHELL).build_response(request, 404)
    return await handle_http_error(request, error)


async def visit_graphql(request: Request) -> Response:
    """GraphiQL, for a browser that opens /graphql."""
    if GRAPHIQL not in request.app.state.page:
        return RedirectResponse("/", 303)
    return get_file(request, GRAPHIQL).build_response(request)


async def get_home(request: Request) -> Response:
    """The page; without it, a list of the addresses and a sentence how to get the page."""
    if request.app.state.page:
        return await get_shell(request)
    return Response(request.app.state.front_page, media_type=HTML, headers={"Cache-Control": CURRENT})
