/** Files that the page writes: CSV that no spreadsheet runs as a formula, and saving. */
import { showName } from "./names";

const FORMULA = /^[=+\-@\t\r|%]/;

/** One field: hidden characters shown, a formula made text, quoted if it needs it. */
export function guardCsv(value: string | number | boolean | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const shown = showName(value);
  const text = FORMULA.test(shown.trimStart()) || FORMULA.test(value) ? `'${shown}` : shown;
  return /[",;\n\r]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

export function buildCsv(rows: readonly (readonly (string | number | boolean | null | undefined)[])[]): string {
  return rows.map((row) => `${row.map(guardCsv).join(",")}\r\n`).join("");
}

/** Gives the user a file to save. */
export function saveFile(name: string, type: string, content: BlobPart): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name.replace(/[^\w.-]+/g, "-").slice(0, 120);
  document.body.append(link);
  link.click();
  link.remove();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A word for a POSIX shell, quoted if it needs it; hidden characters written so that a terminal shows them. */
export function quoteShell(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (showName(text) === text) return `'${text.replaceAll("'", "'\\''")}'`;
  const escaped = Array.from(text, (one) => {
    if (one === "'" || one === "\\") return `\\${one}`;
    if (showName(one) === one) return one;
    const code = one.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
  return `$'${escaped.join("")}'`;
}
