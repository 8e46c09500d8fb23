"""`GET /`: a page for browsers that lists the addresses of the server and shows how to query it."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from starlette.requests import Request
from starlette.responses import Response

from meshline import __version__
from meshline.api.addresses import Address
from meshline.api.openapi import OPERATIONS
from meshline.api.operations import HTML

_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>meshline</title></head>
<body>
<h1>meshline {version}</h1>
<p>This server answers programs: GraphQL clients, producers of OpenLineage events, and the command line.</p>
<pre>
meshline search orders --server ADDRESS
meshline impact customers.email --server ADDRESS
curl ADDRESS/graphql -H 'Content-Type: application/json' -d '{{"query": "{{ resolve(name: \\"customers.email\\") {{ id }} }}"}}'
</pre>
<table>
<thead><tr><th scope="col">Address</th><th scope="col">Purpose</th><th scope="col">Role, where the server has tokens</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p><a href="/readyz">Is it ready?</a> <a href="/openapi.json">OpenAPI</a></p>
</body>
</html>
"""


def build_front_page(addresses: Iterable[Address]) -> str:
    """The page as HTML."""
    rows = (
        f"<tr><td>{method} {escape(path)}</td><td>{escape(OPERATIONS[path, method].summary)}</td><td>{role or 'none'}</td></tr>"
        for path, methods, role, _ in addresses
        for method in methods
    )
    return _PAGE.format(version=escape(__version__), rows="\n".join(rows))


async def get_front_page(request: Request) -> Response:
    """Answer with the page, which is built once for the application."""
    return Response(request.app.state.front_page, media_type=HTML)
