"""Changes of where the data of a contract is."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.governance.changes import Change
from meshline.governance.diff.draft import Draft
from meshline.graph.definitions import Version
from meshline.graph.model import AssetKey
from meshline.graph.promises import Contract, Server

_NOT_A_PLACE = frozenset({"driver", "stagingDir", "workgroup"})  # how it is read, not where it is


def server_changes(draft: Draft, before: Version[Contract], after: Version[Contract]) -> Iterator[Change]:
    """A server is the same one by its name; one that only has another name is where it was."""
    old, new = _keyed(before.value), _keyed(after.value)
    gone = {name: server for name, server in old.items() if _place(server) not in map(_place, new.values())}
    added = {name: server for name, server in new.items() if _place(server) not in map(_place, old.values())}
    for name in sorted(gone):
        part, was, now = ("server", name), gone[name], added.pop(name, None)
        if now is None:
            yield draft.change("location-removed", part, _said(was), assets=_left(before, after), server=name)
        else:
            said = (_said(was, unlike=now), _said(now, unlike=was))
            yield draft.change("location-changed", part, *said, assets=_left(before, after), server=name)
    for name in sorted(added):
        yield draft.change("location-added", ("server", name), None, _said(added[name]), server=name)


def renamed_servers(before: Contract, after: Contract) -> dict[str, str]:
    """The names of after -> of before, of servers that only have another name."""
    old = {_place(server): server.name for server in before.servers}
    return {server.name: old[_place(server)] for server in after.servers if _place(server) in old}


def _keyed(contract: Contract) -> dict[str, Server]:
    return {server.name: server for server in contract.servers}


def _place(server: Server) -> tuple[str, tuple[tuple[str, str], ...]]:
    settings = {key: str(value).strip() for key, value in server.settings.items() if key not in _NOT_A_PLACE}
    return server.type.lower(), tuple(sorted(settings.items()))


def _said(server: Server, unlike: Server | None = None) -> str:
    """`trino, host=trino.internal`. `unlike`: without what the other has as well."""
    kind, settings = _place(server)
    other, others = ("", ()) if unlike is None else _place(unlike)
    parts = [f"{key}={value}" for key, value in settings if (key, value) not in others]
    return ", ".join([kind] * (kind != other or not parts) + parts)


def _left(before: Version[Contract], after: Version[Contract]) -> list[AssetKey]:
    """The datasets that the data is in no more; all, if that is not known."""
    old, new = ([key for keys in version.datasets.values() for key in keys] for version in (before, after))
    return [key for key in old if key not in new] or old
