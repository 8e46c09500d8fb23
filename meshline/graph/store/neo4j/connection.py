"""One driver: transactions that write, read, or read under the lock; retries; errors translated to those of `meshline.errors`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

import neo4j
from neo4j.exceptions import AuthError, ClientError, DriverError, Neo4jError, ServiceUnavailable, SessionExpired, TransientError

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.store.neo4j.cypher import PARAMETERS, get_cypher

Transaction: TypeAlias = neo4j.ManagedTransaction | neo4j.Transaction
T = TypeVar("T")

# The driver also logs the errors that it raises: users would see each failure twice, the first time without an address.
logging.getLogger("neo4j.pool").setLevel(logging.CRITICAL)

SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")
RETRY_SECONDS = 10.0  # limit for retries of a transaction: an election in a cluster takes a few seconds
CONNECT_SECONDS = 5.0
INDEX_SECONDS = 300.0  # limit for the server to build indexes: they are over what earlier versions have written, perhaps millions of nodes
ROWS = 10_000  # rows of one UNWIND: more are no faster, and take memory of the server


# Error codes of a server that starts or stops, lacks the database, or denies the user a permission.
_NOT_OURS = ("Neo.ClientError.Database.", "Neo.DatabaseError.Database.", "Neo.ClientError.Security.", "Neo.ClientError.Cluster.")


class Address(NamedTuple):
    """The parts of a store URL."""

    uri: str
    user: str
    password: str
    database: str | None

    @classmethod
    def parse(cls, url: str) -> Address:
        """Parse `neo4j://user:password@host:port/database`, with user and password percent-encoded where necessary. Raises InvalidInput."""
        try:
            parts = urlsplit(url)
            host = parts.hostname and (parts.port or True)
        except ValueError:  # of a port or an IPv6 address
            host = None
        if not host or parts.scheme not in SCHEMES:
            raise InvalidInput(
                f"this is not an address of a Neo4j server: write neo4j://user:password@host:7687 (schemes: {', '.join(SCHEMES)})", "store"
            )
        uri = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{f'?{parts.query}' if parts.query else ''}"
        return cls(uri, unquote(parts.username or ""), unquote(parts.password or ""), unquote(parts.path.strip("/")) or None)


class Connection:
    """A connection to a database. Thread-safe. Every transaction sees earlier writes of this process, on any server of a cluster.

    Methods raise StoreUnavailable.
    """

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
        """Call `work` in a transaction and commit it. `work` may be called again (a lost connection, a deadlock)."""
        with self._translate_errors(), self._open_session(neo4j.WRITE_ACCESS) as session:
            return session.execute_write(work)

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Call `work` in a transaction that only reads. `work` may be called again, and sees commits that happen meanwhile."""
        return self._run_rolled_back(work, neo4j.READ_ACCESS)

    def read_locked(self, work: Callable[[Transaction], T]) -> T:
        """Call `work` under the lock, while no process commits: readers can see parts of a commit in Neo4j. Keep it short."""

        def run_under_lock(tx: Transaction) -> T:
            run_query(tx, get_cypher("lock"))
            return work(tx)

        return self._run_rolled_back(run_under_lock, neo4j.WRITE_ACCESS)

    def define(self, statements: Sequence[str]) -> None:
        """Change the schema, with one transaction for each statement, and wait until the server has built all indexes.

        Several processes may do this at once.
        """
        for statement in statements:
            try:
                self.write(partial(run_query, text=statement))
            except ClientError as error:
                # Two at once: IF NOT EXISTS of the slower one can find nothing, and its CREATE then what the quicker one has created.
                if not (error.code or "").startswith("Neo.ClientError.Schema.") or not (error.code or "").endswith("AlreadyExists"):
                    raise
        self._wait_for_indexes()

    def close(self) -> None:
        self._closed = True
        self._driver.close()

    def _wait_for_indexes(self) -> None:
        """Wait until all indexes can be used: a search before that is an error.

        Each look is a transaction of its own. `db.awaitIndexes` would keep locks of labels while it waits, and another process that
        creates a constraint needs those before its index is online: both would wait until the limit.
        """
        end = time.monotonic() + INDEX_SECONDS
        pause = 0.02
        while unfinished := self.read(lambda tx: read_rows(tx, get_cypher("unfinished_indexes"))):
            names = ", ".join(name for name, _, _ in unfinished)
            for name, state, reason in unfinished:
                if state == "FAILED":
                    raise StoreUnavailable(f"Neo4j at {self.address.uri} could not build the index {name}: {reason}")
            if time.monotonic() > end:
                raise StoreUnavailable(
                    f"Neo4j at {self.address.uri} has not built its indexes in {INDEX_SECONDS:.0f} s ({names}): try again"
                )
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    def _run_rolled_back(self, work: Callable[[Transaction], T], access: str) -> T:
        """Call `work` in a transaction and roll it back. The driver's managed transaction would wait too long while a server is down."""
        end = time.monotonic() + RETRY_SECONDS
        pause, lost = 0.05, False
        with self._translate_errors():
            while True:
                try:
                    with self._open_session(access) as session, session.begin_transaction() as tx:
                        result = work(tx)
                        tx.rollback()
                        return result
                except (ServiceUnavailable, SessionExpired, OSError):  # OSError: interrupted while the driver connects
                    # A pooled connection may be broken; its failure empties the pool, so the second one is new.
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


def start_query(tx: Transaction, text: str, parameters: Mapping[str, object]) -> neo4j.Result:
    """Run a query of `cypher`."""
    return tx.run(text, {PARAMETERS: parameters})


def run_query(tx: Transaction, text: str, **parameters: object) -> list[Any]:
    """The values of the single record of a query; [] if it has no record."""
    record = start_query(tx, text, parameters).single()
    return [] if record is None else record.values()


def read_rows(tx: Transaction, text: str, **parameters: object) -> list[list[Any]]:
    """The list that a query collects in its single record."""
    found: list[list[Any]] = run_query(tx, text, **parameters)[0]
    return found


def run_in_chunks(tx: Transaction, text: str, values: Sequence[object]) -> None:
    """Run a query with `$rows`, ROWS values at a time."""
    for at in range(0, len(values), ROWS):
        start_query(tx, text, {"rows": values[at : at + ROWS]}).consume()


def number_rows(text: str, number: int) -> str:
    """The query with its rows in a parameter of their own, so that it can be run together with others."""
    return text.replace(f"${PARAMETERS}.rows", f"${PARAMETERS}.rows{number}")


class WriteQueue:
    """Queries with `$rows` that one transaction runs at its end, in order: together, since each round trip costs both sides time."""

    def __init__(self) -> None:
        self._queries: list[tuple[str, Sequence[object]]] = []

    def add(self, text: str, rows: Sequence[object]) -> None:
        if rows:
            self._queries.append((text, rows))

    def flush(self, tx: Transaction) -> None:
        """Run the queries; no query with more than ROWS values together with others."""
        queries, self._queries = self._queries, []
        if any(len(rows) > ROWS for _, rows in queries):
            for text, rows in queries:
                run_in_chunks(tx, text, rows)
        elif queries:
            whole = "\n".join(f"CALL () {{\n{number_rows(text, number)}\n}}" for number, (text, _) in enumerate(queries))
            start_query(tx, whole, {f"rows{number}": rows for number, (_, rows) in enumerate(queries)}).consume()


def split_into_parts(values: Iterable[T], size: Callable[[T], int], limit: int) -> Iterator[list[T]]:
    """Split values, in order, into parts with a total size of at most `limit` (or a single value)."""
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
