"""A DDL script (CREATE, ALTER, DROP) applied in order to the graph's tables, or a script in two versions."""

from __future__ import annotations

from meshline.graph.contracts import Definition, Pair, Version
from meshline.ingest.changes import ChangeInput, GraphState, Proposal
from meshline.ingest.changes.ddl.ddl_script import Script
from meshline.ingest.changes.edited_tables import build_entries
from meshline.ingest.documents import decode_text
from meshline.sql.dialects import get_rules
from meshline.sql.statement_lineage import Relation

__all__ = ["build_proposal"]


def build_proposal(given: ChangeInput, known: GraphState) -> Proposal:
    """One pair for each table that differs. Raises InvalidInput, NotFound and Ambiguous with `file:line:column`.

    Of a script in two versions, what the old one creates is compared with what the new one creates, and the statements
    that the old one lacks are applied to the rest.
    """
    name = next(one.name for one in (given.after, given.before) if one is not None)
    sql = "" if given.after is None else decode_text(given.after.data, name)
    old_sql = "" if given.before is None else decode_text(given.before.data, given.before.name)
    rules = get_rules(given.options.get("dialect") or _guess_dialect(sql or old_sql))
    base: dict[Relation, Version[Definition]] = {}
    seen: set[str] = set()
    if given.before is not None:
        old = Script(known, rules, given.options, {})
        old.apply(old_sql, given.before.name, lenient=True)
        seen = old.seen
        for relation in sorted(old.made):
            table = old.tables.by_name.get(relation)
            if table is not None and table.now is not None:
                base[relation] = Version(table.now, {"": (table.key,)} if table.key is not None else {}, given.before.name)
    script = Script(known, rules, given.options, base)
    script.apply(sql, name, without=seen)
    pairs = [pair for table in dict.fromkeys(script.tables.by_name.values()) for pair in [table.build_pair(name)] if pair is not None]
    pairs += [Pair(version, None) for relation, version in base.items() if relation not in script.tables.by_name]
    warnings = [*script.warnings, *(one for table in dict.fromkeys(script.tables.by_name.values()) for one in table.warnings)]
    warnings += [
        f"{name}: {written} was matched to {key.qualified_name}; if that is wrong, give its namespace (--namespace)"
        for key, written in script.tables.guessed.items()
    ]
    warnings += [
        f"{name}: {pair.after.value.model.name} is new: the graph knows no such dataset"
        for pair in pairs
        if pair.before is None and pair.after is not None and not pair.after.datasets
    ]
    return Proposal(tuple(pairs), tuple(one for pair in pairs for one in build_entries(pair, known)), tuple(dict.fromkeys(warnings)))


def _guess_dialect(sql: str) -> str:
    """Guess between the usual dialects of a lake: Trino quotes names with ", Spark with `."""
    return "trino" if '"' in sql and "`" not in sql else "spark"
