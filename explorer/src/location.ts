/** The address of the page: the path says which page, the parameters say what it shows. */
import { useMemo, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();

function notify(): void {
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", notify);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) window.removeEventListener("popstate", notify);
  };
}

/** Goes to an address of this page; `replace` leaves no step for the back button, `exact` does not take the time of the page along. */
export function navigate(given: string, { replace = false, exact = false }: { replace?: boolean; exact?: boolean } = {}): void {
  const href = exact ? given : keepTime(given);
  if (href === readHref()) return;
  if (replace) window.history.replaceState(null, "", href);
  else window.history.pushState(null, "", href);
  notify();
}

/** An address of this page with the time that is shown now, unless it has one: a look at the past stays there. */
export function keepTime(href: string): string {
  const asOf = new URLSearchParams(window.location.search).get("asOf");
  if (!asOf) return href;
  const [path, query = ""] = splitOnce(href, "?");
  const search = new URLSearchParams(query);
  if (search.has("asOf")) return href;
  search.set("asOf", asOf);
  return `${path}?${search}`;
}

function readHref(): string {
  return window.location.pathname + window.location.search;
}

export interface Place {
  path: string;
  search: URLSearchParams;
}

/** The address of the page that is shown, without that of the server. */
export function useHref(): string {
  return useSyncExternalStore(subscribe, readHref);
}

export function usePlace(): Place {
  const href = useHref();
  return useMemo(() => {
    const [path = "/", query = ""] = splitOnce(href, "?");
    return { path, search: new URLSearchParams(query) };
  }, [href]);
}

function splitOnce(text: string, mark: string): [string, string?] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

export type Parameters = Record<string, string | readonly string[] | number | null | undefined>;

/** An address with parameters; null, empty and missing ones are left out. */
export function buildHref(path: string, parameters: Parameters = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    const text = Array.isArray(value) ? value.join(",") : value;
    if (text !== null && text !== undefined && text !== "") search.set(name, String(text));
  }
  const query = search.toString();
  return query ? `${path}?${query}` : path;
}

/** The current address with some parameters changed; unknown ones are kept. */
export function changeHref(place: Place, parameters: Parameters): string {
  return buildHref(place.path, { ...Object.fromEntries(place.search), ...parameters });
}

export function buildAssetHref(id: string): string {
  return `/a/${encodeURIComponent(id)}`;
}

export function buildRunHref(id: string): string {
  return `/runs/${encodeURIComponent(id)}`;
}

/** Several ids in one parameter. */
export function readList(search: URLSearchParams, name: string): string[] {
  return (search.get(name) ?? "").split(",").filter(Boolean);
}

/** One of the allowed values, in any case, or the fallback. */
export function readChoice<Value extends string>(search: URLSearchParams, name: string, allowed: readonly Value[], fallback: Value): Value {
  const given = search.get(name)?.toLowerCase();
  return allowed.find((one) => one.toLowerCase() === given) ?? fallback;
}

/** A time of the address in ISO form, or null if there is none or it is no time. */
export function readTime(search: URLSearchParams, name: string): string | null {
  const given = search.get(name);
  if (!given) return null;
  const time = new Date(given.replace(/ (\d\d:?\d\d)$/, "+$1")); // a `+` of an address is read as a space
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
}
