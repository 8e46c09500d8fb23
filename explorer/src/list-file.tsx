/** A long list as a file of comma-separated values: all of its rows, read page by page, or the first of very many. */
import { useState } from "react";
import { announce } from "./announcer";
import { buildCsv, saveFile } from "./files";
import { capitalize, count, formatNumber, text } from "./messages";

const AT_ONCE = 1000; // rows of one request

const LONGEST = 80; // characters of a name from outside, so that the ending of the file's name stays

type Cell = string | number | boolean | null | undefined;
export type FileColumn<One> = readonly [head: string, cell: (row: One) => Cell];

interface ListPart<One> {
  totalCount: number;
  nodes: readonly One[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

/** Asks for a part of a list; null: there is no such list. */
export type ReadPart<One> = (part: { first: number; after: string | null }) => Promise<ListPart<One> | null>;

export interface ListRows<One> {
  rows: One[];
  /** How many the list had when its last part was read. */
  total: number;
  /** Whether the list goes on after these rows. */
  cut: boolean;
}

/** Reads the rows of a list, at most `most`; `report` is called after each part. */
export async function readRows<One>(
  read: ReadPart<One>,
  most: number,
  report: (known: number, total: number) => void = () => {},
): Promise<ListRows<One>> {
  const rows: One[] = [];
  let after: string | null = null;
  for (;;) {
    const list: ListPart<One> | null = await read({ first: Math.min(AT_ONCE, most - rows.length), after });
    if (list === null) return { rows, total: rows.length, cut: false };
    rows.push(...list.nodes);
    after = list.pageInfo.endCursor;
    const more = list.pageInfo.hasNextPage && after !== null;
    if (!more || rows.length >= most) return { rows, total: list.totalCount, cut: more };
    report(rows.length, list.totalCount);
  }
}

/** The content of the file; spreadsheets need the mark at its start to read it as UTF-8. */
export function buildListFile<One>(columns: readonly FileColumn<One>[], rows: readonly One[]): string {
  return `\uFEFF${buildCsv([columns.map(([head]) => head), ...rows.map((row) => columns.map(([, cell]) => cell(row)))])}`;
}

/** The name of the file. One that has only the first rows of its list says so. */
export function nameListFile(name: string, { rows, cut }: { rows: readonly unknown[]; cut: boolean }): string {
  return `${name.slice(0, LONGEST)}${cut ? ` first ${rows.length}` : ""}.csv`;
}

/** Saves all rows of a list, not only those that are shown. */
export function SaveRows<One>({
  name,
  columns,
  read,
  most = Number.POSITIVE_INFINITY,
}: {
  /** Of the file, without its ending. */
  name: string;
  columns: readonly FileColumn<One>[];
  read: ReadPart<One>;
  /** The most rows of one file. */
  most?: number;
}) {
  const [state, setState] = useState("");
  const save = async () => {
    setState(text.loading);
    try {
      const found = await readRows(read, most, (known, total) => setState(`${formatNumber(known)} of ${formatNumber(total)} …`));
      saveFile(nameListFile(name, found), "text/csv;charset=utf-8", buildListFile(columns, found.rows));
      setState(found.cut ? `The file has the first ${formatNumber(found.rows.length)} of ${formatNumber(found.total)} rows.` : "");
      announce(`${capitalize(count(found.rows.length, "row", "rows"))} saved.`);
    } catch (error) {
      setState(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <button type="button" onClick={() => void save()}>
        {text.csv}
      </button>
      <span role="status">{state}</span>
    </>
  );
}
