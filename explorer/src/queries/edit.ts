// Made by scripts/make-queries from edit.graphql: do not edit.
import type { Operation } from "../client";

export type NamePrefixInput = { namespace?: string; prefix?: string };
export type TokenRole = "READER" | "WRITER" | "ADMIN";
export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type PersonUse = { source: string; statement: string; purpose: string | null; consumer: { name: string }; asset: { id: string } };
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };

export type AddOwnerAnswer = { done: { statement: string | null } };
export type AddOwnerVariables = { asset: string; owner: string; type: string; by?: string | null | undefined };
export const AddOwner: Operation<AddOwnerAnswer, AddOwnerVariables> = { name: "AddOwner", text: "mutation AddOwner($asset:ID!$owner:String!$type:String!$by:String){done:addOwner(asset:$asset owner:$owner type:$type by:$by){statement}}" };

export type AddTagAnswer = { done: { statement: string | null } };
export type AddTagVariables = { asset: string; tag: string; by?: string | null | undefined };
export const AddTag: Operation<AddTagAnswer, AddTagVariables> = { name: "AddTag", text: "mutation AddTag($asset:ID!$tag:String!$by:String){done:addTag(asset:$asset tag:$tag by:$by){statement}}" };

export type SetDescriptionAnswer = { done: { statement: string | null } };
export type SetDescriptionVariables = { asset: string; description: string; by?: string | null | undefined };
export const SetDescription: Operation<SetDescriptionAnswer, SetDescriptionVariables> = { name: "SetDescription", text: "mutation SetDescription($asset:ID!$description:String!$by:String){done:setDescription(asset:$asset description:$description by:$by){statement}}" };

export type AddConsumerAnswer = { done: { statement: string | null } };
export type AddConsumerVariables = { asset: string; consumer: string; purpose?: string | null | undefined; by?: string | null | undefined };
export const AddConsumer: Operation<AddConsumerAnswer, AddConsumerVariables> = { name: "AddConsumer", text: "mutation AddConsumer($asset:ID!$consumer:String!$purpose:String$by:String){done:addConsumer(asset:$asset consumer:$consumer purpose:$purpose by:$by){statement}}" };

export type SameAsAnswer = { done: { statement: string | null } };
export type SameAsVariables = { dataset: string; other: string; why: string; by?: string | null | undefined };
export const SameAs: Operation<SameAsAnswer, SameAsVariables> = { name: "SameAs", text: "mutation SameAs($dataset:ID!$other:ID!$why:String!$by:String){done:sameAs(dataset:$dataset other:$other why:$why by:$by){statement}}" };

export type NotSameAsAnswer = { done: { statement: string | null } };
export type NotSameAsVariables = { dataset: string; other: string; why: string; by?: string | null | undefined };
export const NotSameAs: Operation<NotSameAsAnswer, NotSameAsVariables> = { name: "NotSameAs", text: "mutation NotSameAs($dataset:ID!$other:ID!$why:String!$by:String){done:notSameAs(dataset:$dataset other:$other why:$why by:$by){statement}}" };

export type RetractAnswer = { done: { statement: string | null } };
export type RetractVariables = { statement: string };
export const Retract: Operation<RetractAnswer, RetractVariables> = { name: "Retract", text: "mutation Retract($statement:ID!){done:retract(statement:$statement){statement}}" };

export type AcceptNamingRuleAnswer = { done: { joined: number } };
export type AcceptNamingRuleVariables = { names: NamePrefixInput; also: NamePrefixInput; ignoreCase: boolean; by?: string | null | undefined };
export const AcceptNamingRule: Operation<AcceptNamingRuleAnswer, AcceptNamingRuleVariables> = { name: "AcceptNamingRule", text: "mutation AcceptNamingRule($names:NamePrefixInput!$also:NamePrefixInput!$ignoreCase:Boolean!$by:String){done:acceptNamingRule(names:$names also:$also ignoreCase:$ignoreCase by:$by){joined}}" };

export type RemoveNamingRuleAnswer = { done: { joined: number } };
export type RemoveNamingRuleVariables = { names: NamePrefixInput; also: NamePrefixInput; ignoreCase: boolean; by?: string | null | undefined };
export const RemoveNamingRule: Operation<RemoveNamingRuleAnswer, RemoveNamingRuleVariables> = { name: "RemoveNamingRule", text: "mutation RemoveNamingRule($names:NamePrefixInput!$also:NamePrefixInput!$ignoreCase:Boolean!$by:String){done:removeNamingRule(names:$names also:$also ignoreCase:$ignoreCase by:$by){joined}}" };

export type CallerAnswer = { about: { actor: string | null; role: TokenRole } };
export type CallerVariables = {  };
export const Caller: Operation<CallerAnswer, CallerVariables> = { name: "Caller", text: "query Caller{about{actor role}}" };

export type PersonStatementsAnswer = { node: ({ __typename: "Column"; id: string; owners: ({ type: string; source: string; statement: string; owner: { __typename: "Owner" } & AssetLink; inheritedFrom: { id: string } | null })[]; facts: ({ source: string; attribute: string; value: unknown | null; observedAt: string; statement: string })[]; consumers: (PersonUse)[] } | { __typename: "DataProduct"; id: string; owners: ({ type: string; source: string; statement: string; owner: { __typename: "Owner" } & AssetLink; inheritedFrom: { id: string } | null })[]; facts: ({ source: string; attribute: string; value: unknown | null; observedAt: string; statement: string })[]; consumers: (PersonUse)[] } | { __typename: "Dataset"; id: string; owners: ({ type: string; source: string; statement: string; owner: { __typename: "Owner" } & AssetLink; inheritedFrom: { id: string } | null })[]; facts: ({ source: string; attribute: string; value: unknown | null; observedAt: string; statement: string })[]; consumers: (PersonUse)[] } | { __typename: "Consumer" | "Contract" | "Domain" | "Job" | "Owner"; id: string; owners: ({ type: string; source: string; statement: string; owner: { __typename: "Owner" } & AssetLink; inheritedFrom: { id: string } | null })[]; facts: ({ source: string; attribute: string; value: unknown | null; observedAt: string; statement: string })[] }) | null };
export type PersonStatementsVariables = { id: string };
export const PersonStatements: Operation<PersonStatementsAnswer, PersonStatementsVariables> = { name: "PersonStatements", text: "query PersonStatements($id:ID!){node(id:$id){__typename id ...on Column{consumers{...PersonUse}}...on Dataset{consumers{...PersonUse}}...on DataProduct{consumers{...PersonUse}}owners{type source statement owner{...AssetLink}inheritedFrom{id}}facts{source attribute value observedAt statement}}}fragment PersonUse on Consumption{source statement purpose consumer{name}asset{id}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };
