// Made by scripts/make-queries from diff.graphql: do not edit.
import type { Operation } from "../client";

export type FlowType = "DIRECT" | "INDIRECT";
export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type ChangedFlow = { fromName: string; toName: string; type: FlowType | null; subtype: string | null; masking: boolean; jobName: string | null; source: string; observedAt: string; from: AssetLink | null; to: AssetLink | null };
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };

export type DiffAnswer = { lineageDiff: { added: { totalCount: number; pageInfo: { hasNextPage: boolean; endCursor: string | null }; nodes: (ChangedFlow)[] }; removed: { totalCount: number; pageInfo: { hasNextPage: boolean; endCursor: string | null }; nodes: (ChangedFlow)[] } } };
export type DiffVariables = { from: string; to: string; of?: readonly (string)[] | null | undefined; firstAdded: number; afterAdded?: string | null | undefined; firstRemoved: number; afterRemoved?: string | null | undefined };
export const Diff: Operation<DiffAnswer, DiffVariables> = { name: "Diff", text: "query Diff($from:DateTime!$to:DateTime!$of:[ID!]$firstAdded:Int!$afterAdded:String$firstRemoved:Int!$afterRemoved:String){lineageDiff(from:$from to:$to of:$of){added:addedFlows(first:$firstAdded after:$afterAdded){totalCount pageInfo{hasNextPage endCursor}nodes{...ChangedFlow}}removed:removedFlows(first:$firstRemoved after:$afterRemoved){totalCount pageInfo{hasNextPage endCursor}nodes{...ChangedFlow}}}}fragment ChangedFlow on DiffEdge{fromName toName type subtype masking jobName source observedAt from{...AssetLink}to{...AssetLink}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };
