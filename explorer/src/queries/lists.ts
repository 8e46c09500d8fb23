// Made by scripts/make-queries from lists.graphql: do not edit.
import type { Operation } from "../client";

export type AssetFilter = { text?: string | null | undefined; namespace?: string | null | undefined; domain?: string | null | undefined; product?: string | null | undefined; owner?: string | null | undefined; described?: boolean | null | undefined };
export type Standing = "KEPT" | "BROKEN" | "UNKNOWN";
export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type ListRow = { domain: { __typename: "Domain" } & AssetLink | null; owners: (OwnerLine)[] } & AssetLink;
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };
export type MorePages = { hasNextPage: boolean; endCursor: string | null };
export type OwnerLine = { type: string; source: string; owner: { __typename: "Owner"; contact: string | null } & AssetLink; inheritedFrom: AssetLink | null };

export type DomainsListAnswer = { list: { totalCount: number; nodes: ({ title: string | null; products: ({ __typename: "DataProduct" } & AssetLink)[] } & ListRow)[]; pageInfo: MorePages } };
export type DomainsListVariables = { filter?: AssetFilter | null | undefined; first: number; after?: string | null | undefined };
export const DomainsList: Operation<DomainsListAnswer, DomainsListVariables> = { name: "DomainsList", text: "query DomainsList($filter:AssetFilter$first:Int!$after:String){list:domains(filter:$filter first:$first after:$after){totalCount nodes{...ListRow title products{...AssetLink}}pageInfo{...MorePages}}}fragment ListRow on Asset{...AssetLink domain{...AssetLink}owners{...OwnerLine}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment MorePages on PageInfo{hasNextPage endCursor}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}" };

export type ProductsListAnswer = { list: { totalCount: number; nodes: ({ status: string | null; version: string | null; health: { state: Standing } } & ListRow)[]; pageInfo: MorePages } };
export type ProductsListVariables = { filter?: AssetFilter | null | undefined; first: number; after?: string | null | undefined };
export const ProductsList: Operation<ProductsListAnswer, ProductsListVariables> = { name: "ProductsList", text: "query ProductsList($filter:AssetFilter$first:Int!$after:String){list:products(filter:$filter first:$first after:$after){totalCount nodes{...ListRow status version health{state}}pageInfo{...MorePages}}}fragment ListRow on Asset{...AssetLink domain{...AssetLink}owners{...OwnerLine}}fragment MorePages on PageInfo{hasNextPage endCursor}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}" };

export type DatasetsListAnswer = { list: { totalCount: number; nodes: ({ described: boolean; datasetType: string | null; qualityCounts: { failed: number; errors: number; passed: number } } & ListRow)[]; pageInfo: MorePages } };
export type DatasetsListVariables = { filter?: AssetFilter | null | undefined; first: number; after?: string | null | undefined };
export const DatasetsList: Operation<DatasetsListAnswer, DatasetsListVariables> = { name: "DatasetsList", text: "query DatasetsList($filter:AssetFilter$first:Int!$after:String){list:datasets(filter:$filter first:$first after:$after){totalCount nodes{...ListRow described datasetType qualityCounts{failed errors passed}}pageInfo{...MorePages}}}fragment ListRow on Asset{...AssetLink domain{...AssetLink}owners{...OwnerLine}}fragment MorePages on PageInfo{hasNextPage endCursor}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}" };

export type JobsListAnswer = { list: { totalCount: number; nodes: ({ integration: string | null; processingType: string | null } & ListRow)[]; pageInfo: MorePages } };
export type JobsListVariables = { filter?: AssetFilter | null | undefined; first: number; after?: string | null | undefined };
export const JobsList: Operation<JobsListAnswer, JobsListVariables> = { name: "JobsList", text: "query JobsList($filter:AssetFilter$first:Int!$after:String){list:jobs(filter:$filter first:$first after:$after){totalCount nodes{...ListRow integration processingType}pageInfo{...MorePages}}}fragment ListRow on Asset{...AssetLink domain{...AssetLink}owners{...OwnerLine}}fragment MorePages on PageInfo{hasNextPage endCursor}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}" };

export type ConsumersListAnswer = { list: { totalCount: number; nodes: ({ consumerType: string | null; consumes: ({ asset: AssetLink })[] } & ListRow)[]; pageInfo: MorePages } };
export type ConsumersListVariables = { filter?: AssetFilter | null | undefined; first: number; after?: string | null | undefined };
export const ConsumersList: Operation<ConsumersListAnswer, ConsumersListVariables> = { name: "ConsumersList", text: "query ConsumersList($filter:AssetFilter$first:Int!$after:String){list:consumers(filter:$filter first:$first after:$after){totalCount nodes{...ListRow consumerType consumes{asset{...AssetLink}}}pageInfo{...MorePages}}}fragment ListRow on Asset{...AssetLink domain{...AssetLink}owners{...OwnerLine}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment MorePages on PageInfo{hasNextPage endCursor}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}" };

export type ContractsListAnswer = { list: { totalCount: number; nodes: ({ version: string | null; status: string | null; governs: ({ __typename: "Dataset" } & AssetLink)[] } & ListRow)[]; pageInfo: MorePages } };
export type ContractsListVariables = { filter?: AssetFilter | null | undefined; first: number; after?: string | null | undefined };
export const ContractsList: Operation<ContractsListAnswer, ContractsListVariables> = { name: "ContractsList", text: "query ContractsList($filter:AssetFilter$first:Int!$after:String){list:contracts(filter:$filter first:$first after:$after){totalCount nodes{...ListRow version status governs{...AssetLink}}pageInfo{...MorePages}}}fragment ListRow on Asset{...AssetLink domain{...AssetLink}owners{...OwnerLine}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment MorePages on PageInfo{hasNextPage endCursor}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}" };

export type OwnersListAnswer = { list: { totalCount: number; nodes: ({ ownerType: string | null; contact: string | null } & ListRow)[]; pageInfo: MorePages } };
export type OwnersListVariables = { filter?: AssetFilter | null | undefined; first: number; after?: string | null | undefined };
export const OwnersList: Operation<OwnersListAnswer, OwnersListVariables> = { name: "OwnersList", text: "query OwnersList($filter:AssetFilter$first:Int!$after:String){list:owners(filter:$filter first:$first after:$after){totalCount nodes{...ListRow ownerType contact}pageInfo{...MorePages}}}fragment ListRow on Asset{...AssetLink domain{...AssetLink}owners{...OwnerLine}}fragment MorePages on PageInfo{hasNextPage endCursor}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}" };

export type OrphansListAnswer = { list: { totalCount: number; nodes: (ListRow)[]; pageInfo: MorePages } };
export type OrphansListVariables = { kinds?: readonly (AssetKind)[] | null | undefined; first: number; after?: string | null | undefined };
export const OrphansList: Operation<OrphansListAnswer, OrphansListVariables> = { name: "OrphansList", text: "query OrphansList($kinds:[AssetKind!]$first:Int!$after:String){list:orphans(kinds:$kinds first:$first after:$after){totalCount nodes{...ListRow}pageInfo{...MorePages}}}fragment ListRow on Asset{...AssetLink domain{...AssetLink}owners{...OwnerLine}}fragment MorePages on PageInfo{hasNextPage endCursor}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment OwnerLine on Ownership{type source owner{...AssetLink contact}inheritedFrom{...AssetLink}}" };
