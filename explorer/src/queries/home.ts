// Made by scripts/make-queries from home.graphql: do not edit.
import type { Operation } from "../client";

export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type Reach = "DIRECT" | "INDIRECT" | "POSSIBLE";
export type CheckOutcome = "PASSED" | "FAILED" | "WARNED" | "ERROR" | "SKIPPED" | "NOT_RUN";
export type Truncated = "NONE" | "NODES" | "DEPTH" | "TIME";
export type EdgeType = "HAS_COLUMN" | "READS" | "WRITES" | "FLOWS_TO" | "PART_OF" | "PORT" | "OWNS" | "CONSUMES" | "GOVERNS" | "SAME_AS" | "RENAMED_TO" | "DIFFERENT_FROM" | "MAY_READ";
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };
export type Coverages = { datasets: number; described: number; owned: number; withLineage: number; withColumnLineage: number };
export type CheckLine = { name: string; kind: string; outcome: CheckOutcome; expected: unknown | null; observed: unknown | null; message: string | null; suite: string; at: string | null; source: string; failingSince: string | null; asset: AssetLink };
export type CompletenessParts = { truncated: Truncated; possibleOnly: number; undescribed: number; staleEdges: number; provisional: number; unbound: number; silentOnFilters: number; silentProducers: (string)[]; asOf: string | null; knownLater: ({ relation: EdgeType; sourceKind: string; since: string })[]; hidden: ({ count: number; domain: { name: string } | null })[]; revision: number };

export type AboutAnswer = { about: { version: string; revision: number; restricted: boolean; assets: ({ kind: AssetKind; count: number })[] } };
export type AboutVariables = {  };
export const About: Operation<AboutAnswer, AboutVariables> = { name: "About", text: "query About{about{version revision restricted assets{kind count}}}" };

export type HomeAnswer = { domains: { totalCount: number; nodes: ({ __typename: "Domain"; title: string | null; products: ({ __typename: "DataProduct" } & AssetLink)[] } & AssetLink)[] }; coverage: { total: Coverages; orphans: number; byDomain: ({ domain: { __typename: "Domain" } & AssetLink | null; covered: Coverages })[] }; qualityFailures: { totalCount: number; nodes: (CheckLine)[] } };
export type HomeVariables = {  };
export const Home: Operation<HomeAnswer, HomeVariables> = { name: "Home", text: "query Home{domains(first:200){totalCount nodes{...AssetLink title products{...AssetLink}}}coverage{total{...Coverages}orphans byDomain{domain{...AssetLink}covered{...Coverages}}}qualityFailures(first:5){totalCount nodes{...CheckLine}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment Coverages on Covered{datasets described owned withLineage withColumnLineage}fragment CheckLine on QualityCheck{name kind outcome expected observed message suite at source failingSince asset{...AssetLink}}" };

export type MeshStateAnswer = { policyViolations: { totalCount: number }; identityConflicts: { totalCount: number }; sources: ({ name: string; kind: string; lastSync: { at: string; error: string | null; failures: number } | null })[] };
export type MeshStateVariables = {  };
export const MeshState: Operation<MeshStateAnswer, MeshStateVariables> = { name: "MeshState", text: "query MeshState{policyViolations(first:0){totalCount}identityConflicts(first:1){totalCount}sources{name kind lastSync{at error failures}}}" };

export type ProductsHealthAnswer = { broken: { totalCount: number }; unknown: { totalCount: number } };
export type ProductsHealthVariables = {  };
export const ProductsHealth: Operation<ProductsHealthAnswer, ProductsHealthVariables> = { name: "ProductsHealth", text: "query ProductsHealth{broken:products(health:[BROKEN]first:1){totalCount}unknown:products(health:[UNKNOWN]first:1){totalCount}}" };

export type FailedJobsAnswer = { jobs: { totalCount: number } };
export type FailedJobsVariables = {  };
export const FailedJobs: Operation<FailedJobsAnswer, FailedJobsVariables> = { name: "FailedJobs", text: "query FailedJobs{jobs(lastRun:[FAIL]first:0){totalCount}}" };

export type DomainMapAnswer = { lineage: { edges: ({ from: AssetLink; to: AssetLink; reach: Reach; count: number })[]; ungrouped: number; completeness: CompletenessParts } };
export type DomainMapVariables = { of: readonly (string)[] };
export const DomainMap: Operation<DomainMapAnswer, DomainMapVariables> = { name: "DomainMap", text: "query DomainMap($of:[ID!]!){lineage(of:$of granularity:DOMAIN depth:1 limit:500){edges{from{...AssetLink}to{...AssetLink}reach count}ungrouped completeness{...CompletenessParts}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment CompletenessParts on Completeness{truncated possibleOnly undescribed staleEdges provisional unbound silentOnFilters silentProducers asOf knownLater{relation sourceKind since}hidden{count domain{name}}revision}" };
