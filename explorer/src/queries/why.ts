// Made by scripts/make-queries from why.graphql: do not edit.
import type { Operation } from "../client";

export type EdgeType = "HAS_COLUMN" | "READS" | "WRITES" | "FLOWS_TO" | "PART_OF" | "PORT" | "OWNS" | "CONSUMES" | "GOVERNS" | "SAME_AS" | "RENAMED_TO" | "DIFFERENT_FROM" | "MAY_READ";
export type FlowType = "DIRECT" | "INDIRECT";
export type Reach = "DIRECT" | "INDIRECT" | "POSSIBLE";
export type Truncated = "NONE" | "NODES" | "DEPTH" | "TIME";
export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type Step = { asset: AssetLink; edgeType: EdgeType | null; type: FlowType | null; subtype: string | null; masking: boolean; hidden: number; reach: Reach | null; job: { __typename: "Job" } & AssetLink | null; source: string | null; lastObserved: string | null };
export type CompletenessParts = { truncated: Truncated; possibleOnly: number; undescribed: number; staleEdges: number; provisional: number; unbound: number; silentOnFilters: number; silentProducers: (string)[]; asOf: string | null; knownLater: ({ relation: EdgeType; sourceKind: string; since: string })[]; hidden: ({ count: number; domain: { name: string } | null })[]; revision: number };
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };

export type WhyAnswer = { paths: ({ steps: (Step)[] })[]; impact: { completeness: CompletenessParts } };
export type WhyVariables = { from: string; to: string; first: number; asOf?: string | null | undefined };
export const Why: Operation<WhyAnswer, WhyVariables> = { name: "Why", text: "query Why($from:ID!$to:ID!$first:Int!$asOf:DateTime){paths(from:$from to:$to first:$first asOf:$asOf){steps{...Step}}impact(of:[$from]asOf:$asOf){completeness{...CompletenessParts}}}fragment Step on PathStep{asset{...AssetLink}edgeType type subtype masking hidden reach job{...AssetLink}source lastObserved}fragment CompletenessParts on Completeness{truncated possibleOnly undescribed staleEdges provisional unbound silentOnFilters silentProducers asOf knownLater{relation sourceKind since}hidden{count domain{name}}revision}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };

export type JobSqlAnswer = { nodes: (({ __typename: "Job"; id: string; sql: string | null; integration: string | null } | { __typename: "Column" | "Consumer" | "Contract" | "DataProduct" | "Dataset" | "Domain" | "Owner"; id: string }) | null)[] };
export type JobSqlVariables = { ids: readonly (string)[]; asOf?: string | null | undefined };
export const JobSql: Operation<JobSqlAnswer, JobSqlVariables> = { name: "JobSql", text: "query JobSql($ids:[ID!]!$asOf:DateTime){nodes(ids:$ids asOf:$asOf){__typename id ...on Job{sql integration}}}" };
