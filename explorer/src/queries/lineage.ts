// Made by scripts/make-queries from lineage.graphql: do not edit.
import type { Operation } from "../client";

export type Granularity = "COLUMN" | "DATASET" | "PRODUCT" | "DOMAIN";
export type Reach = "DIRECT" | "INDIRECT" | "POSSIBLE";
export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type Truncated = "NONE" | "NODES" | "DEPTH" | "TIME";
export type EdgeType = "HAS_COLUMN" | "READS" | "WRITES" | "FLOWS_TO" | "PART_OF" | "PORT" | "OWNS" | "CONSUMES" | "GOVERNS" | "SAME_AS" | "RENAMED_TO" | "DIFFERENT_FROM" | "MAY_READ";
export type LineageSide = { nodes: ({ asset: { owners: (OwnerLine)[] } & AssetLink; reach: Reach; distance: number; masked: boolean; start: boolean })[]; ungrouped: number; completeness: CompletenessParts };
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };
export type OwnerLine = { type: string; source: string; owner: { __typename: "Owner"; contact: string | null } & AssetLink; inheritedFrom: AssetLink | null };
export type CompletenessParts = { truncated: Truncated; possibleOnly: number; undescribed: number; staleEdges: number; provisional: number; unbound: number; silentOnFilters: number; silentProducers: (string)[]; asOf: string | null; knownLater: ({ relation: EdgeType; sourceKind: string; since: string })[]; hidden: ({ count: number; domain: { name: string } | null })[]; revision: number };

export type LineageListAnswer = { upstream?: LineageSide; downstream?: LineageSide };
export type LineageListVariables = { of: readonly (string)[]; up: boolean; down: boolean; depth?: number | null | undefined; granularity: Granularity; reach: Reach; asOf?: string | null | undefined; limit: number };
export const LineageList: Operation<LineageListAnswer, LineageListVariables> = { name: "LineageList", text: "query LineageList($of:[ID!]!$up:Boolean!$down:Boolean!$depth:Int$granularity:Granularity!$reach:Reach!$asOf:DateTime$limit:Int!){upstream:lineage(of:$of direction:UPSTREAM depth:$depth granularity:$granularity reach:$reach asOf:$asOf limit:$limit)@include(if:$up){...LineageSide}downstream:lineage(of:$of direction:DOWNSTREAM depth:$depth granularity:$granularity reach:$reach asOf:$asOf limit:$limit)@include(if:$down){...LineageSide}}fragment LineageSide on LineageGraph{nodes{asset{...AssetLink owners{...OwnerLine}}reach distance masked start}ungrouped completeness{...CompletenessParts}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}fragment CompletenessParts on Completeness{truncated possibleOnly undescribed staleEdges provisional unbound silentOnFilters silentProducers asOf knownLater{relation sourceKind since}hidden{count domain{name}}revision}" };
