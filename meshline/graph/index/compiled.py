"""How the kernels run: as they are written, or compiled by numba.

Kernels are plain functions over the arrays of `meshline.graph.index.tables`, written so that numba can
compile them. Importing numba costs a second, more than a small graph needs in all, and compiling for
the first time half a minute: so they begin as they are written, until there is work that pays for the
compiled form (which is kept on disk). Both forms do the same; tests run both.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from threading import Lock, Thread
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_inner: list[Callable[..., Any]] = []
_kernels: dict[Callable[..., Any], tuple[Any, ...]] = {}
_compiling = Lock()
_started: list[Thread] = []
_done: list[bool] = []


def inner(function: Callable[P, R]) -> Callable[P, R]:
    """A function that kernels call."""
    _inner.append(function)
    return function


def kernel(*arguments: Any) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """A function that Python calls, returning an integer. Arguments: "int", a table's class, or e.g. "I32", "I64:2" (two dimensions)."""

    def register(function: Callable[P, int]) -> Callable[P, int]:
        _kernels[function] = arguments
        return function

    return register


def compile_kernels() -> None:
    """From now on, in this process, kernels run compiled."""
    with _compiling:
        if not _done:
            for function, compiled in _compiled().items():
                setattr(sys.modules[function.__module__], function.__name__, compiled)
            _done.append(True)


def is_compiled() -> bool:
    return bool(_done)


def compile_kernels_soon() -> None:
    """The same in the background; until it is done they run as before."""
    if not _done and not _started:
        _started.append(Thread(target=compile_kernels, name="compile kernels", daemon=True))
        _started[0].start()


def _compiled() -> dict[Callable[..., Any], Any]:
    """The compiled form of every kernel."""
    numba = import_module("numba")  # only now, see above
    cache = _cache()
    if cache is not None:
        numba.config.CACHE_DIR = str(cache)
    # Kernels allocate nothing, and without counting references to arrays they are three times as fast.
    options = {"error_model": "numpy", "_nrt": False}
    # Compiled functions call compiled ones, so they live in copies of their modules' names.
    spaces = {name: dict(vars(sys.modules[name])) for name in {function.__module__ for function in (*_inner, *_kernels)}}
    copies = {function: _copy(function, spaces) for function in (*_inner, *_kernels)}
    # What only kernels call needs no way in from Python: a fifth of the time of compiling.
    inner_options = {**options, "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    callable_ = {function: numba.njit(**inner_options)(copies[function]) for function in _inner}
    for space in spaces.values():
        space.update({name: callable_[value] for name, value in space.items() if isinstance(value, FunctionType) and value in callable_})
    return {
        function: numba.njit(
            numba.types.int64(*(_numba_type(numba.types, name) for name in arguments)), cache=cache is not None, nogil=True, **options
        )(copies[function])
        for function, arguments in _kernels.items()
    }


def _copy(function: Callable[..., Any], spaces: dict[str, dict[str, Any]]) -> FunctionType:
    assert isinstance(function, FunctionType)
    copy = FunctionType(function.__code__, spaces[function.__module__], function.__name__, function.__defaults__, function.__closure__)
    copy.__qualname__ = function.__qualname__
    return copy


def _cache() -> Path | None:
    """Where compiled forms are kept: numba looks at one file's time only, and kernels call across files.

    None where the package's folder cannot be written: then every process compiles for itself.
    """
    sources = sorted({Path(sys.modules[function.__module__].__file__ or "") for function in (*_inner, *_kernels)})
    tables = Path(__file__).with_name("tables.py")
    digest = hashlib.blake2b(b"".join(path.read_bytes() for path in [*sources, tables, Path(__file__)]), digest_size=8).hexdigest()
    folder = Path(__file__).parent / "__pycache__" / f"kernels-{digest}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
    except OSError:
        return None
    return folder


def _numba_type(types: Any, name: Any) -> Any:
    arrays = {"I8": types.int8, "U8": types.uint8, "I32": types.int32, "U32": types.uint32, "I64": types.int64, "U64": types.uint64}
    if name == "int":
        return types.int64
    if isinstance(name, str):
        element, _, dimensions = name.partition(":")
        return types.Array(arrays[element], int(dimensions or 1), "C")
    hints = [getattr(hint, "__forward_arg__", hint) for hint in name.__annotations__.values()]
    return types.BaseTuple.from_types([types.Array(arrays[hint], 1, "C") for hint in hints], name)
