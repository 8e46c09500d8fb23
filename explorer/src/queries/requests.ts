// Made by scripts/make-queries from requests.graphql: do not edit.
import type { Operation } from "../client";

export type AccessState = "OPEN" | "APPROVED" | "GRANTED" | "EXPIRED" | "REVOKED" | "REFUSED" | "WITHDRAWN" | "LAPSED";
export type AccessKind = "METADATA" | "DATA";
export type AccessDecision = "APPROVE" | "REFUSE" | "REVOKE";
export type AccessStepKind = "ASK" | "APPROVE" | "REFUSE" | "REVOKE" | "WITHDRAW" | "CONFIRM" | "REMIND" | "END" | "OBSERVE" | "MISS";
export type RequestParts = { id: string; kind: AccessKind; state: AccessState; assetName: string; action: string; purpose: string; asker: string; askerName: string | null; principal: string; askedAt: string; until: string; approvers: (string)[]; restrictions: (string)[] | null; forbiddenBy: (string)[] | null; grantsNothing: boolean; mine: boolean; reference: string | null; steps: ({ kind: AccessStepKind; by: string; byName: string | null; reason: string | null })[] };

export type AccessRequestsAnswer = { accessRequests: { totalCount: number; nodes: (RequestParts)[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } } };
export type AccessRequestsVariables = { state?: AccessState | null | undefined; first: number; after?: string | null | undefined };
export const AccessRequests: Operation<AccessRequestsAnswer, AccessRequestsVariables> = { name: "AccessRequests", text: "query AccessRequests($state:AccessState$first:Int!$after:String){accessRequests(state:$state first:$first after:$after){totalCount nodes{...RequestParts}pageInfo{hasNextPage endCursor}}}fragment RequestParts on AccessRequest{id kind state assetName action purpose asker askerName principal askedAt until approvers restrictions forbiddenBy grantsNothing mine reference steps{kind by byName reason}}" };

export type FindAssetAnswer = { resolve: { id: string } };
export type FindAssetVariables = { name: string };
export const FindAsset: Operation<FindAssetAnswer, FindAssetVariables> = { name: "FindAsset", text: "query FindAsset($name:String!){resolve(name:$name){id}}" };

export type RequestAccessAnswer = { done: { id: string } };
export type RequestAccessVariables = { asset: string; purpose: string; kind: AccessKind; until: string };
export const RequestAccess: Operation<RequestAccessAnswer, RequestAccessVariables> = { name: "RequestAccess", text: "mutation RequestAccess($asset:ID!$purpose:String!$kind:AccessKind!$until:DateTime!){done:requestAccess(asset:$asset purpose:$purpose kind:$kind until:$until){id}}" };

export type DecideAccessAnswer = { done: { id: string } };
export type DecideAccessVariables = { request: string; decision: AccessDecision; reason?: string | null | undefined };
export const DecideAccess: Operation<DecideAccessAnswer, DecideAccessVariables> = { name: "DecideAccess", text: "mutation DecideAccess($request:ID!$decision:AccessDecision!$reason:String){done:decideAccess(request:$request decision:$decision reason:$reason){id}}" };

export type WithdrawAccessAnswer = { done: { id: string } };
export type WithdrawAccessVariables = { request: string };
export const WithdrawAccess: Operation<WithdrawAccessAnswer, WithdrawAccessVariables> = { name: "WithdrawAccess", text: "mutation WithdrawAccess($request:ID!){done:withdrawAccess(request:$request){id}}" };
