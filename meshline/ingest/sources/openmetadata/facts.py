"""Entities and lineage of OpenMetadata -> entries: a scope for each entity, by its type and fully qualified name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from glob import escape

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import Draft, encode_facts
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Flow, FlowType, Json, drop_empty_attributes
from meshline.graph.naming import is_email
from meshline.ingest.sources.base import Context, Entry, Item, Refusal, drop_repetition
from meshline.ingest.sources.dashboards.reports import Report, Use, build_report_entries
from meshline.ingest.sources.openmetadata.catalog_reader import Catalog, LineageEdge
from meshline.ingest.sources.openmetadata.entities import Column, Entity, Reference, TagLabel
from meshline.ingest.sources.openmetadata.service_names import ServiceNames, split_fqn
from meshline.words import format_count

SCOPE = "openmetadata"  # (SCOPE, type, fully qualified name)
DATASETS = ("table", "topic", "container", "dashboardDataModel")
REPORTS = {"dashboard": "dashboard", "chart": "chart", "mlmodel": "model"}
MAX_COLUMNS = 20_000  # of a dataset
MAX_FLOWS = 200_000  # into a dataset
MAX_DEPTH = 32  # of columns in columns
MAX_TEXT = 10_000  # characters of a description
MAX_SQL = 100_000  # characters of a view's text that are shown
MAX_BAD = 20  # bad references that warnings name
_TABLE_TYPES = {"REGULAR": "TABLE", "MATERIALIZEDVIEW": "MATERIALIZED_VIEW", "SECUREVIEW": "VIEW"}
_OTHER_TYPES = {"topic": "TOPIC", "container": "FILE", "dashboardDataModel": "MODEL"}


class CatalogFacts:
    """The entries of one reading."""

    def __init__(self, catalog: Catalog, names: ServiceNames, context: Context) -> None:
        self._catalog = catalog
        self._names = names
        self._context = context
        self._owners: dict[str, tuple[Reference, AssetKey]] = {}
        self._bad: Counter[str] = Counter()
        self._members: dict[tuple[str, str], list[str]] = defaultdict(list)  # of products and domains, as patterns
        self._ports: dict[str, list[AssetKey]] = defaultdict(list)  # of products
        self._into: dict[str, list[LineageEdge]] = defaultdict(list)  # by the name of the end
        self._from: dict[str, list[LineageEdge]] = defaultdict(list)  # by the name of the start
        for edge in catalog.list_edges():
            self._into[edge.end.fully_qualified_name or ""].append(edge)
            self._from[edge.start.fully_qualified_name or ""].append(edge)
        self._domain_names = _list_names(catalog.list_entities("domain"))
        self._product_names = _list_names(catalog.list_entities("dataProduct"))

    def build_items(self) -> Iterator[Item]:
        for type_ in DATASETS:
            for entity in self._catalog.list_entities(type_):
                yield from self._build_one(type_, entity, self._build_dataset)
        for entity in self._catalog.list_entities("pipeline"):
            yield from self._build_one("pipeline", entity, self._build_pipeline)
        yield from self._build_reports()
        for entity in self._catalog.list_entities("dataProduct"):
            yield Entry((SCOPE, "dataProduct", entity.fqn), encode_facts(self._build_product(entity)))
        for entity in self._catalog.list_entities("domain"):
            yield Entry((SCOPE, "domain", entity.fqn), encode_facts(self._build_domain(entity)))
        for _, (of, key) in sorted(self._owners.items()):
            yield Entry((SCOPE, of.type, of.name or key.name), encode_facts(Facts((self._describe_owner(of, key),))))

    def list_warnings(self) -> Iterator[str]:
        """References to what is no dataset or column."""
        yield from sorted(self._bad)[:MAX_BAD]
        if len(self._bad) > MAX_BAD:
            yield f"{format_count(len(self._bad) - MAX_BAD, 'more reference')} of this kind"

    def _build_one(self, type_: str, entity: Entity, build: Callable[[str, Entity], model.Content]) -> Iterator[Item]:
        scope = (SCOPE, type_, entity.fqn)
        try:
            yield Entry(scope, build(type_, entity))
        except InvalidInput as error:
            yield Refusal(error, scope)

    def _build_dataset(self, type_: str, entity: Entity) -> model.Content:
        key = self._names.build_key(Reference(entity.id, type_, entity.name, entity.fqn))
        tags, terms = split_tags(entity.tags)
        title = entity.display_name or ""
        table_type = (entity.table_type or "").upper()
        draft = Draft()
        draft.add_asset(
            key,
            None,
            drop_empty_attributes(
                title=drop_repetition(title, key),
                description=(entity.description or "")[:MAX_TEXT],
                dataset_type=_OTHER_TYPES.get(type_) or _TABLE_TYPES.get(table_type, table_type),
                sql=(entity.schema_definition or entity.view_definition or entity.sql or "")[:MAX_SQL],
                url=_check_url(entity.source_url),
                tags=list[Json](tags),
                glossary_terms=list[Json](terms),
                openmetadata_fqn=entity.fqn,
            ),
        )
        self._add_columns(draft, key, entity)
        draft.add_facts(Facts(edges=tuple(self._build_owner_edges(entity, key)), flows=tuple(self._list_flows(key, entity))))
        for domain in entity.list_domains():
            self._members["domain", domain.fully_qualified_name or domain.name or ""].append(escape("/".join(key.parts)))
        for product in entity.data_products or ():
            self._ports[product.fully_qualified_name or product.name or ""].append(key)
        return draft.build_content()

    def _add_columns(self, draft: Draft, key: AssetKey, entity: Entity) -> None:
        columns = entity.columns
        if columns is None and entity.message_schema is not None:
            columns = entity.message_schema.schema_fields
            if columns is not None and len(columns) == 1 and columns[0].children:
                columns = columns[0].children  # the record that is the whole message
        if columns is None and entity.data_model is not None:
            columns = entity.data_model.columns
        listed = dict(_walk_columns(_order_columns(columns or ()), "", 1, entity.fqn))
        if len(listed) > MAX_COLUMNS:
            raise InvalidInput(f"the dataset has more than {MAX_COLUMNS} columns", entity.fqn)
        of_table = entity.table_constraints or ()
        keys = {name for one in of_table if one.constraint_type == "PRIMARY_KEY" for name in one.columns or ()}
        attributes: list[tuple[str, dict[str, Json]]] = []
        for name, (_, column) in listed.items():
            tags, terms = split_tags(column.tags)
            constraint = (column.constraint or "").upper()
            about = drop_empty_attributes(
                type=column.data_type_display or (column.data_type or "").lower(),
                nullable={"NULL": True, "NOT_NULL": False, "PRIMARY_KEY": False}.get(constraint),
                description=(column.description or "")[:MAX_TEXT],
                title=column.display_name if column.display_name != column.name else None,
                tags=list[Json](tags),
                glossary_terms=list[Json](terms),
            )
            if constraint == "PRIMARY_KEY" or name in keys:
                about["identifies"] = True
            attributes.append((name, about))
        draft.add_columns(key, [(name, position) for name, (position, _) in listed.items()], attributes)

    def _list_flows(self, key: AssetKey, entity: Entity) -> Iterator[Flow]:
        """What flows into a dataset from datasets, by the pipelines of the edges."""
        count = 0
        for edge in self._into.get(entity.fqn, ()):
            if edge.start.type not in DATASETS:
                continue
            start = self._locate(edge.start, entity.fqn)
            if start is None or start == key:
                continue
            job = None if edge.pipeline is None else self._name_job(edge.pipeline)
            columns = list(self._list_column_flows(edge, start, key, job))
            count += len(columns)
            if count > MAX_FLOWS:
                raise InvalidInput(f"more than {MAX_FLOWS} flows of columns into the dataset", entity.fqn)
            yield from dict.fromkeys(columns)
            yield Flow(start, key, covered=bool(columns), job=job)

    def _list_column_flows(self, edge: LineageEdge, start: AssetKey, end: AssetKey, job: AssetKey | None) -> Iterator[Flow]:
        for one in edge.columns:
            target = self._find_column(one.to_column or "", edge.end)
            for text in one.from_columns or ():
                origin = self._find_column(text, edge.start)
                if target and origin:
                    yield Flow(model.build_column_key(start, origin), model.build_column_key(end, target), FlowType.DIRECT, job=job)

    def _find_column(self, fqn: str, of: Reference) -> str:
        """The name of a column by its fully qualified name; '' with a warning if it is none of the entity."""
        try:
            parts, above = split_fqn(fqn), split_fqn(of.fully_qualified_name or "")
        except InvalidInput:
            parts, above = [], [""]
        if parts[: len(above)] != above or len(parts) == len(above):
            self._bad[f"{(of.fully_qualified_name or '')[:200]}: {fqn[:200]!r} is no column of it"] += 1
            return ""
        return ".".join(parts[len(above) :])

    def _locate(self, of: Reference, by: str) -> AssetKey | None:
        try:
            return self._names.build_key(of)
        except InvalidInput as error:
            self._bad[f"{by[:200]}: {error}"] += 1
            return None

    def _name_job(self, pipeline: Reference) -> AssetKey:
        """The job of a pipeline: in the namespace that is stated for its service."""
        fqn = pipeline.fully_qualified_name or pipeline.name or pipeline.id
        service, _, name = fqn.partition(".")
        try:
            service, *rest = split_fqn(fqn)
            name = ".".join(rest)
        except InvalidInput:
            pass
        return model.build_job_key(self._names.find_job_namespace(service), name or service)

    def _build_pipeline(self, type_: str, entity: Entity) -> model.Content:
        key = self._name_job(Reference(entity.id, type_, entity.name, entity.fqn))
        tags, terms = split_tags(entity.tags)
        title = entity.display_name or ""
        attributes = drop_empty_attributes(
            title=drop_repetition(title, key),
            description=(entity.description or "")[:MAX_TEXT],
            url=_check_url(entity.source_url),
            tags=list[Json](tags),
            glossary_terms=list[Json](terms),
            openmetadata_fqn=entity.fqn,
        )
        reads = [edge.start for edge in self._into.get(entity.fqn, ()) if edge.start.type in DATASETS]
        writes = [edge.end for edge in self._from.get(entity.fqn, ()) if edge.end.type in DATASETS]
        stated: set[tuple[AssetKey, AssetKey]] = set()  # pairs that edges between datasets state for this pipeline
        for edge in self._catalog.list_edges() if reads or writes else ():
            if edge.pipeline is not None and edge.pipeline.fully_qualified_name == entity.fqn:
                start, end = self._locate(edge.start, entity.fqn), self._locate(edge.end, entity.fqn)
                if start is not None and end is not None:
                    stated.add((start, end))
        inputs = sorted({one for of in reads if (one := self._locate(of, entity.fqn)) is not None})
        outputs = sorted({one for of in writes if (one := self._locate(of, entity.fqn)) is not None})
        if len(inputs) * len(outputs) > MAX_FLOWS:
            raise InvalidInput(f"more than {MAX_FLOWS} pairs of inputs and outputs", entity.fqn)
        edges = [EdgeFact(EdgeType.READS, key, one) for one in inputs] + [EdgeFact(EdgeType.WRITES, key, one) for one in outputs]
        flows = [Flow(start, end, job=key) for end in outputs for start in inputs if start != end and (start, end) not in stated]
        edges += self._build_owner_edges(entity, key)
        return encode_facts(Facts((AssetFact(key, attributes),), tuple(edges), tuple(flows)))

    def _build_reports(self) -> list[Entry]:
        """Dashboards with what their charts and models use, and charts and models of machine learning with lineage of their own."""
        reports: list[Report] = []
        shown: set[str] = set()
        for entity in self._catalog.list_entities("dashboard"):
            charts = [one.fully_qualified_name or "" for one in entity.charts or ()]
            shown.update(charts)
            uses = self._list_uses([entity.fqn, *charts])
            for one in entity.data_models or ():
                known = self._catalog.find_reference(one)
                if known.type in DATASETS and (key := self._locate(known, entity.fqn)) is not None:
                    uses.add(Use(key))
            reports.append(self._build_report("dashboard", entity, uses))
        for type_ in ("chart", "mlmodel"):
            for entity in self._catalog.list_entities(type_):
                own = self._list_uses([entity.fqn])
                if entity.fqn not in shown and own:
                    reports.append(self._build_report(type_, entity, own))
        return build_report_entries(reports, self._context)

    def _build_report(self, type_: str, entity: Entity, uses: set[Use]) -> Report:
        tags, terms = split_tags(entity.tags)
        fine = {use.dataset for use in uses if use.column}
        attributes = drop_empty_attributes(
            openmetadata_fqn=entity.fqn, tool=(entity.service_type or "").lower(), glossary_terms=list[Json](terms)
        )
        return Report(
            id=f"{type_}:{entity.fqn}",
            name=entity.display_name or entity.name,
            type=REPORTS[type_],
            uses=frozenset(use for use in uses if use.column or use.dataset not in fine),
            url=_check_url(entity.source_url),
            description=(entity.description or "")[:MAX_TEXT],
            owners=tuple(self._name_owner(one).name for one in entity.list_owners()),
            tags=tuple(tags),
            attributes=attributes,
        )

    def _list_uses(self, fqns: Iterable[str]) -> set[Use]:
        found: set[Use] = set()
        for fqn in fqns:
            for edge in self._into.get(fqn, ()):
                key = self._locate(edge.start, fqn) if edge.start.type in DATASETS else None
                if key is None:
                    continue
                columns = {self._find_column(text, edge.start) for one in edge.columns for text in one.from_columns or ()} - {""}
                found |= {Use(key, column) for column in columns} or {Use(key)}
        return found

    def _build_product(self, entity: Entity) -> Facts:
        key = model.build_data_product_key(self._product_names[entity.fqn])
        domains = [
            self._domain_names[fqn] for one in entity.list_domains() if (fqn := one.fully_qualified_name or "") in self._domain_names
        ]
        edges = [
            *(EdgeFact(EdgeType.PORT, key, one, {"direction": "output"}) for one in sorted(set(self._ports[entity.fqn]))),
            *(EdgeFact(EdgeType.PART_OF, key, model.build_domain_key(one)) for one in domains[:1]),
            *self._build_owner_edges(entity, key),
        ]
        return Facts((AssetFact(key, self._describe_group(entity, [])),), tuple(edges))

    def _build_domain(self, entity: Entity) -> Facts:
        key = model.build_domain_key(self._domain_names[entity.fqn])
        above = (entity.parent.fully_qualified_name or entity.parent.name or "") if entity.parent is not None else ""
        parent = self._domain_names.get(above)
        edges = [EdgeFact(EdgeType.PART_OF, key, model.build_domain_key(parent))] if parent is not None and parent != key.name else []
        members = sorted(set(self._members["domain", entity.fqn]))
        return Facts((AssetFact(key, self._describe_group(entity, members)),), (*edges, *self._build_owner_edges(entity, key)))

    def _describe_group(self, entity: Entity, members: Sequence[str]) -> dict[str, Json]:
        tags, terms = split_tags(entity.tags)
        return drop_empty_attributes(
            title=entity.display_name if entity.display_name != entity.name else None,
            description=(entity.description or "")[:MAX_TEXT],
            tags=list[Json](tags),
            glossary_terms=list[Json](terms),
            members=list[Json](members),
            openmetadata_fqn=entity.fqn,
        )

    def _build_owner_edges(self, entity: Entity, key: AssetKey) -> list[EdgeFact]:
        owners = {self._name_owner(one) for one in entity.list_owners()}
        return [EdgeFact(EdgeType.OWNS, owner, key, {"type": "technical"}) for owner in sorted(owners)]

    def _name_owner(self, of: Reference) -> AssetKey:
        """The person that the graph knows by the address, else the address, else `user:NAME` or `team:NAME`."""
        name = of.name or of.fully_qualified_name or of.id
        known = self._owners.get(f"{of.type}:{name}")
        if known is None:
            entity = self._catalog.find(of.type, name) if of.type in ("user", "team") else None
            email = (entity.email or "").strip() if entity is not None else ""
            person = self._context.resolve_person(email) if is_email(email) else f"user:{name}"
            written = f"team:{name}" if of.type == "team" else person
            known = self._owners[f"{of.type}:{name}"] = (
                Reference(of.id, of.type, name, display_name=of.display_name),
                model.build_owner_key(written),
            )
        return known[1]

    def _describe_owner(self, of: Reference, key: AssetKey) -> AssetFact:
        entity = self._catalog.find(of.type, of.name or "")
        email = entity.email.strip() if entity is not None and entity.email is not None and is_email(entity.email) else None
        title = (entity.display_name if entity is not None else None) or of.display_name
        kind = "team" if of.type == "team" else "person"
        return AssetFact(
            key, drop_empty_attributes(email=email, contact=email, title=title if title != key.name else None, owner_type=kind)
        )


def split_tags(labels: Sequence[TagLabel] | None) -> tuple[list[str], list[str]]:
    """(tags, terms of glossaries), sorted."""
    tags = {one.tagFQN for one in labels or () if one.source != "Glossary"}
    return sorted(tags), sorted({one.tagFQN for one in labels or ()} - tags)


def _order_columns(columns: Sequence[Column]) -> list[Column]:
    """By `ordinalPosition` if every column has one, else as listed."""
    positions = [one.ordinal_position for one in columns]
    if any(one is None for one in positions):
        return list(columns)
    return sorted(columns, key=lambda one: one.ordinal_position or 0)


def _walk_columns(columns: Iterable[Column], above: str, depth: int, of: str) -> Iterator[tuple[str, tuple[int, Column]]]:
    """Columns by their dotted paths, with the positions of their top-level columns."""
    if depth > MAX_DEPTH:
        raise InvalidInput(f"columns are nested more than {MAX_DEPTH} levels deep", of)
    for position, column in enumerate(columns, start=1):
        name = f"{above}{column.name}"
        yield name, (position, column)
        for inner, (_, nested) in _walk_columns(column.children or (), f"{name}.", depth + 1, of):
            yield inner, (position, nested)


def _list_names(entities: Iterable[Entity]) -> dict[str, str]:
    """The names of domains or products, by their fully qualified ones. Of several with one name the first has it, the others the whole."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for one in entities:
        found[one.fqn] = one.name if one.name not in used else one.fqn
        used.add(found[one.fqn])
    return found


def _check_url(url: str | None) -> str:
    return url if url is not None and url.startswith(("https://", "http://")) else ""
