/** The completeness line of an answer, and the lists of what is behind each part of it. */
import { useRef, useState } from "react";
import { type Operation, useAnswers } from "./client";
import { buildHref } from "./location";
import { formatList, formatTime, type Gap, listGaps, nameValue, text } from "./messages";
import { PageLine, usePages } from "./paging";
import { Answered, AssetLink, AssetLinks, Link, Name, Table, When } from "./parts";
import type { GapParts } from "./queries/completeness";

type GapCode = NonNullable<Gap["code"]>;

interface GapPart {
  gap: GapCode;
  first: number;
  after: string | null;
}

interface GapAnswer {
  answer: { completeness: { items: GapParts } };
}

/** The operation that asks an answer for what is behind its gaps, and the variables of that answer, or of each where a page shows several. */
export interface Behind {
  operation: Operation<GapAnswer, GapPart>;
  variables: readonly object[];
}

export function lookBehind<Variables extends Omit<GapPart, "after">>(
  operation: Operation<GapAnswer, Variables>,
  ...variables: readonly Omit<NoInfer<Variables>, keyof GapPart>[]
): Behind {
  return { operation: operation as unknown as Behind["operation"], variables };
}

/** Where a page of several answers begins: each answer that goes on, by its number, and what is known of the pages before. */
export interface GapPlace {
  at: readonly (readonly [number: number, after: string | null])[];
  /** The items of answers that have ended. */
  ended: number;
  /** Items that were found in several answers. */
  doubles: number;
}

export function readPlace(after: string | null, answers: number): GapPlace {
  if (after !== null) return JSON.parse(after) as GapPlace;
  return { at: Array.from({ length: answers }, (_, number) => [number, null] as const), ended: 0, doubles: 0 };
}

/** What several answers list, each asset and flow once, as one page; of what they count beyond it, doubles are not known. */
export function joinItems(lists: readonly GapParts[], { at, ended, doubles }: GapPlace) {
  const assets = new Map(lists.flatMap((one) => one.assets).map((asset) => [asset.id, asset]));
  const name = ({ from, to, type, subtype, source, job }: GapParts["flows"][number]) =>
    JSON.stringify([from.id, to.id, type, subtype, source, job?.id]);
  // One answer may have a flow twice, and counts it twice.
  const flows =
    lists.length === 1 ? lists[0]!.flows : [...new Map(lists.flatMap((one) => one.flows).map((flow) => [name(flow), flow])).values()];
  const listed = lists.reduce((sum, one) => sum + one.assets.length + one.flows.length, 0);
  const place = { at: [] as [number, string | null][], ended, doubles: doubles + listed - assets.size - flows.length };
  let total = ended - place.doubles;
  lists.forEach(({ totalCount, pageInfo }, i) => {
    total += totalCount;
    if (pageInfo.hasNextPage) place.at.push([at[i]![0], pageInfo.endCursor]);
    else place.ended += totalCount;
  });
  return {
    assets: [...assets.values()],
    flows,
    nodes: [...assets.values(), ...flows],
    totalCount: total,
    pageInfo: { hasNextPage: place.at.length > 0, endCursor: JSON.stringify(place) },
  };
}

/** The one line that every answer has: complete, or what it does not know, each part explained when opened. */
export function CompletenessLine({
  completeness,
  extra = [],
  behind,
}: {
  completeness: Parameters<typeof listGaps>[0] & { revision: number };
  extra?: readonly Gap[];
  /** How to ask for what is behind each gap; without it, each is only explained. */
  behind?: Behind;
}) {
  const gaps = [...extra, ...listGaps(completeness)];
  const time = completeness.asOf === null ? "" : `${text.asOf(formatTime(completeness.asOf))} `;
  if (gaps.length === 0)
    return (
      <p className="notice" data-completeness="complete">
        {time}
        {text.complete}
      </p>
    );
  return (
    <details className="notice warn complete" data-completeness="gaps">
      <summary>
        {time}
        {text.incomplete(formatList(gaps.map((gap) => gap.short)))}
      </summary>
      <ul>
        {gaps.map((gap) => (
          <li key={gap.short} className="stack">
            <p>
              <span className="strong">{gap.short}</span>: {gap.long}
            </p>
            {gap.ask?.map((domain) => (
              <p key={domain}>
                <Link href={buildHref("/requests", { asset: `domain:${domain}` })}>
                  Ask for access to <Name text={domain} />
                </Link>
              </p>
            ))}
            {behind && gap.code && <GapList behind={behind} gap={gap.code} name={gap.short} />}
          </li>
        ))}
      </ul>
    </details>
  );
}

const PAGE = 50;
const NO_ITEMS = joinItems([], readPlace(null, 0));

/** What is behind one gap, fetched when it is opened. */
function GapList({ behind, gap, name }: { behind: Behind; gap: GapCode; name: string }) {
  const [open, setOpen] = useState(false);
  const pages = usePages(JSON.stringify([behind.operation.name, behind.variables]), PAGE);
  const place = readPlace(pages.after, behind.variables.length);
  const settled = useRef<ReturnType<typeof joinItems>>(null);
  const query = useAnswers(
    behind.operation,
    open ? place.at.map(([number, after]) => ({ ...behind.variables[number], gap, first: pages.first, after })) : null,
  );
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {text.behind}
        <span className="hidden-text">: {name}</span>
      </summary>
      {open && (
        <Answered query={query}>
          {(answers) => {
            if (!query.loading)
              settled.current = joinItems(
                answers.map(({ answer }) => answer.completeness.items),
                place,
              );
            const list = settled.current ?? NO_ITEMS; // while a page is on its way, that of the answers that are there
            const { assets, flows } = list;
            return (
              <>
                {assets.length > 0 && <AssetLinks assets={assets} most={pages.first} full />}
                {flows.length > 0 && (
                  <Table
                    caption={name}
                    rows={flows}
                    rowKey={(_, index) => String(index)}
                    columns={[
                      { head: "From", cell: (row) => <AssetLink asset={row.from} /> },
                      { head: "To", cell: (row) => <AssetLink asset={row.to} /> },
                      ...(gap === "POSSIBLE_ONLY"
                        ? []
                        : [
                            {
                              head: "Kind",
                              cell: (row: GapParts["flows"][number]) => (
                                <Name text={[row.type && nameValue(row.type), nameValue(row.subtype)].filter(Boolean).join(", ")} />
                              ),
                            },
                            { head: "Job", cell: (row: GapParts["flows"][number]) => row.job && <AssetLink asset={row.job} /> },
                            { head: "Stated by", cell: (row: GapParts["flows"][number]) => <Name text={row.source ?? ""} /> },
                            {
                              head: "Last stated",
                              cell: (row: GapParts["flows"][number]) => row.lastObserved && <When at={row.lastObserved} />,
                            },
                          ]),
                    ]}
                  />
                )}
                <PageLine pages={pages} list={list} />
              </>
            );
          }}
        </Answered>
      )}
    </details>
  );
}
