/** Lists of choice of what is in the mesh: domains, owners, namespaces, tags. All of them, not those of one page of an answer. */
import { useEffect, useState } from "react";
import { fetchAnswer, type Operation, useClientState } from "./client";
import { count, formatNumber } from "./messages";
import { cutName, showName } from "./names";
import { DomainChoices, NamespacesList, OwnerChoices, TagsList } from "./queries/choices";

const PAGE = 1000;
/** A browser gets slow with more options than this; how many are left out is in the list. */
const MOST = 20_000;

interface Listed<Node> {
  list: { totalCount: number; nodes: readonly Node[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
}

interface PageVariables {
  first: number;
  after?: string | null | undefined;
  asOf?: string | null | undefined;
}

export interface Choice {
  value: string;
  label: string;
}

export interface Choices {
  all: Choice[];
  /** How many there are beyond `all`. */
  left: number;
}

/** All entries of a list, page by page. */
export async function fetchAll<Node>(
  operation: Operation<Listed<Node>, PageVariables>,
  asOf: string | null,
  signal: AbortSignal,
  most: number = MOST,
): Promise<{ nodes: Node[]; left: number }> {
  const nodes: Node[] = [];
  let after: string | null = null;
  let total = 0;
  do {
    const { list }: Listed<Node> = await fetchAnswer(operation, { first: PAGE, after, asOf }, signal);
    nodes.push(...list.nodes);
    total = list.totalCount;
    after = list.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;
  } while (after !== null && nodes.length < most);
  return { nodes, left: Math.max(0, after === null ? 0 : total - nodes.length) };
}

interface Kind {
  all: string;
  fetch: (asOf: string | null, signal: AbortSignal) => Promise<Choices>;
}

function describe<Node>(operation: Operation<Listed<Node>, PageVariables>, label: (node: Node) => Choice): Kind["fetch"] {
  return async (asOf, signal) => {
    const { nodes, left } = await fetchAll(operation, asOf, signal);
    return { all: nodes.map(label), left };
  };
}

const KINDS = {
  domain: {
    all: "all domains",
    fetch: describe(DomainChoices, (one: { id: string; name: string }) => ({ value: one.id, label: one.name })),
  },
  owner: { all: "all owners", fetch: describe(OwnerChoices, (one: { id: string; name: string }) => ({ value: one.id, label: one.name })) },
  namespace: {
    all: "all namespaces",
    fetch: describe(NamespacesList, (one: { name: string }) => ({ value: one.name, label: one.name })),
  },
  tag: {
    all: "all tags",
    fetch: describe(TagsList, (one: { key: string; value: string | null; assets: number }) => {
      const name = one.value ? `${one.key}=${one.value}` : one.key;
      return { value: name, label: `${name} (${formatNumber(one.assets)})` };
    }),
  },
} satisfies Record<string, Kind>;

export type ChoiceKind = keyof typeof KINDS;

/** A field with a list of all domains (owners, ...). Its value is sent with its form, and given to `onChoose` at once. */
export function AssetChoice({
  kind,
  label,
  value,
  asOf = null,
  onChoose,
}: {
  kind: ChoiceKind;
  label: string;
  value: string;
  asOf?: string | null;
  onChoose?: (value: string) => void;
}) {
  const { epoch } = useClientState();
  const [chosen, setChosen] = useState(value);
  const [found, setFound] = useState<Choices | null>(null);
  useEffect(() => setChosen(value), [value]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another revision or token asks again
  useEffect(() => {
    const controller = new AbortController();
    KINDS[kind].fetch(asOf, controller.signal).then(
      (choices) => !controller.signal.aborted && setFound(choices),
      () => {}, // the answer of the page itself says what is wrong
    );
    return () => controller.abort();
  }, [kind, asOf, epoch]);
  const known = found?.all.some((one) => one.value === chosen) ?? false;
  return (
    <label className="field">
      <span>{label}</span>
      <select
        name={kind}
        value={chosen}
        onChange={(event) => {
          setChosen(event.target.value);
          onChoose?.(event.target.value);
        }}
      >
        <option value="">{KINDS[kind].all}</option>
        {chosen !== "" && !known && <option value={chosen}>{showName(cutName(chosen, 60))}</option>}
        {found?.all.map((one) => (
          <option key={one.value} value={one.value}>
            {showName(cutName(one.label, 80))}
          </option>
        ))}
        {found !== null && found.left > 0 && <option disabled>and {count(found.left, "more", "more")}, which are not listed here</option>}
      </select>
    </label>
  );
}
