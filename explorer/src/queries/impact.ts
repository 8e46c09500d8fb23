// Made by scripts/make-queries from impact.graphql: do not edit.
import type { Operation } from "../client";

export type NoticeReason = "CONSUMES" | "OWNS";
export type Reach = "DIRECT" | "INDIRECT" | "POSSIBLE";
export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type ImpactOrder = "REACH" | "DISTANCE" | "KIND" | "NAME";
export type Truncated = "NONE" | "NODES" | "DEPTH" | "TIME";
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
export type Counted = { key: string; label: string; count: number; asset: AssetLink | null };
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };
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
export type OwnerLine = {
  type: string;
  source: string;
  owner: { __typename: "Owner"; contact: string | null } & AssetLink;
  inheritedFrom: AssetLink | null;
};
export type Step = {
  asset: AssetLink;
  edgeType: EdgeType | null;
  type: FlowType | null;
  subtype: string | null;
  masking: boolean;
  reach: Reach | null;
  job: ({ __typename: "Job" } & AssetLink) | null;
  source: string | null;
  lastObserved: string | null;
};

export type ImpactSummaryAnswer = {
  impact: {
    total: number;
    byReach: Counted[];
    byKind: Counted[];
    notify: { recipient: AssetLink; reason: NoticeReason; why: string; reach: Reach; total: number; contact: string | null }[];
    completeness: CompletenessParts;
  };
};
export type ImpactSummaryVariables = { of: readonly string[] };
export const ImpactSummary: Operation<ImpactSummaryAnswer, ImpactSummaryVariables> = {
  name: "ImpactSummary",
  text: "query ImpactSummary($of:[ID!]!){impact(of:$of){total byReach{...Counted}byKind{...Counted}notify{recipient{...AssetLink}reason why reach total contact}completeness{...CompletenessParts}}}fragment Counted on Count{key label count asset{...AssetLink}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment CompletenessParts on Completeness{truncated possibleOnly undescribed staleEdges provisional unbound silentOnFilters silentProducers asOf knownLater{relation sourceKind since}revision}",
};

export type ImpactAnswer = {
  impact: {
    total: number;
    byKind: Counted[];
    byReach: Counted[];
    byDomain: Counted[];
    byProduct: Counted[];
    byOwner: Counted[];
    assets: {
      totalCount: number;
      nodes: {
        reach: Reach;
        distance: number;
        masked: boolean;
        node: { owners: OwnerLine[]; domain: ({ __typename: "Domain" } & AssetLink) | null } & AssetLink;
        via: Step[];
      }[];
      pageInfo: { hasNextPage: boolean; endCursor: string | null };
    };
    notify: {
      recipient: AssetLink;
      reason: NoticeReason;
      why: string;
      reach: Reach;
      total: number;
      contact: string | null;
      assets: AssetLink[];
    }[];
    completeness: CompletenessParts;
  };
};
export type ImpactVariables = {
  of: readonly string[];
  reach?: readonly Reach[] | null | undefined;
  kinds?: readonly AssetKind[] | null | undefined;
  domain?: string | null | undefined;
  product?: string | null | undefined;
  owner?: string | null | undefined;
  masked?: boolean | null | undefined;
  order: ImpactOrder;
  first: number;
  after?: string | null | undefined;
  asOf?: string | null | undefined;
};
export const Impact: Operation<ImpactAnswer, ImpactVariables> = {
  name: "Impact",
  text: "query Impact($of:[ID!]!$reach:[Reach!]$kinds:[AssetKind!]$domain:ID$product:ID$owner:ID$masked:Boolean$order:ImpactOrder!$first:Int!$after:String$asOf:DateTime){impact(of:$of asOf:$asOf){total byKind{...Counted}byReach{...Counted}byDomain{...Counted}byProduct{...Counted}byOwner{...Counted}assets(kinds:$kinds reach:$reach domain:$domain product:$product owner:$owner masked:$masked orderBy:$order first:$first after:$after){totalCount nodes{reach distance masked node{...AssetLink owners{...OwnerLine}domain{...AssetLink}}via{...Step}}pageInfo{hasNextPage endCursor}}notify{recipient{...AssetLink}reason why reach total contact assets(first:5){...AssetLink}}completeness{...CompletenessParts}}}fragment Counted on Count{key label count asset{...AssetLink}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}fragment Step on PathStep{asset{...AssetLink}edgeType type subtype masking reach job{...AssetLink}source lastObserved}fragment CompletenessParts on Completeness{truncated possibleOnly undescribed staleEdges provisional unbound silentOnFilters silentProducers asOf knownLater{relation sourceKind since}revision}",
};

export type ProvenanceAnswer = {
  impact: {
    total: number;
    byKind: Counted[];
    byReach: Counted[];
    byDomain: Counted[];
    byProduct: Counted[];
    byOwner: Counted[];
    assets: {
      totalCount: number;
      nodes: {
        reach: Reach;
        distance: number;
        masked: boolean;
        node: { owners: OwnerLine[]; domain: ({ __typename: "Domain" } & AssetLink) | null } & AssetLink;
        via: Step[];
      }[];
      pageInfo: { hasNextPage: boolean; endCursor: string | null };
    };
    notify: {
      recipient: AssetLink;
      reason: NoticeReason;
      why: string;
      reach: Reach;
      total: number;
      contact: string | null;
      assets: AssetLink[];
    }[];
    completeness: CompletenessParts;
  };
};
export type ProvenanceVariables = {
  of: readonly string[];
  reach?: readonly Reach[] | null | undefined;
  kinds?: readonly AssetKind[] | null | undefined;
  domain?: string | null | undefined;
  product?: string | null | undefined;
  owner?: string | null | undefined;
  masked?: boolean | null | undefined;
  order: ImpactOrder;
  first: number;
  after?: string | null | undefined;
  asOf?: string | null | undefined;
};
export const Provenance: Operation<ProvenanceAnswer, ProvenanceVariables> = {
  name: "Provenance",
  text: "query Provenance($of:[ID!]!$reach:[Reach!]$kinds:[AssetKind!]$domain:ID$product:ID$owner:ID$masked:Boolean$order:ImpactOrder!$first:Int!$after:String$asOf:DateTime){impact:provenance(of:$of asOf:$asOf){total byKind{...Counted}byReach{...Counted}byDomain{...Counted}byProduct{...Counted}byOwner{...Counted}assets(kinds:$kinds reach:$reach domain:$domain product:$product owner:$owner masked:$masked orderBy:$order first:$first after:$after){totalCount nodes{reach distance masked node{...AssetLink owners{...OwnerLine}domain{...AssetLink}}via{...Step}}pageInfo{hasNextPage endCursor}}notify{recipient{...AssetLink}reason why reach total contact assets(first:5){...AssetLink}}completeness{...CompletenessParts}}}fragment Counted on Count{key label count asset{...AssetLink}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}fragment Step on PathStep{asset{...AssetLink}edgeType type subtype masking reach job{...AssetLink}source lastObserved}fragment CompletenessParts on Completeness{truncated possibleOnly undescribed staleEdges provisional unbound silentOnFilters silentProducers asOf knownLater{relation sourceKind since}revision}",
};
