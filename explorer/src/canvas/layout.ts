/**
 * A layered layout: cycles are broken, longest paths give the layers, barycentre sweeps the order, least squares that keep the order the heights.
 * Pure: the same boxes and links give the same places. Places of an earlier picture are kept; only what is new looks for room.
 */

/** A box to place. `lane`: the group it belongs to; boxes of one lane share a horizontal band. */
export interface Box {
  id: string;
  height: number;
  lane?: string;
}

/** A link between two boxes; both ids must be among the boxes. */
export interface Link {
  from: string;
  to: string;
}

export interface Place {
  /** Column of the picture; neighbours are one apart, and it can be negative. */
  layer: number;
  /** Upper edge. */
  y: number;
}

export interface Layout {
  places: Map<string, Place>;
  /** Heights at which a link passes each layer between its ends, in the order of the links. */
  bends: number[][];
  /** Links that close a cycle: they are drawn back. */
  back: boolean[];
}

export const GAP = 18;
const LANE_GAP = 70;
const SWEEPS = 6;
const BEND_HEIGHT = 6;
/** Above this many layers a link is drawn straight: its bends would outnumber the boxes. */
const LONGEST_BENT = 24;

export function computeLayout(boxes: readonly Box[], links: readonly Link[], earlier?: ReadonlyMap<string, Place>): Layout {
  const index = new Map(boxes.map((box, i) => [box.id, i]));
  const from = Int32Array.from(links, (link) => index.get(link.from) ?? -1);
  const to = Int32Array.from(links, (link) => index.get(link.to) ?? -1);
  const kept = boxes.map((box) => earlier?.get(box.id));
  const back = findBackLinks(boxes.length, from, to, kept);
  const laned = boxes.some((box) => box.lane !== undefined);
  const layers = assignLayers(boxes.length, from, to, back, kept);
  const straight = foldSpokes(from, to, layers, kept);
  const items = addBends(boxes, from, to, back, straight, layers);
  if (kept.some((place) => place !== undefined) && !laned) keepPlaces(items, kept, layers);
  else {
    orderLayers(items, kept);
    if (laned) stackLanes(items);
    else spreadLayers(items);
  }
  const places = new Map(boxes.map((box, i) => [box.id, { layer: layers[i]!, y: items.y[i]! }]));
  const bends = items.chains.map((chain) => Array.from(chain, (item) => items.y[item]! + BEND_HEIGHT / 2));
  return { places, bends, back };
}

/**
 * Marks the links that close a cycle, by a depth-first search from the boxes without a predecessor.
 * A link of a cycle that pointed left in the earlier picture stays marked, so that the boxes of the cycle keep their layers.
 */
function findBackLinks(count: number, from: Int32Array, to: Int32Array, kept: readonly (Place | undefined)[]): boolean[] {
  const out = groupLinks(count, from);
  const incoming = new Int32Array(count);
  for (let e = 0; e < to.length; e++) if (from[e] !== to[e]) incoming[to[e]!]!++;
  const back = new Array<boolean>(from.length).fill(false);
  for (let e = 0; e < from.length; e++) {
    const source = kept[from[e]!];
    const target = kept[to[e]!];
    if (source && target && target.layer <= source.layer) back[e] = canReach(to[e]!, from[e]!, out, to);
  }
  const state = new Uint8Array(count); // 1: on the path, 2: done
  const next = new Int32Array(count);
  const visit = (root: number) => {
    const path = [root];
    state[root] = 1;
    while (path.length > 0) {
      const node = path[path.length - 1]!;
      const at = next[node]!++;
      if (at >= out[node]!.length) {
        state[node] = 2;
        path.pop();
        continue;
      }
      const link = out[node]![at]!;
      const target = to[link]!;
      if (back[link]) continue;
      if (state[target] === 1) back[link] = true;
      else if (state[target] === 0) {
        state[target] = 1;
        path.push(target);
      }
    }
  };
  for (let node = 0; node < count; node++) if (incoming[node] === 0 && state[node] === 0) visit(node);
  for (let node = 0; node < count; node++) if (state[node] === 0) visit(node);
  return back;
}

function canReach(start: number, goal: number, out: readonly number[][], to: Int32Array): boolean {
  const seen = new Set([start]);
  for (const node of seen) {
    if (node === goal) return true;
    for (const link of out[node]!) seen.add(to[link]!);
  }
  return false;
}

function groupLinks(count: number, ends: Int32Array): number[][] {
  const groups: number[][] = Array.from({ length: count }, () => []);
  for (let e = 0; e < ends.length; e++) groups[ends[e]!]!.push(e);
  return groups;
}

/** Boxes in an order in which every link that is not back points forward. */
function sortTopologically(count: number, from: Int32Array, to: Int32Array, back: boolean[]): Int32Array {
  const out = groupLinks(count, from);
  const waiting = new Int32Array(count);
  for (let e = 0; e < to.length; e++) if (!back[e]) waiting[to[e]!]!++;
  const order = new Int32Array(count);
  let filled = 0;
  for (let node = 0; node < count; node++) if (waiting[node] === 0) order[filled++] = node;
  for (let done = 0; done < filled; done++)
    for (const link of out[order[done]!]!) if (!back[link] && --waiting[to[link]!]! === 0) order[filled++] = to[link]!;
  return order;
}

/**
 * The layer of each box. Without earlier places: longest path, and boxes without predecessors are pulled to their first reader.
 * With them: a box keeps its layer unless a link would point left; a new one stands right of what it reads, or left of what it feeds.
 */
function assignLayers(
  count: number,
  from: Int32Array,
  to: Int32Array,
  back: boolean[],
  kept: readonly (Place | undefined)[],
): Int32Array<ArrayBuffer> {
  const order = sortTopologically(count, from, to, back);
  const out = groupLinks(count, from);
  const into = groupLinks(count, to);
  const layers = new Int32Array(count);
  const known = new Uint8Array(count);
  const any = kept.some((place) => place !== undefined);
  if (any) {
    kept.forEach((place, node) => {
      if (place) {
        layers[node] = place.layer;
        known[node] = 1;
      }
    });
    // New boxes that feed earlier ones stand left of them.
    for (let i = count - 1; i >= 0; i--) {
      const node = order[i]!;
      if (known[node]) continue;
      let least = Number.POSITIVE_INFINITY;
      for (const link of out[node]!) if (!back[link] && known[to[link]!]) least = Math.min(least, layers[to[link]!]! - 1);
      if (least === Number.POSITIVE_INFINITY) continue;
      layers[node] = least;
      known[node] = 1;
    }
  }
  for (const node of order) {
    let least = known[node] ? layers[node]! : Number.NEGATIVE_INFINITY;
    for (const link of into[node]!) if (!back[link]) least = Math.max(least, layers[from[link]!]! + 1);
    layers[node] = least === Number.NEGATIVE_INFINITY ? 0 : least;
  }
  if (!any)
    for (let i = count - 1; i >= 0; i--) {
      const node = order[i]!;
      if (into[node]!.some((link) => !back[link])) continue;
      let least = Number.POSITIVE_INFINITY;
      for (const link of out[node]!) if (!back[link]) least = Math.min(least, layers[to[link]!]! - 1);
      if (least !== Number.POSITIVE_INFINITY) layers[node] = least;
    }
  return layers;
}

/** More boxes than these, each tied to one and the same box and to no other, stand in several columns: one would be higher than any window shows. */
const MOST_SPOKES = 100;

/**
 * Gives the spokes of a hub layers one behind the other, as many as make their block about as wide as high, and moves what is beyond
 * them out of the way. Of an earlier picture nothing moves: only new spokes are folded. Returns 1 for each link to a folded spoke.
 */
function foldSpokes(from: Int32Array, to: Int32Array, layers: Int32Array, kept: readonly (Place | undefined)[]): Uint8Array {
  const count = layers.length;
  const hubs = new Int32Array(count).fill(-1); // -2: tied to several
  const tie = (box: number, other: number) => {
    hubs[box] = hubs[box] === -1 || hubs[box] === other ? other : -2;
  };
  for (let e = 0; e < from.length; e++) {
    if (from[e] === to[e]) continue;
    tie(from[e]!, to[e]!);
    tie(to[e]!, from[e]!);
  }
  const spokes = new Int32Array(count);
  const groups = new Map<string, number[]>();
  for (let box = 0; box < count; box++) {
    const hub = hubs[box]!;
    if (hub < 0) continue;
    spokes[hub]!++;
    if (kept[box]) continue;
    const key = `${hub} ${layers[box]}`;
    const group = groups.get(key);
    if (group) group.push(box);
    else groups.set(key, [box]);
  }
  const folds = [...groups.values()].filter((group) => group.length > MOST_SPOKES);
  const wider = { right: new Map<number, number>(), left: new Map<number, number>() };
  const offsets = new Int32Array(count);
  for (const group of folds) {
    const [layer, hub] = [layers[group[0]!]!, hubs[group[0]!]!];
    const columns = Math.ceil(Math.sqrt(group.length / 5)); // a column is five times as wide as a box is high
    const rows = Math.ceil(group.length / columns);
    const side = layer > layers[hub]! ? 1 : -1;
    group.forEach((box, i) => {
      offsets[box] = side * Math.floor(i / rows);
    });
    const room = side > 0 ? wider.right : wider.left;
    room.set(layer, Math.max(room.get(layer) ?? 0, columns - 1));
  }
  if (folds.length > 0) {
    const old = Int32Array.from(layers);
    const any = kept.some((place) => place !== undefined);
    for (let box = 0; box < count; box++) {
      layers[box]! += offsets[box]!;
      if (any) continue;
      for (const [layer, more] of wider.right) if (layer < old[box]!) layers[box]! += more;
      for (const [layer, more] of wider.left) if (layer > old[box]!) layers[box]! -= more;
    }
  }
  const isSpoke = (box: number) => hubs[box]! >= 0 && spokes[hubs[box]!]! > MOST_SPOKES;
  return Uint8Array.from(from, (source, e) => Number(isSpoke(source) || isSpoke(to[e]!)));
}

/** Boxes and, after them, the bends of links that pass layers. */
interface Items {
  height: number[];
  lane: string[];
  y: Float64Array;
  /** Items of each layer, in the order in which they are drawn; layers from left to right. */
  layers: number[][];
  position: Int32Array;
  left: number[][];
  right: number[][];
  /** The bends of each link. */
  chains: number[][];
  boxes: number;
}

function addBends(
  boxes: readonly Box[],
  from: Int32Array,
  to: Int32Array,
  back: boolean[],
  straight: Uint8Array,
  layers: Int32Array,
): Items {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const layer of layers) {
    first = Math.min(first, layer);
    last = Math.max(last, layer);
  }
  const columns: number[][] = boxes.length > 0 ? Array.from({ length: last - first + 1 }, () => []) : [];
  const height = boxes.map((box) => box.height);
  const lane = boxes.map((box) => box.lane ?? "");
  const left: number[][] = boxes.map(() => []);
  const right: number[][] = boxes.map(() => []);
  boxes.forEach((_, node) => {
    columns[layers[node]! - first]!.push(node);
  });
  const chains: number[][] = [];
  for (let e = 0; e < from.length; e++) {
    const chain: number[] = [];
    chains.push(chain);
    const source = from[e]!;
    const target = to[e]!;
    if (back[e] || source === target) continue;
    let previous = source;
    if (!straight[e] && layers[target]! - layers[source]! <= LONGEST_BENT)
      for (let layer = layers[source]! + 1; layer < layers[target]!; layer++) {
        const bend = height.length;
        height.push(BEND_HEIGHT);
        lane.push(lane[source]!);
        left.push([previous]);
        right.push([]);
        right[previous]!.push(bend);
        columns[layer - first]!.push(bend);
        chain.push(bend);
        previous = bend;
      }
    right[previous]!.push(target);
    left[target]!.push(previous);
  }
  const items: Items = {
    height,
    lane,
    y: new Float64Array(height.length),
    layers: columns,
    position: new Int32Array(height.length),
    left,
    right,
    chains,
    boxes: boxes.length,
  };
  for (const column of columns) numberItems(items, column);
  return items;
}

function numberItems(items: Items, column: readonly number[]): void {
  for (let i = 0; i < column.length; i++) items.position[column[i]!] = i;
}

/** Orders each layer by the mean position of the neighbours, to and fro; the order with the fewest crossings stays. */
function orderLayers(items: Items, kept: readonly (Place | undefined)[]): void {
  if (kept.some((place) => place !== undefined)) {
    for (const column of items.layers) {
      const key = (item: number) => (item < items.boxes ? kept[item]?.y : undefined) ?? Number.POSITIVE_INFINITY;
      column.sort((a, b) => (key(a) === key(b) ? a - b : key(a) - key(b)));
      numberItems(items, column);
    }
  } else seedOrder(items);
  const lanes = rankLanes(items);
  let best = items.layers.map((column) => [...column]);
  let fewest = Number.POSITIVE_INFINITY;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const rightwards = sweep % 2 === 0;
    const columns = rightwards ? items.layers : [...items.layers].reverse();
    for (const column of columns) {
      sortByNeighbours(items, column, rightwards ? items.left : items.right, lanes);
      numberItems(items, column);
    }
    const crossings = items.layers.reduce((sum, column) => sum + countCrossings(items, column), 0);
    if (crossings >= fewest) continue;
    fewest = crossings;
    best = items.layers.map((column) => [...column]);
  }
  items.layers = best;
  for (const column of best) numberItems(items, column);
}

/** The first order: a walk along the links, so that what belongs together starts together. */
function seedOrder(items: Items): void {
  const seen = new Uint8Array(items.height.length);
  const place = new Int32Array(items.height.length);
  let next = 0;
  for (const column of items.layers)
    for (const root of column) {
      if (seen[root]) continue;
      const path = [root];
      seen[root] = 1;
      while (path.length > 0) {
        const item = path.pop()!;
        place[item] = next++;
        for (const side of [items.left[item]!, items.right[item]!])
          for (let i = side.length - 1; i >= 0; i--)
            if (!seen[side[i]!]) {
              seen[side[i]!] = 1;
              path.push(side[i]!);
            }
      }
    }
  for (const column of items.layers) {
    column.sort((a, b) => place[a]! - place[b]!);
    numberItems(items, column);
  }
}

/** Lanes by the layer in which they begin, then by name: lanes that feed come first. */
function rankLanes(items: Items): Map<string, number> {
  const begin = new Map<string, number>();
  items.layers.forEach((column, layer) => {
    for (const item of column) if (item < items.boxes && !begin.has(items.lane[item]!)) begin.set(items.lane[item]!, layer);
  });
  const names = [...begin.keys()].sort((a, b) => begin.get(a)! - begin.get(b)! || compareText(a, b));
  return new Map(names.map((name, rank) => [name, rank]));
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sortByNeighbours(items: Items, column: number[], neighbours: readonly number[][], lanes: ReadonlyMap<string, number>): void {
  const weight = new Map<number, number>();
  column.forEach((item, i) => {
    const near = neighbours[item]!;
    let sum = 0;
    for (const other of near) sum += items.position[other]!;
    weight.set(item, near.length > 0 ? sum / near.length : i);
  });
  const rank = (item: number) => lanes.get(items.lane[item]!) ?? 0;
  column.sort((a, b) => rank(a) - rank(b) || weight.get(a)! - weight.get(b)! || items.position[a]! - items.position[b]!);
}

/** Crossings of the links between a layer and the one left of it, counted by a Fenwick tree. */
function countCrossings(items: Items, column: readonly number[]): number {
  const ends: number[] = [];
  let size = 0;
  for (const item of column) {
    const near = items.left[item]!.map((other) => items.position[other]!).sort((a, b) => a - b);
    for (const end of near) {
      ends.push(end);
      size = Math.max(size, end + 1);
    }
  }
  const tree = new Int32Array(size + 1);
  let crossings = 0;
  for (let i = 0; i < ends.length; i++) {
    let before = 0;
    for (let at = ends[i]! + 1; at > 0; at -= at & -at) before += tree[at]!;
    crossings += i - before;
    for (let at = ends[i]! + 1; at <= size; at += at & -at) tree[at]!++;
  }
  return crossings;
}

/** Heights: each item wants the middle of its neighbours; within a layer the order and the gaps are kept. */
function spreadLayers(items: Items, members?: (item: number) => boolean): void {
  const columns = items.layers.map((column) => (members ? column.filter(members) : column));
  for (const column of columns) {
    let y = 0;
    for (const item of column) {
      items.y[item] = y;
      y += items.height[item]! + GAP;
    }
    for (const item of column) items.y[item]! -= y / 2;
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++)
    for (const column of sweep % 2 === 0 ? columns : [...columns].reverse()) {
      const wanted = column.map((item) => {
        let sum = 0;
        let count = 0;
        for (const side of [items.left[item]!, items.right[item]!])
          for (const other of side)
            if (!members || members(other)) {
              sum += items.y[other]! + items.height[other]! / 2;
              count++;
            }
        return count > 0 ? sum / count - items.height[item]! / 2 : items.y[item]!;
      });
      separateItems(items, column, wanted);
    }
}

/** The heights nearest to the wanted ones (least squares) that keep order and gaps: neighbours that collide form a block at their mean. */
function separateItems(items: Items, column: readonly number[], wanted: readonly number[]): void {
  const blocks: { sum: number; count: number }[] = [];
  const offsets: number[] = [];
  let offset = 0;
  column.forEach((item, i) => {
    offsets.push(offset);
    let block = { sum: wanted[i]! - offset, count: 1 };
    offset += items.height[item]! + GAP;
    for (let last = blocks.at(-1); last && last.sum / last.count >= block.sum / block.count; last = blocks.at(-1)) {
      block = { sum: last.sum + block.sum, count: last.count + block.count };
      blocks.pop();
    }
    blocks.push(block);
  });
  let i = 0;
  for (const block of blocks)
    for (let n = 0; n < block.count; n++, i++) items.y[column[i]!] = Math.round(block.sum / block.count) + offsets[i]!;
}

/** Lanes one below the other, each spread by itself. */
function stackLanes(items: Items): void {
  let top = 0;
  for (const lane of rankLanes(items).keys()) {
    const members = (item: number) => items.lane[item] === lane;
    spreadLayers(items, members);
    let least = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    items.height.forEach((height, item) => {
      if (!members(item)) return;
      least = Math.min(least, items.y[item]!);
      most = Math.max(most, items.y[item]! + height);
    });
    items.height.forEach((_, item) => {
      if (members(item)) items.y[item]! += top - least;
    });
    top += most - least + LANE_GAP;
  }
}

/** Earlier boxes stay where they were; what grew pushes those below it; new items take the free room that is nearest to their neighbours. */
function keepPlaces(items: Items, kept: readonly (Place | undefined)[], layers: Int32Array): void {
  const placed = new Uint8Array(items.height.length);
  for (const column of items.layers) {
    const old = column.filter((item) => item < items.boxes && kept[item] && kept[item]!.layer === layers[item]);
    old.sort((a, b) => kept[a]!.y - kept[b]!.y || a - b);
    let free = Number.NEGATIVE_INFINITY;
    for (const item of old) {
      items.y[item] = Math.max(kept[item]!.y, free);
      free = items.y[item]! + items.height[item]! + GAP;
      placed[item] = 1;
    }
  }
  // Nearest to the earlier boxes first, so that a chain of new ones grows from where it is tied.
  let wave = 0;
  const queue: number[] = [];
  for (let item = 0; item < placed.length; item++) if (placed[item]) queue.push(item);
  const reached = Uint8Array.from(placed);
  for (; wave < queue.length; wave++)
    for (const side of [items.left[queue[wave]!]!, items.right[queue[wave]!]!])
      for (const other of side)
        if (!reached[other]) {
          reached[other] = 1;
          queue.push(other);
        }
  for (let item = 0; item < reached.length; item++) if (!reached[item]) queue.push(item);
  const rooms = items.layers.map(
    (column) => new Room(column.filter((item) => placed[item]).map((item) => [items.y[item]!, items.height[item]!])),
  );
  const columnOf = new Int32Array(items.height.length);
  items.layers.forEach((column, layer) => {
    for (const item of column) columnOf[item] = layer;
  });
  for (const item of queue) {
    if (placed[item]) continue;
    const near = [...items.left[item]!, ...items.right[item]!].filter((other) => placed[other]);
    const middle = near.reduce((sum, other) => sum + items.y[other]! + items.height[other]! / 2, 0) / Math.max(near.length, 1);
    const wanted = kept[item]?.y ?? middle - items.height[item]! / 2;
    items.y[item] = rooms[columnOf[item]!]!.take(Math.round(wanted), items.height[item]!);
    placed[item] = 1;
  }
}

/** The occupied stretches of one layer, from top to bottom. */
class Room {
  private readonly taken: [start: number, end: number][];

  constructor(boxes: readonly (readonly [y: number, height: number])[]) {
    this.taken = boxes.map(([y, height]): [number, number] => [y, y + height + GAP]).sort((a, b) => a[0] - b[0]);
  }

  /** Occupies the free stretch nearest to `wanted` and gives its upper edge. */
  take(wanted: number, height: number): number {
    const size = height + GAP;
    let best = wanted;
    let distance = Number.POSITIVE_INFINITY;
    for (let i = 0; i <= this.taken.length; i++) {
      const start = i === 0 ? Number.NEGATIVE_INFINITY : this.taken[i - 1]![1];
      const end = i === this.taken.length ? Number.POSITIVE_INFINITY : this.taken[i]![0];
      if (end - start < size) continue;
      const y = Math.max(start, Math.min(wanted, end - size));
      if (Math.abs(y - wanted) < distance) {
        distance = Math.abs(y - wanted);
        best = y;
      }
      if (start > wanted) break;
    }
    let at = this.taken.findIndex(([start]) => start > best);
    if (at < 0) at = this.taken.length;
    this.taken.splice(at, 0, [best, best + size]);
    // Adjacent stretches become one, so that a full layer stays quick.
    const before = this.taken[at - 1];
    if (before && before[1] === best) {
      before[1] = best + size;
      this.taken.splice(at, 1);
      at--;
    }
    const here = this.taken[at]!;
    const after = this.taken[at + 1];
    if (after && after[0] === here[1]) {
      here[1] = after[1];
      this.taken.splice(at + 1, 1);
    }
    return best;
  }
}
