"""The cache of compiled kernels on disk, so that they are compiled once and not by each process. Imports numba: import it only when needed.

Numba's own locations are not used: numba does not read a cache that it cannot write, and it looks for changes in one module only,
while kernels call kernels of other modules. Here a folder belongs to one state of all the sources.
"""

from __future__ import annotations

import logging
import pickle
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import platformdirs
from numba.core import caching, config

SECONDS = "20 to 40"  # of processor time that compiling all kernels takes; more where others use the processor

log = logging.getLogger("meshline.kernels")

# What reading a cache may raise that another process, a full disk or another installation has left incomplete.
_UNUSABLE = (OSError, EOFError, pickle.UnpicklingError, ValueError, LookupError, AttributeError, ImportError)


def list_folders(digest: str) -> list[Path]:
    """The folders that may contain the kernels of one state of the sources (`digest`), in the order in which they are tried.

    NUMBA_CACHE_DIR, if it is set; the package's own folder; the user's folder for caches.
    """
    name = f"kernels-{digest}"
    chosen: str = config.CACHE_DIR  # type: ignore[attr-defined]  # numba has read the variable
    user = platformdirs.user_cache_path("meshline", appauthor=False)
    return [
        *([Path(chosen).absolute() / "meshline" / name] if chosen else []),
        Path(__file__).parent / "__pycache__" / name,
        *([user / name] if user.is_absolute() else []),  # without a home there is none
    ]


def find_writable(places: Sequence[Path]) -> Path | None:
    """The first of these folders that is writable (created if absent); None if none is."""
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=place).close()
        except OSError:
            continue
        return place
    return None


class Caches:
    """The caches of all kernels of a process. `found`: kernels that were read; `missed`: kernels that no folder has; `used`: folders."""

    def __init__(self, places: Sequence[Path]) -> None:
        self.found = 0
        self.missed = 0
        self.used: set[Path] = set()
        self._places = places
        self._kept: Path | None = None

    def build_cache(self, function: Callable[..., Any]) -> KernelCache:
        """The cache of one kernel."""
        return KernelCache(self, {place: _build_folder_cache(function, place) for place in self._places})

    def look_up(self, dispatcher: Any, signature: Any) -> bool:
        """True if a folder contains the kernel, compiled for this machine."""
        return dispatcher._cache.read(signature, dispatcher.targetctx) is not None  # noqa: SLF001

    def announce(self) -> None:
        """Before the first kernel is compiled: log the wait, and choose the folder for the kernels."""
        self._kept = find_writable(self._places)
        kept = f"once; they are kept in {self._kept}" if self._kept else "in each process: no folder can be written, set NUMBA_CACHE_DIR"
        log.warning("compiling the kernels of the index: %s seconds of processor time, %s", SECONDS, kept)

    @property
    def kept(self) -> Path | None:
        """Where what is compiled is kept; None: nowhere."""
        return self._kept


class KernelCache(caching._Cache):  # noqa: SLF001 - numba is pinned for it
    """Reads a kernel from the first folder that has it, and writes it to the first that can be written."""

    def __init__(self, caches: Caches, layers: dict[Path, Any]) -> None:
        self._caches = caches
        self._layers = layers

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = self.read(sig, target_context)
        if found is None:
            if not self._caches.missed:
                self._caches.announce()
            self._caches.missed += 1
        return found

    def read(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel in the first folder that contains it, or None."""
        for place, layer in self._layers.items():
            try:
                found = layer.load_overload(sig, target_context)
            except _UNUSABLE:
                continue
            if found is not None:
                self._caches.found += 1
                self._caches.used.add(place)
                return found
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if self._caches.kept is None:
            return
        layer = self._layers[self._caches.kept]
        try:
            try:
                layer.save_overload(sig, data)
            except _UNUSABLE:  # what is there is damaged
                layer.flush()
                layer.save_overload(sig, data)
        except OSError as error:  # the kernel is compiled all the same
            log.warning("a compiled kernel cannot be kept in %s: %s", self._caches.kept, error.strerror or error)

    @property
    def cache_path(self) -> str | None:
        return None if self._caches.kept is None else str(self._caches.kept)

    def enable(self) -> None:
        """It is always on."""

    def disable(self) -> None:
        """It is always on."""

    def flush(self) -> None:
        """Nothing waits to be written."""


class _Locator(caching._CacheLocator):  # noqa: SLF001
    """Names the folder to numba. `get_source_stamp`: the folder's name has the state of the sources in it."""

    place: Path  # each folder has a class of its own

    def __init__(self, line: int, file: str) -> None:
        self._line = line
        self._py_file = file  # numba names it in warnings

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _Locator:
        return cls(py_func.__code__.co_firstlineno, py_file)

    def get_cache_path(self) -> str:
        return str(self.place)

    def get_source_stamp(self) -> str:
        return ""

    def get_disambiguator(self) -> str:
        return str(self._line)


def _build_folder_cache(function: Callable[..., Any], place: Path) -> Any:
    """Numba's cache of one function in one folder."""
    locator = type("_FolderLocator", (_Locator,), {"place": place})
    implementation = type("_Implementation", (caching.CompileResultCacheImpl,), {"_locator_classes": [locator]})
    return type("_FolderCache", (caching.Cache,), {"_impl_class": implementation})(function)
