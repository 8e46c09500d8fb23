// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { labelFields } from "./labels";

test("a field of an editor has the name of its part", () => {
  document.body.innerHTML = `
    <section aria-label="Headers"><div class="CodeMirror"><textarea></textarea></div></section>
    <div class="CodeMirror"><textarea></textarea></div>
    <section aria-label="Query Editor"><div class="CodeMirror"><textarea aria-label="own"></textarea></div></section>
    <textarea></textarea>`;
  labelFields(document);
  const names = [...document.querySelectorAll("textarea")].map((field) => field.getAttribute("aria-label"));
  expect(names).toEqual(["Headers", "Editor", "own", null]);
});
