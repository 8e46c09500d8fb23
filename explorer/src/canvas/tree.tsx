/** The picture as a tree for keyboards and screen readers: one tab stop, roving focus, and only the rows near the window in the document. */
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { cutName } from "../names";
import type { OutlineRow } from "./outline";

export interface TreeProps {
  rows: readonly OutlineRow[];
  focus: string | null;
  /** Whether what is below a row is shown. */
  isOpen(row: OutlineRow): boolean;
  found: ReadonlySet<string>;
  onFocus(id: string): void;
  onKey(event: KeyboardEvent, row: OutlineRow): void;
  onOpen(id: string): void;
  onFold(id: string): void;
  onMenu(id: string, at: { x: number; y: number }): void;
}

const ROW = 30;
const SPARE = 12;
const LONGEST = 60;

/** What is seen of a long name is a part of what is said of it (WCAG 2.5.3); the whole name comes last. */
function labelRow({ name, label }: OutlineRow): string {
  const seen = cutName(name, LONGEST);
  return seen === name ? label : `${seen}${label.slice(name.length)}, ${name}`;
}

export function Tree({ rows, focus, isOpen, found, onFocus, onKey, onOpen, onFold, onMenu }: TreeProps) {
  const box = useRef<HTMLDivElement>(null);
  const [part, setPart] = useState({ top: 0, height: 600 });
  const at = Math.max(
    0,
    rows.findIndex((row) => row.id === focus),
  );
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const top = at * ROW;
    if (top < element.scrollTop || top + ROW > element.scrollTop + element.clientHeight)
      element.scrollTop = Math.max(0, top - element.clientHeight / 2);
  }, [at]);
  // The focus moves with the row, but only if it is in the tree: a click on the picture must not scroll the page.
  useEffect(() => {
    const element = box.current;
    if (!element?.contains(document.activeElement)) return;
    element.querySelector<HTMLElement>('[tabindex="0"]')?.focus({ preventScroll: true });
  });
  const first = Math.max(0, Math.floor(part.top / ROW) - SPARE);
  const last = Math.min(rows.length, Math.ceil((part.top + part.height) / ROW) + SPARE);
  const shown = rows.slice(first, last).map((row, i) => ({ row, index: first + i }));
  if (rows[at] && (at < first || at >= last)) shown.push({ row: rows[at], index: at });
  return (
    <div
      ref={box}
      className="canvas-tree"
      onScroll={(event) => setPart({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}
    >
      <div role="tree" aria-label="Lineage by hops" style={{ height: rows.length * ROW, position: "relative" }}>
        {shown.map(({ row, index }) => (
          <div
            key={row.id}
            role="treeitem"
            aria-level={row.level}
            aria-posinset={row.position}
            aria-setsize={row.siblings}
            aria-selected={index === at && focus !== null}
            aria-expanded={row.hasChildren ? isOpen(row) : undefined}
            aria-label={labelRow(row)}
            tabIndex={index === at ? 0 : -1}
            data-id={row.id}
            data-found={found.has(row.id) || undefined}
            className="canvas-row"
            style={{ top: index * ROW, paddingInlineStart: 8 + Math.min(row.level - 1, 12) * 14 }}
            onClick={() => onFocus(row.id)}
            onDoubleClick={() => onOpen(row.id)}
            onFocus={() => row.id !== focus && onFocus(row.id)}
            onKeyDown={(event) => {
              if (event.key !== "ContextMenu" && !(event.key === "F10" && event.shiftKey)) return onKey(event, row);
              event.preventDefault();
              const { left, bottom } = event.currentTarget.getBoundingClientRect();
              onMenu(row.id, { x: left + 24, y: bottom });
            }}
            onContextMenu={(event) => {
              event.preventDefault();
              onMenu(row.id, { x: event.clientX, y: event.clientY });
            }}
          >
            {row.hasChildren ? (
              // The row itself says whether it is open, and the key X folds it.
              <span
                className="canvas-fold"
                aria-hidden="true"
                onClick={(event) => {
                  event.stopPropagation();
                  onFold(row.id);
                }}
              >
                {isOpen(row) ? "▾" : "▸"}
              </span>
            ) : (
              <span className="canvas-fold" aria-hidden="true" />
            )}
            <bdi>{cutName(row.name, LONGEST)}</bdi>
          </div>
        ))}
      </div>
    </div>
  );
}
