/** What the picture shows: level, directions, reach, groups, overlay, time, find, link and files. */
import { type RefObject, useEffect, useState } from "react";
import { writeLocal } from "../times";
import type { PictureState } from "./address";
import { nameReach } from "./details";
import { FORMATS, type Format } from "./export_menu";
import { OVERLAYS, type Overlay, type Tone } from "./marks";
import { GRANULARITIES, type Granularity, type Grouping, type Picture, REACHES, type Side, type View } from "./model";
import { TimeLine } from "./time_line";
import { USERS } from "./users";

export interface ControlsProps {
  state: PictureState;
  picture: Picture;
  tones: Record<Tone, number>;
  sought: string;
  found: number;
  findBox: RefObject<HTMLInputElement | null>;
  singleKeys: boolean;
  /** A change that is begun in the picture and completed here. */
  draft: string;
  mostDepth: number;
  onChange(part: Partial<PictureState>): void;
  onView(part: Partial<View>): void;
  onSought(text: string): void;
  onStep(direction: 1 | -1): void;
  onSingleKeys(on: boolean): void;
  onCopy(): void;
  onExport(format: Format): void;
}

const LEVELS: Record<Granularity, string> = { DOMAIN: "Domain", PRODUCT: "Product", DATASET: "Dataset", COLUMN: "Column" };
const TONES: Record<Overlay, Record<Tone, string>> = {
  none: { good: "", warn: "", bad: "", none: "" },
  quality: { good: "passing", warn: "passing in part", bad: "failing", none: "without result" },
  freshness: { good: "within a day", warn: "within a week", bad: "older", none: "never observed" },
  owner: { good: "owned", warn: "no owner", bad: "", none: "" },
  policy: { good: "nothing broken", warn: "", bad: "broken", none: "" },
  change: { good: "safe", warn: "to be reviewed", bad: "break", none: "on no path to a hit" },
};

export function Controls(props: ControlsProps) {
  const { state, picture, onView, onChange } = props;
  const { view } = state;
  const direction = view.sides.length === 2 ? "both" : view.sides[0]!;
  const inUse = state.overlay !== "none" || state.compare !== null || state.users.size > 0;
  const closed = { open: new Set<string>(), shut: new Set<string>() };
  // What is set there is seen; else the picture begins higher. What is set no more does not fold away under the hand that ended it.
  const [unfolded, setUnfolded] = useState(inUse);
  useEffect(() => {
    if (inUse) setUnfolded(true);
  }, [inUse]);
  return (
    <div className="canvas-tools">
      <fieldset>
        <legend>Level</legend>
        {GRANULARITIES.map((one) => (
          <label key={one}>
            <input
              type="radio"
              name="granularity"
              checked={view.granularity === one}
              onChange={() => onView({ granularity: one, ...closed, columns: new Set() })}
            />
            {LEVELS[one]}
          </label>
        ))}
      </fieldset>
      <fieldset>
        <legend>Reach</legend>
        {REACHES.map((one) => (
          <label key={one}>
            <input
              type="checkbox"
              checked={view.reach.has(one)}
              onChange={() => {
                const reach = new Set(view.reach);
                if (!reach.delete(one)) reach.add(one);
                onView({ reach });
              }}
            />
            <span className={`canvas-swatch ${one.toLowerCase()}`} aria-hidden="true" />
            {nameReach(one)} ({picture.byReach[one]})
          </label>
        ))}
      </fieldset>
      <label>
        Find
        <input
          ref={props.findBox}
          type="search"
          value={props.sought}
          placeholder="in the picture"
          onChange={(event) => props.onSought(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") props.onStep(event.shiftKey ? -1 : 1);
          }}
        />
      </label>
      {props.sought !== "" && <span className="soft">{props.found} found</span>}
      <button type="button" onClick={props.onCopy}>
        Copy link
      </button>
      <label>
        Save
        <select
          value=""
          onChange={(event) => {
            const format = FORMATS.find((one) => one === event.target.value);
            if (format) props.onExport(format);
          }}
        >
          <option value="">as …</option>
          {FORMATS.map((one) => (
            <option key={one} value={one}>
              {one === "mermaid" ? "Mermaid" : one.replace(/^\w+/, (word) => word.toUpperCase())}
            </option>
          ))}
        </select>
      </label>
      <details
        className="canvas-more"
        open={unfolded}
        onToggle={({ target, currentTarget }) => target === currentTarget && setUnfolded(currentTarget.open)}
      >
        <summary>More</summary>
        <div>
          <label>
            Direction
            <select
              value={direction}
              onChange={(event) => {
                const sides: Side[] = event.target.value === "both" ? ["up", "down"] : [event.target.value as Side];
                onView({ sides, ...closed });
              }}
            >
              <option value="both">both</option>
              <option value="up">upstream</option>
              <option value="down">downstream</option>
            </select>
          </label>
          <label>
            Hops
            <input
              type="number"
              min={1}
              max={props.mostDepth}
              value={view.depth}
              style={{ width: "4.5rem" }}
              onChange={(event) => {
                const depth = Number(event.target.value);
                if (Number.isInteger(depth) && depth >= 1 && depth <= props.mostDepth) onView({ depth });
              }}
            />
          </label>
          <label>
            Group by
            <select value={view.grouping} onChange={(event) => onView({ grouping: event.target.value as Grouping, closed: new Set() })}>
              <option value="auto">by itself</option>
              <option value="none">nothing</option>
              <option value="domain">domain</option>
              <option value="product">product</option>
              <option value="namespace">namespace</option>
            </select>
          </label>
          {USERS.map((one) => (
            <label key={one}>
              <input
                type="checkbox"
                checked={state.users.has(one)}
                onChange={() => {
                  const users = new Set(state.users);
                  if (!users.delete(one)) users.add(one);
                  onChange({ users });
                }}
              />
              {one === "JOB" ? "Jobs" : "Consumers"}
            </label>
          ))}
          <label>
            Overlay
            <select value={state.overlay} onChange={(event) => onChange({ overlay: event.target.value as Overlay })}>
              {OVERLAYS.map((one) => (
                <option key={one} value={one}>
                  {one}
                </option>
              ))}
            </select>
          </label>
          {state.overlay === "change" && (
            <form
              className="row"
              onSubmit={(event) => {
                event.preventDefault();
                onChange({ words: String(new FormData(event.currentTarget).get("words") ?? "").trim() });
              }}
            >
              <label>
                Change
                <input
                  id="canvas-words"
                  name="words"
                  key={props.draft || state.words}
                  defaultValue={props.draft || state.words}
                  placeholder="drop orders.email"
                  size={28}
                />
              </label>
              <button type="submit">Show what breaks</button>
            </form>
          )}
          {state.overlay !== "none" && (
            <span className="soft" data-legend={state.overlay}>
              {(["good", "warn", "bad", "none"] as const)
                .filter((tone) => TONES[state.overlay][tone] !== "" && props.tones[tone] > 0)
                .map((tone) => `${props.tones[tone]} ${TONES[state.overlay][tone]}`)
                .join(" · ")}
            </span>
          )}
          <label>
            Compare with
            <input
              type="datetime-local"
              value={state.compare ? writeLocal(state.compare) : ""}
              onChange={(event) => onChange({ compare: event.target.value ? new Date(event.target.value).toISOString() : null })}
            />
          </label>
          <TimeLine picture={picture} state={state} onChange={onChange} />
          <details id="canvas-keys">
            <summary>Keys</summary>
            <p>
              In the list: ← upstream, → downstream, ↑ ↓ rows, Enter opens, Space pins, E and Shift+E open a hop downstream and upstream, −
              closes it, O columns, S finds a column of a wide dataset, Shift+F10 or the Menu key the actions, F fit, 0 = 100 %, + and &lt;
              zoom, Shift+arrows move the picture, / find, N next, R reach, G level, W why, X folds a row, L the list alone, T the time, ?
              these keys, C copies the link, Esc goes back.
            </p>
            <label>
              <input type="checkbox" checked={props.singleKeys} onChange={(event) => props.onSingleKeys(event.target.checked)} />
              Single letters act
            </label>
          </details>
        </div>
      </details>
    </div>
  );
}
