/** The time that all pages show: one control in the frame, kept in the address, and a banner when it is not the present. */
import { type FormEvent, useEffect, useId, useState } from "react";
import { announce } from "./announcer";
import { type Operation, type QueryState, useQuery } from "./client";
import { changeHref, navigate, readTime, usePlace } from "./location";
import { text } from "./messages";
import { When } from "./parts";
import { type AssetLink, Names } from "./queries/search";
import { fixTimes, parseTime, writeLocal } from "./times";

/** The time that the page shows in ISO form; null: the present. */
export function usePast(): string | null {
  return readTime(usePlace().search, "asOf");
}

/** Replaces words such as `yesterday` in the address by times. Whether the address is still to be replaced. */
export function useFixedTimes(): boolean {
  const place = usePlace();
  const fixed = fixTimes(place.search);
  useEffect(() => {
    if (fixed !== null) navigate(`${place.path}?${fixed}`, { replace: true, exact: true });
  });
  return fixed !== null;
}

const WORDS = ["an hour ago", "yesterday", "a week ago", "a month ago"];

export function TimeControl() {
  const place = usePlace();
  const id = useId();
  const [open, setOpen] = useState(false);
  const [refused, setRefused] = useState(false);
  const asOf = usePast();
  const show = (given: string) => {
    const time = given.trim() === "" ? null : parseTime(given);
    setRefused(time === null && given.trim() !== "");
    if (time === null && given.trim() !== "") return;
    setOpen(false);
    navigate(changeHref(place, { asOf: time }), { exact: true });
    announce(time === null ? text.present : text.past);
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    show(String(given.get("words") || given.get("time") || ""));
  };
  return (
    <>
      <button
        type="button"
        id="page-time"
        className={asOf === null ? undefined : "main-button"}
        aria-expanded={open}
        aria-controls={id}
        onClick={() => {
          setRefused(false);
          setOpen(!open);
        }}
      >
        {asOf === null ? text.time : text.timePast}
      </button>
      <form
        id={id}
        className="time-form"
        hidden={!open}
        onSubmit={submit}
        onKeyDown={(event) => event.key === "Escape" && setOpen(false)}
        key={asOf}
      >
        <p>{text.timeHelp}</p>
        <div className="row">
          {WORDS.map((words) => (
            <button key={words} type="button" onClick={() => show(words)}>
              {words}
            </button>
          ))}
          {asOf !== null && (
            <button type="button" onClick={() => show("")}>
              {text.showPresent}
            </button>
          )}
        </div>
        <div className="row row-end">
          <label className="field">
            <span>{text.timeWords}</span>
            <input name="words" placeholder="3 days ago" maxLength={40} autoComplete="off" aria-invalid={refused} />
          </label>
          <label className="field">
            <span>{text.timeExact}</span>
            <input type="datetime-local" name="time" defaultValue={asOf ? writeLocal(asOf) : ""} />
          </label>
          <button type="submit" className="main-button">
            {text.showPast}
          </button>
        </div>
        {refused && <p role="alert">{text.timeRefused}</p>}
      </form>
    </>
  );
}

/** `follows`: whether the page shows that time; if not, the banner says what it shows. */
export function PastBanner({ follows, instead = text.pastUnknown }: { follows: boolean; instead?: string | undefined }) {
  const place = usePlace();
  const asOf = usePast();
  const given = place.search.get("asOf");
  if (!given) return null;
  const back = (
    <button type="button" onClick={() => navigate(changeHref(place, { asOf: null }), { exact: true })}>
      {text.showPresent}
    </button>
  );
  if (asOf === null)
    return (
      <div className="notice warn row" role="status">
        {text.timeUnread} {back}
      </div>
    );
  return (
    <div className="notice warn row past" role="status">
      <span>
        {follows ? (
          <>
            <span className="strong">{text.past}</span> <When at={asOf} />
            {new Date(asOf).getTime() > Date.now() && ` ${text.future}`}
          </>
        ) : (
          instead
        )}
      </span>{" "}
      {back}
    </div>
  );
}

/** An answer as of the time that the page shows. */
export function usePastQuery<Answer, Variables extends { asOf?: string | null | undefined }>(
  operation: Operation<Answer, Variables>,
  variables: Variables | null,
): QueryState<Answer> {
  const asOf = usePast();
  return useQuery(operation, variables && { ...variables, asOf });
}

/** Assets by id: as of the time that the page shows, else as they are now; those that neither knows are left out. */
export function useNames(ids: readonly string[]): { starts: AssetLink[]; loading: boolean } {
  const query = usePastQuery(Names, ids.length > 0 ? { ids } : null);
  const { data } = query;
  if (ids.length === 0 || data === null) return { starts: [], loading: query.loading };
  return { starts: data.nodes.flatMap((one, index) => one ?? data.present[index] ?? []), loading: query.loading };
}
