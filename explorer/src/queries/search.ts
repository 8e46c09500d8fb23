// Made by scripts/make-queries from search.graphql: do not edit.
import type { Operation } from "../client";

export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type WordMeaning = "WORD" | "INFLECTION" | "BEGINNING" | "PART" | "SYNONYM" | "ABBREVIATION" | "ACRONYM" | "TEXT" | "LEARNED" | "SIMILAR";
export type WordPlace = "NAME" | "CONTEXT" | "COLUMN" | "TEXT" | "INHERITED";
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };
export type OwnerLine = { type: string; source: string; owner: { __typename: "Owner"; contact: string | null } & AssetLink; inheritedFrom: AssetLink | null };
export type MorePages = { hasNextPage: boolean; endCursor: string | null };

export type SuggestAnswer = { suggest: (AssetLink)[] };
export type SuggestVariables = { text: string; first: number };
export const Suggest: Operation<SuggestAnswer, SuggestVariables> = { name: "Suggest", text: "query Suggest($text:String!$first:Int!){suggest(text:$text first:$first){...AssetLink}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };

export type FirstFoundAnswer = { search: { nodes: (AssetLink)[] } };
export type FirstFoundVariables = { text: string; first: number; kinds?: readonly (AssetKind)[] | null | undefined; asOf?: string | null | undefined };
export const FirstFound: Operation<FirstFoundAnswer, FirstFoundVariables> = { name: "FirstFound", text: "query FirstFound($text:String!$first:Int!$kinds:[AssetKind!]$asOf:DateTime){search(text:$text first:$first kinds:$kinds asOf:$asOf){nodes{...AssetLink}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };

export type SearchAnswer = { search: { totalCount: number; truncated: boolean; edges: ({ why: ({ word: string; found: string; meaning: WordMeaning; place: WordPlace })[]; node: { description: string | null; domain: { __typename: "Domain" } & AssetLink | null; owners: (OwnerLine)[]; tags: ({ key: string; value: string | null })[] } & AssetLink })[]; pageInfo: MorePages } };
export type SearchVariables = { text: string; kinds?: readonly (AssetKind)[] | null | undefined; domain?: string | null | undefined; owner?: string | null | undefined; tag?: string | null | undefined; first: number; after?: string | null | undefined; asOf?: string | null | undefined };
export const Search: Operation<SearchAnswer, SearchVariables> = { name: "Search", text: "query Search($text:String!$kinds:[AssetKind!]$domain:ID$owner:ID$tag:String$first:Int!$after:String$asOf:DateTime){search(text:$text kinds:$kinds domain:$domain owner:$owner tag:$tag first:$first after:$after asOf:$asOf){totalCount truncated edges{why{word found meaning place}node{...AssetLink description domain{...AssetLink}owners{...OwnerLine}tags{key value}}}pageInfo{...MorePages}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}fragment MorePages on PageInfo{hasNextPage endCursor}" };

export type ResolveAnswer = { resolve: AssetLink };
export type ResolveVariables = { name: string; asOf?: string | null | undefined };
export const Resolve: Operation<ResolveAnswer, ResolveVariables> = { name: "Resolve", text: "query Resolve($name:String!$asOf:DateTime){resolve(name:$name asOf:$asOf){...AssetLink}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };

export type NamesAnswer = { nodes: (AssetLink | null)[]; present: (AssetLink | null)[] };
export type NamesVariables = { ids: readonly (string)[]; asOf?: string | null | undefined };
export const Names: Operation<NamesAnswer, NamesVariables> = { name: "Names", text: "query Names($ids:[ID!]!$asOf:DateTime){nodes(ids:$ids asOf:$asOf){...AssetLink}present:nodes(ids:$ids){...AssetLink}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };
