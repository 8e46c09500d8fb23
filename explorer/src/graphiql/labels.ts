/** The fields of GraphiQL's editors have no names of their own, which a screen reader would read: each gets that of the part that it is in. */
const NAMELESS = ".CodeMirror textarea:not([aria-label])";

/** Name the fields that are in the page now. */
export function labelFields(root: ParentNode): void {
  for (const field of root.querySelectorAll(NAMELESS)) {
    field.setAttribute("aria-label", field.closest("[aria-label]")?.getAttribute("aria-label") ?? "Editor");
  }
}

/** Name the fields of editors whenever one is added: they are made after GraphiQL has drawn its frame. */
export function keepFieldsLabelled(root: Element): void {
  labelFields(root);
  new MutationObserver(() => labelFields(root)).observe(root, { childList: true, subtree: true });
}
