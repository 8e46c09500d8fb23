// Made by scripts/make-queries from change.graphql: do not edit.
import type { Operation } from "../client";

export type ChangeInput = {
  words?: readonly string[] | null | undefined;
  contract?: VersionsInput | null | undefined;
  product?: VersionsInput | null | undefined;
  schema?: SchemaInput | null | undefined;
  ddl?: DdlInput | null | undefined;
  dbt?: VersionsInput | null | undefined;
};
export type VersionsInput = { before?: string | null | undefined; after?: string | null | undefined };
export type SchemaInput = {
  before?: string | null | undefined;
  after?: string | null | undefined;
  dataset?: string | null | undefined;
  format?: string | null | undefined;
};
export type DdlInput = { text?: string; dialect?: string | null | undefined };
export type CheckMode = "STRICT" | "USAGE";
export type CheckProfile = "MESH" | "CONSUMER" | "FULL";
export type Verdict = "COMPATIBLE" | "CONDITIONAL" | "BREAKING";
export type Reach = "DIRECT" | "INDIRECT" | "POSSIBLE";
export type EdgeType =
  | "HAS_COLUMN"
  | "READS"
  | "WRITES"
  | "FLOWS_TO"
  | "PART_OF"
  | "PORT"
  | "OWNS"
  | "CONSUMES"
  | "GOVERNS"
  | "SAME_AS"
  | "RENAMED_TO"
  | "DIFFERENT_FROM";
export type FlowType = "DIRECT" | "INDIRECT";
export type NoticeReason = "CONSUMES" | "OWNS";
export type Feasible = "FEASIBLE" | "INFEASIBLE" | "UNKNOWN";
export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type Truncated = "NONE" | "NODES" | "DEPTH" | "TIME";
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };
export type Violation = {
  fingerprint: string;
  policy: string;
  severity: string;
  verdict: Verdict;
  text: string;
  name: string;
  new: boolean;
  asset: AssetLink | null;
  path: {
    name: string;
    edgeType: EdgeType | null;
    type: FlowType | null;
    subtype: string | null;
    masking: boolean;
    asset: AssetLink | null;
    job: AssetLink | null;
  }[];
};
export type CompletenessParts = {
  truncated: Truncated;
  possibleOnly: number;
  undescribed: number;
  staleEdges: number;
  provisional: number;
  unbound: number;
  silentOnFilters: number;
  silentProducers: string[];
  asOf: string | null;
  knownLater: { relation: EdgeType; sourceKind: string; since: string }[];
  revision: number;
};

export type ChangeAnswer = {
  blastRadius: {
    verdict: Verdict;
    mode: CheckMode;
    profile: CheckProfile;
    checked: number;
    findings: {
      fingerprint: string;
      rule: string;
      side: string;
      verdict: Verdict;
      text: string;
      reason: string;
      safe: string | null;
      subjectKind: string;
      subject: string;
      part: string[];
      before: unknown | null;
      after: unknown | null;
      line: number | null;
      unknown: string[];
      gaps: string[];
      hits: {
        name: string;
        verdict: Verdict;
        reach: Reach | null;
        distance: number;
        masked: boolean;
        contractName: string | null;
        why: string | null;
        consumer: AssetLink | null;
        owners: AssetLink[];
        domain: AssetLink | null;
        path: {
          name: string;
          edgeType: EdgeType | null;
          type: FlowType | null;
          subtype: string | null;
          masking: boolean;
          asset: AssetLink | null;
          job: AssetLink | null;
        }[];
      }[];
      products: AssetLink[];
      contracts: AssetLink[];
      owners: AssetLink[];
      affected: { kind: string; count: number }[];
    }[];
    violations: Violation[];
    notify: {
      name: string;
      contacts: unknown;
      reason: NoticeReason;
      reach: Reach | null;
      why: string;
      total: number;
      recipient: AssetLink | null;
    }[];
    completeness: CompletenessParts;
    warnings: string[];
  };
};
export type ChangeVariables = { change: ChangeInput; mode: CheckMode; profile: CheckProfile };
export const Change: Operation<ChangeAnswer, ChangeVariables> = {
  name: "Change",
  text: "query Change($change:ChangeInput!$mode:CheckMode!$profile:CheckProfile!){blastRadius(change:$change mode:$mode profile:$profile){verdict mode profile checked findings{fingerprint rule side verdict text reason safe subjectKind subject part before after line unknown gaps hits{name verdict reach distance masked contractName why consumer{...AssetLink}owners{...AssetLink}domain{...AssetLink}path{name edgeType type subtype masking asset{...AssetLink}job{...AssetLink}}}products{...AssetLink}contracts{...AssetLink}owners{...AssetLink}affected{kind count}}violations{...Violation}notify{name contacts reason reach why total recipient{...AssetLink}}completeness{...CompletenessParts}warnings}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment Violation on BrokenPolicy{fingerprint policy severity verdict text name new asset{...AssetLink}path{name edgeType type subtype masking asset{...AssetLink}job{...AssetLink}}}fragment CompletenessParts on Completeness{truncated possibleOnly undescribed staleEdges provisional unbound silentOnFilters silentProducers asOf knownLater{relation sourceKind since}revision}",
};

export type ChangeProductsAnswer = {
  productImpact: {
    products: {
      product: { __typename: "DataProduct" } & AssetLink;
      verdict: Verdict | null;
      reach: Reach;
      distance: number;
      masked: boolean;
      freshness: { standing: Feasible; text: string };
    }[];
    lostPromises: {
      product: { __typename: "DataProduct" } & AssetLink;
      now: { standing: Feasible; text: string };
      then: { standing: Feasible; text: string };
    }[];
    completeness: CompletenessParts;
  };
};
export type ChangeProductsVariables = { change: ChangeInput };
export const ChangeProducts: Operation<ChangeProductsAnswer, ChangeProductsVariables> = {
  name: "ChangeProducts",
  text: "query ChangeProducts($change:ChangeInput!){productImpact(change:$change){products{product{...AssetLink}verdict reach distance masked freshness{standing text}}lostPromises{product{...AssetLink}now{standing text}then{standing text}}completeness{...CompletenessParts}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment CompletenessParts on Completeness{truncated possibleOnly undescribed staleEdges provisional unbound silentOnFilters silentProducers asOf knownLater{relation sourceKind since}revision}",
};
