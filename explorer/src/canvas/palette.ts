/** The colours of the drawing: the page's own properties, read once per theme; system colours where the user forces them. */

export interface Palette {
  back: string;
  card: string;
  raised: string;
  text: string;
  soft: string;
  line: string;
  strongLine: string;
  accent: string;
  onAccent: string;
  focus: string;
  good: string;
  warn: string;
  bad: string;
  font: string;
  groups: readonly string[];
}

const GROUPS_LIGHT = ["#1f5f8b", "#8a4b08", "#2c6e49", "#7a3b8f", "#a3333d", "#4b5d16", "#0f6b74", "#6b4f3a", "#394a9e", "#8c2f6b"];
const GROUPS_DARK = ["#6db3e8", "#e0a458", "#7cc79a", "#c99be0", "#ee8f96", "#b5c86a", "#6fcdd6", "#cbb09a", "#9aa8f0", "#e58fc4"];

/** For exports, which are light unless asked otherwise. */
export const LIGHT: Palette = {
  ...{ back: "#f6f7f9", card: "#ffffff", raised: "#eef1f5", text: "#16202b", soft: "#4d5b6a", line: "#d4dae1", strongLine: "#7a8896" },
  ...{ accent: "#1f5f8b", onAccent: "#ffffff", focus: "#0b5fff", good: "#1d6b33", warn: "#7d4e00", bad: "#a81e1e" },
  ...{ font: "system-ui, sans-serif", groups: GROUPS_LIGHT },
};

const FORCED: Palette = {
  ...{
    back: "Canvas",
    card: "Canvas",
    raised: "Canvas",
    text: "CanvasText",
    soft: "CanvasText",
    line: "CanvasText",
    strongLine: "CanvasText",
  },
  ...{ accent: "LinkText", onAccent: "Canvas", focus: "Highlight", good: "CanvasText", warn: "CanvasText", bad: "CanvasText" },
  ...{ font: "system-ui, sans-serif", groups: ["CanvasText"] },
};

export function readPalette(dark: boolean): Palette {
  if (window.matchMedia("(forced-colors: active)").matches) return FORCED;
  const style = getComputedStyle(document.documentElement);
  const read = (name: string, fallback: string) => style.getPropertyValue(name).trim() || fallback;
  return {
    back: read("--back", LIGHT.back),
    card: read("--card", LIGHT.card),
    raised: read("--raised", LIGHT.raised),
    text: read("--text", LIGHT.text),
    soft: read("--soft", LIGHT.soft),
    line: read("--line", LIGHT.line),
    strongLine: read("--strong-line", LIGHT.strongLine),
    accent: read("--accent", LIGHT.accent),
    onAccent: read("--on-accent", LIGHT.onAccent),
    focus: read("--focus", LIGHT.focus),
    good: read("--good", LIGHT.good),
    warn: read("--warn", LIGHT.warn),
    bad: read("--bad", LIGHT.bad),
    font: read("--font", LIGHT.font),
    groups: dark ? GROUPS_DARK : GROUPS_LIGHT,
  };
}
