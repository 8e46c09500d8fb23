/** Trusted Types for GraphiQL, which shows descriptions of the schema as HTML that it makes of Markdown: only plain formatting passes. */

const FORMATTING = /^<\/?(?:p|br|em|strong|code|pre|ul|ol|li|h[1-6]|blockquote)\s*\/?>/;

/** The text with every tag escaped that is not plain formatting: so no tag has an attribute. */
export function confineHtml(text: string): string {
  return text.replace(/</g, (found, at: number) => (FORMATTING.test(text.slice(at, at + 16)) ? found : "&lt;"));
}

/** Applies to every string that a library assigns to innerHTML. Scripts and their addresses are refused as before. */
export function installPolicy(): void {
  const types = (window as { trustedTypes?: { createPolicy(name: string, rules: { createHTML(text: string): string }): unknown } })
    .trustedTypes;
  types?.createPolicy("default", { createHTML: confineHtml });
}
