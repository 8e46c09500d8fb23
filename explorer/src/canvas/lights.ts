/** What is drawn over the scene: focus, hover, pin, cone, marks. Changes of them draw the same boxes and lines again. */
import type { Mark } from "./marks";
import type { Scene } from "./scene";

export interface Lights {
  focus: string | null;
  hovered: string | null;
  /** Ids of what is lit; all else is faded. Null: nothing is faded. */
  cone: ReadonlySet<string> | null;
  pinned: string | null;
  marks: ReadonlyMap<string, Mark>;
  /** The line whose reasons are shown. */
  line: string | null;
  found: ReadonlySet<string>;
}

const litLines = new WeakMap<Scene, { cone: ReadonlySet<string>; lit: Uint8Array }>();

/** 1 for each line whose both ends are in the cone; null: there is no cone. Worked out once for a cone, not for each frame. */
export function listLitLines(scene: Scene, cone: ReadonlySet<string> | null): Uint8Array | null {
  if (!cone) return null;
  const known = litLines.get(scene);
  if (known?.cone === cone) return known.lit;
  const lit = Uint8Array.from(scene.picture.lines, ({ edges }) => Number(edges.some((edge) => cone.has(edge.from) && cone.has(edge.to))));
  litLines.set(scene, { cone, lit });
  return lit;
}

export function isFaded(scene: Scene, card: number, { cone }: Lights): boolean {
  if (!cone) return false;
  const { id, rows, members } = scene.picture.cards[card]!;
  return !cone.has(id) && !rows.some((row) => cone.has(row.id)) && !members.some((member) => cone.has(member.id));
}
