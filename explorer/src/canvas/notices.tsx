/** Above the picture: how two times differ, whether a typed change may ship, and that the list comes first. */
import { buildHref } from "../location";
import { Link, Name, VerdictBadge, When } from "../parts";
import type { ChangeHitsAnswer } from "../queries/picture";
import type { PictureState } from "./address";
import type { Line, Picture } from "./model";

export interface NoticesProps {
  state: PictureState;
  picture: Picture;
  /** Changed flows that are not in the picture. */
  beyond: number;
  listFirst: boolean;
  compared: boolean;
  verdict: ChangeHitsAnswer | null;
  onDraw(): void;
  onGroup(): void;
}

export function Notices({ state, picture, beyond, listFirst, compared, verdict, onDraw, onGroup }: NoticesProps) {
  const { compare, asOf, words } = state;
  return (
    <>
      {compare !== null && compared && (
        <p className="notice" data-notice="difference">
          <Difference lines={picture.lines} beyond={beyond} from={compare} />{" "}
          <Link href={buildHref("/diff", { from: compare, ...(asOf ? { to: asOf } : {}) })}>List of all changes</Link>
        </p>
      )}
      {words !== "" && verdict && (
        <p className="notice row" data-notice="verdict">
          <VerdictBadge verdict={verdict.blastRadius.verdict} /> <Name text={words} />
          <Link href={buildHref("/change", { words })}>Who is hit, whom to tell, and the command</Link>
        </p>
      )}
      {listFirst && (
        <div className="notice row" data-notice="list-first">
          <span>{picture.cards.length} nodes: the list comes first.</span>
          <button type="button" onClick={onDraw}>
            Draw the picture
          </button>
          <button type="button" onClick={onGroup}>
            Group by domain
          </button>
        </div>
      )}
    </>
  );
}

/** How two times differ, in words. */
function Difference({ lines, beyond, from }: { lines: readonly Line[]; beyond: number; from: string }) {
  const count = (change: NonNullable<Line["change"]>) => lines.filter((line) => line.change === change).length;
  const same = lines.filter((line) => line.change === undefined).length;
  return (
    <>
      Compared with <When at={from} />: flows added on {count("added")} lines (+), removed on {count("fewer")} (−), both on {count("both")}{" "}
      (±); {count("removed")} lines gone, {same} unchanged
      {beyond > 0 && `; ${beyond} more changes are of flows that are not in the picture`}.
    </>
  );
}
