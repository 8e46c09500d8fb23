"""schema.graphql is the schema, and the schema keeps its promises."""

from __future__ import annotations

from pathlib import Path

from graphql import build_schema

from meshline.api.graphql.schema import print_schema

FILE = Path(__file__).parents[2] / "schema.graphql"


def test_the_file_is_the_schema() -> None:
    assert FILE.read_text(encoding="utf-8") == print_schema(), "run: python -m meshline.api.graphql > schema.graphql"


def test_the_names_that_are_binding() -> None:
    schema = build_schema(print_schema())
    query = schema.query_type
    assert query is not None
    wanted = (
        "node nodes dataset search domains products consumers contracts jobs datasets owners lineage impact provenance paths ownedBy"
        " orphans lineageDiff coverage resolve about sources identityConflicts qualityFailures blastRadius productImpact consumersOf"
        " audit policies policyViolations knownLater tags namespaces run runsById events eventCounts compactLineage suggest changes"
        " accessRequests denials namingRules namingProposals"
    )
    assert set(wanted.split()) == set(query.fields)
    fields = {
        "Asset": "id kind name qualifiedName description tags domain product owners facts lastObserved",
        "Impact": "total byKind byReach byDomain byProduct byOwner byReader assets notify completeness",
        "Completeness": "truncated possibleOnly undescribed staleEdges provisional asOf revision",
        "Fact": "source attribute value validFrom lastObserved chosen",
        "Alias": "namespace name why source since",
        "Count": "key label asset count",
        "LineageGraph": "nodes edges completeness",
    }
    for name, names in fields.items():
        assert set(names.split()) <= set(schema.type_map[name].fields), name  # type: ignore[attr-defined]
    kinds = "Domain DataProduct Dataset Column Job Consumer Owner Contract"
    asset = schema.type_map["Asset"]
    assert {t.name for t in schema.get_possible_types(asset)} == set(kinds.split())  # type: ignore[arg-type]


def test_the_defaults_that_are_binding() -> None:
    text = print_schema()
    assert "direction: Direction! = DOWNSTREAM" in text
    assert "granularity: Granularity! = COLUMN" in text
    assert "reach: Reach! = POSSIBLE" in text
    assert "limit: Int! = 500" in text
