/** What a picture leaves out or decides by itself, for the line that says how complete it is. Pure. */
import { formatNumber, type Gap } from "../messages";
import { type Cut, MOST_WITH_USERS } from "./lineage_state";
import type { Picture, View } from "./model";
import type { UsersGap } from "./users";

/** What was not loaded: the files of a picture name it, too. */
export function listLosses(cuts: readonly Cut[], usersGap: UsersGap): Gap[] {
  const losses: Gap[] = [];
  if (usersGap === "NODES")
    losses.push({
      short: "jobs and consumers not drawn",
      long: `an answer has grown beyond ${formatNumber(MOST_WITH_USERS)} nodes since the picture was made: it has them when the page is loaded again`,
    });
  if (usersGap === "TIME")
    losses.push({
      short: "not all jobs and consumers drawn",
      long: "the time of an answer ended before all of them were found: fewer hops, one direction or a higher level show all",
    });
  return [
    ...losses,
    ...cuts.map(({ side, shown, total: reached }) => ({
      short: `${formatNumber(shown)} of ${reached === null ? "more" : formatNumber(reached)} ${side}stream loaded`,
      long: "an answer has a limit of nodes, and the nearest come first: fewer hops, one direction or a higher level show all",
    })),
  ];
}

/** `view` is shown, `asked` is what the address says; `ungrouped`: assets that belong to no group at this level. */
export function listNotes(picture: Picture, view: View, asked: View, ungrouped: number, losses: readonly Gap[] = []): Gap[] {
  const total = picture.shown + picture.hidden;
  return [
    ...losses,
    ...(view.grouping !== asked.grouping && view.grouping !== "none"
      ? [
          {
            short: `grouped by ${view.grouping}, ${picture.cards.length} boxes`,
            long: `a picture of ${picture.shown} nodes shows nothing: open a group by a double click, or choose “Group by: nothing”`,
          },
        ]
      : []),
    ...(picture.hidden > 0
      ? [{ short: `${picture.shown} of ${total} nodes shown`, long: "the rest is behind hops that are closed: open them by their “+N”" }]
      : []),
    ...(picture.within > 0
      ? [
          {
            short: `${picture.within} ${picture.within === 1 ? "flow" : "flows"} within a dataset not drawn`,
            long: "they lead from a dataset to its own columns or back, and would be loops at its card; the files of the picture are without them, too",
          },
        ]
      : []),
    ...(ungrouped > 0
      ? [
          {
            short: `${ungrouped} datasets belong to no ${view.granularity.toLowerCase()}`,
            long: "they are not drawn at this level; the level Dataset shows them",
          },
        ]
      : []),
  ];
}
