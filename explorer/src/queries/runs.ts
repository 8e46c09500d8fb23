// Made by scripts/make-queries from runs.graphql: do not edit.
import type { Operation } from "../client";

export type Bucket = "HOUR" | "DAY" | "WEEK";
export type RunState = "RUNNING" | "COMPLETE" | "FAIL" | "ABORT";
export type AssetKind = "DOMAIN" | "DATA_PRODUCT" | "DATASET" | "COLUMN" | "JOB" | "CONSUMER" | "OWNER" | "CONTRACT";
export type RunFull = { jobNamespace: string; jobName: string; lastEventAt: string; nominalEnd: string | null; facets: unknown; jobFacets: unknown; parent: { runId: string; jobNamespace: string; jobName: string; run: { id: string; job: { __typename: "Job" } & AssetLink | null } | null } | null; inputs: (RunEnd)[]; outputs: (RunEnd)[] } & RunLine;
export type RunLine = { id: string; runId: string; state: RunState; startedAt: string; endedAt: string | null; durationMs: number | null; nominalStart: string | null; error: string | null; source: string; job: { __typename: "Job" } & AssetLink | null; parent: { runId: string; jobName: string } | null };
export type AssetLink = { __typename: string; id: string; kind: AssetKind; name: string; qualifiedName: string };
export type RunEnd = { namespace: string; name: string; facets: unknown; dataset: { __typename: "Dataset" } & AssetLink | null };
export type MorePages = { hasNextPage: boolean; endCursor: string | null };

export type RunDetailsAnswer = { run: RunFull | null; runsById: { totalCount: number; nodes: (RunFull)[] } };
export type RunDetailsVariables = { id: string; runId: string };
export const RunDetails: Operation<RunDetailsAnswer, RunDetailsVariables> = { name: "RunDetails", text: "query RunDetails($id:ID!$runId:String!){run(id:$id){...RunFull}runsById(runId:$runId first:100){totalCount nodes{...RunFull}}}fragment RunFull on Run{...RunLine jobNamespace jobName lastEventAt nominalEnd facets jobFacets parent{runId jobNamespace jobName run{id job{...AssetLink}}}inputs{...RunEnd}outputs{...RunEnd}}fragment RunLine on Run{id runId state startedAt endedAt durationMs nominalStart error source job{...AssetLink}parent{runId jobName}}fragment AssetLink on Asset{__typename id kind name qualifiedName}fragment RunEnd on RunDataset{namespace name facets dataset{...AssetLink}}" };

export type EventsAnswer = { events: { totalCount: number; nodes: ({ at: string; receivedAt: string; type: string; source: string; runId: string | null; jobNamespace: string | null; jobName: string | null; body: unknown })[]; pageInfo: MorePages } };
export type EventsVariables = { from?: string | null | undefined; to?: string | null | undefined; first: number; after?: string | null | undefined };
export const Events: Operation<EventsAnswer, EventsVariables> = { name: "Events", text: "query Events($from:DateTime$to:DateTime$first:Int!$after:String){events(from:$from to:$to first:$first after:$after){totalCount nodes{at receivedAt type source runId jobNamespace jobName body}pageInfo{...MorePages}}}fragment MorePages on PageInfo{hasNextPage endCursor}" };

export type EventLinesAnswer = { events: { totalCount: number; nodes: ({ at: string; receivedAt: string; type: string; source: string; runId: string | null; jobNamespace: string | null; jobName: string | null })[]; pageInfo: MorePages } };
export type EventLinesVariables = { from?: string | null | undefined; to?: string | null | undefined; first: number; after?: string | null | undefined };
export const EventLines: Operation<EventLinesAnswer, EventLinesVariables> = { name: "EventLines", text: "query EventLines($from:DateTime$to:DateTime$first:Int!$after:String){events(from:$from to:$to first:$first after:$after){totalCount nodes{at receivedAt type source runId jobNamespace jobName}pageInfo{...MorePages}}}fragment MorePages on PageInfo{hasNextPage endCursor}" };

export type NewestEventAnswer = { events: { nodes: ({ at: string })[] } };
export type NewestEventVariables = {  };
export const NewestEvent: Operation<NewestEventAnswer, NewestEventVariables> = { name: "NewestEvent", text: "query NewestEvent{events(first:1){nodes{at}}}" };

export type EventCountsAnswer = { eventCounts: ({ at: string; start: number; running: number; complete: number; fail: number; abort: number; other: number })[] };
export type EventCountsVariables = { from: string; to: string; bucket: Bucket };
export const EventCounts: Operation<EventCountsAnswer, EventCountsVariables> = { name: "EventCounts", text: "query EventCounts($from:DateTime!$to:DateTime!$bucket:Bucket!){eventCounts(from:$from to:$to bucket:$bucket){at start running complete fail abort other}}" };
