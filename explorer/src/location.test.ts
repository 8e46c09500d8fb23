import { describe, expect, it } from "vitest";
import { buildAssetHref, buildHref, changeHref, keepTime, navigate, readChoice, readList, readTime } from "./location";
import { matchRoute } from "./routes";

const Page = () => null;

describe("addresses", () => {
  it("leave out what is empty, and keep unknown parameters", () => {
    expect(buildHref("/impact", { of: ["a", "b"], reach: null, kind: "" })).toBe("/impact?of=a%2Cb");
    const place = { path: "/impact", search: new URLSearchParams("of=a&x=1&kind=JOB") };
    expect(changeHref(place, { kind: null, reach: "DIRECT" })).toBe("/impact?of=a&x=1&reach=DIRECT");
  });

  it("are read with fallbacks for bad values", () => {
    const search = new URLSearchParams("of=a,,b&reach=direct&asOf=never&from=2026-03-07T00:00Z");
    expect(readList(search, "of")).toEqual(["a", "b"]);
    expect(readChoice(search, "reach", ["DIRECT", "POSSIBLE"], "POSSIBLE")).toBe("DIRECT");
    expect(readChoice(search, "dir", ["up", "down"], "down")).toBe("down");
    expect(readTime(search, "asOf")).toBeNull();
    expect(readTime(search, "from")).toBe("2026-03-07T00:00:00.000Z");
  });

  it("have times with a zone, whose plus an address reads as a space", () => {
    expect(readTime(new URLSearchParams("asOf=2026-03-07T02:00+02:00"), "asOf")).toBe("2026-03-07T00:00:00.000Z");
  });

  it("take the time of the page along, but not where the link has its own or goes to the present", () => {
    window.history.replaceState(null, "", "/datasets?asOf=2026-03-07T00:00Z");
    expect(keepTime("/a/ds_1?tab=jobs")).toBe("/a/ds_1?tab=jobs&asOf=2026-03-07T00%3A00Z");
    expect(keepTime("/a/ds_1?asOf=2020-01-01")).toBe("/a/ds_1?asOf=2020-01-01");
    navigate("/jobs");
    expect(window.location.href).toContain("/jobs?asOf=2026-03-07");
    navigate("/jobs", { exact: true });
    expect(window.location.search).toBe("");
    expect(keepTime("/a/ds_1")).toBe("/a/ds_1");
  });

  it("find their page, with the id decoded once", () => {
    const routes = [
      { path: "/", name: "", page: Page },
      { path: "/a/{id}", name: "", page: Page },
      { path: "/impact", name: "", page: Page },
    ];
    expect(matchRoute("/", routes)?.route.path).toBe("/");
    expect(matchRoute("/impact/", routes)?.route.path).toBe("/impact");
    expect(matchRoute(buildAssetHref("a/b%2F?#é"), routes)?.id).toBe("a/b%2F?#é");
    for (const bad of ["/a/", "/a/x/y", "/a/%E0%A4%A", "/impacts", "/nothing"]) expect(matchRoute(bad, routes)).toBeNull();
  });
});
