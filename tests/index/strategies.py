"""Random statements over few names, so that they meet."""

from __future__ import annotations

from hypothesis import strategies as st

from meshline.graph.model import (
    AssetFact,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    FlowType,
    Statement,
    build_consumer_key,
    build_contract_key,
    build_data_product_key,
    build_domain_key,
    build_job_key,
    build_owner_key,
)
from tests.index.heads import (
    NS,
    build_different_from,
    build_output_scope,
    build_same_as,
    build_schema,
    build_statement,
    to_column,
    to_dataset,
)

DATASETS = ("a", "b", "c", "d", "e")
COLUMNS = ("x", "X", "y", "straße", "STRASSE")

datasets = st.sampled_from(DATASETS)
columns = st.builds(lambda of, name: f"{of}.{name}", datasets, st.sampled_from(COLUMNS))
times = st.integers(0, 12)
jobs = st.sampled_from((None, build_job_key(NS, "j"), build_job_key(NS, "k")))
types = st.sampled_from(tuple(FlowType))

column_flows = st.builds(
    lambda a, b, type_, subtype, masking, by: Flow(to_column(a), to_column(b), type_, subtype, masking, job=by),
    columns,
    columns,
    types,
    st.sampled_from(("", "", "IDENTITY")),
    st.booleans(),
    jobs,
)
hoisted_flows = st.builds(
    lambda a, b, masking: Flow(to_column(a), to_dataset(b), FlowType.INDIRECT, "JOIN", masking), columns, datasets, st.booleans()
)
dataset_flows = st.builds(
    lambda a, b, covered, by: Flow(to_dataset(a), to_dataset(b), covered=covered, job=by), datasets, datasets, st.booleans(), jobs
)
flows = st.one_of(column_flows, column_flows, hoisted_flows, dataset_flows)


def build_flow_facts(found: list[Flow]) -> Facts:
    return Facts(flows=tuple(found))


lineage_facts = st.lists(flows, min_size=1, max_size=6).map(build_flow_facts)
lineages = st.builds(
    lambda facts, scope, at, provisional: build_statement(facts, ("test", f"s{scope}"), at, provisional=provisional),
    lineage_facts,
    st.integers(0, 5),
    times,
    st.sampled_from((False, False, False, True)),
)
outputs = st.builds(
    lambda facts, name, output, at, version, part: build_statement(facts, (*build_output_scope(name, output), *part), at, version=version),
    lineage_facts,
    st.sampled_from(("j", "k")),
    datasets,
    times,
    st.sampled_from(("r1", "r2", "r3#dag", "r4#dag")),
    st.sampled_from(((), (), ("7",), ("query",), ("query",))),
)
producers = st.builds(
    lambda name, integration, at, source: build_statement(
        Facts(assets=(AssetFact(build_job_key(NS, name), {"integration": integration, "processing_type": "BATCH"}),)),
        ("job", NS, name, "jobType"),
        at,
        source=source,
    ),
    st.sampled_from(("j", "k")),
    st.sampled_from(("AIRFLOW", "DBT", "dbt", "SPARK", "")),
    times,
    st.sampled_from(("openlineage/test", "openlineage/other")),
)
replacements = st.builds(
    lambda of, at: build_statement(Facts(assets=(AssetFact(to_dataset(of), {}),)), ("dataset-replaced", NS, of), at), datasets, times
)
models = st.builds(
    lambda found, node, at, source: build_statement(Facts(flows=tuple(found)), ("dbt", node, "lineage"), at, source=source),
    st.lists(
        st.one_of(
            st.builds(
                lambda a, b, covered: Flow(to_dataset(a), to_dataset(b), covered=covered),
                datasets,
                datasets,
                st.sampled_from((True, True, False)),
            ),
            st.builds(lambda a, b: Flow(to_column(a), to_column(b)), columns, columns),
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(("model.p.m", "model.p.n")),
    times,
    st.sampled_from(("dbt/d", "dbt/d", "dbt/e")),
)
builds = st.builds(
    lambda name, node, at, source: build_statement(
        Facts(assets=(AssetFact(build_job_key(NS, name), {"dbt_id": node} if node else {"sql": ""}),)),
        ("job", NS, name, "dbt_node"),
        at,
        source=source,
    ),
    st.sampled_from(("j", "k")),
    st.sampled_from(("model.p.m", "model.p.m", "model.p.n", "")),
    times,
    st.sampled_from(("openlineage/test", "openlineage/test", "openlineage/other")),
)
schemas = st.builds(
    lambda of, names, at, source: build_statement(build_schema(of, *names), ("dataset", NS, of, "schema"), at, source=source),
    datasets,
    st.lists(st.sampled_from(COLUMNS), unique=True, max_size=4),
    times,
    st.sampled_from(("openlineage/test", "openlineage/other", "iceberg/cat")),
)
merges = st.builds(
    lambda a, b, at, type_, source: build_statement(Facts(edges=(build_same_as(a, b, type=type_),)), ("person", a, b), at, source=source),
    datasets,
    datasets,
    times,
    st.sampled_from(("TABLE", "LOCATION")),
    st.sampled_from(("person/p", "person/p", "openlineage/test", "iceberg/cat", "mesh/m")),
)
partings = st.builds(
    lambda a, b, at, source: build_statement(Facts(edges=(build_different_from(a, b),)), ("not-same-as", a, b), at, source=source),
    datasets,
    datasets,
    times,
    st.sampled_from(("person/p", "mesh/m")),
)
renames = st.builds(
    lambda a, b, at: build_statement(
        Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, to_dataset(a), to_dataset(b)),)), ("dataset-renamed", NS, b, NS, a, str(at)), at
    ),
    datasets,
    datasets,
    times,
)
drops = st.builds(
    lambda a, at: build_statement(Facts(assets=(AssetFact(to_dataset(a), {"dropped": True}),)), ("dataset-dropped", NS, a), at),
    datasets,
    times,
)
column_names = st.sampled_from(COLUMNS)
column_renames = st.builds(
    lambda of, pairs, at: build_statement(
        Facts(edges=tuple(EdgeFact(EdgeType.RENAMED_TO, to_column(f"{of}.{old}"), to_column(f"{of}.{new}")) for old, new in pairs)),
        ("column-renamed", NS, of, str(sorted(pairs)), str(at)),
        at,
        source="iceberg/cat",
    ),
    datasets,
    st.lists(st.tuples(column_names, column_names), min_size=1, max_size=2),
    times,
)
column_drops = st.builds(
    lambda of, name, at: build_statement(
        Facts(assets=(AssetFact(to_column(f"{of}.{name}"), {"dropped": True}),)), ("column-dropped", NS, of, name), at, source="iceberg/cat"
    ),
    datasets,
    column_names,
    times,
)
contracts = st.sampled_from((build_contract_key("c1"), build_contract_key("c2")))
OWNERS = ("o", "team:o", "user:o", "boss", "o@x", "user:O@x", "team:boss")
owners = st.sampled_from(OWNERS).map(build_owner_key)
described_owners = st.builds(
    lambda who, email, type_, source, at: build_statement(
        Facts(assets=(AssetFact(who, {name: text for name, text in (("email", email), ("owner_type", type_)) if text}),)),
        ("owner", who.name),
        at,
        source=source,
    ),
    owners,
    st.sampled_from(("o@x", "o@x", "b@x", "")),
    st.sampled_from(("team", "person", "", "")),
    st.sampled_from(("mesh/m", "mesh/other", "dbt/d", "contract/c")),
    times,
)
statuses = st.sampled_from(({}, {"status": "active"}, {"status": "active"}, {"status": "draft"}, {"status": "retired"}))
READER = build_job_key(NS, "reader")
others = st.builds(
    lambda edge, at, scope: build_statement(Facts(edges=(edge,)), ("mesh", f"m{scope}"), at, source="mesh/m"),
    st.one_of(
        st.builds(
            lambda d, way: EdgeFact(EdgeType.PORT, build_data_product_key("p"), to_dataset(d), {"direction": way}),
            datasets,
            st.sampled_from(("input", "output")),
        ),
        st.builds(lambda d: EdgeFact(EdgeType.READS, READER, to_dataset(d)), datasets),
        st.builds(lambda c: EdgeFact(EdgeType.CONSUMES, build_consumer_key("team"), to_column(c)), columns),
        st.builds(lambda d: EdgeFact(EdgeType.CONSUMES, build_consumer_key("team"), to_dataset(d)), datasets),
        st.builds(lambda who, d: EdgeFact(EdgeType.MAY_READ, who, to_dataset(d), {"grant": "SELECT"}), owners, datasets),
        st.builds(lambda who, c: EdgeFact(EdgeType.MAY_READ, who, to_column(c)), owners, columns),
        st.builds(lambda who, d: EdgeFact(EdgeType.OWNS, who, to_dataset(d), {"type": "business"}), owners, datasets),
        st.builds(lambda c: EdgeFact(EdgeType.OWNS, build_owner_key("steward"), to_column(c), {"type": "steward"}), columns),
        st.builds(lambda c, d, status: EdgeFact(EdgeType.GOVERNS, c, to_dataset(d), status), contracts, datasets, statuses),
        st.builds(
            lambda c, who: EdgeFact(EdgeType.OWNS, build_owner_key(who), c, {"type": "technical"}),
            contracts,
            st.sampled_from(("o", "keeper")),
        ),
        st.just(EdgeFact(EdgeType.PART_OF, build_data_product_key("p"), build_domain_key("dom"))),
        st.just(EdgeFact(EdgeType.OWNS, build_owner_key("boss"), build_domain_key("dom"))),
    ),
    times,
    st.integers(0, 4),
)
patterns = st.builds(
    lambda names, at: build_statement(
        Facts(assets=(AssetFact(build_data_product_key("q"), {"members": names}),)), ("mesh", "product", "q"), at, source="mesh/m"
    ),
    st.lists(st.sampled_from(("db/*", "db/a", "db/[bc]", "other/*")), max_size=2),
    times,
)
tombstones = st.builds(lambda scope, at: build_statement(None, ("test", f"s{scope}"), at), st.integers(0, 5), times)
lost = st.builds(
    lambda a, b, at, kind: build_statement(None, (kind, a, b), at, source="person/p"),
    datasets,
    datasets,
    times,
    st.sampled_from(("person", "not-same-as")),
)

plain = st.one_of(
    lineages, lineages, outputs, outputs, producers, producers, replacements, models, builds, schemas, merges, merges, partings
)
moving = st.one_of(renames, drops, column_renames, column_renames, column_drops)
any_statement = st.one_of(
    lineages,
    outputs,
    outputs,
    producers,
    producers,
    replacements,
    models,
    builds,
    schemas,
    merges,
    merges,
    partings,
    moving,
    moving,
    others,
    described_owners,
    patterns,
    tombstones,
    lost,
)


def draw_lists(one: st.SearchStrategy[Statement], most: int = 12) -> st.SearchStrategy[list[Statement]]:
    return st.lists(one, min_size=1, max_size=most)
