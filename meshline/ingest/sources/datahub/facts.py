"""Datasets, owners, domains and products of DataHub -> entries: a scope for each entity, by its URN."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from glob import escape
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import Draft, encode_facts
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Flow, FlowType, Json, drop_empty_attributes
from meshline.graph.naming import is_email
from meshline.ingest.sources.base import Context, Entry, Item, Refusal, drop_repetition
from meshline.ingest.sources.datahub.aspects import (
    DataProduct,
    Domains,
    EditableSchemaMetadata,
    Field,
    FineGrainedLineage,
    GlobalTags,
    GlossaryTerms,
    Ownership,
    Properties,
    SchemaMetadata,
    Siblings,
    SubTypes,
    UpstreamLineage,
    UserInfo,
    ViewProperties,
)
from meshline.ingest.sources.datahub.parse import Entities
from meshline.ingest.sources.datahub.urns import (
    DATASET,
    MAX_NAME,
    OWN_NAME,
    OWN_NAMESPACE,
    Names,
    convert_field_path,
    get_urn_id,
    shorten_urn,
    split_field_urn,
)
from meshline.ingest.sources.table_properties import select_properties
from meshline.words import format_count

SCOPE = "datahub"  # (SCOPE, URN)
DOMAIN, PRODUCT, USER, GROUP = "urn:li:domain:", "urn:li:dataProduct:", "urn:li:corpuser:", "urn:li:corpGroup:"
MAX_COLUMNS = 20_000  # of a dataset
MAX_FLOWS = 200_000  # into a dataset
MAX_TEXT = 10_000  # characters of a description
MAX_SQL = 100_000  # characters of a view's text that are shown
MAX_BAD = 20  # bad references that warnings name
_OWNER_TYPES = {"DATAOWNER": "technical", "TECHNICAL_OWNER": "technical", "BUSINESS_OWNER": "business", "DATA_STEWARD": "steward"}
_COPIES = frozenset({"IDENTITY", "COPY"})


class Named(NamedTuple):
    """What describes any entity: its owners, tags and terms."""

    owners: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]
    terms: tuple[str, ...]


class CatalogFacts:
    """The entries of one reading, and what its parts have in common: the names of owners, tags, terms, domains and columns."""

    def __init__(self, entities: Entities, names: Names, context: Context) -> None:
        self._entities = entities
        self._names = names
        self._context = context
        self._owners: dict[str, AssetKey] = {}
        self._bad: Counter[str] = Counter()
        self._domain_names = self._list_names(DOMAIN, "domainProperties")
        self._members: dict[str, list[str]] = {}  # of domains, as patterns

    def build_items(self) -> Iterator[Item]:
        """The entries of datasets, then of products, domains and owners, which they name."""
        for urn in self._entities.list_urns(DATASET):
            try:
                entry = Entry((SCOPE, urn), self._build_dataset(urn))
            except InvalidInput as error:
                yield Refusal(error, (SCOPE, urn))
                continue
            if urn not in self._entities.broken:  # else it remains as it was, and in its domain
                yield entry
        yield from self._build_products()
        yield from self._build_domains()

    def build_owner_entries(self) -> Iterator[Entry]:
        """The entries of the people and groups that own anything that was built."""
        for urn, key in sorted(self._owners.items()):
            info = self._find_user(urn)
            email = info.email.strip() if info is not None and info.email is not None and is_email(info.email) else None
            title = (info.display_name or info.full_name) if info is not None else None
            kind = "team" if urn.startswith(GROUP) else "person"
            attributes = drop_empty_attributes(email=email, contact=email, title=title if title != key.name else None, owner_type=kind)
            yield Entry((SCOPE, urn), encode_facts(Facts((AssetFact(key, {**attributes, "datahub_urn": urn}),))))

    def list_warnings(self) -> Iterator[str]:
        """References to what is no dataset or column."""
        yield from sorted(self._bad)[:MAX_BAD]
        if len(self._bad) > MAX_BAD:
            yield f"{format_count(len(self._bad) - MAX_BAD, 'more reference')} of this kind"

    def describe(self, urn: str) -> Named:
        """The owners (name, type), tags and glossary terms of an entity."""
        owned = self._entities.find(urn, "ownership", Ownership)
        stated = [one for one in (owned.owners if owned else ()) if self._is_owner(one.owner, urn)]
        owners = {(self._name_owner(one.owner), _name_owner_type(one.type, one.type_urn)) for one in stated}
        tags = self._entities.find(urn, "globalTags", GlobalTags)
        terms = self._entities.find(urn, "glossaryTerms", GlossaryTerms)
        return Named(tuple(sorted(owners)), tuple(self._name_tags([tags])), tuple(self._name_terms([terms])))

    def locate(self, urn: str, of: str) -> AssetKey | None:
        """The dataset of a URN; None with a warning if it is none. `of`: the entity that names it."""
        try:
            return self._names.build_key(urn)
        except InvalidInput as error:
            self._bad[f"{shorten_urn(of)}: {error}"] += 1
            return None

    def locate_column(self, urn: str, of: str) -> tuple[AssetKey, str] | None:
        """The dataset and the column of a field's URN; None with a warning if it is none of a dataset."""
        found = split_field_urn(urn)
        if found is None or not 0 < len(found[1]) <= MAX_NAME:
            if not urn.startswith("urn:li:schemaField:(urn:li:chart:"):  # a field that a chart computes
                self._bad[f"{shorten_urn(of)}: {shorten_urn(urn)}: this is no URN of a dataset's field"] += 1
            return None
        key = self.locate(found[0], of)
        return None if key is None else (key, self._names.name_column(*found))

    def _build_dataset(self, urn: str) -> model.Content:
        find = self._entities.find
        key = self._names.build_key(urn)
        stated, edited = find(urn, "datasetProperties", Properties), find(urn, "editableDatasetProperties", Properties)
        named, view, types = self.describe(urn), find(urn, "viewProperties", ViewProperties), find(urn, "subTypes", SubTypes)
        title = (edited and edited.name) or (stated and stated.name) or ""
        draft = Draft()
        draft.add_asset(
            key,
            None,
            drop_empty_attributes(
                title=drop_repetition(title, key),
                description=_choose_description(edited, stated),
                dataset_type=(types.type_names[0] if types is not None and types.type_names else "").upper()[:MAX_NAME],
                sql=((view and view.view_logic) or "")[:MAX_SQL],
                tags=list[Json](named.tags),
                glossary_terms=list[Json](named.terms),
                properties=select_properties(list_properties(stated.custom_properties if stated is not None else None)),
                datahub_urn=urn,
            ),
        )
        self._add_columns(draft, key, urn)
        draft.add_facts(Facts(edges=tuple(self._build_edges(key, urn, named)), flows=tuple(self._list_flows(key, urn))))
        for domain in self._list_domains(urn):
            self._members.setdefault(domain, []).append(escape("/".join(key.parts)))
        return draft.build_content()

    def _add_columns(self, draft: Draft, key: AssetKey, urn: str) -> None:
        schema = self._entities.find(urn, "schemaMetadata", SchemaMetadata) or SchemaMetadata()
        edits = self._entities.find(urn, "editableSchemaMetadata", EditableSchemaMetadata) or EditableSchemaMetadata()
        stated, edited = self._index_fields(urn, schema.fields), self._index_fields(urn, edits.editable_schema_field_info)
        if len(stated) + len(edited) > MAX_COLUMNS:
            raise InvalidInput(f"the dataset has more than {MAX_COLUMNS} columns", shorten_urn(urn))
        keys = {convert_field_path(path) for path in schema.primary_keys or ()}
        attributes: list[tuple[str, dict[str, Json]]] = []
        for name in {**stated, **edited}:
            field, edit = stated.get(name), edited.get(name)
            both = [one for one in (field, edit) if one is not None]
            about = drop_empty_attributes(
                type=(field.native_data_type if field else None) or "",
                nullable=field.nullable if field else None,
                description=((edit and edit.description) or (field and field.description) or "")[:MAX_TEXT],
                tags=list[Json](self._name_tags(one.global_tags for one in both)),
                glossary_terms=list[Json](self._name_terms(one.glossary_terms for one in both)),
            )
            if field is not None and (field.is_part_of_key or convert_field_path(field.field_path) in keys):
                about["identifies"] = True
            attributes.append((name, about))
        draft.add_columns(key, [(name, position) for position, name in enumerate(stated, start=1)], attributes)

    def _index_fields(self, urn: str, fields: Iterable[Field]) -> dict[str, Field]:
        """Fields by the names of their columns. Of several, such as the branches of a union, the first counts."""
        found: dict[str, Field] = {}
        for field in fields:
            name = self._names.name_column(urn, convert_field_path(field.field_path))
            if len(name) > MAX_NAME:
                raise InvalidInput(f"a column's name must have 1 to {MAX_NAME} characters", shorten_urn(urn))
            if name:  # else it is the whole of a schema that is a single value
                found.setdefault(name, field)
        return found

    def _build_edges(self, key: AssetKey, urn: str, named: Named) -> Iterator[EdgeFact]:
        yield from build_owner_edges(named, key)
        why = {"why": "siblings in DataHub"}
        is_shown = self._names.is_stated(urn) and (self._entities.find(urn, "siblings", Siblings) or Siblings()).primary
        for other in self._list_siblings(key, urn):
            first, second = sorted((key, other))
            yield EdgeFact(EdgeType.SAME_AS, first, second, why)
            if is_shown:  # the name that the exporting program shows
                yield EdgeFact(EdgeType.SAME_AS, other, key, {**why, "type": "TABLE"})

    def _list_siblings(self, key: AssetKey, urn: str) -> list[AssetKey]:
        """The datasets that DataHub shows as one with this one, such as a model of dbt and its table."""
        stated = self._entities.find(urn, "siblings", Siblings)
        found = {self.locate(one, urn) for one in (stated.siblings if stated is not None else ())}
        return sorted(one for one in found if one is not None and one != key)

    def _list_flows(self, key: AssetKey, urn: str) -> Iterator[Flow]:
        stated = self._entities.find(urn, "upstreamLineage", UpstreamLineage)
        if stated is None:
            return
        same = set(self._list_siblings(key, urn))
        upstream = {found for one in stated.upstreams if (found := self.locate(one.dataset, urn)) is not None}
        columns = self._list_column_flows(key, urn, stated)
        whole = {flow.start for flow in columns if flow.start.kind is model.AssetKind.DATASET}
        fine = {get_dataset(flow.start) for flow in columns} - whole
        yield from (flow for flow in columns if flow.start.kind is model.AssetKind.COLUMN and get_dataset(flow.start) not in same)
        if not self._names.is_stated(urn):  # a MERGE into it: it is unknown which of its columns flow into which, but hardly all into all
            same.add(key)
        for start in sorted((upstream | whole | fine) - same):
            yield Flow(start, key, covered=start in fine)

    def _list_column_flows(self, key: AssetKey, urn: str, stated: UpstreamLineage) -> list[Flow]:
        return [flow for flow in self.list_fine_flows(urn, stated.fine_grained_lineages or (), key) if flow.end.parts[:2] == key.parts]

    def list_fine_flows(
        self, urn: str, stated: Iterable[FineGrainedLineage], output: AssetKey | None = None, job: AssetKey | None = None
    ) -> list[Flow]:
        """From columns to columns, or to a dataset as a whole; a flow from a dataset states that it is unknown which of its columns flow.

        `urn`: of the dataset (`output`) or job that states these.
        """
        found: list[Flow] = []
        for one in stated:
            ends = [end for text in one.downstreams or () if (end := self.locate_column(text, urn)) is not None]
            outputs = sorted({end[0] for end in ends}) or ([] if output is None else [output])
            kind = parse_operation(one.transform_operation)
            for text in one.upstreams or ():
                if text.startswith(DATASET):
                    start = self.locate(text, urn)
                    found += [] if start is None else [Flow(start, end, job=job) for end in outputs]
                elif (origin := self.locate_column(text, urn)) is not None:
                    column = model.build_column_key(*origin)
                    targets = outputs if kind.is_whole else [model.build_column_key(*end) for end in ends]
                    type_ = FlowType.INDIRECT if kind.is_whole else kind.type
                    found += [Flow(column, end, type_, kind.subtype, kind.masking, job=job) for end in targets]
                if len(found) > MAX_FLOWS:
                    what = "the dataset" if job is None else "the datasets of the job"
                    raise InvalidInput(f"more than {MAX_FLOWS} flows of columns into {what}", shorten_urn(urn))
        return found

    def _build_products(self) -> Iterator[Entry]:
        for urn, name in self._list_names(PRODUCT, "dataProductProperties").items():
            stated = self._entities.find(urn, "dataProductProperties", DataProduct) or DataProduct()
            if urn in self._entities.broken:
                continue
            key, named = model.build_data_product_key(name), self.describe(urn)
            links = [one for one in stated.assets or () if one.destination_urn.startswith(DATASET)]
            located = [(found, one) for one in links if (found := self.locate(one.destination_urn, urn)) is not None]
            flagged = any(one.output_port for _, one in located)
            ports = {found for found, one in located if one.output_port or not flagged}
            others = sorted({found for found, _ in located} - ports)
            attributes = drop_empty_attributes(
                description=(stated.description or "")[:MAX_TEXT],
                tags=list[Json](named.tags),
                glossary_terms=list[Json](named.terms),
                members=[escape("/".join(one.parts)) for one in others],
                datahub_urn=urn,
            )
            domains = [model.build_domain_key(self._domain_names[one]) for one in self._list_domains(urn)]
            edges = [
                *(EdgeFact(EdgeType.PORT, key, one, {"direction": "output"}) for one in sorted(ports)),
                *(EdgeFact(EdgeType.PART_OF, key, one) for one in domains),
                *build_owner_edges(named, key),
            ]
            yield Entry((SCOPE, urn), encode_facts(Facts((AssetFact(key, attributes),), tuple(edges))))

    def _build_domains(self) -> Iterator[Entry]:
        for urn, name in self._domain_names.items():
            if urn in self._entities.broken:
                continue
            stated = self._entities.find(urn, "domainProperties", Properties) or Properties()
            key, named = model.build_domain_key(name), self.describe(urn)
            attributes = drop_empty_attributes(
                description=(stated.description or "")[:MAX_TEXT],
                tags=list[Json](named.tags),
                members=list[Json](sorted(set(self._members.get(urn, ())))),
                datahub_urn=urn,
            )
            parent = self._domain_names.get(stated.parent_domain or "")
            edges = [
                *([EdgeFact(EdgeType.PART_OF, key, model.build_domain_key(parent))] if parent is not None and parent != name else []),
                *build_owner_edges(named, key),
            ]
            yield Entry((SCOPE, urn), encode_facts(Facts((AssetFact(key, attributes),), tuple(edges))))

    def _list_names(self, beginning: str, aspect: str) -> dict[str, str]:
        """The names of entities, in the order of their URNs. Of several with one name the first has it, the others their id behind it."""
        found: dict[str, str] = {}
        used: set[str] = set()
        for urn in self._entities.list_urns(beginning):
            stated = self._entities.find(urn, aspect, Properties) or self._entities.find(urn, aspect, DataProduct)
            plain = ((stated.name if stated is not None else None) or "").strip()[:MAX_NAME] or get_urn_id(urn)
            found[urn] = plain if plain not in used else f"{plain} ({get_urn_id(urn)})"
            used.add(found[urn])
        return found

    def _list_domains(self, urn: str) -> list[str]:
        """The known domains of an entity."""
        stated = self._entities.find(urn, "domains", Domains)
        return [one for one in (stated.domains if stated is not None else ()) if one in self._domain_names]

    def _name_owner(self, urn: str) -> str:
        """The person that the graph knows by the address, else the address, else `user:ID` or `team:NAME`."""
        if urn not in self._owners:
            info = self._find_user(urn)
            identifier = get_urn_id(urn)[:MAX_NAME]
            email = next((one for one in ((info.email or "") if info else "", identifier) if is_email(one)), "")
            if urn.startswith(GROUP):
                name = f"team:{(info and info.display_name) or identifier}"
            else:
                name = self._context.resolve_person(email) if email else f"user:{identifier}"
            self._owners[urn] = model.build_owner_key(name)
        return self._owners[urn].name

    def _is_owner(self, urn: str, of: str) -> bool:
        if urn.startswith((USER, GROUP)) and get_urn_id(urn).strip():
            return True
        self._bad[f"{shorten_urn(of)}: {shorten_urn(urn)}: this is no URN of a user or group"] += 1
        return False

    def _find_user(self, urn: str) -> UserInfo | None:
        """What a person or group is called; what people edited counts first."""
        parts = [self._entities.find(urn, name, UserInfo) for name in ("corpUserEditableInfo", "corpUserInfo", "corpGroupInfo")]
        found = [one for one in parts if one is not None]
        if not found:
            return None
        return UserInfo(
            display_name=next((one.display_name for one in found if one.display_name), None),
            full_name=next((one.full_name for one in found if one.full_name), None),
            email=next((one.email for one in found if one.email), None),
        )

    def _name_tags(self, stated: Iterable[GlobalTags | None]) -> list[str]:
        urns = (tag.tag for one in stated if one is not None for tag in one.tags or ())
        return sorted({self._name_word(urn, "tagProperties") for urn in urns})

    def _name_terms(self, stated: Iterable[GlossaryTerms | None]) -> list[str]:
        urns = (term.urn for one in stated if one is not None for term in one.terms or ())
        return sorted({self._name_word(urn, "glossaryTermInfo") for urn in urns})

    def _name_word(self, urn: str, aspect: str) -> str:
        """The name of a tag or term."""
        stated = self._entities.find(urn, aspect, Properties)
        return ((stated.name if stated is not None else None) or get_urn_id(urn))[:MAX_NAME]


class Operation(NamedTuple):
    """What a `transformOperation` states. `is_whole`: it decides the rows of the dataset, not values of the columns."""

    type: FlowType = FlowType.DIRECT
    subtype: str = ""
    masking: bool = False
    is_whole: bool = False


def parse_operation(text: str | None) -> Operation:
    """`DIRECT:IDENTITY`, `INDIRECT:FILTER:DATASET` and `DIRECT:TRANSFORMATION:MASKED`, as `meshline export datahub` writes them; or the
    text of another producer, of which only a copy is understood.
    """
    words = (text or "").strip().split(":")
    if words[0] not in ("DIRECT", "INDIRECT"):
        return Operation(subtype="IDENTITY" if words[0].upper() in _COPIES else "")
    marks = frozenset(words[2:])
    return Operation(FlowType(words[0]), words[1] if len(words) > 1 else "", "MASKED" in marks, "DATASET" in marks)


def build_owner_edges(named: Named, key: AssetKey) -> list[EdgeFact]:
    """Who owns an asset."""
    return [EdgeFact(EdgeType.OWNS, model.build_owner_key(name), key, {"type": type_}) for name, type_ in named.owners]


def _name_owner_type(type_: str | None, urn: str | None) -> str:
    """`technical`, `business`, `steward`, or the name of a type of one's own."""
    name = get_urn_id(urn).removeprefix("__system__").upper() if urn else (type_ or "").upper()
    return _OWNER_TYPES.get(name) or (name.lower() if name not in ("", "NONE", "CUSTOM") else "technical")


def list_properties(stated: Mapping[str, str] | None) -> dict[str, str]:
    """Custom properties without those that name the dataset or job."""
    return {name: value for name, value in (stated or {}).items() if name not in (OWN_NAMESPACE, OWN_NAME)}


def _choose_description(edited: Properties | None, stated: Properties | None) -> str:
    return next((one.description for one in (edited, stated) if one is not None and one.description), "")[:MAX_TEXT]


def get_dataset(key: AssetKey) -> AssetKey:
    return model.build_dataset_key(*key.parts[:2])
