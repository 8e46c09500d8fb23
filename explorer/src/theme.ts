/** Light, dark, or as the system; kept on this machine, as it is no secret. */
import { useSyncExternalStore } from "react";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "meshline.theme";
const listeners = new Set<() => void>();
let current: Theme = readTheme();

function readTheme(): Theme {
  try {
    const kept = window.localStorage.getItem(KEY);
    return THEMES.find((one) => one === kept) ?? "system";
  } catch {
    return "system"; // storage may be forbidden
  }
}

export function setTheme(next: Theme): void {
  current = next;
  try {
    window.localStorage.setItem(KEY, next);
  } catch {
    // Then the choice lasts until the page is closed.
  }
  applyTheme();
  for (const listener of listeners) listener();
}

/** Writes the choice to the root element, where the stylesheet reads it. */
export function applyTheme(): void {
  if (current === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = current;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  const media = window.matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    media.removeEventListener("change", listener);
  };
}

export function useTheme(): { theme: Theme; dark: boolean } {
  const theme = useSyncExternalStore(subscribe, () => current);
  const dark = useSyncExternalStore(subscribe, () =>
    current === "system" ? window.matchMedia("(prefers-color-scheme: dark)").matches : current === "dark",
  );
  return { theme, dark };
}
