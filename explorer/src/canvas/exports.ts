/** The picture as SVG, mermaid, CSV and JSON, written from the model; names are hostile until they are escaped. Pure but for the PNG. */
import { buildCsv } from "../files";
import { cutName, showName } from "../names";
import { captionCard, nameCard, pickGroupColour } from "./drawing";
import { isVeiled } from "./model";
import type { Palette } from "./palette";
import { boxOf, HEAD_HEIGHT, hasFoot, middleOf, pointBox, ROW_HEIGHT, type Scene, shapeOf } from "./scene";
import { DASHES, describeLine, GONE, SHIELD, VEILED } from "./strokes";

/** What every export says of itself. */
export interface Caption {
  title: string;
  /** When it was made, what it was filtered by, how complete it is. */
  lines: string[];
}

const MARGIN = 24;
const LINE_HEIGHT = 20;
const NOT_XML = /[\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export function escapeXml(text: string): string {
  return showName(text)
    .replace(NOT_XML, (one) => `⟨U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`)
    .replace(/[&<>"']/g, (one) => ENTITIES[one]!);
}

export function buildSvg(scene: Scene, caption: Caption, palette: Palette): string {
  const { bounds } = scene;
  const head = MARGIN + LINE_HEIGHT * (caption.lines.length + 1);
  const width = Math.ceil(Math.max(bounds.width, 480) + 2 * MARGIN);
  const height = Math.ceil(bounds.height + 2 * MARGIN + head);
  const write = (x: number, y: number, text: string, style: string) => `<text x="${x}" y="${y}" ${style}>${escapeXml(text)}</text>`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<title>${escapeXml(caption.title)}</title>`,
    `<rect width="${width}" height="${height}" fill="${palette.back}"/>`,
    write(MARGIN, MARGIN + 8, cutName(caption.title, 120), `font-weight="600" font-size="16" fill="${palette.text}"`),
    ...caption.lines.map((line, i) => write(MARGIN, MARGIN + 8 + LINE_HEIGHT * (i + 1), line, `fill="${palette.soft}"`)),
    `<g transform="translate(${round(MARGIN - bounds.x)} ${round(head + MARGIN - bounds.y)})">`,
  ];
  for (const band of scene.bands) {
    const stroke = band.group ? pickGroupColour(band.group.id, palette) : palette.line;
    parts.push(
      `<rect x="${round(band.x)}" y="${round(band.y)}" width="${round(band.width)}" height="${round(band.height)}" fill="${palette.raised}" stroke="${stroke}"/>`,
      write(
        band.x + 8,
        band.y + 18,
        `${cutName(band.group?.name ?? "no group", 60)} · ${band.count}`,
        `font-weight="600" fill="${palette.text}"`,
      ),
    );
  }
  scene.picture.lines.forEach((line, i) => {
    const kept = line.stale || line.provisional ? palette.warn : palette.strongLine;
    const lost = line.change === "fewer" || line.change === "removed";
    const colour = lost ? palette.bad : line.change ? palette.good : kept;
    const dashes = line.change === "removed" ? GONE : isVeiled(line) ? VEILED : DASHES[line.reach];
    const dash = dashes.length > 0 ? ` stroke-dasharray="${dashes.join(" ")}"` : "";
    const faint = line.faint ? ' opacity="0.3"' : "";
    const path = scene.paths[i]!;
    const [x, y] = [path[path.length - 2]!, path[path.length - 1]!];
    parts.push(`<path d="${tracePath(path, scene.back[i] ?? false)}" fill="none" stroke="${colour}" stroke-width="1.5"${dash}${faint}/>`);
    parts.push(`<path d="M${round(x)} ${round(y)}l-8 -4v8z" fill="${colour}"${faint}/>`);
    const signs = describeLine(line);
    const [middleX, middleY] = middleOf(path);
    if (line.masking) parts.push(`<path d="${SHIELD}" transform="translate(${round(middleX)} ${round(middleY)})" fill="${palette.text}"/>`);
    if (signs === "") return;
    parts.push(write(round(middleX), round(middleY) - 8, signs, `text-anchor="middle" font-size="12" fill="${palette.text}"`));
  });
  scene.picture.cards.forEach((card, i) => {
    const box = boxOf(scene, i);
    const dash = DASHES[card.node.reach].length > 0 ? ` stroke-dasharray="${DASHES[card.node.reach].join(" ")}"` : "";
    const bold = card.node.start ? ` stroke-width="2"` : "";
    const shape = shapeOf(card.node);
    const colours = `fill="${shape === "card" ? palette.card : palette.raised}" stroke="${card.node.start ? palette.accent : palette.strongLine}"${bold}${dash}`;
    parts.push(
      shape === "pointed"
        ? `<path d="M${pointBox(box).join(" ")}z" ${colours}/>`
        : `<rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" rx="${shape === "round" ? box.height / 2 : 6}" ${colours}/>`,
    );
    if (card.node.domain && shape === "card")
      parts.push(
        `<rect x="${box.x + 1}" y="${box.y + 6}" width="4" height="${HEAD_HEIGHT - 12}" fill="${pickGroupColour(card.node.domain.id, palette)}"/>`,
      );
    parts.push(
      write(
        box.x + 22,
        box.y + 22,
        `${cutName(nameCard(scene, i), card.node.masked ? 20 : 22)}`,
        `font-weight="600" fill="${palette.text}"`,
      ),
      write(box.x + 22, box.y + 40, cutName(captionCard(scene, i), 26), `font-size="12" fill="${palette.soft}"`),
    );
    if (card.node.masked)
      parts.push(
        `<path d="${SHIELD}" transform="translate(${box.x + box.width - 16} ${box.y + 18})" fill="${palette.text}"><title>masked on every path</title></path>`,
      );
    card.rows.forEach((row, at) => {
      const y = box.y + HEAD_HEIGHT + at * ROW_HEIGHT + 15;
      parts.push(write(box.x + 14, y, cutName(showName(row.name), 22), `font-size="12" fill="${palette.text}"`));
      const type = cutName(showName(row.dataType ?? ""), 10);
      if (type) parts.push(write(box.x + box.width - 10, y, type, `font-size="12" text-anchor="end" fill="${palette.soft}"`));
    });
    if (hasFoot(card))
      parts.push(write(box.x + 14, box.y + box.height - 6, `${card.moreRows} columns not shown`, `font-size="11" fill="${palette.soft}"`));
    const more = [card.moreUp ? `+${card.moreUp} upstream` : "", card.moreDown ? `+${card.moreDown} downstream` : ""]
      .filter(Boolean)
      .join(", ");
    if (more) parts.push(write(box.x + box.width - 4, box.y - 4, more, `font-size="11" text-anchor="end" fill="${palette.soft}"`));
  });
  parts.push("</g>", "</svg>");
  return `${parts.join("\n")}\n`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function tracePath(path: Float32Array, straight: boolean): string {
  let text = `M${round(path[0]!)} ${round(path[1]!)}`;
  for (let i = 2; i < path.length; i += 2) {
    const [fromX, fromY, x, y] = [path[i - 2]!, path[i - 1]!, path[i]!, path[i + 1]!];
    const middle = round((fromX + x) / 2);
    text +=
      straight || fromY === y ? `L${round(x)} ${round(y)}` : `C${middle} ${round(fromY)} ${middle} ${round(y)} ${round(x)} ${round(y)}`;
  }
  return text;
}

/** A text within quotes in mermaid: what its syntax or a renderer could read as more than text becomes an entity code. */
export function escapeMermaid(text: string): string {
  return Array.from(showName(text), (one) => (/[\p{L}\p{N} _.,:/()+=⟨⟩·-]/u.test(one) ? one : `#${one.codePointAt(0)};`)).join("");
}

const MERMAID_SHAPES = { card: ["[", "]"], round: ["([", "])"], pointed: [">", "]"] } as const;
const ARROWS = { DIRECT: "-->", INDIRECT: "-.->", POSSIBLE: "-.->" } as const;

export function buildMermaid(scene: Scene, caption: Caption): string {
  const { cards, lines } = scene.picture;
  const text = [...[caption.title, ...caption.lines].map((line) => `%% ${escapeMermaid(line)}`), "flowchart LR"];
  cards.forEach((card, i) => {
    const more = [card.moreUp ? `+${card.moreUp} upstream` : "", card.moreDown ? `+${card.moreDown} downstream` : ""]
      .filter(Boolean)
      .join(", ");
    const [open, close] = MERMAID_SHAPES[shapeOf(card.node)];
    text.push(`  n${i}${open}"${escapeMermaid(cutName(showName(card.node.name), 80))}${more ? ` (${more})` : ""}"${close}`);
  });
  const pairs = new Map<string, string>();
  for (const line of lines) {
    const signs = [
      line.reach === "DIRECT" ? "" : line.reach.toLowerCase(),
      line.masking ? "masking" : "",
      line.stale ? "stale" : "",
      line.change === "removed" ? "gone" : line.change ? "flows changed" : "",
    ].filter(Boolean);
    const label = signs.length > 0 ? `|"${signs.join(", ")}"|` : "";
    const key = `n${line.from} n${line.to}`;
    if (!pairs.has(key)) pairs.set(key, `  n${line.from} ${ARROWS[line.reach]}${label} n${line.to}`);
  }
  return `${[...text, ...pairs.values()].join("\n")}\n`;
}

export function buildTable(scene: Scene, caption: Caption): string {
  const notes = [caption.title, ...caption.lines].map((line) => [`# ${line}`]);
  const rows = scene.picture.cards.map(({ node, hop, moreUp, moreDown, members }) => [
    ...[node.id, node.kind, node.name, node.qualifiedName, hop, node.reach, node.masked],
    ...[node.domain?.name ?? "", node.product?.name ?? "", node.owners.map((owner) => owner.name).join("; ")],
    ...[moreUp, moreDown, members.length],
  ]);
  const head = [
    "id",
    "kind",
    "name",
    "qualified name",
    "hop",
    "reach",
    "masked",
    "domain",
    "product",
    "owners",
    "more upstream",
    "more downstream",
    "inside",
  ];
  return buildCsv([...notes, head, ...rows]);
}

/** The lines as rows, one for each pair of ends: in a table of their own, as spreadsheets read one table of a file. */
export function buildLineTable(scene: Scene, caption: Caption): string {
  const { cards, lines } = scene.picture;
  const notes = [caption.title, ...caption.lines].map((line) => [`# ${line}`]);
  const name = (card: number, row: number) => {
    const { node, rows } = cards[card]!;
    return row < 0 ? [node.id, node.qualifiedName] : [rows[row]!.id, `${node.qualifiedName}.${rows[row]!.name}`];
  };
  const rows = lines.map((line) => [
    ...name(line.from, line.fromRow),
    ...name(line.to, line.toRow),
    ...[line.reach, line.masking, line.stale, line.provisional, line.edges.reduce((sum, edge) => sum + edge.count, 0)],
    [...new Set(line.edges.flatMap((edge) => edge.jobs.map((job) => job.name)))].join("; "),
    line.change ?? "",
  ]);
  const head = ["from id", "from", "to id", "to", "reach", "masking", "stale", "provisional", "flows", "jobs", "change"];
  return buildCsv([...notes, head, ...rows]);
}

export function buildJson(scene: Scene, caption: Caption, address: string): string {
  const { cards, lines, hidden } = scene.picture;
  const content = {
    title: caption.title,
    notes: caption.lines,
    address,
    hidden,
    nodes: cards.map(({ node, hop, rows, moreUp, moreDown, members }) => ({
      ...{ id: node.id, kind: node.kind, name: node.name, qualifiedName: node.qualifiedName, hop, reach: node.reach, masked: node.masked },
      ...{ domain: node.domain, product: node.product, owners: node.owners, moreUp, moreDown },
      ...{ columns: rows.map((row) => row.id), members: members.map((member) => member.id) },
    })),
    edges: lines.flatMap((line) => line.edges.map((edge) => (line.change ? { ...edge, change: line.change } : edge))),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

const MOST_PIXELS = 16_000;

/** A PNG of the SVG, at twice its size where a canvas can be that large. */
export async function buildPng(svg: string): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const scale = Math.min(2, MOST_PIXELS / image.naturalWidth, MOST_PIXELS / image.naturalHeight);
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(image.naturalWidth * scale);
    canvas.height = Math.round(image.naturalHeight * scale);
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob(
        (blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large for a PNG; save it as SVG."))),
        "image/png",
      );
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}
