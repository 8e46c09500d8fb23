// Made by scripts/make-queries from choices.graphql: do not edit.
import type { Operation } from "../client";

export type MorePages = { hasNextPage: boolean; endCursor: string | null };

export type DomainChoicesAnswer = { list: { totalCount: number; nodes: ({ id: string; name: string })[]; pageInfo: MorePages } };
export type DomainChoicesVariables = { first: number; after?: string | null | undefined; asOf?: string | null | undefined };
export const DomainChoices: Operation<DomainChoicesAnswer, DomainChoicesVariables> = { name: "DomainChoices", text: "query DomainChoices($first:Int!$after:String$asOf:DateTime){list:domains(first:$first after:$after asOf:$asOf){totalCount nodes{id name}pageInfo{...MorePages}}}fragment MorePages on PageInfo{hasNextPage endCursor}" };

export type OwnerChoicesAnswer = { list: { totalCount: number; nodes: ({ id: string; name: string })[]; pageInfo: MorePages } };
export type OwnerChoicesVariables = { first: number; after?: string | null | undefined; asOf?: string | null | undefined };
export const OwnerChoices: Operation<OwnerChoicesAnswer, OwnerChoicesVariables> = { name: "OwnerChoices", text: "query OwnerChoices($first:Int!$after:String$asOf:DateTime){list:owners(first:$first after:$after asOf:$asOf){totalCount nodes{id name}pageInfo{...MorePages}}}fragment MorePages on PageInfo{hasNextPage endCursor}" };

export type NamespacesListAnswer = { list: { totalCount: number; nodes: ({ name: string; datasets: number; jobs: number })[]; pageInfo: MorePages } };
export type NamespacesListVariables = { first: number; after?: string | null | undefined; asOf?: string | null | undefined };
export const NamespacesList: Operation<NamespacesListAnswer, NamespacesListVariables> = { name: "NamespacesList", text: "query NamespacesList($first:Int!$after:String$asOf:DateTime){list:namespaces(first:$first after:$after asOf:$asOf){totalCount nodes{name datasets jobs}pageInfo{...MorePages}}}fragment MorePages on PageInfo{hasNextPage endCursor}" };

export type TagsListAnswer = { list: { totalCount: number; nodes: ({ key: string; value: string | null; assets: number })[]; pageInfo: MorePages } };
export type TagsListVariables = { first: number; after?: string | null | undefined; asOf?: string | null | undefined };
export const TagsList: Operation<TagsListAnswer, TagsListVariables> = { name: "TagsList", text: "query TagsList($first:Int!$after:String$asOf:DateTime){list:tags(first:$first after:$after asOf:$asOf){totalCount nodes{key value assets}pageInfo{...MorePages}}}fragment MorePages on PageInfo{hasNextPage endCursor}" };
