"""`meshline sources`."""

from __future__ import annotations

from meshline.cli.options import ListFormat, Server, Store, TextFormat


def sources(*, format: ListFormat = TextFormat.TEXT, store: Store = None, server: Server = None) -> None:  # noqa: A002 - the option's name
    """Show who says how much, and how their last sync went."""
    from meshline.cli.answers import answers, question, shaped
    from meshline.cli.source_list import SourceRow, listed
    from meshline.cli.terminal import write, write_json

    with answers(store, server) as source:
        data = source.ask(question("sources"), {})["sources"]
    if format is TextFormat.JSON:
        write_json(data)
    else:
        write(listed(shaped(data, list[SourceRow])))
