"""`meshline search TEXT`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.options import Kinds, Limit, ListFormat, Server, Store, TextFormat, get_kind_names


def search(
    text: Annotated[str, typer.Argument(help="Words or beginnings of words, all of which must be found.", metavar="TEXT")],
    *,
    kind: Kinds = None,
    limit: Limit = 25,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Find assets by the words of their names, descriptions and tags."""
    from meshline.cli.answer_types import Assets, format_assets
    from meshline.cli.client import convert_answer, open_client, read_query
    from meshline.cli.terminal import write_json, write_lines

    with open_client(store, server) as source:
        data = source.ask(read_query("search"), {"text": text, "kinds": get_kind_names(kind), "limit": limit})["search"]
    if format is TextFormat.JSON:
        write_json(data)
    else:
        write_lines(format_assets(convert_answer(data, Assets), f"no asset has {text!r} in its names, descriptions or tags"))
