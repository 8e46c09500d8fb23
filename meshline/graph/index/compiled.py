"""How the kernels run: as they are written, or compiled by numba.

Kernels are plain functions over the arrays of `meshline.graph.index.tables`, written so that numba can
compile them. Importing numba costs over a second, more than a small graph needs in all: so they begin
interpreted, and `compile_kernels` replaces every one by its compiled form (kept on disk) once there
is work that pays for it. Both forms do the same; tests run both.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_inner: list[Callable[..., Any]] = []
_kernels: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
_compiled: dict[str, bool] = {}


def inner(function: Callable[P, R]) -> Callable[P, R]:
    """A function that kernels call."""
    _inner.append(function)
    return function


def kernel(*arguments: Any) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """A function that Python calls, returning an integer. Arguments: "int", a table's class, or e.g. "I32", "I64:2" (two dimensions)."""

    def register(function: Callable[P, int]) -> Callable[P, int]:
        _kernels.append((function, arguments))
        return function

    return register


def compile_kernels() -> None:
    """From now on, in this process, kernels run compiled."""
    if _compiled:
        return
    numba = import_module("numba")  # only now, see above
    numba.config.CACHE_DIR = str(_cache())
    # Kernels allocate nothing, and without counting references to arrays they are three times as fast.
    options = {"error_model": "numpy", "_nrt": False}
    _replace({function: numba.njit(forceinline=True, **options)(function) for function in _inner})
    signatures = {function: numba.types.int64(*(_numba_type(numba.types, name) for name in arguments)) for function, arguments in _kernels}
    _replace({f: numba.njit(signature, cache=True, nogil=True, **options)(f) for f, signature in signatures.items()})
    _compiled["yes"] = True


def _replace(by: dict[Callable[..., Any], Any]) -> None:
    for module in {sys.modules[function.__module__] for function in [*_inner, *(f for f, _ in _kernels)]}:
        for name, value in list(vars(module).items()):
            if callable(value) and value in by:
                setattr(module, name, by[value])


def _cache() -> Path:
    """Where compiled forms are kept: numba looks at one file's time only, and kernels call across files."""
    sources = sorted({Path(sys.modules[f.__module__].__file__ or "") for f in [*_inner, *(f for f, _ in _kernels)]})
    digest = hashlib.blake2b(b"".join(path.read_bytes() for path in [*sources, Path(__file__)]), digest_size=8).hexdigest()
    return Path(__file__).parent / "__pycache__" / f"kernels-{digest}"


def _numba_type(types: Any, name: Any) -> Any:
    arrays = {"I8": types.int8, "U8": types.uint8, "I32": types.int32, "U32": types.uint32, "I64": types.int64}
    if name == "int":
        return types.int64
    if isinstance(name, str):
        element, _, dimensions = name.partition(":")
        return types.Array(arrays[element], int(dimensions or 1), "C")
    hints = [getattr(hint, "__forward_arg__", hint) for hint in name.__annotations__.values()]
    return types.BaseTuple.from_types([types.Array(arrays[hint], 1, "C") for hint in hints], name)
