"""Questions of agents on the example mesh: each with the plan by which an agent reaches the answer, from what the tools answer alone, and
with what the library computes, without the tools.

The mesh goes on after the example: `LATER` is a run of the job of the campaigns that no longer fills the audience, but a table of which
nothing else is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from meshline.app.agents.mcp_server import run_tool
from meshline.app.agents.tool_assets import Ask
from meshline.app.agents.tools import BY_NAME

EMAIL = "http://iceberg-rest.internal:8181/customers.customers.email"
REVENUE = "marts.finance.revenue_daily.revenue"
BUYER = "orders.customer_orders.customer_email"
AUDIENCE, SCRATCH = "marketing.campaign_audience", "scratch.audience"
LATER = {
    "eventType": "COMPLETE",
    "eventTime": "2026-03-20T02:00:00Z",
    "producer": "https://example.org",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    "run": {"runId": "0195ce00-0000-7000-8000-000000000001"},
    "job": {"namespace": "marketing", "name": "campaigns.overwrite_by_expression.lake_marketing_campaign_audience"},
    "inputs": [{"namespace": "http://iceberg-rest.internal:8181", "name": "customers.customers"}],
    "outputs": [{"namespace": "http://iceberg-rest.internal:8181", "name": SCRATCH}],
}

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

    def call_all(self, tool: str, rows: str, **arguments: Any) -> list[dict[str, Any]]:
        """The rows of all pages."""
        found: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next": None}
        while not found or page["next"] is not None:
            answer = self.call(tool, **arguments, **({} if page["next"] is None else {"next": page["next"]}))
            found += answer[rows]
            page = answer["page"]
        return found


class Library:
    """Answers GraphQL, without the tools. `whole`: in the name of a caller who sees everything."""

    def __init__(self, ask: Ask, whole: Library | None = None) -> None:
        self._ask = ask
        self.whole = self if whole is None else whole

    def get_node(self, name: str, fields: str) -> dict[str, Any]:
        query = f"query Node($name: String!) {{ resolve(name: $name) {{ id {fields} }} }}"
        found: dict[str, Any] = self._ask(query, {"name": name})["resolve"]
        return found

    def get_field(self, field: str) -> Any:
        return next(iter(self._ask(f"query Field {{ {field} }}", {}).values()))

    def get_of(self, name: str, field: str, fields: str) -> Any:
        """A root field `of` an asset."""
        return self.get_field(f'{field}(of: ["{self.get_node(name, "")["id"]}"]) {{ {fields} }}')


class Question(NamedTuple):
    """`caller`: in whose name it is asked; empty: of one who sees everything."""

    kind: str
    text: str
    plan: Plan
    truth: Truth
    caller: str = ""


def list_names(rows: Iterable[dict[str, Any]], key: str = "name") -> list[str]:
    return sorted({row[key] for row in rows})


def list_reached(library: Library, name: str, kind: str, field: str = "impact") -> list[str]:
    found = library.get_of(name, field, f"assets(kinds: [{kind}], first: 1000) {{ nodes {{ node {{ qualifiedName }} }} }}")
    return sorted(one["node"]["qualifiedName"] for one in found["assets"]["nodes"])


def list_origins(library: Library, name: str) -> list[str]:
    """The columns upstream that come from nothing."""
    columns = list_reached(library, name, "COLUMN", "provenance")
    return sorted(column for column in columns if library.get_of(column, "provenance", "total")["total"] == 0)


def find_number(answer: dict[str, Any], sentence: str) -> int:
    """The number with which a reason begins; 0 if there is no such reason."""
    found = [re.match(r"\d+", reason) for reason in answer["completeness"]["because"] if sentence in reason]
    return sum(int(one[0]) for one in found if one is not None)


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
    Question(
        "fact",
        "Under which address is the owner of payments.receipts reached?",
        lambda agent: agent.call("describe", asset="payments.receipts", limit=1)["owners"][0]["contact"],
        lambda library: library.get_node("payments.receipts", "owners { owner { contact } }")["owners"][0]["owner"]["contact"],
    ),
    Question(
        "fact",
        "Which jobs write payments.receipts?",
        lambda agent: sorted(agent.call("describe", asset="payments.receipts", limit=1)["writtenBy"]),
        lambda library: list_names(
            library.get_node("payments.receipts", "... on Dataset { writtenBy { qualifiedName } }")["writtenBy"], "qualifiedName"
        ),
    ),
    Question(
        "fact",
        "Who uses payments.receipts?",
        lambda agent: sorted(agent.call("describe", asset="payments.receipts", limit=1)["consumers"]),
        lambda library: list_names(
            one["consumer"]
            for one in library.get_node("payments.receipts", "... on Dataset { consumers { consumer { name } } }")["consumers"]
        ),
    ),
    Question(
        "fact",
        "How fresh does customer-profiles promise to be?",
        lambda agent: [
            one["text"] for one in agent.call("describe", asset="product:customer-profiles")["slos"] if one["name"] == "freshness"
        ],
        lambda library: [
            one["text"]
            for one in library.get_node("product:customer-profiles", "... on DataProduct { slos { name text } }")["slos"]
            if one["name"] == "freshness"
        ],
    ),
    Question(
        "walk",
        "Who must be notified before orders.orders.currency is dropped?",
        lambda agent: list_names(agent.call("check", change="drop orders.orders.currency", limit=1)["notify"]),
        lambda library: list_names(
            library.get_field('blastRadius(change: {words: ["drop orders.orders.currency"]}) { notify { name } }')["notify"]
        ),
    ),
    Question(
        "walk",
        "From which columns does the e-mail of the audience of campaigns come?",
        lambda agent: list_names(agent.call("trace", asset="marketing.campaign_audience.email", limit=1)["sources"]),
        lambda library: list_origins(library, "marketing.campaign_audience.email"),
    ),
    Question(
        "walk",
        "Which datasets does the domain marketing have?",
        lambda agent: list_names(agent.call("describe", asset="domain:marketing")["datasets"]),
        lambda library: list_names(
            library.get_node("domain:marketing", "... on Domain { datasets { nodes { qualifiedName } } }")["datasets"]["nodes"],
            "qualifiedName",
        ),
    ),
    Question(
        "walk",
        "Which datasets lie upstream of the value of customers?",
        lambda agent: list_names(agent.call_all("trace", "steps", asset="marts.analytics.customer_value", limit=100), "from"),
        lambda library: list_reached(library, "marts.analytics.customer_value", "DATASET", "provenance"),
    ),
    Question(
        "count",
        "How many policies are violated in the domain customers?",
        lambda agent: agent.call("violations", domain="customers", limit=1)["page"]["total"],
        lambda library: sum(
            one["asset"]["domain"] == {"name": "customers"}
            for one in library.get_field("policyViolations(first: 500) { nodes { asset { domain { name } } } }")["nodes"]
        ),
    ),
    Question(
        "count",
        "In how many steps does customers.customers.email reach the audience of campaigns?",
        lambda agent: len(agent.call("paths", source=EMAIL, target=f"{AUDIENCE}.email", limit=1)["paths"][0]["steps"]) - 1,
        lambda library: next(
            one["distance"]
            for one in library.get_of(EMAIL, "impact", "assets(first: 500) { nodes { distance node { qualifiedName } } }")["assets"][
                "nodes"
            ]
            if one["node"]["qualifiedName"].endswith(f"{AUDIENCE}.email")
        ),
    ),
    Question(
        "count",
        "How many columns depend on orders.orders?",
        lambda agent: agent.call("impact", asset="orders.orders", limit=1)["byKind"]["column"],
        lambda library: len(list_reached(library, "orders.orders", "COLUMN")),
    ),
    Question(
        "honesty",
        "How many of the flows upstream of the audience of campaigns are stale?",
        lambda agent: find_number(agent.call("trace", asset=AUDIENCE, limit=1), "older than the latest run"),
        lambda library: library.get_of(AUDIENCE, "provenance", "completeness { staleEdges }")["completeness"]["staleEdges"],
    ),
    Question(
        "honesty",
        "Are all columns of scratch.audience known, and its owner?",
        lambda agent: len(agent.call("describe", asset=SCRATCH)["completeness"]["because"]),
        lambda library: (
            (node := library.get_node(SCRATCH, "... on Dataset { described inferred } owners { type }"))
            and (not node["described"]) + (not node["owners"]) + node["inferred"]
        ),
    ),
    Question(
        "honesty",
        "May a column be dropped that does not exist?",
        lambda agent: agent.call("check", change="drop customers.customers.shoe_size")["error"]["code"],
        lambda _library: "NOT_FOUND",
    ),
    Question(
        "honesty",
        "How many assets depend on orders.orders.currency, and how many of these may omar not see?",
        lambda agent: (
            (answer := agent.call("impact", asset="orders.orders.currency", limit=1))
            and [answer["page"]["total"], find_number(answer, "may not see")]
        ),
        lambda library: [
            seen := library.get_of("orders.orders.currency", "impact", "total")["total"],
            library.whole.get_of("orders.orders.currency", "impact", "total")["total"] - seen,
        ],
        "omar",
    ),
    Question(
        "honesty",
        "Which consumers that omar may see break if orders.orders.currency is dropped, and are these all?",
        lambda agent: (
            (answer := agent.call("impact", asset="orders.orders.currency", kinds=["consumer"], limit=100))
            and [list_names(answer["assets"]), answer["completeness"]["sure"]]
        ),
        lambda library: [
            seen := list_reached(library, "orders.orders.currency", "CONSUMER"),
            seen == list_reached(library.whole, "orders.orders.currency", "CONSUMER"),
        ],
        "omar",
    ),
    Question(
        "honesty",
        "What is known of payments.receipts, which omar may not see?",
        lambda agent: agent.call("describe", asset="payments.receipts")["error"]["code"],
        lambda _library: "NOT_FOUND",
        "omar",
    ),
    Question(
        "honesty",
        "From which columns that omar may see do the e-mail addresses in customer orders come, and are these all?",
        lambda agent: (
            (answer := agent.call("trace", asset=BUYER, limit=1))
            and [list_names(answer.get("sources", [])), answer["completeness"]["sure"]]
        ),
        lambda library: [
            seen := [name for name in list_origins(library, BUYER) if name in list_origins(library.whole, BUYER)],
            seen == list_origins(library.whole, BUYER),
        ],
        "omar",
    ),
)
