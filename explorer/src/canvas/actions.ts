/** What a reader can do with what is in the focus: the details have it as buttons, the menu of a right click as items. */
import { buildAssetHref, buildHref } from "../location";
import type { PictureState } from "./address";
import { type Card, isUser, type Row, type Side } from "./model";

export interface Action {
  label: string;
  href?: string;
  run?: () => void;
  pressed?: boolean;
  expanded?: boolean;
}

export interface Acts {
  onHop(side: Side): void;
  onColumns(): void;
  onPin(): void;
  onGroup(id: string): void;
  /** A typed change: `whole` shows its verdict in the picture, else the reader completes it. */
  onWords(words: string, whole: boolean): void;
}

export function listActions(card: Card, row: Row | undefined, state: PictureState, acts: Acts): Action[] {
  const { node, group } = card;
  if (card.members.length > 0) return [{ label: "Open the group", run: () => group && acts.onGroup(group.id) }];
  const id = row?.id ?? node.id;
  const column = row ? `${node.name}.${row.name}` : "";
  const open: Action[] = isUser(node)
    ? []
    : [
        { label: describeHop(card, "up"), run: () => acts.onHop("up") },
        { label: describeHop(card, "down"), run: () => acts.onHop("down") },
      ];
  if (node.kind === "DATASET" && state.view.granularity === "DATASET")
    open.push({
      label: `Columns${node.columns === null ? "" : ` (${node.columns})`}`,
      expanded: state.view.columns.has(node.id),
      run: acts.onColumns,
    });
  return [
    ...open,
    { label: "Pin", pressed: state.pin === id, run: acts.onPin },
    ...(group ? [{ label: "Close the group", run: () => acts.onGroup(group.id) }] : []),
    ...(row
      ? [
          { label: "Drop it: what breaks", run: () => acts.onWords(`drop ${column}`, true) },
          { label: "Rename it …", run: () => acts.onWords(`rename ${column} to `, false) },
          { label: "Retype it …", run: () => acts.onWords(`retype ${column} to `, false) },
        ]
      : []),
    ...(isUser(node) ? [] : [{ label: "Who is affected", href: buildHref("/impact", { of: id }) }]),
    ...(isUser(node) ? [] : [{ label: "Lineage of this", href: buildHref("/lineage", { of: id }) }]),
    { label: "Its page", href: buildAssetHref(id) },
  ];
}

function describeHop(card: Card, side: Side): string {
  const name = side === "up" ? "upstream" : "downstream";
  const more = side === "up" ? card.moreUp : card.moreDown;
  const open = side === "up" ? card.openUp : card.openDown;
  if (more === null) return `Open ${name}`;
  if (more > 0) return `Open ${more} ${name}`;
  return open ? `Close ${name}` : `Nothing more ${name}`;
}
