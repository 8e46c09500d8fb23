/** Fetches what the picture needs: the first answer, each hop and each dataset whose columns are opened by hand, and the cones. */
import { useEffect, useRef, useState } from "react";
import { AnswerError, fetchAnswer, useClientState } from "../client";
import { type CompletenessParts, Cone, Picture } from "../queries/picture";
import type { PictureState } from "./address";
import { readAnswer } from "./answers";
import { type Knowledge, mergeAnswer, NOTHING } from "./model";

/** The most nodes of one answer. */
export const MOST_NODES = 1000;

export interface LineageState {
  known: Knowledge;
  completeness: CompletenessParts | null;
  /** Assets that belong to no group at this granularity and are not drawn. */
  ungrouped: number;
  error: AnswerError | null;
  loading: boolean;
  retry(): void;
}

interface Loaded {
  base: string;
  known: Knowledge;
  answers: CompletenessParts[];
  ungrouped: number;
}

const EMPTY: Loaded = { base: "", known: NOTHING, answers: [], ungrouped: 0 };

export function useLineage(of: readonly string[], state: PictureState): LineageState {
  const { epoch } = useClientState();
  const [tries, setTries] = useState(0);
  const [loaded, setLoaded] = useState<Loaded>(EMPTY);
  const [error, setError] = useState<AnswerError | null>(null);
  const [pending, setPending] = useState(0);
  const asked = useRef(new Set<string>());
  const { view, asOf, since } = state;
  const base = JSON.stringify([of, view.granularity, view.depth, view.sides, asOf, since, epoch, tries]);
  const current = useRef(base);
  current.current = base;

  // biome-ignore lint/correctness/useExhaustiveDependencies: `base` is all of them as text
  useEffect(() => {
    const controller = new AbortController();
    asked.current = new Set();
    const variables = {
      ...{ of, up: view.sides.includes("up"), down: view.sides.includes("down"), depth: view.depth },
      ...{ granularity: view.granularity, asOf, seenSince: since, limit: MOST_NODES },
    };
    setPending((count) => count + 1);
    fetchAnswer(Picture, variables, controller.signal)
      .then(
        (answer) => {
          if (controller.signal.aborted) return;
          const parts = [answer.upstream, answer.downstream].filter((part) => part !== undefined);
          const ungrouped = Math.max(0, ...parts.map((part) => part.ungrouped));
          setError(null);
          setLoaded({ base, known: mergeAnswer(NOTHING, readAnswer(answer)), answers: parts.map((part) => part.completeness), ungrouped });
        },
        (reason: unknown) => {
          if (!controller.signal.aborted) setError(readError(reason));
        },
      )
      .finally(() => setPending((count) => count - 1));
    return () => controller.abort();
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
        ...{ granularity: what === "columns" ? ("COLUMN" as const) : view.granularity, asOf, seenSince: since, limit: MOST_NODES },
      };
      setPending((count) => count + 1);
      fetchAnswer(Picture, variables)
        .then(
          (answer) => {
            if (current.current !== base) return;
            const parts = [answer.upstream, answer.downstream].filter((part) => part !== undefined);
            setLoaded((old) => ({
              ...old,
              known: mergeAnswer(old.known, readAnswer(answer), sources[0]),
              answers: [...old.answers, ...parts.map((part) => part.completeness)],
            }));
          },
          (reason: unknown) => {
            if (current.current === base) setError(readError(reason));
          },
        )
        .finally(() => setPending((count) => count - 1));
    }
  }, [loaded, base, view.open, view.columns]);

  return {
    known: loaded.known,
    completeness: loaded.answers.length > 0 ? addCompleteness(loaded.answers) : null,
    ungrouped: loaded.ungrouped,
    error,
    loading: pending > 0,
    retry: () => setTries((count) => count + 1),
  };
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
export function addCompleteness(answers: readonly CompletenessParts[]): CompletenessParts {
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
      revision: Math.min(sum.revision, one.revision),
    }),
    answers[0]!,
  );
}

/** All that an end depends on or reaches, from the server: also what is not in the picture. */
export interface ConeState {
  of: string;
  up: string[];
  down: string[];
  truncated: boolean;
}

const REST_MS = 80;

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
      fetchAnswer(Cone, { of: [of], granularity, asOf, seenSince: since, limit: MOST_NODES }, controller.signal).then(
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
