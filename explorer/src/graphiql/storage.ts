/** The browser's storage for GraphiQL, without the headers of its tabs and of its history: a token is kept in memory only. */

const HEADERS = "headers";

/** A stored value without its headers, however deep; text that is no JSON as it is. */
export function dropHeaders(value: string): string {
  try {
    return JSON.stringify(JSON.parse(value, (name, part: unknown) => (name === HEADERS ? undefined : part)));
  } catch {
    return value;
  }
}

function listKeys(): string[] {
  return Object.keys(localStorage).filter((key) => key.startsWith("graphiql:"));
}

export const storage = {
  get length() {
    return listKeys().length;
  },
  getItem: (key: string) => localStorage.getItem(key),
  setItem(key: string, value: string) {
    if (!key.endsWith(`:${HEADERS}`)) localStorage.setItem(key, dropHeaders(value));
  },
  removeItem: (key: string) => localStorage.removeItem(key),
  clear() {
    for (const key of listKeys()) localStorage.removeItem(key);
  },
};
