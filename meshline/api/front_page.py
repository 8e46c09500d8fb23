"""`GET /`: a page for browsers that lists the addresses of the server and shows how to query it."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from meshline.api.addresses import Address
from meshline.api.explorer import HOW_TO
from meshline.api.openapi import OPERATIONS

_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>meshline</title></head>
<body>
<h1>meshline</h1>
<p>{how_to}</p>
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
        f"<tr><td>{method} {escape(address.path)}</td><td>{escape(operation.summary)}</td><td>{address.role or 'none'}</td></tr>"
        for address in addresses
        for method in address.methods
        if (operation := OPERATIONS.get((address.path, method))) is not None
    )
    return _PAGE.format(how_to=escape(HOW_TO), rows="\n".join(rows))
