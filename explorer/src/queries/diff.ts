// Made by scripts/make-queries from diff.graphql: do not edit.
import type { Operation } from "../client";

export type FlowType = "DIRECT" | "INDIRECT";
export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };

export type DiffAnswer = { lineageDiff: { totalAdded: number; totalRemoved: number; added: ({ fromName: string; toName: string; type: FlowType | null; subtype: string | null; masking: boolean; jobName: string | null; source: string; observedAt: string; from: AssetLink | null; to: AssetLink | null })[]; removed: ({ fromName: string; toName: string; type: FlowType | null; subtype: string | null; masking: boolean; jobName: string | null; source: string; observedAt: string; from: AssetLink | null; to: AssetLink | null })[] } };
export type DiffVariables = { from: string; to: string; of?: readonly (string)[] | null | undefined; limit: number };
export const Diff: Operation<DiffAnswer, DiffVariables> = { name: "Diff", text: "query Diff($from:DateTime!$to:DateTime!$of:[ID!]$limit:Int!){lineageDiff(from:$from to:$to of:$of limit:$limit){totalAdded totalRemoved added{fromName toName type subtype masking jobName source observedAt from{...AssetLink}to{...AssetLink}}removed{fromName toName type subtype masking jobName source observedAt from{...AssetLink}to{...AssetLink}}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };
