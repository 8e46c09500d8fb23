"""Questions of agents on the example mesh: a plan of calls for each reaches the answer that the library computes, from what the tools
answer alone. The plans are short and cheap: one question takes an agent at most two calls and 6 kB, in the median.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from meshline.app.agents.mcp_server import run_tool
from meshline.app.agents.tools import BY_NAME, Ask
from meshline.cli.mcp import open_ask

EMAIL = "http://iceberg-rest.internal:8181/customers.customers.email"
REVENUE = "marts.finance.revenue_daily.revenue"

Plan = Callable[["Agent"], Any]
Truth = Callable[["Library"], Any]


class Agent:
    """Calls tools, and counts calls and bytes."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.calls = 0
        self.bytes = 0

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        (content,) = run_tool(self._ask, BY_NAME[tool], arguments).content
        self.calls += 1
        self.bytes += len(content.text.encode())  # type: ignore[union-attr]
        found: dict[str, Any] = json.loads(content.text)  # type: ignore[union-attr]
        return found


class Library:
    """Answers GraphQL, without the tools."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def get_node(self, name: str, fields: str) -> dict[str, Any]:
        found: dict[str, Any] = self._ask(f"query Node($name: String!) {{ resolve(name: $name) {{ id {fields} }} }}", {"name": name})[
            "resolve"
        ]
        return found

    def get_field(self, field: str) -> Any:
        return next(iter(self._ask(f"query Field {{ {field} }}", {}).values()))

    def get_of(self, name: str, field: str, fields: str) -> Any:
        """A root field `of` an asset."""
        return self.get_field(f'{field}(of: ["{self.get_node(name, "")["id"]}"]) {{ {fields} }}')


class Question(NamedTuple):
    kind: str
    text: str
    plan: Plan
    truth: Truth


def list_names(rows: list[dict[str, Any]], key: str = "name") -> list[str]:
    return sorted(row[key] for row in rows)


def list_reached(library: Library, name: str, kind: str) -> list[str]:
    found = library.get_of(name, "impact", f"assets(kinds: [{kind}], first: 1000) {{ nodes {{ node {{ qualifiedName }} }} }}")
    return sorted(one["node"]["qualifiedName"] for one in found["assets"]["nodes"])


def list_origins(library: Library, name: str) -> list[str]:
    """The columns upstream that come from nothing."""
    found = library.get_of(name, "provenance", "assets(kinds: [COLUMN], first: 1000) { nodes { node { qualifiedName } } }")
    columns = [one["node"]["qualifiedName"] for one in found["assets"]["nodes"]]
    return sorted(column for column in columns if library.get_of(column, "provenance", "total")["total"] == 0)


QUESTIONS = (
    Question(
        "fact",
        "Who owns payments.receipts.amount?",
        lambda agent: [one["owner"] for one in agent.call("owners", assets=["payments.receipts.amount"])["assets"][0]["owners"]],
        lambda library: [
            one["owner"]["name"] for one in library.get_node("payments.receipts.amount", "owners { owner { name } }")["owners"]
        ],
    ),
    Question(
        "fact",
        "To which domain does customers.customers.email belong?",
        lambda agent: agent.call("describe", asset="customers.customers.email")["domain"],
        lambda library: library.get_node(EMAIL, "domain { name }")["domain"]["name"],
    ),
    Question(
        "fact",
        "How is omar reached?",
        lambda agent: agent.call("describe", asset="owner:omar")["contact"],
        lambda library: library.get_node("owner:omar", "... on Owner { contact }")["contact"],
    ),
    Question(
        "fact",
        "Of which type is customers.customers.email?",
        lambda agent: agent.call("describe", asset=EMAIL)["dataType"],
        lambda library: library.get_node(EMAIL, "... on Column { dataType }")["dataType"],
    ),
    Question(
        "fact",
        "Which columns does customers.customers have?",
        lambda agent: list_names(agent.call("describe", asset="customers.customers", limit=100)["columns"]),
        lambda library: list_names(
            library.get_node("customers.customers", "... on Dataset { columns(first: 500) { nodes { name } } }")["columns"]["nodes"]
        ),
    ),
    Question(
        "fact",
        "What is the e-mail address of buyers in customer orders called, and who owns it?",
        lambda agent: agent.call("find", query="customer email orders", kinds=["column"], limit=1)["assets"][0]["owners"],
        lambda library: sorted(
            one["owner"]["name"] for one in library.get_node("orders.customer_orders.customer_email", "owners { owner { name } }")["owners"]
        ),
    ),
    Question(
        "walk",
        "Which consumers break if customers.customers.email is dropped?",
        lambda agent: list_names(agent.call("impact", asset=EMAIL, kinds=["consumer"], limit=100)["assets"]),
        lambda library: list_reached(library, EMAIL, "CONSUMER"),
    ),
    Question(
        "walk",
        "Which contracts does a change of customers.customers.email concern?",
        lambda agent: list_names(agent.call("impact", asset=EMAIL, kinds=["contract"], limit=100)["assets"]),
        lambda library: list_reached(library, EMAIL, "CONTRACT"),
    ),
    Question(
        "walk",
        "Which columns depend on orders.orders.currency?",
        lambda agent: list_names(agent.call("impact", asset="orders.orders.currency", kinds=["column"], limit=100)["assets"]),
        lambda library: list_reached(library, "orders.orders.currency", "COLUMN"),
    ),
    Question(
        "walk",
        "Where does the revenue of the finance mart come from?",
        lambda agent: list_names(agent.call("trace", asset=REVENUE)["sources"]),
        lambda library: list_origins(library, REVENUE),
    ),
    Question(
        "walk",
        "Which job brings customers.customers.email into the audience of campaigns?",
        lambda agent: agent.call("paths", source=EMAIL, target="marketing.campaign_audience.email", limit=1)["paths"][0]["steps"][1]["by"],
        lambda library: library.get_field(
            f'paths(from: "{library.get_node(EMAIL, "")["id"]}",'
            f' to: "{library.get_node("marketing.campaign_audience.email", "")["id"]}") {{ steps {{ job {{ qualifiedName }} }} }}'
        )[0]["steps"][1]["job"]["qualifiedName"],
    ),
    Question(
        "count",
        "How many assets does customers.customers.email affect?",
        lambda agent: agent.call("impact", asset=EMAIL, limit=1)["page"]["total"],
        lambda library: library.get_of(EMAIL, "impact", "total")["total"],
    ),
    Question(
        "count",
        "How many columns does the daily revenue have?",
        lambda agent: agent.call("describe", asset="marts.finance.revenue_daily", limit=1)["page"]["total"],
        lambda library: library.get_node("marts.finance.revenue_daily", "... on Dataset { columns { totalCount } }")["columns"][
            "totalCount"
        ],
    ),
    Question(
        "count",
        "How many datasets does the domain customers have?",
        lambda agent: agent.call("describe", asset="domain:customers", limit=1)["page"]["total"],
        lambda library: library.get_node("domain:customers", "... on Domain { datasets { totalCount } }")["datasets"]["totalCount"],
    ),
    Question(
        "count",
        "How many policies are violated now?",
        lambda agent: agent.call("violations", limit=1)["page"]["total"],
        lambda library: library.get_field("policyViolations { totalCount }")["totalCount"],
    ),
    Question(
        "count",
        "How many affected assets does marketing-engineering own?",
        lambda agent: agent.call("impact", asset=EMAIL, owner="marketing-engineering", limit=1)["page"]["total"],
        lambda library: next(
            one["count"]
            for one in library.get_of(EMAIL, "impact", "byOwner { label count }")["byOwner"]
            if one["label"] == "marketing-engineering"
        ),
    ),
    Question(
        "count",
        "Among five rows of an impact, how many are there in truth?",
        lambda agent: (page := agent.call("impact", asset=EMAIL, limit=5)["page"])["total"] - page["shown"],
        lambda library: library.get_of(EMAIL, "impact", "total")["total"] - 5,
    ),
    Question(
        "ship",
        "May customers.customers.email be dropped?",
        lambda agent: agent.call("check", change="drop customers.customers.email", limit=5)["verdict"],
        lambda library: library.get_field('blastRadius(change: {words: ["drop customers.customers.email"]}) { verdict }')[
            "verdict"
        ].lower(),
    ),
    Question(
        "honesty",
        "Is the impact of customers.customers.email certain?",
        lambda agent: agent.call("impact", asset=EMAIL, limit=1)["completeness"]["sure"],
        lambda library: library.get_of(EMAIL, "impact", "completeness { possibleOnly }")["completeness"]["possibleOnly"] == 0,
    ),
    Question(
        "honesty",
        "Is the origin of the revenue certain, and whose jobs state too little?",
        lambda agent: [name for name in ("DBT", "SPARK") if name in str(agent.call("trace", asset=REVENUE)["completeness"]["because"])],
        lambda library: library.get_of(REVENUE, "provenance", "completeness { silentProducers }")["completeness"]["silentProducers"],
    ),
    Question(
        "honesty",
        "Which email is meant?",
        lambda agent: (error := agent.call("describe", asset="email")["error"])["code"] + str(error["message"].count("column:")),
        lambda _library: "AMBIGUOUS3",
    ),
    Question(
        "honesty",
        "What depends on a column that does not exist?",
        lambda agent: agent.call("impact", asset="customers.customers.shoe_size")["error"]["code"],
        lambda _library: "NOT_FOUND",
    ),
    Question(
        "honesty",
        "Does the audience of campaigns flow back into customers?",
        lambda agent: agent.call("paths", source="marketing.campaign_audience", target=EMAIL)["page"]["total"],
        lambda library: int(EMAIL in list_reached(library, "marketing.campaign_audience", "COLUMN")),
    ),
    Question(
        "honesty",
        "Is there a table of shoe sizes?",
        lambda agent: (
            (found := agent.call("find", query="shoe sizes", kinds=["dataset"]))["page"]["total"] + len(found["completeness"]["because"])
        ),
        lambda library: library.get_field('search(text: "shoe sizes", kinds: [DATASET]) { totalCount }')["totalCount"],
    ),
)


@pytest.fixture(scope="module")
def ask(example: str) -> Iterator[Ask]:
    with open_ask(example, None) as ask:
        yield ask


def test_every_question_is_answered_as_the_library_does(ask: Ask) -> None:
    library = Library(ask)
    wrong, costs = [], []
    for question in QUESTIONS:
        agent = Agent(ask)
        found, truth = question.plan(agent), question.truth(library)
        if found != truth:
            wrong.append((question.kind, question.text, found, truth))
        costs.append((agent.calls, agent.bytes))
    assert wrong == []
    assert statistics.median(calls for calls, _ in costs) <= 2
    assert statistics.median(size for _, size in costs) <= 6_000
