"""What SQL statements read and write, column by column: parsed by sqlglot, resolved against known columns.

INTERFACE (helper D implements; helper E calls):

Relation: the name of a table as SQL writes it, parts outermost first: ("db", "schema", "table"); already normalised to
the dialect's case rules, unquoted.

ColumnEdge(source: Relation, column: str | None, target: str | None, type: FlowType, subtype: str, masking: bool):
`target` is a column of the statement's target, or None for an influence on the whole target (JOIN, FILTER, GROUP_BY, SORT).
`column` None: only the relation is known.

Lineage(target: Relation | None, reads: tuple[Relation, ...], edges: tuple[ColumnEdge, ...], columns: tuple[str, ...],
unresolved: tuple[str, ...]): one for each statement that reads or writes; `columns`: the output columns in order,
empty if they are not known; `unresolved`: in words, what could not be resolved (never guessed).

def lineage_of(sql: str, dialect: str, columns: Callable[[Relation], Sequence[str]], target: Relation | None = None) -> list[Lineage]:
    `target`: what a bare SELECT defines (a dbt model, a view). Raises InvalidInput with the line for SQL that cannot be parsed.
"""
