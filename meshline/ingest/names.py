"""Names of datasets as a person writes them, in one text."""

from __future__ import annotations

import re
from collections.abc import Mapping

_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)/(?P<path>.*)", re.DOTALL)


def split_dataset(text: str, aliases: Mapping[str, str]) -> tuple[str, str]:
    """Namespace and name of a dataset written as one text; ('', '') if it cannot be told.

    `alias/name` if the part before the first slash is an alias. `scheme://host/rest`: the namespace
    ends after the host (OpenLineage, Naming.md). `scheme:///path/rest`: no host, so the path is the
    namespace and the last slash ends it (`duckdb:///warehouse/shop.duckdb` + `shop.main.orders`). Else
    the first slash ends the namespace (`file` + `/warehouse/orders` is `file//warehouse/orders`).
    """
    first, _, rest = text.partition("/")
    if first in aliases:
        namespace, name = aliases[first], rest
    elif (uri := _URI.fullmatch(text)) is None:
        namespace, name = first, rest
    elif uri["authority"]:
        namespace, name = f"{uri['scheme']}://{uri['authority']}", uri["path"]
    else:
        path, _, name = uri["path"].rpartition("/")
        namespace = f"{uri['scheme']}:///{path}" if path else ""
    return (namespace, name) if namespace and name else ("", "")
