/** Long lists: a page of rows, then a thousand, then the next thousand by the cursor of the server. */
import { useState } from "react";
import { text } from "./messages";
import { ListLine } from "./parts";
import { usePast } from "./past";

const PAGE = 100;
const MOST = 1000;

export interface Pages {
  /** What to ask for. */
  first: number;
  after: string | null;
  /** The rows before those that are shown. */
  skipped: number;
  show(size: { first: number; after: string | null; skipped: number }): void;
}

/** The rows of a list that are shown. `given`: what the list depends on besides the time of the page; another one begins at its start. */
export function usePages(given = "", page = PAGE): Pages {
  const key = JSON.stringify([given, usePast()]);
  const start = { key, first: page, after: null as string | null, skipped: 0 };
  const [kept, setKept] = useState(start);
  const { first, after, skipped } = kept.key === key ? kept : start;
  return { first, after, skipped, show: (size) => setKept({ key, ...size }) };
}

/** How many rows are shown of how many, and the way to the others. */
export function PageLine({
  pages: { first, after, skipped, show },
  list: { nodes, totalCount, pageInfo },
}: {
  pages: Pages;
  list: { totalCount: number; nodes: readonly unknown[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
}) {
  const waiting = after !== null && after === pageInfo.endCursor; // for the rows after those that are still shown
  const begin = { first: MOST, after: null, skipped: 0 };
  return (
    <>
      <ListLine shown={nodes.length} total={totalCount} skipped={skipped} />
      <div className="row">
        {pageInfo.hasNextPage && first < MOST && (
          <button type="button" onClick={() => show(begin)}>
            {text.more}
          </button>
        )}
        {skipped > 0 && (
          <button type="button" onClick={() => show(begin)}>
            {text.firstRows}
          </button>
        )}
        {pageInfo.hasNextPage && first >= MOST && (
          <button
            type="button"
            onClick={({ currentTarget }) => {
              if (waiting) return;
              show({ first: MOST, after: pageInfo.endCursor, skipped: skipped + nodes.length });
              const part = currentTarget.closest("details, section.card"); // of a page with more than this list
              if (part) part.scrollIntoView();
              else window.scrollTo(0, 0);
            }}
          >
            {text.nextRows}
          </button>
        )}
      </div>
    </>
  );
}
