"""The columns of an output that Spark fills from the fields of Kafka's messages, read from its plan.

OpenLineage's listener states no lineage of columns from Kafka: to it, a message is a column `value` of bytes. The plan itself, which Spark
sends on request (facet `spark.logicalPlan`: the optimized plan as `TreeNode.toJSON` writes it), has the decoding of the message
(`from_avro`, `from_json`) and the path of every field that is used. What is not known for certain is not guessed: a plan with a
node or an expression whose columns are not understood gives nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from meshline.graph.model import FlowType
from meshline.ingest.openlineage.message_schemas import Schema, SchemaTooLargeError, read_avro_fields, read_spark_fields

FACET = "spark.logicalPlan"  # of the run
MESSAGE = frozenset({"key", "value"})  # the columns of Spark's Kafka source that are the message
MAX_BYTES = 4 * 2**20

_KAFKA = MESSAGE | {"topic", "partition", "offset", "timestamp"}
_RELATIONS = frozenset(
    {
        "LogicalRelation",
        "DataSourceV2Relation",
        "DataSourceV2ScanRelation",
        "StreamingDataSourceV2Relation",
        "LocalRelation",
        "OneRowRelation",
    }
)
_COMMANDS = frozenset(
    {
        "AppendData",
        "OverwriteByExpression",
        "OverwritePartitionsDynamic",
        "CreateTableAsSelect",
        "ReplaceTableAsSelect",
        "InsertIntoHadoopFsRelationCommand",
        "SaveIntoDataSourceCommand",
        "WriteToMicroBatchDataSource",
    }
)
# Nodes that pass the columns of what is below on, and the lists of expressions that decide which rows or groups there are.
_PASSING: Mapping[str, Mapping[str, str]] = {
    "Filter": {"condition": "FILTER"},
    "Sort": {"order": "SORT"},
    "Window": {},
    "WindowGroupLimit": {},  # which the optimizer adds: a FILTER by the window is there, too
    "Join": {"condition": "JOIN"},
    "Project": {},
    "Aggregate": {"groupingExpressions": "GROUP_BY"},
    "SubqueryAlias": {},
    "GlobalLimit": {},
    "LocalLimit": {},
    "Repartition": {},
    "RepartitionByExpression": {},
    "RebalancePartitions": {},
    "EventTimeWatermark": {},
}
_LISTS = {"Project": "projectList", "Aggregate": "aggregateExpressions"}  # the columns that a node makes
_ABOVE = frozenset({"Filter", "Sort", "GlobalLimit", "LocalLimit", "Repartition", "RepartitionByExpression", "RebalancePartitions"})
_MASKING = frozenset({"Md5", "Sha1", "Sha2", "Crc32", "XxHash64", "Murmur3Hash", "HiveHash", "Count"})  # as OpenLineage's listener has it
_WITH_PLANS = frozenset({"ScalarSubquery", "ListQuery", "Exists", "InSubquery", "DynamicPruningSubquery", "OuterReference"})

Node: TypeAlias = Mapping[str, Any]


class MessageFlow(NamedTuple):
    """A flow from a field of a message, a dotted path, into a column of the output, or into its rows (None). `subtype`: OpenLineage's."""

    field: str
    target: str | None
    type: FlowType
    subtype: str
    masking: bool


class MessageFlows(NamedTuple):
    """What flows out of messages into an output. `whole`: some message is used without being decoded, or a key: any field may flow, too."""

    flows: tuple[MessageFlow, ...]
    whole: bool


class _Place(NamedTuple):
    """A part of a message. `root`: the column of the source that is the message. `schema`: the number of its schema; None: it is not
    decoded. `closed`: the result of a function, no field of which is one of the message. `subtype`: what became of its values.
    `decides`: the subtype of its influence, if its values are not in the result: CONDITIONAL or WINDOW.
    """

    root: str
    schema: int | None = None
    path: tuple[str, ...] = ()
    closed: bool = False
    subtype: str = "IDENTITY"
    decides: str = ""
    masking: bool = False

    @property
    def is_known(self) -> bool:
        """Whether its fields are columns of the topic: those of a decoded value are, those of a key may be so under other names."""
        return self.schema is not None and self.root == "value"


_Places: TypeAlias = frozenset[_Place]
_NONE: _Places = frozenset()


class _UnknownPlanError(Exception):
    """A part of a plan whose columns are not understood."""


_UNREADABLE = (
    _UnknownPlanError,
    SchemaTooLargeError,
    msgspec.MsgspecError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def read_message_flows(plan: bytes) -> MessageFlows | None:
    """What flows out of messages by a plan. `plan`: the facet, as JSON. None if the plan is not understood or reads no Kafka."""
    if len(plan) > MAX_BYTES:
        return None
    try:
        nodes = msgspec.json.decode(plan)["plan"]
        return _PlanReader().read(nodes)
    except _UNREADABLE:
        return None


class _PlanReader:
    """Reads one plan, from its relations to its output."""

    def __init__(self) -> None:
        self._attributes: dict[tuple[int, str], _Places] = {}
        self._schemas: list[Schema] = []
        self._rows: dict[str, set[_Place]] = {}

    def read(self, nodes: Sequence[Node]) -> MessageFlows | None:
        """`nodes`: the nodes of the plan, each before those below it. Raises _UnknownPlanError."""
        for node in reversed(nodes):
            self._read_node(node)
        if not any(places for places in self._attributes.values()):
            return None
        flows: set[MessageFlow] = set()
        whole = False
        for name, places in self._list_outputs(nodes):
            for place in places:
                whole = whole or not place.is_known
                kind = (FlowType.INDIRECT, place.decides) if place.decides else (FlowType.DIRECT, place.subtype)
                flows.update(MessageFlow(field, name, *kind, place.masking) for field in self._list_fields(place))
        for subtype, found in self._rows.items():
            for place in found:
                whole = whole or not place.is_known
                flows.update(MessageFlow(field, None, FlowType.INDIRECT, subtype, place.masking) for field in self._list_fields(place))
        return MessageFlows(tuple(sorted(flows, key=repr)), whole)

    def _read_node(self, node: Node) -> None:
        name = _get_class(node)
        if name in _RELATIONS:
            self._read_relation(node)
        elif name in _PASSING:
            for tree in _list_trees(node):
                if _get_class(tree[0]) == "Alias":
                    self._attributes[_get_id(tree[0])] = self._evaluate(tree[1:])
            for key, subtype in _PASSING[name].items():
                for tree in _list_trees({key: node.get(key)}):
                    self._rows.setdefault(subtype, set()).update(self._evaluate(tree))
        elif name not in _COMMANDS:
            raise _UnknownPlanError(name)

    def _read_relation(self, node: Node) -> None:
        columns = [tree[0] for tree in _list_trees({"output": node.get("output")})]
        names = {column["name"] for column in columns}
        for column in columns:
            name = column["name"]
            self._attributes[_get_id(column)] = frozenset({_Place(name)}) if names >= _KAFKA and name in MESSAGE else _NONE

    def _list_outputs(self, nodes: Sequence[Node]) -> Iterator[tuple[str, _Places]]:
        for node in nodes:
            name = _get_class(node)
            if name in _LISTS:
                for tree in node[_LISTS[name]]:
                    root = tree[0]
                    yield root["name"], self._attributes[_get_id(root)]
                return
            if name not in _COMMANDS | _ABOVE:
                break
        raise _UnknownPlanError("the output")

    def _evaluate(self, tree: Sequence[Node]) -> _Places:
        """The parts of messages in the value of an expression. `tree`: its nodes, each before those below it."""
        stack: list[_Places] = []
        for node in reversed(tree):
            number = node["num-children"]
            below = [stack.pop() for _ in range(number)]
            stack.append(self._apply(node, below))
        if len(stack) != 1:
            raise _UnknownPlanError("an expression")
        return stack[0]

    def _apply(self, node: Node, below: Sequence[_Places]) -> _Places:  # noqa: C901, PLR0911 - one line for each kind of expression
        name = _get_class(node)
        every: _Places = frozenset().union(*below)
        match name:
            case "AttributeReference":
                return self._attributes[_get_id(node)]
            case "AvroDataToCatalyst" | "JsonToStructs" if all(place.schema is None for place in every):
                is_avro = name == "AvroDataToCatalyst"
                schema = read_avro_fields(node["jsonFormatSchema"]) if is_avro else read_spark_fields(node["schema"])
                self._schemas.append(schema)
                return frozenset(_Place(place.root, len(self._schemas) - 1) for place in every)
            case "GetStructField":
                return frozenset(self._enter_field(place, node["ordinal"]) for place in every)
            case "Alias" | "KnownNotNull":
                return every
            case "Coalesce":  # its fields are those of the messages that it chooses from
                return frozenset(place._replace(subtype="TRANSFORMATION") for place in every)
            case "If":
                return _decide(below[:1], "CONDITIONAL") | _close(below[1:])
            case "CaseWhen":  # condition and value by turns, and the value of ELSE, if there is one
                pairs = len(below) // 2 * 2
                return _decide(below[:pairs:2], "CONDITIONAL") | _close([*below[1:pairs:2], *below[pairs:]])
            case "WindowExpression":
                return _close(below[:1]) | _decide(below[1:], "WINDOW")
            case "AggregateExpression":
                return _close(below[:1], "AGGREGATION") | _decide(below[1:], "CONDITIONAL")
            case _ if name in _MASKING:
                return frozenset(place._replace(masking=True) for place in _close(below))
            case _ if name in _WITH_PLANS:
                raise _UnknownPlanError(name)
            case _:
                return _close(below)

    def _enter_field(self, place: _Place, ordinal: int) -> _Place:
        if place.schema is None or place.closed:
            return place
        fields = self._find_schema(place)
        if fields is None or ordinal >= len(fields):
            return place._replace(closed=True)
        return place._replace(path=(*place.path, list(fields)[ordinal]))

    def _find_schema(self, place: _Place) -> Schema:
        found = self._schemas[place.schema] if place.schema is not None else None
        for name in place.path:
            found = (found or {}).get(name)
        return found

    def _list_fields(self, place: _Place) -> Iterator[str]:
        """The field that a part of a message is, and those in it."""
        if not place.is_known:
            return
        if place.path:
            yield ".".join(place.path)
        yield from _list_paths(self._find_schema(place), place.path)


def _close(below: Sequence[_Places], subtype: str = "TRANSFORMATION") -> _Places:
    """What comes out of a function. Bytes that are not decoded yet remain a message, whatever is cut off them."""
    return frozenset(
        place if place.schema is None else place._replace(closed=True, subtype=subtype) for places in below for place in places
    )


def _decide(below: Sequence[_Places], subtype: str) -> _Places:
    return frozenset(place._replace(closed=place.schema is not None, decides=subtype) for places in below for place in places)


def _list_paths(schema: Schema, path: tuple[str, ...]) -> Iterator[str]:
    for name, inner in (schema or {}).items():
        yield ".".join((*path, name))
        yield from _list_paths(inner, (*path, name))


def _get_class(node: Node) -> str:
    name: str = node["class"]
    return name.rpartition(".")[2]


def _get_id(node: Node) -> tuple[int, str]:
    found = node["exprId"]
    return found["id"], found["jvmId"]


def _list_trees(node: Node) -> Iterator[Sequence[Node]]:
    """The expressions in the fields of a node: each is a list of nodes, alone or in a list."""
    for value in node.values():
        if isinstance(value, list) and value:
            if isinstance(value[0], dict) and "class" in value[0]:
                yield value
            else:
                yield from (one for one in value if isinstance(one, list) and one and isinstance(one[0], dict) and "class" in one[0])
