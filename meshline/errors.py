"""The one error base. Every error has a stable code and a sentence that says what to do next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class MeshlineError(Exception):
    """Base of all errors that a person may see. `code` is stable and part of the interface."""

    code = "INTERNAL"

    def __reduce__(self) -> tuple[Callable[..., MeshlineError], tuple[object, ...]]:
        """As errors travel between processes: with what they know, whatever they are made from."""
        return _restore_error, (type(self), self.args, self.__dict__)


def _restore_error(kind: type[MeshlineError], arguments: tuple[object, ...], attributes: dict[str, object]) -> MeshlineError:
    error = kind.__new__(kind)
    error.args = arguments
    error.__dict__.update(attributes)
    return error


class InvalidInput(MeshlineError):
    """Input that cannot be used. `where` is a JSON path, or file:line."""

    code = "INVALID_INPUT"

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class NotFound(MeshlineError):
    """No such asset."""

    code = "NOT_FOUND"


class Ambiguous(MeshlineError):
    """A name that several assets answer to; `candidates` are their qualified names."""

    code = "AMBIGUOUS"

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.candidates = candidates


class LimitExceeded(MeshlineError):
    """A request over one of the configured limits."""

    code = "LIMIT_EXCEEDED"


class NotReady(MeshlineError):
    """The graph is still being loaded."""

    code = "NOT_READY"


class StoreUnavailable(MeshlineError):
    """The store cannot be reached or is locked; trying again later may work."""

    code = "STORE_UNAVAILABLE"


class StoreCorrupt(MeshlineError):
    """The store's content is not what this version can read."""

    code = "STORE_CORRUPT"


class QueueFull(MeshlineError):
    """More is waiting to be written than may wait; try again after `retry_after` seconds."""

    code = "QUEUE_FULL"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MissingExtra(MeshlineError):
    """An optional dependency that is not installed."""

    code = "MISSING_EXTRA"

    def __init__(self, extra: str, needed_for: str) -> None:
        from meshline.distribution import install_command  # noqa: PLC0415 - only when something is missing

        super().__init__(f"{needed_for} needs the extra {extra!r}: {install_command(extra)}")


@contextmanager
def require_extra(extra: str, needed_for: str) -> Iterator[None]:
    """Around imports that need the libraries of an extra. Raises MissingExtra if one of them is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == "meshline":  # a fault of ours
            raise
        raise MissingExtra(extra, needed_for) from error
