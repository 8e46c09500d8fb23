"""`GET /.well-known/oauth-protected-resource` (RFC 9728): where a client gets a token for this server."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from meshline.api.errors import JSON
from meshline.app.service import Service
from meshline.app.settings import Settings

PATH = "/.well-known/oauth-protected-resource"


class ResourceMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """`resource`: the audience of tokens. `meshline_client`: the client of `meshline login` at the identity provider."""

    resource: str
    bearer_methods_supported: list[str]
    authorization_servers: list[str] = []
    scopes_supported: list[str] = []
    meshline_client: str = ""


async def get_resource_metadata(request: Request) -> Response:
    """200; without an identity provider, tokens are made by hand, and there is nowhere to get one."""
    service: Service = request.app.state.service
    settings = service.settings
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        found = ResourceMetadata(str(request.base_url).rstrip("/"), ["header"])
    else:
        scopes = settings.oidc_scopes.split()
        found = ResourceMetadata(settings.oidc_audience, ["header"], [settings.oidc_issuer], scopes, settings.oidc_client or "")
    return Response(msgspec.json.encode(found), media_type=JSON)


def build_metadata_hint(settings: Settings) -> str:
    """What a WWW-Authenticate header adds; empty if there is no identity provider, or the audience is no address."""
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return ""
    parts = urlsplit(settings.oidc_audience)
    return f', resource_metadata="{parts.scheme}://{parts.netloc}{PATH}"' if parts.scheme in ("http", "https") and parts.netloc else ""
