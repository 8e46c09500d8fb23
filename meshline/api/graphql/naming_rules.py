"""Rules that join names of one catalog: those in effect, those that the graph suggests, and the mutations by which a person accepts one."""

from __future__ import annotations

from typing import Self

import strawberry
from strawberry.types import Info

from meshline.api.graphql.authors import By, decide_author
from meshline.api.graphql.context import GraphView, RequestContext
from meshline.api.graphql.field_types import describe_field
from meshline.api.graphql.identity import DatasetName
from meshline.app.access_rules import check_state_everywhere
from meshline.app.manual_statements import PERSON
from meshline.errors import InvalidInput
from meshline.governance.audit import build_setting_record
from meshline.graph.model import get_current_micros
from meshline.graph.naming_rules import Prefix, Rule, build_prefix
from meshline.graph.queries import naming_proposals
from meshline.ingest.catalog_aliases import add_rule, apply_rules, read_rules_by_source, remove_rule

LONGEST = 2000  # characters of a namespace, and of the beginning of names

Context = Info[RequestContext, None]


@strawberry.type(description="The beginning of names: a namespace, and the whole parts with which names in it begin.")
class NamePrefix:
    namespace: str
    prefix: str = strawberry.field(description="Empty: all names of the namespace.")
    text: str = strawberry.field(description="Both in one text, as `catalogs:` of a mesh file accepts it.")

    @classmethod
    def from_prefix(cls, prefix: Prefix) -> Self:
        return cls(namespace=prefix.namespace, prefix=prefix.name, text=str(prefix))


@strawberry.input(description="The beginning of names: a namespace, and the whole parts with which names in it begin.")
class NamePrefixInput:
    namespace: str
    prefix: str = ""

    def build_prefix(self, where: str) -> Prefix:
        """Raises InvalidInput."""
        for text, name in ((self.namespace, "namespace"), (self.prefix, "prefix")):
            if len(text) > LONGEST or not text.isprintable() or (name == "namespace" and not text.strip()):
                raise InvalidInput(f"give up to {LONGEST} printable characters", f"{where}.{name}")
        return build_prefix(self.namespace, self.prefix)


@strawberry.type(description="A rule of `catalogs:`: what is behind `also` is the dataset of the same name behind `names`, if both exist.")
class NamingRule:
    names: NamePrefix
    also: NamePrefix
    ignore_case: bool = strawberry.field(description="Whether names may differ in upper and lower case.")
    source: str | None = strawberry.field(description="The mesh file or person that states it. Null: no source, it is a proposal.")

    @classmethod
    def from_rule(cls, rule: Rule, source: str | None) -> Self:
        return cls(
            names=NamePrefix.from_prefix(rule.names), also=NamePrefix.from_prefix(rule.also), ignore_case=rule.ignore_case, source=source
        )


@strawberry.type(description="Two names that a rule would join.")
class NamingExample:
    also: DatasetName
    names: DatasetName


@strawberry.type(description="A rule that the graph suggests, judged by the columns of the pairs of datasets that it would join now.")
class NamingProposal:
    rule: NamingRule
    alike: int = strawberry.field(description="How many pairs have mostly the same columns.")
    unlike: int = strawberry.field(description="How many pairs have not, or are copies: one flows into the other.")
    unknown: int = strawberry.field(description="Of how many pairs the columns of one or both are unknown.")
    examples: list[NamingExample]

    @classmethod
    def from_proposal(cls, found: naming_proposals.Proposal) -> Self:
        return cls(
            rule=NamingRule.from_rule(found.rule, None),
            alike=found.alike,
            unlike=found.unlike,
            unknown=found.unknown,
            examples=[NamingExample(also=DatasetName.from_key(one), names=DatasetName.from_key(other)) for one, other in found.examples],
        )


@strawberry.type(description="A rule that was accepted or removed.")
class NamingRuleStated:
    rule: NamingRule
    joined: int = strawberry.field(description="How many pairs of names all rules join afterwards.")


@strawberry.type
class NamingMutation:
    @describe_field(
        "Accept a rule that joins names of one catalog, for example one of `namingProposals`. It applies to later datasets, too, until"
        " `removeNamingRule`. Needs the right to make statements about everything."
    )
    def accept_naming_rule(
        self, info: Context, names: NamePrefixInput, also: NamePrefixInput, ignore_case: bool = False, by: By = None
    ) -> NamingRuleStated:
        rule = _build_rule(names, also, ignore_case=ignore_case)
        return _change_rules(info.context, rule, by, "acceptNamingRule")

    @describe_field("Remove a rule that a person accepted: what only it joined is separate again. That of a mesh file is removed there.")
    def remove_naming_rule(
        self, info: Context, names: NamePrefixInput, also: NamePrefixInput, ignore_case: bool = False, by: By = None
    ) -> NamingRuleStated:
        rule = _build_rule(names, also, ignore_case=ignore_case)
        return _change_rules(info.context, rule, by, "removeNamingRule")


def list_rules(view: GraphView) -> list[NamingRule]:
    found = read_rules_by_source(view.request.live.store)
    rules = [NamingRule.from_rule(rule, source) for source, rules in found.items() for rule in rules]
    view.request.spend(len(rules))
    return rules


def list_proposals(view: GraphView, first: int | None) -> list[NamingProposal]:
    size = view.request.check_page_size(first)
    found = naming_proposals.list_proposals(view.index)[:size]
    view.request.spend(len(found))
    return [NamingProposal.from_proposal(one) for one in found]


def _build_rule(names: NamePrefixInput, also: NamePrefixInput, *, ignore_case: bool) -> Rule:
    rule = Rule(also.build_prefix("also"), names.build_prefix("names"), ignore_case)
    if rule.also == rule.names:
        raise InvalidInput("`names` and `also` are the same", "also")
    return rule


def _change_rules(request: RequestContext, rule: Rule, by: str | None, what: str) -> NamingRuleStated:
    live = request.access.live
    check_state_everywhere(request.access.rules, request.caller, "rules for names are stated only by")
    author = decide_author(request, by)
    source = f"{PERSON}/{author}"
    record = build_setting_record(author, what, str(rule), source, get_current_micros())
    request.release_lock()
    request.committed = True
    if what == "acceptNamingRule":
        add_rule(live.store, source, rule, record)
    else:
        remove_rule(live.store, source, rule, record)
    loading = apply_rules(live)
    request.revision = live.revision
    joined = 0 if loading is None else loading.unchanged + loading.new + loading.changed
    return NamingRuleStated(rule=NamingRule.from_rule(rule, source), joined=joined)
