"""The fields of GraphQL that depend on the revision of the graph alone: an answer of such fields has an ETag.

Answers that also depend on the clock (health, freshness), on what is written without a revision (syncs, the audit log), on rules of
the installation (policies, checks of changes) or on what is removed in time (events, runs) have none.
"""

from __future__ import annotations

from graphql import DocumentNode, FieldNode, Visitor, visit
from graphql.language.visitor import BREAK, VisitorAction

# By name, wherever the schema has it: a new field has no ETag until its name is here, and tests/api/test_etag.py has compared its answers.
# `search` is not among them: synonyms change without a revision.
REVISION_FIELDS = frozenset(
    {
        *("__typename", "nodes", "edges", "pageInfo", "totalCount", "cursor", "node", "truncated"),
        *("hasNextPage", "hasPreviousPage", "startCursor", "endCursor"),
        # Query
        *("dataset", "resolve", "suggest", "domains", "products", "datasets", "jobs", "consumers", "contracts", "owners"),
        *("tags", "namespaces", "lineage", "compactLineage", "impact", "provenance", "paths", "ownedBy", "orphans", "lineageDiff"),
        *("knownLater", "consumersOf", "about", "version", "revision"),
        # assets
        *("id", "kind", "name", "qualifiedName", "description", "domain", "product", "facts", "lastObserved", "title", "namespace"),
        *("key", "value", "source", "count", "attribute", "observedAt", "validFrom", "chosen", "statement", "assets", "label", "asset"),
        *("aliases", "why", "since", "columns", "described", "inferred", "datasetType", "location", "writtenBy", "readBy", "schemaHistory"),
        "schemas",
        *("until", "position", "dataType", "nullable", "unlisted", "formerNames", "jobType", "processingType", "integration", "sql"),
        *("reads", "writes", "parents", "children", "consumerType", "consumes", "purpose", "contractName", "consumer", "contract"),
        *("mayRead", "principal", "grant", "rowFilter"),
        *("usage", "readers", "firstRead", "lastRead", "windows"),
        *("contact", "ownerType", "owns", "owner", "inheritedFrom", "type", "subdomains", "ports", "direction", "endpoint", "format"),
        # lineage and impact
        *(
            "reach",
            "distance",
            "masked",
            "start",
            "upstream",
            "downstream",
            "direct",
            "shown",
            "hidden",
            "from",
            "to",
            "subtype",
            "masking",
        ),
        *("stale", "provisional", "evidence", "evidenceTotal", "firstSeen", "job", "uses", "total", "byKind", "byReach", "byDomain"),
        *(
            "byProduct",
            "byOwner",
            "byReader",
            "byContract",
            "via",
            "notify",
            "recipient",
            "reason",
            "steps",
            "edgeType",
            "added",
            "removed",
            "addedFlows",
            "removedFlows",
            "totalAdded",
        ),
        *("totalRemoved", "fromName", "toName", "jobName", "relation", "sourceKind", "directly", "throughPorts", "inside", "reached"),
        *("ids", "kinds", "names", "qualifiedNames", "bits", "ungrouped"),
        # completeness
        *("completeness", "possibleOnly", "undescribed", "staleEdges", "unbound", "silentOnFilters", "silentProducers", "asOf", "items"),
        "flows",
    }
)
ARGUMENTS = frozenset({"orderBy", "health", "lastRun"})  # an order or a filter may be by what has no ETag


class _FieldVisitor(Visitor):
    """Ends at the first field whose answer may depend on more than the revision."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = True

    def enter_field(self, node: FieldNode, *_: object) -> VisitorAction:
        if node.name.value in REVISION_FIELDS and not any(given.name.value in ARGUMENTS for given in node.arguments or ()):
            return None
        self.passed = False
        return BREAK


def is_lasting(document: DocumentNode) -> bool:
    """Whether every field of a request is known to depend on the revision only."""
    visitor = _FieldVisitor()
    visit(document, visitor)
    return visitor.passed
