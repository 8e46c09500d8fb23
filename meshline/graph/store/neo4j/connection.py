"""One driver: transactions that write, read, or read under the lock; retries; errors in the words of `meshline.errors`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

import neo4j
from neo4j.exceptions import AuthError, DriverError, Neo4jError, ServiceUnavailable, SessionExpired, TransientError

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.store.neo4j.cypher import get_cypher

Transaction: TypeAlias = neo4j.ManagedTransaction | neo4j.Transaction
T = TypeVar("T")

# The driver logs what it raises as well: users would read each failure twice, the first time without an address.
logging.getLogger("neo4j.pool").setLevel(logging.CRITICAL)

SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")
RETRY_SECONDS = 10.0  # how long a transaction is tried again: an election of a cluster takes a few seconds
CONNECT_SECONDS = 5.0
ROWS = 10_000  # of one UNWIND: more at once is no faster, and takes memory of the server


# What a server says that is starting or stopping, lacks the database, or does not let this user do what is needed.
_NOT_OURS = ("Neo.ClientError.Database.", "Neo.DatabaseError.Database.", "Neo.ClientError.Security.", "Neo.ClientError.Cluster.")


class Address(NamedTuple):
    """What a store URL says."""

    uri: str
    user: str
    password: str
    database: str | None

    @classmethod
    def parse(cls, url: str) -> Address:
        """`neo4j://user:password@host:port/database`; user and password percent-encoded where they have to be."""
        try:
            parts = urlsplit(url)
            host = parts.hostname and (parts.port or True)
        except ValueError:  # of a port or an IPv6 address
            host = None
        if not host or parts.scheme not in SCHEMES:
            raise InvalidInput(
                f"this is no address of a Neo4j: write neo4j://user:password@host:7687 (schemes: {', '.join(SCHEMES)})", "store"
            )
        uri = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{f'?{parts.query}' if parts.query else ''}"
        return cls(uri, unquote(parts.username or ""), unquote(parts.password or ""), unquote(parts.path.strip("/")) or None)


class Connection:
    """Thread-safe. Every transaction sees what this process has written before, on any server of a cluster."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._bookmarks = neo4j.GraphDatabase.bookmark_manager()
        self._driver = neo4j.GraphDatabase.driver(
            address.uri,
            auth=(address.user, address.password) if address.user else None,
            connection_timeout=CONNECT_SECONDS,
            connection_acquisition_timeout=RETRY_SECONDS,
            max_transaction_retry_time=RETRY_SECONDS,
            notifications_min_severity="OFF",
            keep_alive=True,
            user_agent="meshline",
        )
        self._closed = False

    def write(self, work: Callable[[Transaction], T]) -> T:
        """`work` in a transaction, committed. It may be called again (a lost connection, a deadlock)."""
        with self._translate_errors(), self._open_session(neo4j.WRITE_ACCESS) as session:
            return session.execute_write(work)

    def read(self, work: Callable[[Transaction], T]) -> T:
        """`work` in a transaction that only reads. It may be called again, and sees what is committed meanwhile."""
        return self._run_rolled_back(work, neo4j.READ_ACCESS)

    def read_locked(self, work: Callable[[Transaction], T]) -> T:
        """`work` while nobody commits: Neo4j shows a commit to readers piece by piece. Keep it short."""

        def run_under_lock(tx: Transaction) -> T:
            run_query(tx, get_cypher("lock"))
            return work(tx)

        return self._run_rolled_back(run_under_lock, neo4j.WRITE_ACCESS)

    def define(self, statements: Sequence[str]) -> None:
        """Change the schema: each statement is a transaction of its own."""
        for statement in statements:
            self.write(partial(run_query, text=statement))

    def close(self) -> None:
        self._closed = True
        self._driver.close()

    def _run_rolled_back(self, work: Callable[[Transaction], T], access: str) -> T:
        """Not the driver's managed transaction: that one waits and waits while a server is down."""
        end = time.monotonic() + RETRY_SECONDS
        pause, lost = 0.05, False
        with self._translate_errors():
            while True:
                try:
                    with self._open_session(access) as session, session.begin_transaction() as tx:
                        result = work(tx)
                        tx.rollback()
                        return result
                except (ServiceUnavailable, SessionExpired, OSError):  # OSError: cut while the driver connects
                    # A pooled connection may be a dead one; its failure empties the pool, so the second is new.
                    if lost:
                        raise
                    lost = True
                except TransientError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(pause)
                    pause *= 2

    def _open_session(self, access: str) -> neo4j.Session:
        return self._driver.session(database=self.address.database, default_access_mode=access, bookmark_manager=self._bookmarks)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        if self._closed:
            raise StoreUnavailable(f"the store {self.address.uri} is closed")
        try:
            yield
        except AuthError as error:
            raise StoreUnavailable(f"Neo4j at {self.address.uri} refuses the user name or password: check the store's address") from error
        except (ServiceUnavailable, SessionExpired, TransientError, OSError) as error:
            raise StoreUnavailable(f"Neo4j at {self.address.uri} does not answer ({error}): is it running? Try again.") from error
        except DriverError as error:
            raise StoreUnavailable(f"Neo4j at {self.address.uri} cannot be used: {error}") from error
        except Neo4jError as error:
            if not (error.code or "").startswith(_NOT_OURS):
                raise
            raise StoreUnavailable(f"Neo4j at {self.address.uri} cannot be used: {error.message}") from error


def run_query(tx: Transaction, text: str, **parameters: Any) -> list[Any]:
    """The values of a statement's only record; [] if it has none."""
    record = tx.run(text, parameters).single()
    return [] if record is None else record.values()


def read_rows(tx: Transaction, text: str, **parameters: Any) -> list[list[Any]]:
    """The list that a statement collects."""
    found: list[list[Any]] = run_query(tx, text, **parameters)[0]
    return found


def run_in_chunks(tx: Transaction, text: str, values: Sequence[object]) -> None:
    """A statement with `$rows`, so many at a time."""
    for at in range(0, len(values), ROWS):
        tx.run(text, {"rows": values[at : at + ROWS]}).consume()


def split_into_parts(values: Iterable[T], size: Callable[[T], int], limit: int) -> Iterator[list[T]]:
    """Values in order, in parts of about this size together."""
    part: list[T] = []
    total = 0
    for value in values:
        if part and total + size(value) > limit:
            yield part
            part, total = [], 0
        part.append(value)
        total += size(value)
    if part:
        yield part
