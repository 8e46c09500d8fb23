"""A store opened by this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from meshline.errors import NotFound

if TYPE_CHECKING:
    from meshline.graph.store.base import Store as OpenStore


def store_url(url: str | None = None, config: Path | None = None) -> str:
    """The address of the store: the given one, else as the settings say."""
    from meshline.api.settings import load

    return load(store=url, config=config).store


@contextmanager
def opened_store(url: str | None, *, must_exist: bool = False) -> Iterator[OpenStore]:
    """The store at an address (None: as the settings say). Raises NotFound instead of making one that must exist."""
    from meshline.graph.store.factory import open_store, sqlite_path

    url = store_url(url)
    path = sqlite_path(url)
    if must_exist and path is not None and not path.exists():
        raise NotFound(f"there is no store at {path}: `meshline ingest` and `meshline serve` make one, --store names another")
    with closing(open_store(url)) as store:
        yield store
