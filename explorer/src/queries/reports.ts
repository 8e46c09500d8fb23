// Made by scripts/make-queries from reports.graphql: do not edit.
import type { Operation } from "../client";

export type CheckOutcome = "PASSED" | "FAILED" | "WARNED" | "ERROR" | "SKIPPED" | "NOT_RUN";
export type Severity = "INFO" | "WARNING" | "ERROR";
export type ConflictKind = "TWO_TABLES" | "UNLIKE_COLUMNS" | "NEAR_MISS" | "SESSION_NAME";
export type AuditAction = "CHECK" | "WAIVER" | "MUTATION" | "POLICY" | "ACCESS";
export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type Verdict = "COMPATIBLE" | "CONDITIONAL" | "BREAKING";
export type EdgeType = "HAS_COLUMN" | "READS" | "WRITES" | "FLOWS_TO" | "PART_OF" | "PORT" | "OWNS" | "CONSUMES" | "GOVERNS" | "SAME_AS" | "RENAMED_TO" | "DIFFERENT_FROM" | "MAY_READ";
export type FlowType = "DIRECT" | "INDIRECT";
export type CheckLine = { name: string; kind: string; outcome: CheckOutcome; expected: unknown | null; observed: unknown | null; message: string | null; suite: string; at: string | null; source: string; failingSince: string | null; asset: AssetLink };
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };
export type OwnerLine = { type: string; source: string; owner: { __typename: "Owner"; contact: string | null } & AssetLink; inheritedFrom: AssetLink | null };
export type MorePages = { hasNextPage: boolean; endCursor: string | null };
export type Violation = { fingerprint: string; policy: string; severity: string; verdict: Verdict; text: string; name: string; new: boolean; asset: AssetLink | null; path: ({ name: string; edgeType: EdgeType | null; type: FlowType | null; subtype: string | null; masking: boolean; asset: AssetLink | null; job: AssetLink | null })[] };
export type SourceLine = { name: string; kind: string; datasets: number; statements: number; lag: number | null; next: string | null; precedence: { structure: number | null; people: number | null }; lastSync: LastSync | null };
export type Coverages = { datasets: number; described: number; owned: number; withLineage: number; withColumnLineage: number };
export type LastSync = { at: string; seconds: number; read: number; unchanged: number; new: number; changed: number; retracted: number; refused: number; error: string | null; failures: number };
export type RuleLine = { ignoreCase: boolean; names: { namespace: string; prefix: string; text: string }; also: { namespace: string; prefix: string; text: string } };

export type QualityAnswer = { qualityFailures: { totalCount: number; nodes: ({ dataset: { __typename: "Dataset"; owners: (OwnerLine)[] } & AssetLink } & CheckLine)[]; pageInfo: MorePages } };
export type QualityVariables = { outcomes?: readonly (CheckOutcome)[] | null | undefined; domain?: string | null | undefined; owner?: string | null | undefined; first: number; after?: string | null | undefined };
export const Quality: Operation<QualityAnswer, QualityVariables> = { name: "Quality", text: "query Quality($outcomes:[CheckOutcome!]$domain:ID$owner:ID$first:Int!$after:String){qualityFailures(outcomes:$outcomes domain:$domain owner:$owner first:$first after:$after){totalCount nodes{...CheckLine dataset{...AssetLink owners{...OwnerLine}}}pageInfo{...MorePages}}}fragment CheckLine on QualityCheck{name kind outcome expected observed message suite at source failingSince asset{...AssetLink}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}fragment MorePages on PageInfo{hasNextPage endCursor}" };

export type PoliciesAnswer = { policies: ({ id: string; title: string; kind: string; severity: Severity; documentation: string | null; off: string | null; own: boolean; violations: number })[] };
export type PoliciesVariables = {  };
export const Policies: Operation<PoliciesAnswer, PoliciesVariables> = { name: "Policies", text: "query Policies{policies{id title kind severity documentation off own violations}}" };

export type ViolationsAnswer = { policyViolations: { totalCount: number; nodes: (Violation)[]; pageInfo: MorePages } };
export type ViolationsVariables = { policy?: string | null | undefined; severity?: Severity | null | undefined; first: number; after?: string | null | undefined };
export const Violations: Operation<ViolationsAnswer, ViolationsVariables> = { name: "Violations", text: "query Violations($policy:String$severity:Severity$first:Int!$after:String){policyViolations(policy:$policy severity:$severity first:$first after:$after){totalCount nodes{...Violation}pageInfo{...MorePages}}}fragment Violation on BrokenPolicy{fingerprint policy severity verdict text name new asset{...AssetLink}path{name edgeType type subtype masking asset{...AssetLink}job{...AssetLink}}}fragment MorePages on PageInfo{hasNextPage endCursor}fragment AssetLink on Asset{__typename id kind name qualifiedName}" };

export type SourcesAnswer = { sources: (SourceLine)[]; coverage: { bySource: ({ source: string; covered: Coverages })[] } };
export type SourcesVariables = {  };
export const Sources: Operation<SourcesAnswer, SourcesVariables> = { name: "Sources", text: "query Sources{sources{...SourceLine}coverage{bySource{source covered{...Coverages}}}}fragment SourceLine on Source{name kind datasets statements lag next precedence{structure people}lastSync{...LastSync}}fragment Coverages on Covered{datasets described owned withLineage withColumnLineage}fragment LastSync on Sync{at seconds read unchanged new changed retracted refused error failures}" };

export type IdentityConflictsAnswer = { identityConflicts: { totalCount: number; nodes: ({ kind: ConflictKind; similarity: number; sources: (string)[]; names: ({ id: string; namespace: string; name: string })[]; sessionName: { namespace: string; name: string } | null; datasets: ({ __typename: "Dataset" } & AssetLink)[] })[]; pageInfo: MorePages } };
export type IdentityConflictsVariables = { first: number; after?: string | null | undefined };
export const IdentityConflicts: Operation<IdentityConflictsAnswer, IdentityConflictsVariables> = { name: "IdentityConflicts", text: "query IdentityConflicts($first:Int!$after:String){identityConflicts(first:$first after:$after){totalCount nodes{kind similarity sources names{id namespace name}sessionName{namespace name}datasets{...AssetLink}}pageInfo{...MorePages}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment MorePages on PageInfo{hasNextPage endCursor}" };

export type NamingProposalsAnswer = { namingProposals: ({ rule: RuleLine; alike: number; unlike: number; unknown: number; examples: ({ also: { namespace: string; name: string }; names: { namespace: string; name: string } })[] })[]; namingRules: ({ source: string | null } & RuleLine)[] };
export type NamingProposalsVariables = {  };
export const NamingProposals: Operation<NamingProposalsAnswer, NamingProposalsVariables> = { name: "NamingProposals", text: "query NamingProposals{namingProposals(first:20){rule{...RuleLine}alike unlike unknown examples{also{namespace name}names{namespace name}}}namingRules{...RuleLine source}}fragment RuleLine on NamingRule{ignoreCase names{namespace prefix text}also{namespace prefix text}}" };

export type AuditAnswer = { audit: { totalCount: number; nodes: ({ id: string; at: string; action: AuditAction; actor: string | null; subject: string; details: unknown })[]; pageInfo: MorePages } };
export type AuditVariables = { kind?: AuditAction | null | undefined; actor?: string | null | undefined; first: number; after?: string | null | undefined };
export const Audit: Operation<AuditAnswer, AuditVariables> = { name: "Audit", text: "query Audit($kind:AuditAction$actor:String$first:Int!$after:String){audit(kind:$kind actor:$actor first:$first after:$after){totalCount nodes{id at action actor subject details}pageInfo{...MorePages}}}fragment MorePages on PageInfo{hasNextPage endCursor}" };
