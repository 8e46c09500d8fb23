import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keepView, readState, writeState } from "./address";

describe("the address of a picture", () => {
  test("reads the example of the design, and keeps what it does not know", () => {
    const text =
      "of=x&dir=down&g=column&depth=2&reach=direct,indirect&open=ds_1:d,ds_2:c,ds_3:-u&pin=col_1&asOf=2026-11-03T14:00Z&group=domain&overlay=quality&view=12.5,80,0.6&other=kept";
    const state = readState(new URLSearchParams(text));
    expect(state.refused).toEqual([]);
    expect(state.view).toMatchObject({ granularity: "COLUMN", depth: 2, sides: ["down"], grouping: "domain" });
    expect([...state.view.open, ...state.view.shut, ...state.view.columns]).toEqual(["ds_1:down", "ds_3:up", "ds_2"]);
    expect(state.viewport).toEqual({ x: 12.5, y: 80, zoom: 0.6 });
    expect(state.asOf).toBe("2026-11-03T14:00:00.000Z");
    expect(writeState(new URLSearchParams(text), state).get("other")).toBe("kept");
  });

  test("bad values are named and fall back", () => {
    const state = readState(new URLSearchParams("g=planet&depth=-3&reach=sideways&asOf=soon&view=a,b&open=x&overlay=gold&group=1"));
    expect(state.refused.sort()).toEqual(["asOf", "depth", "g", "group", "open", "overlay", "reach", "view"]);
    expect(state.view).toMatchObject({ granularity: "DATASET", depth: 1, grouping: "auto" });
    expect(state.view.reach.size).toBe(3);
  });

  test("what is written is read again", () => {
    const ids = fc.array(
      fc.string({ minLength: 1 }).map((text) => `id_${text}`),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(
        ids,
        ids,
        ids,
        fc.integer({ min: 1, max: 50 }),
        fc.subarray(["DIRECT", "INDIRECT", "POSSIBLE"] as const),
        (open, shut, columns, depth, reach) => {
          const first = readState(new URLSearchParams());
          const view = {
            ...first.view,
            ...{ open: new Set(open.map((id) => `${id}:down`)), shut: new Set(shut.map((id) => `${id}:up`)), columns: new Set(columns) },
            ...{ depth, reach: new Set(reach) },
          };
          const again = readState(new URLSearchParams(writeState(new URLSearchParams(), { ...first, view }).toString()));
          expect(again).toEqual({ ...first, view });
        },
      ),
    );
  });

  test("a moved window or a pin keeps the view; what changes the picture does not", () => {
    const start = "depth=2&open=a:d,b:u&columns=a:mail&reach=direct";
    const earlier = readState(new URLSearchParams(start)).view;
    const keeps = (more: string) => keepView(readState(new URLSearchParams(`${start}&${more}`)), earlier).view === earlier;
    expect(["view=1,2,0.5", "pin=a", "draw=true", "overlay=quality", "group=auto"].filter((more) => !keeps(more))).toEqual([]);
    const others = ["depth=3&open=a:d,b:u", "open=a:d,b:d", "open=a:d", "columns=a:name", "columns=b:mail", "reach=indirect", "g=column"];
    const differing = others.map(
      (text) =>
        new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(start)), ...Object.fromEntries(new URLSearchParams(text)) }),
    );
    expect(differing.filter((search) => keepView(readState(search), earlier).view === earlier).map(String)).toEqual([]);
  });
});
