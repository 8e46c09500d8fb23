import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Box, computeLayout, GAP, type Layout, type Link } from "./layout";
import { readReply, writeRequest } from "./layout_client";
import { layOut } from "./layout_worker";
import { growMesh } from "./meshes";
import { STEP } from "./scene";
import { LEAST_ZOOM } from "./viewport";

const graphs = fc
  .record({
    heights: fc.array(fc.integer({ min: 20, max: 300 }), { minLength: 1, maxLength: 40 }),
    pairs: fc.array(fc.tuple(fc.nat(39), fc.nat(39)), { maxLength: 90 }),
    lanes: fc.array(fc.constantFrom("sales", "finance", "ops"), { minLength: 40, maxLength: 40 }),
  })
  .map(({ heights, pairs, lanes }) => ({
    boxes: heights.map((height, i): Box => ({ id: `n${i}`, height })),
    laned: heights.map((height, i): Box => ({ id: `n${i}`, height, lane: lanes[i]! })),
    links: pairs.map(([a, b]): Link => ({ from: `n${a % heights.length}`, to: `n${b % heights.length}` })),
  }));

function expectNoOverlap(boxes: readonly Box[], layout: Layout): void {
  const columns = new Map<number, [number, number, string][]>();
  for (const box of boxes) {
    const place = layout.places.get(box.id)!;
    const column = columns.get(place.layer) ?? [];
    column.push([place.y, place.y + box.height, box.id]);
    columns.set(place.layer, column);
  }
  const overlaps: string[] = [];
  for (const column of columns.values()) {
    column.sort((a, b) => a[0] - b[0]);
    for (let i = 0; i < column.length; i++) {
      const after = i === 0 || column[i]![0] >= column[i - 1]![1] + GAP;
      if (!after || !Number.isFinite(column[i]![0])) overlaps.push(column[i]![2]);
    }
  }
  expect(overlaps).toEqual([]);
}

function expectRightward(links: readonly Link[], layout: Layout): void {
  const layer = (id: string) => layout.places.get(id)!.layer;
  expect(links.filter((link, i) => !layout.back[i] && layer(link.to) <= layer(link.from))).toEqual([]);
}

describe("computeLayout", () => {
  test("boxes never overlap and links point right, but for those marked as back", () => {
    fc.assert(
      fc.property(graphs, ({ boxes, laned, links }) => {
        for (const some of [boxes, laned]) {
          const layout = computeLayout(some, links);
          expectNoOverlap(some, layout);
          expectRightward(links, layout);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("a graph without cycles has no link that is marked as back", () => {
    fc.assert(
      fc.property(graphs, ({ boxes, links }) => {
        const forward = links.filter((link) => Number(link.from.slice(1)) < Number(link.to.slice(1)));
        expect(computeLayout(boxes, forward).back).not.toContain(true);
      }),
    );
  });

  test("links that are marked as back point left, or to their own box", () => {
    fc.assert(
      fc.property(graphs, ({ boxes, links }) => {
        const { places, back } = computeLayout(boxes, links);
        links.forEach((link, i) => {
          if (back[i]) expect(places.get(link.to)!.layer).toBeLessThanOrEqual(places.get(link.from)!.layer);
        });
      }),
    );
  });

  test("the same input gives the same picture", () => {
    fc.assert(
      fc.property(graphs, ({ boxes, links }) => {
        expect(computeLayout(boxes, links)).toEqual(computeLayout(boxes, links));
      }),
    );
  });

  test("lanes do not overlap", () => {
    fc.assert(
      fc.property(graphs, ({ laned, links }) => {
        const { places } = computeLayout(laned, links);
        const bands = new Map<string, [number, number]>();
        for (const box of laned) {
          const { y } = places.get(box.id)!;
          const band = bands.get(box.lane!) ?? [y, y + box.height];
          bands.set(box.lane!, [Math.min(band[0], y), Math.max(band[1], y + box.height)]);
        }
        const sorted = [...bands.values()].sort((a, b) => a[0] - b[0]);
        for (let i = 1; i < sorted.length; i++) expect(sorted[i]![0]).toBeGreaterThan(sorted[i - 1]![1]);
      }),
    );
  });

  test("what is added grows round the earlier boxes, which keep their places", () => {
    fc.assert(
      fc.property(graphs, fc.array(fc.tuple(fc.nat(39), fc.boolean()), { minLength: 1, maxLength: 20 }), ({ boxes, links }, leaves) => {
        const earlier = computeLayout(boxes, links).places;
        const added = leaves.map((_, i): Box => ({ id: `new${i}`, height: 40 }));
        const tied = leaves.map(([at, right], i): Link => {
          const box = boxes[at % boxes.length]!.id;
          return right ? { from: box, to: `new${i}` } : { from: `new${i}`, to: box };
        });
        const all = [...boxes, ...added];
        const layout = computeLayout(all, [...links, ...tied], earlier);
        for (const box of boxes) expect(layout.places.get(box.id)).toEqual(earlier.get(box.id));
        expectNoOverlap(all, layout);
        expectRightward([...links, ...tied], layout);
      }),
    );
  });

  test("links between earlier boxes and boxes that grow move others no further than they must", () => {
    fc.assert(
      fc.property(graphs, graphs, ({ boxes, links }, other) => {
        const earlier = computeLayout(boxes, links).places;
        const grown = boxes.map((box, i) => ({ ...box, height: box.height + (i % 3) * 30 }));
        const ids = new Set(grown.map((box) => box.id));
        const more = [...links, ...other.links.filter((link) => ids.has(link.from) && ids.has(link.to))];
        const layout = computeLayout(grown, more, earlier);
        expectNoOverlap(grown, layout);
        expectRightward(more, layout);
      }),
    );
  });

  test.each(["down", "up"])("the spokes of a hub of 3,000 %sstream fit the least zoom, and stay when one of them is opened", (side) => {
    const tie = (a: string, b: string): Link => (side === "down" ? { from: a, to: b } : { from: b, to: a });
    const boxes = [...Array.from({ length: 3000 }, (_, i): Box => ({ id: `s${i}`, height: 72 })), { id: "hub", height: 72 }];
    const beyond = ["a", "b", "c"].map((id): Box => ({ id, height: 72 }));
    const links = [...boxes.slice(0, -1).map(({ id }) => tie("hub", id)), tie("hub", "a"), tie("a", "b"), tie("hub", "b"), tie("b", "c")];
    const all = [...boxes, ...beyond];
    const layout = computeLayout(all, links);
    expectNoOverlap(all, layout);
    expectRightward(links, layout);
    const places = [...layout.places.values()];
    const measure = (values: number[]) => Math.max(...values) - Math.min(...values);
    expect(measure(places.map((place) => place.y)) * LEAST_ZOOM).toBeLessThan(500);
    expect(measure(places.map((place) => place.layer)) * STEP * LEAST_ZOOM).toBeLessThan(700);
    const more = [...all, { id: "new", height: 72 }];
    const grown = computeLayout(more, [...links, tie("s5", "new")], layout.places);
    for (const box of all) expect(grown.places.get(box.id)).toEqual(layout.places.get(box.id));
    expectNoOverlap(more, grown);
  });

  test("a hub that is opened later is folded, too, and nothing else moves", () => {
    const first: Box[] = ["a", "hub", "z"].map((id) => ({ id, height: 72 }));
    const chain: Link[] = [
      { from: "a", to: "hub" },
      { from: "hub", to: "z" },
    ];
    const earlier = computeLayout(first, chain).places;
    const spokes = Array.from({ length: 400 }, (_, i): Box => ({ id: `s${i}`, height: 72 }));
    const layout = computeLayout([...first, ...spokes], [...chain, ...spokes.map(({ id }) => ({ from: "hub", to: id }))], earlier);
    for (const { id } of first) expect(layout.places.get(id)).toEqual(earlier.get(id));
    expectNoOverlap([...first, ...spokes], layout);
    expect(new Set([...layout.places.values()].map((place) => place.layer)).size).toBeGreaterThan(8);
  });

  test("5,000 boxes are placed without an overlap, and within two seconds on a busy machine", () => {
    const { boxes, links } = growMesh(5000);
    const start = performance.now();
    const layout = computeLayout(boxes, links);
    expect(performance.now() - start).toBeLessThan(2000);
    expectNoOverlap(boxes, layout);
    expectRightward(links, layout);
  });
});

test("through the worker's arrays of numbers a layout is the same, with lanes and with earlier places", () => {
  const compare = (boxes: readonly Box[], links: readonly Link[], earlier: Layout["places"]) => {
    const reply = layOut(writeRequest(1, boxes, links, earlier));
    expect(readReply(reply, boxes)).toEqual(computeLayout(boxes, links, earlier));
  };
  fc.assert(
    fc.property(graphs, ({ boxes, laned, links }) => {
      compare(laned, links, new Map());
      const half = boxes.slice(0, Math.ceil(boxes.length / 2));
      const ids = new Set(half.map((box) => box.id));
      const first = computeLayout(
        half,
        links.filter((link) => ids.has(link.from) && ids.has(link.to)),
      );
      compare(boxes, links, first.places);
    }),
    { numRuns: 40 },
  );
});
