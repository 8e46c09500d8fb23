"""SQL in tools for dashboards: the query that a model is made of, and expressions over the columns of one table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sqlglot import exp

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, AssetKind, Flow, build_dataset_key
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.dashboards.database_names import Database
from meshline.ingest.sources.dashboards.reports import Use
from meshline.ingest.sources.sql.facts import Statement, build_table_facts
from meshline.sql.dialects import get_any_rules
from meshline.sql.script import Lineage, Relation, ScriptReader, parse_piece, split_script

MAX_EXPRESSION = 20_000  # characters
_VALUE, _STEP = re.compile(r"\{\{.*?\}\}", re.DOTALL), re.compile(r"\{[%#].*?[%#]\}", re.DOTALL)  # of Jinja and of Metabase
_OPTIONAL = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)  # a clause that Metabase leaves out without a value
_FROM = re.compile(r"\b(?:from|join)\s+((?:[\w$]+|\"[^\"]+\"|`[^`]+`)(?:\s*\.\s*(?:[\w$]+|\"[^\"]+\"|`[^`]+`))*)", re.IGNORECASE)
_PROJECT = re.compile(r"`?[\w-]+(?:\.[\w-]+)*`?")  # BigQuery's names may have hyphens
_PART = re.compile(r"[\w$]+|\"[^\"]+\"|`[^`]+`")


class Query(NamedTuple):
    """What a query reads. `columns`: those of its result in order, empty if not all are known. `notes`: what is not known, in words."""

    flows: tuple[Flow, ...]
    columns: tuple[str, ...]
    notes: tuple[str, ...]


def read_query(
    sql: str,
    dialect: str,
    defaults: Relation,
    target: AssetKey,
    resolve: Callable[[Relation], AssetKey],
    columns: Callable[[AssetKey], Sequence[str]],
) -> Query:
    """The lineage of a query whose result is a model, `target`. A query that cannot be read uses the tables after FROM and JOIN as a whole.

    `resolve`: the dataset of a name in SQL; `columns`: those of a dataset, empty if not known. Raises InvalidInput for an unknown dialect.
    """
    name = ("result",)
    reader = ScriptReader(dialect, lambda relation: columns(resolve(_complete(relation, defaults))), defaults)
    found: list[Lineage] = []
    notes: list[str] = []
    plain = _fill_templates(sql)
    for one in reader.read_script(plain, target=name):
        if isinstance(one, InvalidInput):
            notes.append(str(one))
        elif one.target is not None:  # completed by the defaults
            found.append(one)
    if not found:
        read = dict.fromkeys(_list_mentioned(sql))
        flows = tuple(Flow(resolve(_complete(relation, defaults)), target) for relation in read)
        return Query(flows, (), tuple(notes or ["it is no query"]))
    lineage = found[-1]
    facts = build_table_facts(target, [Statement(lineage, None, 0)], lambda relation: resolve(_complete(relation, defaults)))
    if plain != sql:
        notes.append("it has templates, whose values are unknown")
    return Query(facts.flows, lineage.columns, (*notes, *lineage.unresolved))


def read_database_query(sql: str, database: Database, target: AssetKey, context: Context) -> Query:
    """As `read_query`, of a query that a located database runs: with its names, and the columns that the graph knows."""
    return read_query(
        sql,
        database.system.dialect,
        database.defaults,
        target,
        lambda relation: database.build_key(relation, context) or target,
        lambda key: [column.name for column in context.columns_of(key)],
    )


def list_query_uses(query: Query) -> Iterator[Use]:
    """The columns that a query reads, and the tables of which it is not known which columns."""
    for flow in query.flows:
        if flow.start.kind is AssetKind.COLUMN:
            yield Use(build_dataset_key(*flow.start.parts[:2]), flow.start.name)
        elif not flow.covered:
            yield Use(flow.start)


def list_expression_columns(sql: str, dialect: str) -> list[str]:
    """The columns that an expression over one table reads, such as `SUM(amount - tax)`. Raises InvalidInput if it cannot be read."""
    if len(sql) > MAX_EXPRESSION:
        raise InvalidInput(f"an expression has more than {MAX_EXPRESSION} characters")
    rules = get_any_rules(dialect)
    found: dict[str, None] = {}
    for piece in split_script(rules, f"SELECT {_fill_templates(sql)}", "expression"):
        for node in parse_piece(rules, piece):
            found.update(dict.fromkeys(rules.spell_column(column.this) for column in node.find_all(exp.Column) if column.name))
    return list(found)


def parse_table(text: str, dialect: str) -> Relation | None:
    """The table that a text names, such as `shop.orders` or "shop"."orders" AS o; None if it is another expression."""
    if dialect == "bigquery" and _PROJECT.fullmatch(text.strip()):
        return tuple(text.strip(" `\n").split("."))
    match = _FROM.match(f"FROM {text.strip()}") if text.strip() and len(text) <= MAX_EXPRESSION else None
    rest = f"FROM {text.strip()}"[match.end() :].strip() if match is not None else "?"
    if match is None or (rest and not re.fullmatch(r"(?:as\s+)?\w+", rest, re.IGNORECASE)):
        return None
    rules = get_any_rules(dialect)
    parts = _PART.findall(match[1])
    quoted = [part.strip('"`').split(".") if part[0] == "`" else [part.strip('"')] for part in parts]  # BigQuery quotes whole names
    cases = [rules.table_cases[part[0] in '"`'] for part in parts]
    return tuple(case(name) for case, names in zip(cases, quoted, strict=True) for name in names)


def _fill_templates(sql: str) -> str:
    """The text with NULL for each value that is filled in when it runs, and with all optional clauses."""
    return _VALUE.sub("NULL", _STEP.sub(" ", _OPTIONAL.sub(r"\1", sql))) if "{{" in sql or "{%" in sql or "[[" in sql else sql


def _complete(relation: Relation, defaults: Relation) -> Relation:
    """A name with the catalog and schema that it leaves out."""
    missing = len(defaults) + 1 - len(relation)
    return (*(part for part in defaults[: max(0, missing)] if part), *relation)


def _list_mentioned(sql: str) -> Iterator[Relation]:
    """The tables that a query that cannot be parsed names."""
    for match in _FROM.finditer(sql):
        yield tuple(part.strip('"`') for part in _PART.findall(match[1]))
