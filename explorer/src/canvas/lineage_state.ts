/** Fetches what the picture needs: the first answer, each hop and each dataset whose columns are opened by hand, and the cones. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { AnswerError, fetchAnswer, useAnswers, useClientState, useQuery } from "../client";
import { type Behind, lookBehind } from "../completeness";
import { PictureGap, type PictureGapVariables } from "../queries/completeness";
import {
  ChangedFlows,
  CompactPicture,
  type CompactPictureAnswer,
  CompactPictureUsers,
  Cone,
  Picture,
  type PictureAnswer,
  type PictureParts,
  PictureUsers,
  type PictureVariables,
} from "../queries/picture";
import type { PictureState } from "./address";
import { readAnswer, readCompact } from "./answers";
import { NO_CHANGES, readChanges } from "./changes";
import { type Answer, type Knowledge, mergeAnswer, NOTHING, type Side, stepMerge } from "./model";
import { runInSlices, type Steps } from "./slices";
import { findUsersGap, readUsers } from "./users";

/** The most changed flows that are marked; more are counted. */
const MOST_CHANGES = 1000;

type Gaps = PictureParts["completeness"];

/** The most nodes of one answer with all that cards show; of more there is a compact answer. */
export const MOST_NODES = 200;

export interface LineageState {
  known: Knowledge;
  completeness: Gaps | null;
  /** How to ask for what is behind its gaps: of each answer that the picture is made of. */
  behind: Behind;
  /** What each answer was asked. */
  parts: readonly Part[];
  /** Answers that have fewer nodes than were reached. */
  cuts: Cut[];
  /** Assets that belong to no group at this granularity and are not drawn. */
  ungrouped: number;
  error: AnswerError | null;
  loading: boolean;
  retry(): void;
  describe(id: string): void;
}

/** What one answer was asked, and how many of the nodes that it reached it has. */
interface Part extends Cut {
  question: Question;
  completeness: Gaps;
}

type Question = Omit<PictureGapVariables, "gap" | "first">;

export interface Cut {
  side: Side;
  shown: number;
  /** Null: not known. */
  total: number | null;
}

interface Loaded {
  base: string;
  known: Knowledge;
  parts: Part[];
  ungrouped: number;
}

const EMPTY: Loaded = { base: "", known: NOTHING, parts: [], ungrouped: 0 };

export function useLineage(of: readonly string[], state: PictureState): LineageState {
  const { epoch } = useClientState();
  const [tries, setTries] = useState(0);
  const [loaded, setLoaded] = useState<Loaded>(EMPTY);
  const [error, setError] = useState<AnswerError | null>(null);
  const [pending, setPending] = useState(0);
  const asked = useRef(new Set<string>());
  const { view, asOf, since } = state;
  // The times of all statements about an asset cost most of an answer, and only one overlay shows them.
  const times = state.overlay === "freshness";
  const base = JSON.stringify([of, times, view.granularity, view.depth, view.sides, asOf, since, epoch, tries]);
  const current = useRef(base);
  current.current = base;

  // biome-ignore lint/correctness/useExhaustiveDependencies: `base` is all of them as text
  useEffect(() => {
    const controller = new AbortController();
    asked.current = new Set();
    const variables = {
      ...{ of, up: view.sides.includes("up"), down: view.sides.includes("down"), depth: view.depth },
      ...{ granularity: view.granularity, asOf, seenSince: since, limit: MOST_NODES, times },
    };
    setPending((count) => count + 1);
    let full: PictureAnswer | null = null;
    let brief: CompactPictureAnswer | null = null;
    let stop = () => {};
    let shown = Promise.resolve();
    // Both answers are read together if the second is there before the first is read.
    const show = () => {
      if (controller.signal.aborted) return;
      stop();
      shown = new Promise((resolve, reject) => {
        const cancel = runInSlices(
          readFirst(variables, full, brief),
          (first) => {
            if (!controller.signal.aborted) {
              setError(null);
              setLoaded({ base, ...first });
            }
            resolve();
          },
          reject,
        );
        stop = () => {
          cancel();
          resolve();
        };
      });
    };
    // At once: what a card shows takes the server a hundred times as long as its name, and of a hub the names are what is looked for.
    const all = fetchAnswer(CompactPicture, variables, controller.signal).then((answer) => {
      if (listParts(answer).every((part) => part.ids.length <= MOST_NODES)) return;
      brief = answer;
      show();
    });
    const nearest = fetchAnswer(Picture, variables, controller.signal).then((answer) => {
      full = answer;
      show();
    });
    Promise.all([all, nearest])
      .then(() => shown)
      .catch((reason: unknown) => {
        if (!controller.signal.aborted) setError(readError(reason));
      })
      .finally(() => setPending((count) => count - 1));
    return () => {
      controller.abort();
      stop();
    };
  }, [base]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `base` stands for what is not listed
  useEffect(() => {
    if (loaded.base !== base) return;
    for (const key of [...view.open, ...[...view.columns].map((id) => `${id}:columns`)]) {
      const split = key.lastIndexOf(":");
      const [id, what] = [key.slice(0, split), key.slice(split + 1)];
      const sources = listSources(loaded.known, id);
      if (asked.current.has(key) || sources.length === 0) continue;
      asked.current.add(key);
      const variables = {
        ...{ of: what === "columns" ? [id] : sources, up: what !== "down", down: what !== "up", depth: 1 },
        ...{ granularity: what === "columns" ? ("COLUMN" as const) : view.granularity, asOf, seenSince: since, limit: MOST_NODES, times },
      };
      setPending((count) => count + 1);
      fetchHop(variables)
        .then(
          ({ answers, parts }) => {
            if (current.current !== base) return;
            setLoaded((old) => ({
              ...old,
              known: answers.reduce((known, answer) => mergeAnswer(known, answer, sources[0]), old.known),
              parts: [...old.parts, ...parts],
            }));
          },
          (reason: unknown) => {
            if (current.current === base) setError(readError(reason));
          },
        )
        .finally(() => setPending((count) => count - 1));
    }
  }, [loaded, base, view.open, view.columns]);

  /** Asks for what a compact answer leaves out, of one node. */
  const describe = useCallback(
    (id: string) => {
      const key = `${id}:described`;
      if (asked.current.has(key)) return;
      asked.current.add(key);
      const variables = {
        of: [id],
        up: true,
        down: false,
        depth: 1,
        granularity: view.granularity,
        asOf,
        seenSince: since,
        limit: 1,
        times,
      };
      fetchAnswer(Picture, variables).then(
        (answer) => {
          const nodes = readAnswer(answer).nodes.filter((node) => node.id === id);
          setLoaded((old) => (old.base === current.current ? { ...old, known: mergeAnswer(old.known, { nodes, edges: [] }, id) } : old));
        },
        () => asked.current.delete(key), // the card says that it is not loaded; the next look asks again
      );
    },
    [view.granularity, asOf, since, times],
  );

  return {
    known: loaded.known,
    describe,
    completeness: loaded.parts.length > 0 ? addCompleteness(loaded.parts.map((part) => part.completeness)) : null,
    behind: lookBehind(PictureGap, ...loaded.parts.map((part) => part.question)),
    parts: loaded.parts,
    cuts: loaded.parts.filter((part) => part.total !== part.shown),
    ungrouped: loaded.ungrouped,
    error,
    loading: pending > 0,
    retry: () => setTries((count) => count + 1),
  };
}

function listParts<Part>(answer: { upstream?: Part; downstream?: Part }): Part[] {
  return [answer.upstream, answer.downstream].filter((part) => part !== undefined);
}

/** What the two answers to the first question say together; either may not be there yet, or not be needed. */
function* readFirst(
  variables: PictureVariables,
  full: PictureAnswer | null,
  brief: CompactPictureAnswer | null,
): Steps<Omit<Loaded, "base">> {
  let known = NOTHING;
  if (brief) {
    const short = readCompact(brief);
    yield;
    known = yield* stepMerge(known, short);
  }
  if (full) {
    const nearest = readAnswer(full);
    yield;
    known = yield* stepMerge(known, nearest);
  }
  const parts = listParts<{ ungrouped: number }>(brief ?? full ?? {});
  return { known, parts: describeParts(variables, brief ?? full ?? {}), ungrouped: Math.max(0, ...parts.map((part) => part.ungrouped)) };
}

/** A hop with all that cards show, and where that is too much for one answer, the rest of it in short. */
async function fetchHop(variables: PictureVariables): Promise<{ answers: Answer[]; parts: Part[] }> {
  const full = await fetchAnswer(Picture, variables);
  const parts = listParts(full);
  if (parts.every((part) => part.completeness.total === part.nodes.length))
    return { answers: [readAnswer(full)], parts: describeParts(variables, full) };
  const compact = await fetchAnswer(CompactPicture, variables);
  return { answers: [readCompact(compact), readAnswer(full)], parts: describeParts(variables, compact) };
}

type Half = { completeness: Gaps; ids?: readonly string[]; nodes?: readonly unknown[] };

/** Each direction of an answer is an answer of its own to the question that has its direction. */
function describeParts(
  { of, depth, granularity, asOf, seenSince }: PictureVariables,
  { upstream, downstream }: { upstream?: Half; downstream?: Half },
): Part[] {
  const question = { of, depth, granularity, asOf, seenSince };
  return [
    { side: "up" as const, part: upstream },
    { side: "down" as const, part: downstream },
  ].flatMap(({ side, part }) =>
    part === undefined
      ? []
      : {
          ...{ side, completeness: part.completeness, total: part.completeness.total },
          shown: (part.ids ?? part.nodes ?? []).length,
          question: { ...question, direction: side === "up" ? ("UPSTREAM" as const) : ("DOWNSTREAM" as const) },
        },
  );
}

/** A card of the column level stands for the columns that it shows. */
function listSources(known: Knowledge, id: string): string[] {
  if (known.nodes.has(id)) return [id];
  return [...known.nodes.values()].filter((node) => node.parent?.id === id).map((node) => node.id);
}

function readError(reason: unknown): AnswerError {
  return reason instanceof AnswerError ? reason : new AnswerError("INTERNAL", String(reason));
}

const TRUNCATED = ["NONE", "DEPTH", "NODES", "TIME"] as const;

/** What several answers together do not know: a gap that is in two of them is counted twice rather than not at all. */
export function addCompleteness(answers: readonly Gaps[]): Gaps {
  return answers.slice(1).reduce(
    (sum, one) => ({
      truncated: TRUNCATED.indexOf(one.truncated) > TRUNCATED.indexOf(sum.truncated) ? one.truncated : sum.truncated,
      possibleOnly: sum.possibleOnly + one.possibleOnly,
      undescribed: sum.undescribed + one.undescribed,
      staleEdges: sum.staleEdges + one.staleEdges,
      provisional: sum.provisional + one.provisional,
      unbound: Math.max(sum.unbound, one.unbound),
      silentOnFilters: sum.silentOnFilters + one.silentOnFilters,
      silentProducers: [...new Set([...sum.silentProducers, ...one.silentProducers])],
      asOf: sum.asOf,
      knownLater: sum.knownLater.length > 0 ? sum.knownLater : one.knownLater,
      hidden: [...sum.hidden, ...one.hidden],
      revision: Math.min(sum.revision, one.revision),
      total: sum.total === null || one.total === null ? null : sum.total + one.total,
    }),
    answers[0]!,
  );
}

/** The most nodes of an answer whose jobs and consumers are asked for with their owners; of more there is a compact answer. */
export const MOST_WITH_USERS = 1000;

/** The jobs and consumers of all answers of the picture, and why some or all of them are missing. */
export function useUsers({ parts }: LineageState, { users }: PictureState) {
  const include = [...users].sort();
  const asked = include.length > 0 && parts.length > 0;
  const isLarge = ({ total }: Part) => total === null || total > MOST_WITH_USERS;
  const large = parts.filter(isLarge).map(({ question }) => ({ ...question, include }));
  const small = parts.filter((part) => !isLarge(part)).map(({ question }) => ({ ...question, include, limit: MOST_WITH_USERS }));
  const few = useAnswers(PictureUsers, asked && small.length > 0 ? small : null);
  const many = useAnswers(CompactPictureUsers, asked && large.length > 0 ? large : null);
  const fewAnswers = asked ? (small.length > 0 ? few.data : NO_ANSWERS) : null;
  const manyAnswers = asked ? (large.length > 0 ? many.data : NO_ANSWERS) : null;
  const [error, loading] = [few.error ?? many.error, few.loading || many.loading];
  return useMemo(() => {
    // A compact answer of ten thousand nodes has the jobs of these: the picture says that it has no more nodes.
    const cuts = [...(fewAnswers ?? []), ...(manyAnswers ?? []).filter((one) => one.lineage.completeness.truncated !== "NODES")];
    const gap = findUsersGap(cuts);
    return {
      found: fewAnswers && manyAnswers && gap !== "NODES" ? readUsers(fewAnswers, manyAnswers) : null,
      gap,
      error,
      loading,
      retry() {
        few.retry();
        many.retry();
      },
    };
  }, [fewAnswers, manyAnswers, error, loading, few.retry, many.retry]);
}

const NO_ANSWERS: never[] = [];

/** The flows that were added and removed since the time that the picture is compared with. */
export function useDifference(of: readonly string[], { compare, asOf }: PictureState) {
  const { epoch } = useClientState();
  // One present for all questions of a picture: else each drawing would ask anew.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another comparison or another state of the server has another present
  const now = useMemo(() => new Date().toISOString(), [compare, epoch]);
  const query = useQuery(ChangedFlows, compare === null ? null : { from: compare, to: asOf ?? now, of, limit: MOST_CHANGES });
  const answer = compare === null ? null : query.data;
  const changes = useMemo(() => (answer ? readChanges(answer) : NO_CHANGES), [answer]);
  return { changes, error: query.error, loading: query.loading, retry: query.retry };
}

/** All that an end depends on or reaches, from the server: also what is not in the picture. */
export interface ConeState {
  of: string;
  up: string[];
  down: string[];
  truncated: boolean;
}

const REST_MS = 80;
/** The most ids of a cone on each side; its chip says when there are more. */
const MOST_CONE = 1000;

/** The cone of an asset, asked when the pointer has rested; null until it is there. */
export function useCone(
  of: string | null,
  granularity: "COLUMN" | "DATASET" | "PRODUCT" | "DOMAIN",
  state: PictureState,
): ConeState | null {
  const [cone, setCone] = useState<ConeState | null>(null);
  const { asOf, since } = state;
  useEffect(() => {
    if (of === null) return;
    const controller = new AbortController();
    const timer = window.setTimeout(() => {
      fetchAnswer(Cone, { of: [of], granularity, asOf, seenSince: since, limit: MOST_CONE }, controller.signal).then(
        ({ upstream, downstream }) => {
          if (controller.signal.aborted) return;
          const list = (part: typeof upstream) => part.nodes.map((node) => node.asset.id).filter((id) => id !== of);
          const truncated = [upstream, downstream].some((part) => part.completeness.truncated !== "NONE");
          setCone({ of, up: list(upstream), down: list(downstream), truncated });
        },
        () => undefined, // the picture's own links light up until the server answers again
      );
    }, REST_MS);
    return () => {
      window.clearTimeout(timer);
      controller.abort();
    };
  }, [of, granularity, asOf, since]);
  return cone !== null && cone.of === of ? cone : null;
}
