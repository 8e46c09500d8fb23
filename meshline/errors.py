"""The base of all errors. Every error has a stable code and a sentence that states what to do next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class MeshlineError(Exception):
    """Base of all errors that a user may see. `code` is stable and part of the interface."""

    code = "INTERNAL"

    def __reduce__(self) -> tuple[Callable[..., MeshlineError], tuple[object, ...]]:
        """Pickle the error with its attributes, whatever its constructor takes: errors are sent between processes."""
        return _restore_error, (type(self), self.args, self.__dict__)


def _restore_error(kind: type[MeshlineError], arguments: tuple[object, ...], attributes: dict[str, object]) -> MeshlineError:
    error = kind.__new__(kind)
    error.args = arguments
    error.__dict__.update(attributes)
    return error


class InvalidInput(MeshlineError):
    """Input that cannot be used. `where`: a JSON path, or file:line."""

    code = "INVALID_INPUT"

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class NotFound(MeshlineError):
    """No such asset."""

    code = "NOT_FOUND"


class Ambiguous(MeshlineError):
    """A name that several assets have; `candidates`: their qualified names."""

    code = "AMBIGUOUS"

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.candidates = candidates


class NotPermitted(MeshlineError):
    """A question that only callers who may see every asset may ask."""

    code = "FORBIDDEN"


class RefusedRequest(MeshlineError):
    """A server refused a request, or the schema did; `code` is the code of its error."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class LimitExceeded(MeshlineError):
    """A request that exceeds a configured limit."""

    code = "LIMIT_EXCEEDED"


class NotReady(MeshlineError):
    """The graph is still being loaded."""

    code = "NOT_READY"


class StoreUnavailable(MeshlineError):
    """The store cannot be reached or is locked; trying again later may work."""

    code = "STORE_UNAVAILABLE"


class ProviderUnavailable(MeshlineError):
    """The identity provider cannot be reached, or its answer cannot be used; trying again later may work."""

    code = "PROVIDER_UNAVAILABLE"


class StoreCorrupt(MeshlineError):
    """This version cannot read the content of the store."""

    code = "STORE_CORRUPT"


class QueueFull(MeshlineError):
    """A queue is full; try again after `retry_after` seconds."""

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
        if error.name is not None and error.name.partition(".")[0] == "meshline":  # a fault of meshline itself
            raise
        raise MissingExtra(extra, needed_for) from error
