/** Saves the picture in one of the formats, with what it says of itself. */
import { saveFile } from "../files";
import { formatList, formatTime, type Gap, listGaps } from "../messages";
import type { CompletenessParts } from "../queries/picture";
import type { PictureState } from "./address";
import { buildJson, buildLineTable, buildMermaid, buildPng, buildSvg, buildTable, type Caption } from "./exports";
import { REACHES } from "./model";
import { LIGHT } from "./palette";
import type { Scene } from "./scene";

export const FORMATS = ["svg", "png", "mermaid", "csv", "csv of lines", "json"] as const;
export type Format = (typeof FORMATS)[number];

/** `losses`: what was not loaded. */
export function buildCaption(scene: Scene, state: PictureState, completeness: CompletenessParts | null, losses: readonly Gap[]): Caption {
  const starts = scene.picture.cards.filter((card) => card.node.start).map((card) => card.node.qualifiedName);
  const { view } = state;
  const gaps = [...losses, ...(completeness ? listGaps(completeness) : [])].map((gap) => gap.short);
  const filters = [
    `level ${view.granularity.toLowerCase()}`,
    view.reach.size < REACHES.length ? `drawn in full: ${[...view.reach].join(", ").toLowerCase() || "nothing"}` : "",
    view.grouping === "none" || view.grouping === "auto" ? "" : `grouped by ${view.grouping}`,
    state.compare ? `compared with ${formatTime(state.compare)}` : "",
    state.since ? `seen since ${formatTime(state.since)}` : "",
  ].filter(Boolean);
  return {
    title: `Lineage of ${starts.join(", ") || "nothing"}`,
    lines: [
      `Made ${formatTime(new Date().toISOString())}${state.asOf ? `, as of ${formatTime(state.asOf)}` : ""}, ${filters.join(", ")}`,
      `${scene.picture.shown} of ${scene.picture.shown + scene.picture.hidden} known nodes. ${gaps.length > 0 ? `Not complete: ${formatList(gaps)}` : "Complete"}`,
    ],
  };
}

export async function saveExport(
  format: Format,
  scene: Scene,
  state: PictureState,
  completeness: CompletenessParts | null,
  losses: readonly Gap[],
): Promise<void> {
  const caption = buildCaption(scene, state, completeness, losses);
  const name = caption.title.slice(0, 80);
  if (format === "mermaid") saveFile(`${name}.mmd`, "text/plain", buildMermaid(scene, caption));
  else if (format === "csv") saveFile(`${name}.csv`, "text/csv", buildTable(scene, caption));
  else if (format === "csv of lines") saveFile(`${name} lines.csv`, "text/csv", buildLineTable(scene, caption));
  else if (format === "json") saveFile(`${name}.json`, "application/json", buildJson(scene, caption, window.location.href));
  else {
    const svg = buildSvg(scene, caption, LIGHT);
    if (format === "svg") saveFile(`${name}.svg`, "image/svg+xml", svg);
    else saveFile(`${name}.png`, "image/png", await buildPng(svg));
  }
}
