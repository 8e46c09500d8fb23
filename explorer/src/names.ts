/** Names come from anywhere: what cannot be seen, or turns the text around it, is shown as a symbol. */

// Controls, soft hyphen, zero-width and bidi characters, line separators, byte order mark, tags, variation selectors, fillers.
const HIDDEN = /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}|\u034f|\u115f|\u1160|\u17b4|\u17b5|\u3164|\uffa0|[\ufe00-\ufe0f]|[\u{e0100}-\u{e01ef}]/gu;

const PLAIN = /^[ -~]*$/; // ASCII that can be seen: nearly every name, and much faster to know

const LONGEST_LINE = 24; // characters of a name that is always in one line

export interface NamePart {
  text: string;
  /** Whether it stands for a character that cannot be seen. */
  symbol: boolean;
}

function nameCharacter(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The parts of a text: as they are, or symbols for characters that cannot be seen. */
export function splitName(text: string): NamePart[] {
  const parts: NamePart[] = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index), symbol: false });
    parts.push({ text: nameCharacter(match[0]), symbol: true });
    from = match.index + match[0].length;
  }
  if (from < text.length || parts.length === 0) parts.push({ text: text.slice(from), symbol: false });
  return parts;
}

/** A text in which nothing is hidden, for titles, exports and pictures. */
export function showName(text: string): string {
  if (PLAIN.test(text)) return text;
  return splitName(text)
    .map((part) => (part.symbol ? `⟨${part.text}⟩` : part.text))
    .join("");
}

/** A long name after which separators a line may end, so that it does not end within a word. */
export function splitWords(text: string): string[] {
  return text.length <= LONGEST_LINE ? [text] : text.split(text.includes("@") ? /(?=@)/ : /(?<=[./])(?=[^./])/);
}

/**
 * A column with its dataset and without where that is, `customers.customers.email`: many columns have the same name. Another asset by its name.
 */
export function nameWithin(asset: { kind: string; name: string; qualifiedName: string }): string {
  const end = `.${asset.name}`;
  if (asset.kind !== "COLUMN" || !asset.qualifiedName.endsWith(end)) return asset.name;
  const dataset = asset.qualifiedName.slice(0, -end.length);
  return dataset.slice(dataset.lastIndexOf("/") + 1) + end;
}

/** A text of at most `most` characters, cut in the middle: both ends of a name tell it apart. */
export function cutName(text: string, most: number): string {
  const characters = Array.from(text);
  if (characters.length <= most) return text;
  const tail = Math.floor((most - 1) / 2);
  return `${characters.slice(0, most - 1 - tail).join("")}…${characters.slice(characters.length - tail).join("")}`;
}

const SCHEMES = new Set(["https:", "http:", "mailto:"]);

/** The address if it is one that may be a link; else null. */
export function checkLink(text: string): string | null {
  try {
    const url = new URL(text);
    return SCHEMES.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
