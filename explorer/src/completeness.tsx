/** The completeness line of an answer, and the lists of what is behind each part of it. */
import { useState } from "react";
import { type Operation, useAnswers } from "./client";
import { formatList, formatTime, type Gap, listGaps, nameValue, text } from "./messages";
import { Answered, AssetLink, AssetLinks, ListLine, Name, Table, When } from "./parts";
import type { GapParts } from "./queries/completeness";

type GapCode = NonNullable<Gap["code"]>;

interface GapAnswer {
  answer: { completeness: { items: GapParts } };
}

/** The operation that asks an answer for what is behind its gaps, and the variables of that answer, or of each where a page shows several. */
export interface Behind {
  operation: Operation<GapAnswer, { gap: GapCode; first: number }>;
  variables: readonly object[];
}

export function lookBehind<Variables extends { gap: GapCode; first: number }>(
  operation: Operation<GapAnswer, Variables>,
  ...variables: readonly Omit<NoInfer<Variables>, "gap" | "first">[]
): Behind {
  return { operation: operation as unknown as Behind["operation"], variables };
}

/** What several answers list, each asset and flow once; of what they count beyond their lists, doubles are not known. */
export function joinItems(lists: readonly GapParts[]): GapParts {
  const assets = new Map(lists.flatMap((one) => one.assets).map((asset) => [asset.id, asset]));
  const name = ({ from, to, type, subtype, source, job }: GapParts["flows"][number]) =>
    JSON.stringify([from.id, to.id, type, subtype, source, job?.id]);
  const flows = new Map(lists.flatMap((one) => one.flows).map((flow) => [name(flow), flow]));
  const beyond = lists.reduce((sum, one) => sum + one.totalCount - one.assets.length - one.flows.length, 0);
  return { assets: [...assets.values()], flows: [...flows.values()], totalCount: assets.size + flows.size + beyond };
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
            {behind && gap.code && <GapList behind={behind} gap={gap.code} name={gap.short} />}
          </li>
        ))}
      </ul>
    </details>
  );
}

const PAGE = 50;
const MOST = 1000;

/** What is behind one gap, fetched when it is opened. */
function GapList({ behind, gap, name }: { behind: Behind; gap: GapCode; name: string }) {
  const [open, setOpen] = useState(false);
  const [first, setFirst] = useState(PAGE);
  const query = useAnswers(behind.operation, open ? behind.variables.map((one) => ({ ...one, gap, first })) : null);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {text.behind}
        <span className="hidden-text">: {name}</span>
      </summary>
      {open && (
        <Answered query={query}>
          {(answers) => {
            const { assets, flows, totalCount } = joinItems(answers.map(({ answer }) => answer.completeness.items));
            const shown = assets.length + flows.length;
            return (
              <>
                {assets.length > 0 && <AssetLinks assets={assets} most={PAGE} full />}
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
                <ListLine shown={shown} total={totalCount} />
                {shown < totalCount && first < MOST && (
                  <div>
                    <button type="button" onClick={() => setFirst(MOST)}>
                      {text.more}
                    </button>
                  </div>
                )}
              </>
            );
          }}
        </Answered>
      )}
    </details>
  );
}
