/** Work that is too long for one task, done in slices: between them the page answers to keys and pointers. */
import { useEffect, useMemo, useRef, useState } from "react";

/** Work that stops now and then, so that it can be put off. */
export type Steps<Value> = Generator<void, Value>;

/** The longest slice. A step can end it later, so it is well below the 50 ms that a reader notices. */
const SLICE_MS = 12;
/** So many items of a loop are one step. */
export const STEP_ITEMS = 64;

export function finish<Value>(steps: Steps<Value>): Value {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

export interface Clock {
  now(): number;
  later(work: () => void): void;
}

interface Scheduler {
  postTask(work: () => void): Promise<void>;
}

const CLOCK: Clock = {
  now: () => performance.now(),
  later(work) {
    const { scheduler } = globalThis as { scheduler?: Scheduler };
    if (scheduler) void scheduler.postTask(work);
    else setTimeout(work);
  },
};

/** Runs the steps, the first slice at once. Returns what stops them: then there is neither a value nor an error. */
export function runInSlices<Value>(
  steps: Steps<Value>,
  onValue: (value: Value) => void,
  onError: (error: unknown) => void,
  clock: Clock = CLOCK,
): () => void {
  let stopped = false;
  const run = () => {
    const end = clock.now() + SLICE_MS;
    while (!stopped) {
      let step: IteratorResult<void, Value>;
      try {
        step = steps.next();
      } catch (error) {
        return onError(error);
      }
      if (step.done) return onValue(step.value);
      if (clock.now() >= end) return clock.later(run);
    }
  };
  run();
  return () => {
    stopped = true;
  };
}

/**
 * What the steps give, and whether it is that of these steps. Small work is done at once, large work in slices of its own; until it
 * is done the value before it remains. `begin` must be memoized: another one is other work.
 */
export function useSlices<Value>(begin: () => Steps<Value>, large: boolean, first: Value): [value: Value, current: boolean] {
  const [found, setFound] = useState<{ begin: () => Steps<Value>; value?: Value; error?: unknown }>();
  const shown = useRef(first);
  const small = useMemo(() => (large ? null : { value: finish(begin()) }), [begin, large]);
  useEffect(() => {
    if (!large) return;
    let stop = () => {};
    let stopped = false;
    // Not in the task of the drawing that asks for it.
    CLOCK.later(() => {
      if (stopped) return;
      stop = runInSlices(
        begin(),
        (value) => setFound({ begin, value }),
        (error) => setFound({ begin, error }),
      );
    });
    return () => {
      stopped = true;
      stop();
    };
  }, [begin, large]);
  const current = small !== null || found?.begin === begin;
  if (small === null && current && found?.error !== undefined) throw found.error;
  if (current) shown.current = small ? small.value : (found!.value as Value);
  return [shown.current, current];
}
