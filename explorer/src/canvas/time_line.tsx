/** The times at which flows of the picture changed, as a slider for the time that is shown, and one for the time that it is compared with. */
import { useEffect, useId, useMemo, useRef, useState } from "react";
import { useQuery } from "../client";
import { formatTime } from "../messages";
import { Answered } from "../parts";
import { TimeLine as Changes } from "../queries/picture";
import type { PictureState } from "./address";
import { isUser, type Picture } from "./model";
import { findStop, listStops, type Stop } from "./stops";

const DAYS = 365;
/** Flows of more assets than this are not asked for one by one: then the changes are those of the whole mesh. */
const MOST_ASSETS = 200;
const REST_MS = 250;

export interface TimeLineProps {
  picture: Picture;
  state: PictureState;
  onChange(part: Partial<PictureState>): void;
}

export function TimeLine({ picture, state, onChange }: TimeLineProps) {
  const [open, setOpen] = useState(false);
  const [range] = useState(() => ({
    from: new Date(Date.now() - DAYS * 86_400_000).toISOString(),
    to: new Date().toISOString(),
  }));
  const cards = picture.cards.filter(({ node }) => !isUser(node));
  const assets = cards.filter(({ node }) => node.kind === "DATASET" || node.kind === "COLUMN").map((card) => card.id);
  const of = assets.length > 0 && assets.length === cards.length && assets.length <= MOST_ASSETS ? [...assets].sort() : null;
  const query = useQuery(Changes, open ? { ...range, of, bucket: "DAY" } : null);
  return (
    <details className="canvas-times" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Time line</summary>
      {open && (
        <Answered query={query}>
          {({ changes }) => {
            const stops = listStops(changes);
            return stops.length === 1 ? (
              <p>No flow changed in the last year.</p>
            ) : (
              <div className="stack">
                <p className="soft">
                  {stops.length - 2} {stops.length === 3 ? "day" : "days"} of the last year on which flows{" "}
                  {of === null ? "of the mesh" : "of what is shown"} changed.
                </p>
                <Slider label="Shown" stops={stops} at={state.asOf} onPick={(asOf) => onChange({ asOf })} />
                <Slider label="Compared with" stops={stops} at={state.compare} onPick={(compare) => onChange({ compare })} />
              </div>
            );
          }}
        </Answered>
      )}
    </details>
  );
}

function Slider({ label, stops, at, onPick }: { label: string; stops: Stop[]; at: string | null; onPick(at: string | null): void }) {
  const ticks = useId();
  const given = useMemo(() => findStop(stops, at), [stops, at]);
  const [picked, setPicked] = useState(given);
  const timer = useRef(0);
  useEffect(() => setPicked(given), [given]);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const stop = stops[picked] ?? stops.at(-1)!;
  const words = `${stop.at === null ? (label === "Shown" ? "now" : "nothing") : formatTime(stop.at)}${stop.words && `: ${stop.words}`}`;
  return (
    <label className="row">
      {label}
      <input
        type="range"
        min={0}
        max={stops.length - 1}
        step={1}
        list={ticks}
        value={picked}
        aria-valuetext={words}
        onChange={(event) => {
          const next = Number(event.target.value);
          setPicked(next);
          window.clearTimeout(timer.current);
          timer.current = window.setTimeout(() => onPick(stops[next]!.at), REST_MS);
        }}
      />
      <datalist id={ticks}>
        {stops.map((_, i) => (
          <option key={i} value={i} />
        ))}
      </datalist>
      <output>{words}</output>
    </label>
  );
}
