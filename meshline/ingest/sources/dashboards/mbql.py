"""Metabase's query language (MBQL): what a query is made of, and the fields that its clauses refer to.

Two forms are read: the older one with nested `source-query`, and that with a list of `stages` (`lib/type` is mbql/query). In the older one
a clause is `[name, argument..., options]`, in the newer one `[name, options, argument...]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from meshline.errors import InvalidInput

MAX_DEPTH = 100  # of a query
_CARD = re.compile(r"card__(\d{1,18})", re.ASCII)
_REFERENCES = ("field", "expression", "metric", "segment")
_RESULTS = {"distinct": "count", "cum-count": "count", "count-where": "count_where", "cum-sum": "sum", "sum-where": "sum_where"}


class Reference(NamedTuple):
    """What a clause refers to. `kind`: field, expression, metric or segment. `value`: an id, or a name. `alias`: of the join it is from."""

    kind: str
    value: int | str
    alias: str = ""


class Origin(NamedTuple):
    """What the first stage of a query reads: a table or a card, by its id."""

    kind: str  # table or card
    id: int


class Stage(NamedTuple):
    """A step of a query. `native`: SQL. `tags`: the values that are filled into it. `others`: filters and sorting."""

    joins: tuple[Join, ...] = ()
    breakouts: tuple[object, ...] = ()
    aggregations: tuple[object, ...] = ()
    fields: tuple[object, ...] = ()
    expressions: Mapping[str, object] = {}
    others: tuple[object, ...] = ()
    native: str = ""
    tags: Mapping[str, object] = {}

    @property
    def is_open(self) -> bool:
        """Whether all columns of what it reads are in its result."""
        return not (self.breakouts or self.aggregations or self.fields or self.native)


class Pipeline(NamedTuple):
    """A query: what the first stage reads, None if that is SQL, and the stages."""

    origin: Origin | None
    stages: tuple[Stage, ...]

    @property
    def is_open(self) -> bool:
        """Whether all columns of its origin are in its result."""
        return all(stage.is_open for stage in self.stages)

    @property
    def joins(self) -> Iterator[Join]:
        return (join for stage in self.stages for join in stage.joins)


class Join(NamedTuple):
    """A query that a stage joins. `whole`: all its columns are added."""

    alias: str
    pipeline: Pipeline
    whole: bool
    conditions: object
    fields: object = None


def parse_query(query: Mapping[str, object]) -> Pipeline:
    """The query of a card, in either form. Raises InvalidInput if it is in none, or if a clause is nested too deep."""
    pipeline = _parse_form(query)
    _check_clauses(pipeline)
    return pipeline


def _check_clauses(pipeline: Pipeline) -> None:
    """Raises InvalidInput if a clause is nested too deep, also one of a join or of a value that is filled into SQL."""
    clauses = [*list_clauses(pipeline), *(target for stage in pipeline.stages for target in list_tag_targets(stage.tags))]
    for clause in clauses:
        for _ in find_references(clause):
            pass
    for join in pipeline.joins:
        _check_clauses(join.pipeline)


def _parse_form(query: Mapping[str, object]) -> Pipeline:
    if isinstance(query.get("stages"), list):
        return _parse_stages(query["stages"], 0)
    if query.get("type") == "native" and isinstance(native := query.get("native"), dict):
        return Pipeline(None, (_parse_native(native.get("query"), native),))
    if isinstance(inner := query.get("query"), dict):
        return _parse_nested(inner, 0)
    raise InvalidInput("its query is neither SQL nor a query of Metabase's language")


def _parse_stages(found: object, depth: int) -> Pipeline:
    _check_depth(depth)
    stages = [stage for stage in found if isinstance(stage, dict)] if isinstance(found, list) else []
    if not stages:
        raise InvalidInput("its query has no stages")
    return Pipeline(
        _parse_origin(stages[0]),
        tuple(_parse_native(one["native"], one) if "native" in one else _parse_stage(one, depth) for one in stages),
    )


def _parse_nested(inner: Mapping[str, object], depth: int) -> Pipeline:
    _check_depth(depth)
    below = inner.get("source-query")
    if not isinstance(below, dict):
        return Pipeline(_parse_origin(inner), (_parse_stage(inner, depth),))
    if "native" in below:
        return Pipeline(None, (_parse_native(below["native"], below), _parse_stage(inner, depth)))
    pipeline = _parse_nested(below, depth + 1)
    return Pipeline(pipeline.origin, (*pipeline.stages, _parse_stage(inner, depth)))


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidInput(f"its query is nested more than {MAX_DEPTH} levels deep")


def _parse_origin(stage: Mapping[str, object]) -> Origin | None:
    table, card = stage.get("source-table"), stage.get("source-card")
    if isinstance(card, int):
        return Origin("card", card)
    if isinstance(table, str) and (match := _CARD.fullmatch(table)):
        return Origin("card", int(match[1]))
    return Origin("table", table) if isinstance(table, int) else None


def _parse_native(sql: object, found: Mapping[str, object]) -> Stage:
    tags = found.get("template-tags")
    return Stage(native=sql if isinstance(sql, str) else "", tags=tags if isinstance(tags, dict) else {})


def _parse_stage(found: Mapping[str, object], depth: int) -> Stage:
    def list_part(key: str) -> tuple[object, ...]:
        clauses = found.get(key)
        if not isinstance(clauses, list):
            return ()
        return (clauses,) if clauses and isinstance(clauses[0], str) else tuple(clauses)  # one clause without a list around it

    expressions = found.get("expressions")
    return Stage(
        joins=tuple(_parse_join(join, depth + 1) for join in list_part("joins") if isinstance(join, dict)),
        breakouts=list_part("breakout"),
        aggregations=list_part("aggregation"),
        fields=list_part("fields"),
        expressions=expressions if isinstance(expressions, dict) else dict(_name_clauses(list_part("expressions"))),
        others=tuple(value for key, value in found.items() if key in ("filter", "filters", "order-by")),
    )


def _name_clauses(clauses: tuple[object, ...]) -> Iterator[tuple[str, object]]:
    """Expressions of the newer form, which have their name in their options."""
    for clause in clauses:
        options = clause[1] if isinstance(clause, list) and len(clause) > 1 else None
        if isinstance(options, dict):
            yield str(options.get("lib/expression-name", "")), clause


def _parse_join(found: Mapping[str, object], depth: int) -> Join:
    pipeline = _parse_stages(found["stages"], depth) if "stages" in found else _parse_nested(found, depth)
    if "stages" not in found and not isinstance(found.get("source-query"), dict):
        pipeline = Pipeline(pipeline.origin, (Stage(),))  # `fields` of a join are not those of a stage
    alias = found.get("alias")
    conditions = [found.get("condition"), found.get("conditions")]
    return Join(alias if isinstance(alias, str) else "", pipeline, found.get("fields") == "all", conditions, found.get("fields"))


def find_references(clause: object, depth: int = 0) -> Iterator[Reference]:
    """What a clause refers to, wherever it does. Raises InvalidInput if it is nested too deep."""
    _check_depth(depth)
    if isinstance(clause, dict):
        for value in clause.values():
            yield from find_references(value, depth + 1)
    elif isinstance(clause, list) and clause:
        reference = _parse_reference(clause)
        if reference is not None:
            yield reference
        for part in clause[1:] if isinstance(clause[0], str) else clause:
            if isinstance(part, dict) and isinstance(key := part.get("source-field"), int):
                yield Reference("field", key)  # the foreign key that leads to the field
            elif isinstance(part, list):
                yield from find_references(part, depth + 1)


def _parse_reference(clause: list[object]) -> Reference | None:
    kind = {"field-id": "field", "field-literal": "field"}.get(str(clause[0]), str(clause[0]))
    if kind not in _REFERENCES or len(clause) < 2:
        return None
    options = next((part for part in clause[1:3] if isinstance(part, dict)), {})
    value = clause[2] if isinstance(clause[1], dict) and len(clause) > 2 else clause[1]
    alias = options.get("join-alias")
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return Reference(kind, value, alias if isinstance(alias, str) else "")


def list_clauses(pipeline: Pipeline) -> Iterator[object]:
    """All clauses of a query, without those of the queries that it joins."""
    for stage in pipeline.stages:
        yield from (*stage.breakouts, *stage.aggregations, *stage.fields, *stage.expressions.values(), *stage.others)
        yield from (part for join in stage.joins for part in (join.conditions, join.fields))


def list_conditions(pipeline: Pipeline) -> Iterator[object]:
    """The clauses that decide which rows are in the result, or how they are grouped and sorted."""
    for stage in pipeline.stages:
        yield from (*(stage.breakouts if stage.aggregations else ()), *stage.others, *(join.conditions for join in stage.joins))


def list_tag_targets(tags: Mapping[str, object]) -> Iterator[object]:
    """The clauses of the fields by which the values filter that are filled into SQL."""
    return (tag["dimension"] for tag in tags.values() if isinstance(tag, dict) and isinstance(tag.get("dimension"), list))


def find_result_clause(pipeline: Pipeline, name: str, position: int, width: int) -> object:
    """The clause that a column of the result is made by, None if it is a column of the origin or not known.

    `position`, `width`: of the column, and how many columns there are: groups are before aggregations.
    """
    last = pipeline.stages[-1]
    made = [*last.breakouts, *last.aggregations]
    if made and len(made) == width:
        return made[position]
    if not made and last.fields and len(last.fields) == width:
        return last.fields[position]
    return find_named_clause(pipeline, name)


def find_named_clause(pipeline: Pipeline, name: str) -> object:
    """The expression or aggregation of a name, None if there is none."""
    for stage in reversed(pipeline.stages):
        if name in stage.expressions:
            return stage.expressions[name]
        counts: dict[str, int] = {}
        for clause in stage.aggregations:
            base = _name_aggregation(clause)
            counts[base] = counts.get(base, 0) + 1
            if name == (base if counts[base] == 1 else f"{base}_{counts[base]}"):
                return clause
    return None


def _name_aggregation(clause: object) -> str:
    """The name that Metabase gives the column of an aggregation, before it is made unique."""
    if not isinstance(clause, list) or not clause:
        return ""
    stated = next((part["name"] for part in clause[1:] if isinstance(part, dict) and isinstance(part.get("name"), str)), None)
    inner = clause[1] if clause[0] == "aggregation-options" and len(clause) > 1 else None
    return stated or (_name_aggregation(inner) if isinstance(inner, list) else _RESULTS.get(str(clause[0]), str(clause[0])))


def list_source_cards(pipeline: Pipeline) -> Iterator[int]:
    """The cards that a query reads, also those that it joins."""
    if pipeline.origin is not None and pipeline.origin.kind == "card":
        yield pipeline.origin.id
    for join in pipeline.joins:
        yield from list_source_cards(join.pipeline)
