"""The fields of GraphQL that depend on the revision of the graph alone: an answer of such fields has an ETag.

Answers that also depend on the clock (health, freshness), on what is written without a revision (syncs, the audit log), on rules of
the installation (policies, checks of changes) or on what is removed in time (events, runs) have none.
"""

from __future__ import annotations

from graphql import DocumentNode, FieldNode, SelectionSetNode

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


def is_lasting(document: DocumentNode) -> bool:
    """Whether every field of a request is known to depend on the revision only."""
    todo: list[SelectionSetNode | None] = [getattr(definition, "selection_set", None) for definition in document.definitions]
    while todo:
        selected = todo.pop()
        for node in () if selected is None else selected.selections:
            if isinstance(node, FieldNode) and not _is_lasting_field(node):
                return False
            todo.append(getattr(node, "selection_set", None))  # a fragment is a definition of its own
    return True


def _is_lasting_field(node: FieldNode) -> bool:
    return node.name.value in REVISION_FIELDS and not any(given.name.value in ARGUMENTS for given in node.arguments or ())
