// Made by scripts/make-queries from completeness.graphql: do not edit.
import type { Operation } from "../client";

export type Gap = "POSSIBLE_ONLY" | "UNDESCRIBED" | "STALE" | "PROVISIONAL" | "UNBOUND" | "SILENT_ON_FILTERS";
export type Direction = "DOWNSTREAM" | "UPSTREAM";
export type Granularity = "COLUMN" | "DATASET" | "PRODUCT" | "DOMAIN";
export type Reach = "DIRECT" | "INDIRECT" | "POSSIBLE";
export type ChangeInput = { words?: readonly (string)[] | null | undefined; contract?: VersionsInput | null | undefined; product?: VersionsInput | null | undefined; schema?: SchemaInput | null | undefined; ddl?: DdlInput | null | undefined; dbt?: VersionsInput | null | undefined };
export type VersionsInput = { before?: string | null | undefined; after?: string | null | undefined };
export type SchemaInput = { before?: string | null | undefined; after?: string | null | undefined; dataset?: string | null | undefined; format?: string | null | undefined; message?: string | null | undefined };
export type DdlInput = { text?: string; dialect?: string | null | undefined };
export type FlowType = "DIRECT" | "INDIRECT";
export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type GapParts = { totalCount: number; pageInfo: { hasNextPage: boolean; endCursor: string | null }; assets: (AssetLink)[]; flows: ({ from: AssetLink; to: AssetLink; type: FlowType | null; subtype: string; source: string | null; lastObserved: string | null; job: { __typename: "Job" } & AssetLink | null })[] };
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };

export type ImpactGapAnswer = { answer: { completeness: { items: GapParts } } };
export type ImpactGapVariables = { of: readonly (string)[]; asOf?: string | null | undefined; gap: Gap; first: number; after?: string | null | undefined };
export const ImpactGap: Operation<ImpactGapAnswer, ImpactGapVariables> = { name: "ImpactGap", text: "query ImpactGap($of:[ID!]!$asOf:DateTime$gap:Gap!$first:Int!$after:String){answer:impact(of:$of asOf:$asOf){completeness{items(gap:$gap first:$first after:$after){...GapParts}}}}fragment GapParts on GapItems{totalCount pageInfo{hasNextPage endCursor}assets{...AssetLink}flows{from{...AssetLink}to{...AssetLink}type subtype source lastObserved job{...AssetLink}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };

export type ProvenanceGapAnswer = { answer: { completeness: { items: GapParts } } };
export type ProvenanceGapVariables = { of: readonly (string)[]; asOf?: string | null | undefined; gap: Gap; first: number; after?: string | null | undefined };
export const ProvenanceGap: Operation<ProvenanceGapAnswer, ProvenanceGapVariables> = { name: "ProvenanceGap", text: "query ProvenanceGap($of:[ID!]!$asOf:DateTime$gap:Gap!$first:Int!$after:String){answer:provenance(of:$of asOf:$asOf){completeness{items(gap:$gap first:$first after:$after){...GapParts}}}}fragment GapParts on GapItems{totalCount pageInfo{hasNextPage endCursor}assets{...AssetLink}flows{from{...AssetLink}to{...AssetLink}type subtype source lastObserved job{...AssetLink}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };

export type LineageGapAnswer = { answer: { completeness: { items: GapParts } } };
export type LineageGapVariables = { of: readonly (string)[]; direction: Direction; depth?: number | null | undefined; granularity: Granularity; reach: Reach; asOf?: string | null | undefined; limit: number; gap: Gap; first: number; after?: string | null | undefined };
export const LineageGap: Operation<LineageGapAnswer, LineageGapVariables> = { name: "LineageGap", text: "query LineageGap($of:[ID!]!$direction:Direction!$depth:Int$granularity:Granularity!$reach:Reach!$asOf:DateTime$limit:Int!$gap:Gap!$first:Int!$after:String){answer:lineage(of:$of direction:$direction depth:$depth granularity:$granularity reach:$reach asOf:$asOf limit:$limit){completeness{items(gap:$gap first:$first after:$after){...GapParts}}}}fragment GapParts on GapItems{totalCount pageInfo{hasNextPage endCursor}assets{...AssetLink}flows{from{...AssetLink}to{...AssetLink}type subtype source lastObserved job{...AssetLink}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };

export type PictureGapAnswer = { answer: { completeness: { items: GapParts } } };
export type PictureGapVariables = { of: readonly (string)[]; direction: Direction; depth: number; granularity: Granularity; asOf?: string | null | undefined; seenSince?: string | null | undefined; gap: Gap; first: number; after?: string | null | undefined };
export const PictureGap: Operation<PictureGapAnswer, PictureGapVariables> = { name: "PictureGap", text: "query PictureGap($of:[ID!]!$direction:Direction!$depth:Int!$granularity:Granularity!$asOf:DateTime$seenSince:DateTime$gap:Gap!$first:Int!$after:String){answer:compactLineage(of:$of direction:$direction depth:$depth granularity:$granularity asOf:$asOf seenSince:$seenSince){completeness{items(gap:$gap first:$first after:$after){...GapParts}}}}fragment GapParts on GapItems{totalCount pageInfo{hasNextPage endCursor}assets{...AssetLink}flows{from{...AssetLink}to{...AssetLink}type subtype source lastObserved job{...AssetLink}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };

export type ConsumersGapAnswer = { answer: { completeness: { items: GapParts } } };
export type ConsumersGapVariables = { id: string; gap: Gap; first: number; after?: string | null | undefined };
export const ConsumersGap: Operation<ConsumersGapAnswer, ConsumersGapVariables> = { name: "ConsumersGap", text: "query ConsumersGap($id:ID!$gap:Gap!$first:Int!$after:String){answer:consumersOf(product:$id){completeness{items(gap:$gap first:$first after:$after){...GapParts}}}}fragment GapParts on GapItems{totalCount pageInfo{hasNextPage endCursor}assets{...AssetLink}flows{from{...AssetLink}to{...AssetLink}type subtype source lastObserved job{...AssetLink}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };

export type ProductGapAnswer = { answer: { completeness: { items: GapParts } } };
export type ProductGapVariables = { of?: readonly (string)[] | null | undefined; change?: ChangeInput | null | undefined; gap: Gap; first: number; after?: string | null | undefined };
export const ProductGap: Operation<ProductGapAnswer, ProductGapVariables> = { name: "ProductGap", text: "query ProductGap($of:[ID!]$change:ChangeInput$gap:Gap!$first:Int!$after:String){answer:productImpact(of:$of change:$change){completeness{items(gap:$gap first:$first after:$after){...GapParts}}}}fragment GapParts on GapItems{totalCount pageInfo{hasNextPage endCursor}assets{...AssetLink}flows{from{...AssetLink}to{...AssetLink}type subtype source lastObserved job{...AssetLink}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };
