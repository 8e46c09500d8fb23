// Made by scripts/make-queries from asset.graphql: do not edit.
import type { Operation } from "../client";

export type CheckOutcome = "PASSED" | "FAILED" | "WARNED" | "ERROR" | "SKIPPED" | "NOT_RUN";
export type NameRank = "OUTPUT_PORT" | "CATALOG" | "TABLE_SYMLINK" | "NAME";
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
export type Granularity = "COLUMN" | "DATASET" | "PRODUCT" | "DOMAIN";
export type Reach = "DIRECT" | "INDIRECT" | "POSSIBLE";
export type FlowType = "DIRECT" | "INDIRECT";
export type Standing = "KEPT" | "BROKEN" | "UNKNOWN";
export type Evidence = "RUN" | "SNAPSHOT" | "METRICS" | "CHECK";
export type Feasible = "FEASIBLE" | "INFEASIBLE" | "UNKNOWN";
export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type Truncated = "NONE" | "NODES" | "DEPTH" | "TIME";
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };
export type OwnerLine = {
  type: string;
  source: string;
  owner: { __typename: "Owner"; contact: string | null } & AssetLink;
  inheritedFrom: AssetLink | null;
};
export type CheckLine = {
  name: string;
  kind: string;
  outcome: CheckOutcome;
  expected: unknown | null;
  observed: unknown | null;
  message: string | null;
  suite: string;
  at: string | null;
  source: string;
  failingSince: string | null;
  asset: AssetLink;
};
export type UseLine = {
  purpose: string | null;
  contractName: string | null;
  version: string | null;
  source: string;
  consumer: { __typename: "Consumer"; consumerType: string | null; owners: OwnerLine[] } & AssetLink;
  asset: AssetLink;
  contract: ({ __typename: "Contract" } & AssetLink) | null;
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
export type Coverages = { datasets: number; described: number; owned: number; withLineage: number; withColumnLineage: number };

export type HeadAnswer = {
  node:
    | (
        | ({
            __typename: "Column";
            description: string | null;
            lastObserved: string | null;
            tags: { key: string; value: string | null; source: string }[];
            domain: ({ __typename: "Domain" } & AssetLink) | null;
            product: ({ __typename: "DataProduct" } & AssetLink) | null;
            owners: OwnerLine[];
            dataset: { __typename: "Dataset" } & AssetLink;
            dataType: string | null;
            nullable: boolean | null;
            position: number | null;
            inferred: boolean;
            unlisted: boolean;
            formerNames: { name: string; until: string }[];
          } & AssetLink)
        | ({
            __typename: "Consumer";
            description: string | null;
            lastObserved: string | null;
            tags: { key: string; value: string | null; source: string }[];
            domain: ({ __typename: "Domain" } & AssetLink) | null;
            product: ({ __typename: "DataProduct" } & AssetLink) | null;
            owners: OwnerLine[];
            title: string | null;
            consumerType: string | null;
          } & AssetLink)
        | ({
            __typename: "Contract";
            description: string | null;
            lastObserved: string | null;
            tags: { key: string; value: string | null; source: string }[];
            domain: ({ __typename: "Domain" } & AssetLink) | null;
            product: ({ __typename: "DataProduct" } & AssetLink) | null;
            owners: OwnerLine[];
            title: string | null;
            version: string | null;
            status: string | null;
          } & AssetLink)
        | ({
            __typename: "DataProduct";
            description: string | null;
            lastObserved: string | null;
            tags: { key: string; value: string | null; source: string }[];
            domain: ({ __typename: "Domain" } & AssetLink) | null;
            product: ({ __typename: "DataProduct" } & AssetLink) | null;
            owners: OwnerLine[];
            title: string | null;
            version: string | null;
            status: string | null;
            registeredIn: string[];
          } & AssetLink)
        | ({
            __typename: "Dataset";
            description: string | null;
            lastObserved: string | null;
            tags: { key: string; value: string | null; source: string }[];
            domain: ({ __typename: "Domain" } & AssetLink) | null;
            product: ({ __typename: "DataProduct" } & AssetLink) | null;
            owners: OwnerLine[];
            namespace: string;
            datasetType: string | null;
            location: string | null;
            described: boolean;
            inferred: boolean;
            aliases: { namespace: string; name: string; why: string; source: string }[];
            products: ({ __typename: "DataProduct" } & AssetLink)[];
            qualityCounts: { passed: number; failed: number; warned: number; errors: number; skipped: number; notRun: number };
          } & AssetLink)
        | ({
            __typename: "Domain";
            description: string | null;
            lastObserved: string | null;
            tags: { key: string; value: string | null; source: string }[];
            domain: ({ __typename: "Domain" } & AssetLink) | null;
            product: ({ __typename: "DataProduct" } & AssetLink) | null;
            owners: OwnerLine[];
            title: string | null;
          } & AssetLink)
        | ({
            __typename: "Job";
            description: string | null;
            lastObserved: string | null;
            tags: { key: string; value: string | null; source: string }[];
            domain: ({ __typename: "Domain" } & AssetLink) | null;
            product: ({ __typename: "DataProduct" } & AssetLink) | null;
            owners: OwnerLine[];
            namespace: string;
            jobType: string | null;
            processingType: string | null;
            integration: string | null;
          } & AssetLink)
        | ({
            __typename: "Owner";
            description: string | null;
            lastObserved: string | null;
            tags: { key: string; value: string | null; source: string }[];
            domain: ({ __typename: "Domain" } & AssetLink) | null;
            product: ({ __typename: "DataProduct" } & AssetLink) | null;
            owners: OwnerLine[];
            title: string | null;
            contact: string | null;
            ownerType: string | null;
          } & AssetLink)
      )
    | null;
};
export type HeadVariables = { id: string };
export const Head: Operation<HeadAnswer, HeadVariables> = {
  name: "Head",
  text: "query Head($id:ID!){node(id:$id){...AssetLink description lastObserved tags{key value source}domain{...AssetLink}product{...AssetLink}owners{...OwnerLine}...on Dataset{namespace datasetType location described inferred aliases{namespace name why source}products{...AssetLink}qualityCounts{passed failed warned errors skipped notRun}}...on Column{dataset{...AssetLink}dataType nullable position inferred unlisted formerNames{name until}}...on Job{namespace jobType processingType integration}...on DataProduct{title version status registeredIn}...on Domain{title}...on Owner{title contact ownerType}...on Consumer{title consumerType}...on Contract{title version status}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}",
};

export type FactsAnswer = {
  node: {
    id: string;
    facts: {
      source: string;
      attribute: string;
      value: unknown | null;
      observedAt: string;
      validFrom: string;
      lastObserved: string;
      chosen: boolean;
      statement: string;
    }[];
  } | null;
};
export type FactsVariables = { id: string };
export const Facts: Operation<FactsAnswer, FactsVariables> = {
  name: "Facts",
  text: "query Facts($id:ID!){node(id:$id){id facts{source attribute value observedAt validFrom lastObserved chosen statement}}}",
};

export type DatasetColumnsAnswer = {
  node:
    | (
        | {
            __typename: "Dataset";
            id: string;
            described: boolean;
            columns: {
              totalCount: number;
              nodes: ({
                __typename: "Column";
                dataType: string | null;
                nullable: boolean | null;
                position: number | null;
                inferred: boolean;
                unlisted: boolean;
                description: string | null;
                tags: { key: string; value: string | null }[];
                quality: { outcome: CheckOutcome }[];
              } & AssetLink)[];
              pageInfo: { hasNextPage: boolean; endCursor: string | null };
            };
          }
        | { __typename: "Column" | "Consumer" | "Contract" | "DataProduct" | "Domain" | "Job" | "Owner"; id: string }
      )
    | null;
};
export type DatasetColumnsVariables = { id: string; first: number; after?: string | null | undefined };
export const DatasetColumns: Operation<DatasetColumnsAnswer, DatasetColumnsVariables> = {
  name: "DatasetColumns",
  text: "query DatasetColumns($id:ID!$first:Int!$after:String){node(id:$id){__typename id ...on Dataset{described columns(first:$first after:$after){totalCount nodes{...AssetLink dataType nullable position inferred unlisted description tags{key value}quality{outcome}}pageInfo{hasNextPage endCursor}}}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}",
};

export type DatasetJobsAnswer = {
  node:
    | (
        | {
            __typename: "Dataset";
            id: string;
            writtenBy: ({ __typename: "Job"; integration: string | null } & AssetLink)[];
            readBy: ({ __typename: "Job"; integration: string | null } & AssetLink)[];
          }
        | { __typename: "Column" | "Consumer" | "Contract" | "DataProduct" | "Domain" | "Job" | "Owner"; id: string }
      )
    | null;
};
export type DatasetJobsVariables = { id: string };
export const DatasetJobs: Operation<DatasetJobsAnswer, DatasetJobsVariables> = {
  name: "DatasetJobs",
  text: "query DatasetJobs($id:ID!){node(id:$id){__typename id ...on Dataset{writtenBy{...AssetLink integration}readBy{...AssetLink integration}}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}",
};

export type ChecksAnswer = {
  node:
    | (
        | { __typename: "Column"; id: string; quality: CheckLine[] }
        | { __typename: "Dataset"; id: string; quality: CheckLine[] }
        | { __typename: "Consumer" | "Contract" | "DataProduct" | "Domain" | "Job" | "Owner"; id: string }
      )
    | null;
};
export type ChecksVariables = { id: string };
export const Checks: Operation<ChecksAnswer, ChecksVariables> = {
  name: "Checks",
  text: "query Checks($id:ID!){node(id:$id){__typename id ...on Dataset{quality{...CheckLine}}...on Column{quality{...CheckLine}}}}fragment CheckLine on QualityCheck{name kind outcome expected observed message suite at source failingSince asset{...AssetLink}}fragment AssetLink on Asset{__typename id kind name qualifiedName}",
};

export type DatasetContractsAnswer = {
  node:
    | (
        | {
            __typename: "Dataset";
            id: string;
            contracts: ({ __typename: "Contract"; version: string | null; status: string | null; title: string | null } & AssetLink)[];
            consumers: UseLine[];
            products: ({ __typename: "DataProduct" } & AssetLink)[];
          }
        | { __typename: "Column" | "Consumer" | "Contract" | "DataProduct" | "Domain" | "Job" | "Owner"; id: string }
      )
    | null;
};
export type DatasetContractsVariables = { id: string };
export const DatasetContracts: Operation<DatasetContractsAnswer, DatasetContractsVariables> = {
  name: "DatasetContracts",
  text: "query DatasetContracts($id:ID!){node(id:$id){__typename id ...on Dataset{contracts{...AssetLink version status title}consumers{...UseLine}products{...AssetLink}}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment UseLine on Consumption{purpose contractName version source consumer{...AssetLink consumerType owners{...OwnerLine}}asset{...AssetLink}contract{...AssetLink}}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}",
};

export type DatasetIdentityAnswer = {
  node:
    | (
        | {
            __typename: "Dataset";
            id: string;
            identity: {
              shown: { id: string; namespace: string; name: string };
              members: {
                name: { id: string; namespace: string; name: string };
                rank: NameRank;
                source: string | null;
                shown: boolean;
                past: boolean;
              }[];
              reasons: {
                start: { namespace: string; name: string };
                end: { namespace: string; name: string };
                type: EdgeType;
                why: string;
                rule: string | null;
                source: string;
                since: string;
                overruled: boolean;
              }[];
              partings: {
                start: { namespace: string; name: string };
                end: { namespace: string; name: string };
                type: EdgeType;
                why: string;
                rule: string | null;
                source: string;
                since: string;
                overruled: boolean;
              }[];
              mergedColumns: {
                spellings: { name: string; datasets: { namespace: string; name: string }[] }[];
                column: { __typename: "Column" } & AssetLink;
              }[];
            };
          }
        | { __typename: "Column" | "Consumer" | "Contract" | "DataProduct" | "Domain" | "Job" | "Owner"; id: string }
      )
    | null;
};
export type DatasetIdentityVariables = { id: string };
export const DatasetIdentity: Operation<DatasetIdentityAnswer, DatasetIdentityVariables> = {
  name: "DatasetIdentity",
  text: "query DatasetIdentity($id:ID!){node(id:$id){__typename id ...on Dataset{identity{shown{id namespace name}members{name{id namespace name}rank source shown past}reasons{start{namespace name}end{namespace name}type why rule source since overruled}partings{start{namespace name}end{namespace name}type why rule source since overruled}mergedColumns{spellings{name datasets{namespace name}}column{...AssetLink}}}}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}",
};

export type DatasetHistoryAnswer = {
  node:
    | (
        | {
            __typename: "Dataset";
            id: string;
            schemaHistory: {
              source: string;
              since: string;
              until: string | null;
              columns: { name: string; position: number | null; dataType: string | null; nullable: boolean | null }[];
            }[];
          }
        | { __typename: "Column" | "Consumer" | "Contract" | "DataProduct" | "Domain" | "Job" | "Owner"; id: string }
      )
    | null;
};
export type DatasetHistoryVariables = { id: string; first: number };
export const DatasetHistory: Operation<DatasetHistoryAnswer, DatasetHistoryVariables> = {
  name: "DatasetHistory",
  text: "query DatasetHistory($id:ID!$first:Int!){node(id:$id){__typename id ...on Dataset{schemaHistory(first:$first){source since until columns{name position dataType nullable}}}}}",
};

export type ColumnUsesAnswer = {
  node:
    | (
        | {
            __typename: "Column";
            id: string;
            consumers: UseLine[];
            dataset: {
              __typename: "Dataset";
              consumers: UseLine[];
              contracts: ({ __typename: "Contract"; version: string | null; status: string | null; title: string | null } & AssetLink)[];
            } & AssetLink;
          }
        | { __typename: "Consumer" | "Contract" | "DataProduct" | "Dataset" | "Domain" | "Job" | "Owner"; id: string }
      )
    | null;
};
export type ColumnUsesVariables = { id: string };
export const ColumnUses: Operation<ColumnUsesAnswer, ColumnUsesVariables> = {
  name: "ColumnUses",
  text: "query ColumnUses($id:ID!){node(id:$id){__typename id ...on Column{consumers{...UseLine}dataset{...AssetLink consumers{...UseLine}contracts{...AssetLink version status title}}}}}fragment UseLine on Consumption{purpose contractName version source consumer{...AssetLink consumerType owners{...OwnerLine}}asset{...AssetLink}contract{...AssetLink}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}",
};

export type NeighboursAnswer = {
  into: {
    edges: {
      from: AssetLink;
      to: AssetLink;
      reach: Reach;
      type: FlowType | null;
      subtype: string;
      masking: boolean;
      count: number;
      jobs: ({ __typename: "Job" } & AssetLink)[];
    }[];
    completeness: CompletenessParts;
  };
  out: {
    edges: {
      from: AssetLink;
      to: AssetLink;
      reach: Reach;
      type: FlowType | null;
      subtype: string;
      masking: boolean;
      count: number;
      jobs: ({ __typename: "Job" } & AssetLink)[];
    }[];
    completeness: CompletenessParts;
  };
};
export type NeighboursVariables = { id: readonly string[]; granularity: Granularity };
export const Neighbours: Operation<NeighboursAnswer, NeighboursVariables> = {
  name: "Neighbours",
  text: "query Neighbours($id:[ID!]!$granularity:Granularity!){into:lineage(of:$id direction:UPSTREAM depth:1 granularity:$granularity limit:200){edges{from{...AssetLink}to{...AssetLink}reach type subtype masking count jobs{...AssetLink}}completeness{...CompletenessParts}}out:lineage(of:$id direction:DOWNSTREAM depth:1 granularity:$granularity limit:200){edges{from{...AssetLink}to{...AssetLink}reach type subtype masking count jobs{...AssetLink}}completeness{...CompletenessParts}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment CompletenessParts on Completeness{truncated possibleOnly undescribed staleEdges provisional unbound silentOnFilters silentProducers asOf knownLater{relation sourceKind since}revision}",
};

export type ProductDetailsAnswer = {
  node:
    | (
        | {
            __typename: "DataProduct";
            id: string;
            ports: {
              direction: string;
              name: string | null;
              type: string | null;
              version: string | null;
              description: string | null;
              refresh: string | null;
              contractName: string | null;
              deprecated: boolean;
              source: string;
              dataset: { __typename: "Dataset" } & AssetLink;
              contract: ({ __typename: "Contract" } & AssetLink) | null;
            }[];
            slos: { name: string; text: string; element: string | null; description: string | null }[];
            qualityChecks: { tool: string; suite: string | null; run: string | null }[];
            health: {
              state: Standing;
              freshness: {
                state: Standing;
                promised: string | null;
                promisedSeconds: number | null;
                ports: {
                  state: Standing;
                  lastWritten: string | null;
                  evidence: Evidence | null;
                  ageSeconds: number | null;
                  dataset: { __typename: "Dataset" } & AssetLink;
                }[];
              };
              checks: { passed: number; failed: number; warned: number; errors: number; skipped: number; notRun: number };
              openFailures: CheckLine[];
            };
            datasets: { totalCount: number; nodes: ({ __typename: "Dataset" } & AssetLink)[] };
          }
        | { __typename: "Column" | "Consumer" | "Contract" | "Dataset" | "Domain" | "Job" | "Owner"; id: string }
      )
    | null;
};
export type ProductDetailsVariables = { id: string };
export const ProductDetails: Operation<ProductDetailsAnswer, ProductDetailsVariables> = {
  name: "ProductDetails",
  text: "query ProductDetails($id:ID!){node(id:$id){__typename id ...on DataProduct{ports{direction name type version description refresh contractName deprecated source dataset{...AssetLink}contract{...AssetLink}}slos{name text element description}qualityChecks{tool suite run}health{state freshness{state promised promisedSeconds ports{state lastWritten evidence ageSeconds dataset{...AssetLink}}}checks{passed failed warned errors skipped notRun}openFailures{...CheckLine}}datasets(first:200){totalCount nodes{...AssetLink}}}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment CheckLine on QualityCheck{name kind outcome expected observed message suite at source failingSince asset{...AssetLink}}",
};

export type ProductConsumersAnswer = {
  consumersOf: {
    directly: UseLine[];
    throughPorts: UseLine[];
    inside: UseLine[];
    reached: {
      reach: Reach;
      distance: number;
      masked: boolean;
      consumer: { __typename: "Consumer"; owners: OwnerLine[] } & AssetLink;
      uses: { asset: AssetLink; contractName: string | null }[];
      via: Step[];
    }[];
    completeness: CompletenessParts;
  };
};
export type ProductConsumersVariables = { id: string };
export const ProductConsumers: Operation<ProductConsumersAnswer, ProductConsumersVariables> = {
  name: "ProductConsumers",
  text: "query ProductConsumers($id:ID!){consumersOf(product:$id){directly{...UseLine}throughPorts{...UseLine}inside{...UseLine}reached{reach distance masked consumer{...AssetLink owners{...OwnerLine}}uses{asset{...AssetLink}contractName}via{...Step}}completeness{...CompletenessParts}}}fragment UseLine on Consumption{purpose contractName version source consumer{...AssetLink consumerType owners{...OwnerLine}}asset{...AssetLink}contract{...AssetLink}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}fragment Step on PathStep{asset{...AssetLink}edgeType type subtype masking reach job{...AssetLink}source lastObserved}fragment CompletenessParts on Completeness{truncated possibleOnly undescribed staleEdges provisional unbound silentOnFilters silentProducers asOf knownLater{relation sourceKind since}revision}",
};

export type ProductDependantsAnswer = {
  productImpact: {
    products: {
      product: { __typename: "DataProduct" } & AssetLink;
      reach: Reach;
      distance: number;
      masked: boolean;
      freshness: { standing: Feasible; text: string };
    }[];
    completeness: CompletenessParts;
  };
};
export type ProductDependantsVariables = { id: readonly string[] };
export const ProductDependants: Operation<ProductDependantsAnswer, ProductDependantsVariables> = {
  name: "ProductDependants",
  text: "query ProductDependants($id:[ID!]!){productImpact(of:$id){products{product{...AssetLink}reach distance masked freshness{standing text}}completeness{...CompletenessParts}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment CompletenessParts on Completeness{truncated possibleOnly undescribed staleEdges provisional unbound silentOnFilters silentProducers asOf knownLater{relation sourceKind since}revision}",
};

export type DomainDetailsAnswer = {
  node:
    | (
        | {
            __typename: "Domain";
            id: string;
            subdomains: ({ __typename: "Domain" } & AssetLink)[];
            products: ({ __typename: "DataProduct"; health: { state: Standing } } & AssetLink)[];
            datasets: { totalCount: number; nodes: ({ __typename: "Dataset" } & AssetLink)[] };
          }
        | { __typename: "Column" | "Consumer" | "Contract" | "DataProduct" | "Dataset" | "Job" | "Owner"; id: string }
      )
    | null;
  coverage: { byDomain: { domain: { id: string } | null; covered: Coverages }[] };
};
export type DomainDetailsVariables = { id: string };
export const DomainDetails: Operation<DomainDetailsAnswer, DomainDetailsVariables> = {
  name: "DomainDetails",
  text: "query DomainDetails($id:ID!){node(id:$id){__typename id ...on Domain{subdomains{...AssetLink}products{...AssetLink health{state}}datasets(first:200){totalCount nodes{...AssetLink}}}}coverage{byDomain{domain{id}covered{...Coverages}}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment Coverages on Covered{datasets described owned withLineage withColumnLineage}",
};

export type JobDetailsAnswer = {
  node:
    | (
        | {
            __typename: "Job";
            id: string;
            sql: string | null;
            reads: ({ __typename: "Dataset" } & AssetLink)[];
            writes: ({ __typename: "Dataset" } & AssetLink)[];
            parents: ({ __typename: "Job" } & AssetLink)[];
            children: ({ __typename: "Job" } & AssetLink)[];
          }
        | { __typename: "Column" | "Consumer" | "Contract" | "DataProduct" | "Dataset" | "Domain" | "Owner"; id: string }
      )
    | null;
};
export type JobDetailsVariables = { id: string };
export const JobDetails: Operation<JobDetailsAnswer, JobDetailsVariables> = {
  name: "JobDetails",
  text: "query JobDetails($id:ID!){node(id:$id){__typename id ...on Job{sql reads{...AssetLink}writes{...AssetLink}parents{...AssetLink}children{...AssetLink}}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}",
};

export type OwnerDetailsAnswer = {
  ownedBy: { totalCount: number; nodes: AssetLink[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
};
export type OwnerDetailsVariables = {
  id: string;
  kinds?: readonly AssetKind[] | null | undefined;
  first: number;
  after?: string | null | undefined;
};
export const OwnerDetails: Operation<OwnerDetailsAnswer, OwnerDetailsVariables> = {
  name: "OwnerDetails",
  text: "query OwnerDetails($id:ID!$kinds:[AssetKind!]$first:Int!$after:String){ownedBy(owner:$id kinds:$kinds first:$first after:$after){totalCount nodes{...AssetLink}pageInfo{hasNextPage endCursor}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}",
};

export type ConsumerDetailsAnswer = {
  node:
    | (
        | { __typename: "Consumer"; id: string; consumes: UseLine[] }
        | { __typename: "Column" | "Contract" | "DataProduct" | "Dataset" | "Domain" | "Job" | "Owner"; id: string }
      )
    | null;
};
export type ConsumerDetailsVariables = { id: string };
export const ConsumerDetails: Operation<ConsumerDetailsAnswer, ConsumerDetailsVariables> = {
  name: "ConsumerDetails",
  text: "query ConsumerDetails($id:ID!){node(id:$id){__typename id ...on Consumer{consumes{...UseLine}}}}fragment UseLine on Consumption{purpose contractName version source consumer{...AssetLink consumerType owners{...OwnerLine}}asset{...AssetLink}contract{...AssetLink}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}",
};

export type ContractDetailsAnswer = {
  node:
    | (
        | {
            __typename: "Contract";
            id: string;
            governs: ({ __typename: "Dataset" } & AssetLink)[];
            consumers: UseLine[];
            versions: {
              version: string | null;
              status: string | null;
              inForce: boolean;
              standard: string | null;
              title: string | null;
              description: string | null;
              contact: string | null;
              ownerNames: string[];
              consumerNames: string[];
              source: string;
              observedAt: string;
              fields: {
                model: string;
                name: string;
                physicalName: string | null;
                dataType: string | null;
                physicalType: string | null;
                required: boolean | null;
                unique: boolean | null;
                primaryKey: boolean | null;
                classification: string | null;
                pii: boolean | null;
                deprecated: boolean | null;
                description: string | null;
              }[];
              terms: {
                usage: string | null;
                limitations: string | null;
                purpose: string | null;
                billing: string | null;
                noticePeriod: { text: string } | null;
              };
              sla: { name: string; text: string; element: string | null }[];
              qualityRules: {
                type: string;
                model: string | null;
                field: string | null;
                name: string | null;
                description: string | null;
                dimension: string | null;
                metric: string | null;
                severity: string | null;
              }[];
              links: { name: string; url: string }[];
            }[];
          }
        | { __typename: "Column" | "Consumer" | "DataProduct" | "Dataset" | "Domain" | "Job" | "Owner"; id: string }
      )
    | null;
};
export type ContractDetailsVariables = { id: string };
export const ContractDetails: Operation<ContractDetailsAnswer, ContractDetailsVariables> = {
  name: "ContractDetails",
  text: "query ContractDetails($id:ID!){node(id:$id){__typename id ...on Contract{governs{...AssetLink}consumers{...UseLine}versions{version status inForce standard title description contact ownerNames consumerNames source observedAt fields{model name physicalName dataType physicalType required unique primaryKey classification pii deprecated description}terms{usage limitations purpose billing noticePeriod{text}}sla{name text element}qualityRules{type model field name description dimension metric severity}links{name url}}}}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment UseLine on Consumption{purpose contractName version source consumer{...AssetLink consumerType owners{...OwnerLine}}asset{...AssetLink}contract{...AssetLink}}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}",
};
