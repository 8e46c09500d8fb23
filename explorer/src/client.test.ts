import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AnswerError, fetchAnswer, type Operation, setToken } from "./client";

const ABOUT: Operation<{ about: { revision: number } }, { n: number }> = { name: "About", text: "query About { about { revision } }" };

function answer(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
}

describe("the client", () => {
  const fetched = vi.fn<typeof fetch>();

  beforeEach(() => {
    vi.stubGlobal("fetch", fetched);
    setToken(null); // also empties the cache
  });
  afterEach(() => {
    fetched.mockReset();
    vi.unstubAllGlobals();
  });

  it("asks once for the same question of the same revision", async () => {
    fetched.mockImplementation(async () => answer({ data: { about: { revision: 7 } } }));
    expect(await fetchAnswer(ABOUT, { n: 1 })).toEqual({ about: { revision: 7 } });
    await fetchAnswer(ABOUT, { n: 1 });
    expect(fetched).toHaveBeenCalledTimes(1);
    await fetchAnswer(ABOUT, { n: 2 });
    expect(fetched).toHaveBeenCalledTimes(2);
  });

  it("sends the token in a header and never in the address", async () => {
    fetched.mockImplementation(async () => answer({ data: { about: { revision: 1 } } }));
    setToken("secret-token");
    await fetchAnswer(ABOUT, { n: 3 });
    const [address, init] = fetched.mock.calls[0] ?? [];
    expect(String(address)).toBe("/graphql");
    expect(new Headers(init?.headers).get("Authorization")).toBe("Bearer secret-token");
    expect(String(init?.body)).not.toContain("secret-token");
    expect(JSON.stringify({ ...window.localStorage, ...window.sessionStorage })).not.toContain("secret-token");
  });

  it("fails with the code of the server, and keeps no failure", async () => {
    fetched.mockImplementationOnce(async () => answer({ error: { code: "NOT_READY", message: "loading", path: "" } }, 503));
    await expect(fetchAnswer(ABOUT, { n: 4 })).rejects.toMatchObject({ code: "NOT_READY" });
    fetched.mockImplementationOnce(async () =>
      answer({ data: null, errors: [{ message: "two", extensions: { code: "AMBIGUOUS", candidates: ["a", "b"] } }] }),
    );
    await expect(fetchAnswer(ABOUT, { n: 4 })).rejects.toMatchObject({ code: "AMBIGUOUS", candidates: ["a", "b"] });
    fetched.mockImplementationOnce(async () =>
      answer({ data: null, errors: [{ message: "by: no", path: ["done"], extensions: { code: "INVALID_INPUT", path: "by" } }] }),
    );
    await expect(fetchAnswer(ABOUT, { n: 4 })).rejects.toMatchObject({ code: "INVALID_INPUT", path: "by" });
    fetched.mockImplementationOnce(async () => new Response("<html>", { status: 502 }));
    await expect(fetchAnswer(ABOUT, { n: 4 })).rejects.toMatchObject({ code: "HTTP_502" });
    fetched.mockImplementationOnce(async () => {
      throw new TypeError("network");
    });
    await expect(fetchAnswer(ABOUT, { n: 4 })).rejects.toBeInstanceOf(AnswerError);
    fetched.mockImplementationOnce(async () => answer({ data: { about: { revision: 9 } } }));
    expect((await fetchAnswer(ABOUT, { n: 4 })).about.revision).toBe(9);
  });
});
