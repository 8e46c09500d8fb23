"""How the kernels run: as they are written, or compiled by numba.

Kernels are plain functions over the arrays of `meshline.graph.index.arrays`, written so that numba can
compile them. Importing numba costs a second, more than a small graph needs in all, and compiling for
the first time half a minute: so they begin as they are written, until there is work that pays for the
compiled form (which is kept on disk: `kernel_cache`). Both forms do the same; tests run both.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from threading import Lock, Thread
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from meshline.graph.index import arrays

if TYPE_CHECKING:
    from meshline.graph.index.kernels.kernel_cache import Caches

P = ParamSpec("P")
R = TypeVar("R")

_inner: list[Callable[..., Any]] = []
_kernels: dict[Callable[..., Any], tuple[Any, ...]] = {}
_compiling = Lock()
_started: list[Thread] = []
_done: list[bool] = []

log = logging.getLogger("meshline.kernels")


def register_inner(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator of a function that only kernels call."""
    _inner.append(function)
    return function


def register_kernel(*arguments: Any) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Decorator of a function that Python calls and that returns an integer (int64).

    `arguments`: "int", a class of tables, or an array's dtype, e.g. "I32", or "I64:2" with two dimensions. All arrays are C-contiguous.
    """

    def register(function: Callable[P, int]) -> Callable[P, int]:
        _kernels[function] = arguments
        return function

    return register


def compile_kernels() -> None:
    """Replace all kernels by their compiled form, in this process."""
    with _compiling:
        if not _done:
            for function, compiled in _compile_all().items():
                setattr(sys.modules[function.__module__], function.__name__, compiled)
            _done.append(True)


def is_compiled() -> bool:
    """True if kernels run compiled in this process."""
    return bool(_done)


def compile_kernels_soon() -> None:
    """Compile the kernels in the background; until they are compiled they run as Python."""
    if not _done and not _started:
        _started.append(Thread(target=compile_kernels, name="compile kernels", daemon=True))
        _started[0].start()


class CachedKernels(NamedTuple):
    """The state of the cache of compiled kernels. `kernels`: how many there are; `cached`: how many are cached for this machine, in which
    `folders`. `kept`: the folder for kernels that are compiled from now on; None: no folder is writable, so each process compiles.
    """

    kernels: int
    cached: int
    folders: tuple[Path, ...]
    kept: Path | None


def find_cached_kernels() -> CachedKernels:
    """What a process that needs the compiled kernels would find in the caches. Compiles nothing."""
    from meshline.graph.index.kernels.kernel_cache import find_writable, list_folders  # noqa: PLC0415 - numba

    made, caches = _build_dispatchers()
    for dispatcher, signature in made.values():
        caches.look_up(dispatcher, signature)
    return CachedKernels(len(made), caches.found, tuple(sorted(caches.used)), find_writable(list_folders(_compute_digest())))


def _compile_all() -> dict[Callable[..., Any], Any]:
    """The compiled form of every kernel, from a cache where possible."""
    if import_module("numba").config.DISABLE_JIT:
        return {}
    made, caches = _build_dispatchers()
    begun = time.process_time()
    for dispatcher, signature in made.values():
        dispatcher.compile(signature)
        dispatcher.disable_compile()
    if caches.missed:
        log.info("%d of %d kernels were compiled in %.0f seconds", caches.missed, len(made), time.process_time() - begun)
    return {function: dispatcher for function, (dispatcher, _) in made.items()}


def _build_dispatchers() -> tuple[dict[Callable[..., Any], tuple[Any, Any]], Caches]:
    """The numba dispatcher and signature of every kernel, and the caches that all of them use."""
    numba = import_module("numba")  # only now, see above
    from meshline.graph.index.kernels.kernel_cache import Caches, list_folders  # noqa: PLC0415 - numba

    caches = Caches(list_folders(_compute_digest()))
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
    made = {}
    for function, arguments in _kernels.items():
        dispatcher = numba.njit(nogil=True, **options)(copies[function])
        dispatcher._cache = caches.build_cache(copies[function])  # noqa: SLF001 - as its `enable_caching` does
        made[function] = (dispatcher, numba.types.int64(*(_convert_type(numba.types, name) for name in arguments)))
    return made, caches


def _copy(function: Callable[..., Any], spaces: dict[str, dict[str, Any]]) -> FunctionType:
    """A copy of a function whose globals are the copy of its module's names in `spaces`."""
    assert isinstance(function, FunctionType)
    copy = FunctionType(function.__code__, spaces[function.__module__], function.__name__, function.__defaults__, function.__closure__)
    copy.__qualname__ = function.__qualname__
    return copy


def _compute_digest() -> str:
    """A hash of the sources of all kernels, which call each other across modules, and of numba's version."""
    numba = import_module("numba")
    sources = sorted({Path(sys.modules[function.__module__].__file__ or "") for function in (*_inner, *_kernels)})
    state = [numba.__version__.encode(), *(path.read_bytes() for path in [*sources, Path(arrays.__file__), Path(__file__)])]
    return hashlib.blake2b(b"".join(state), digest_size=8).hexdigest()


def _convert_type(types: Any, name: Any) -> Any:
    """The numba type of an argument of `register_kernel`."""
    dtypes = {
        "I8": types.int8,
        "U8": types.uint8,
        "I32": types.int32,
        "U32": types.uint32,
        "I64": types.int64,
        "U64": types.uint64,
        "F32": types.float32,
    }
    if name == "int":
        return types.int64
    if isinstance(name, str):
        element, _, dimensions = name.partition(":")
        return types.Array(dtypes[element], int(dimensions or 1), "C")
    hints = [getattr(hint, "__forward_arg__", hint) for hint in name.__annotations__.values()]
    return types.BaseTuple.from_types([types.Array(dtypes[hint], 1, "C") for hint in hints], name)
