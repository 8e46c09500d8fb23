/** The stops of the time line: one before all changes, one behind each span with changes, and the present. Pure. */
import type { TimeLineAnswer } from "../queries/picture";

export interface Stop {
  /** Null: the present. */
  at: string | null;
  /** What changed up to here since the stop before. */
  words: string;
}

export function listStops(changes: TimeLineAnswer["changes"]): Stop[] {
  const real = changes.filter((one) => one.added + one.removed + one.moved > 0);
  const present: Stop = { at: null, words: "" };
  if (real.length === 0) return [present];
  return [
    { at: real[0]!.at, words: "before these changes" },
    ...real.map(({ until, added, removed, moved }) => ({
      at: until,
      words: [added > 0 ? `${added} added` : "", removed > 0 ? `${removed} removed` : "", moved > 0 ? `${moved} renamed or dropped` : ""]
        .filter(Boolean)
        .join(", "),
    })),
    present,
  ];
}

/** The last stop that is not after a time. */
export function findStop(stops: readonly Stop[], at: string | null): number {
  if (at === null) return stops.length - 1;
  const time = Date.parse(at);
  let found = 0;
  stops.forEach((stop, i) => {
    if (stop.at !== null && Date.parse(stop.at) <= time) found = i;
  });
  return found;
}
