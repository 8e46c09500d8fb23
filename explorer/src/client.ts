/** GraphQL over fetch: errors by code, a cache of answers by query, variables and revision, and a hook for components. */
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";

export interface Operation<Answer, Variables> {
  name: string;
  text: string;
  /** For the types alone. */
  readonly types?: (variables: Variables) => Answer;
}

/** An error of the server or of the way to it. `code` is stable: UNAUTHENTICATED, NOT_FOUND, ..., or AWAY if the server cannot be reached. */
export class AnswerError extends Error {
  readonly code: string;
  readonly candidates: string[];
  readonly requestId: string | null;
  /** The argument that the server refuses, if it names one. */
  readonly path: string | null;

  constructor(code: string, message: string, candidates: string[] = [], requestId: string | null = null, path: string | null = null) {
    super(message);
    this.name = "AnswerError";
    this.code = code;
    this.candidates = candidates;
    this.requestId = requestId;
    this.path = path;
  }
}

export const AWAY = "AWAY";
export const UNAUTHENTICATED = "UNAUTHENTICATED";
export const FORBIDDEN = "FORBIDDEN";
const ADDRESS = "/graphql";
const KEPT_ANSWERS = 60;
const POLL_MS = 15_000;

interface ClientState {
  /** The revision of the answers that are shown; null until the server has answered. */
  revision: number | null;
  /** A newer revision that the server has by now. */
  newer: number | null;
  /** Grows when every answer must be fetched again: another token, another revision, another try. */
  epoch: number;
  needsToken: boolean;
  away: boolean;
  /** Null until the server has answered. */
  session: Session | null;
  /** Whether there was a session, which has ended. */
  sessionEnded: boolean;
}

/** Who is signed in: `name` for people, `actor` as the audit log has it; empty if there is no session. `signIn`: whether people can sign in. */
export interface Session {
  signIn: boolean;
  name: string;
  actor: string;
}

const NO_SESSION: Session = { signIn: false, name: "", actor: "" };

let state: ClientState = {
  revision: null,
  newer: null,
  epoch: 0,
  needsToken: false,
  away: false,
  session: null,
  sessionEnded: false,
};
let token: string | null = null; // in memory only: a reload forgets it
const listeners = new Set<() => void>();
const answers = new Map<string, unknown>();

function update(change: Partial<ClientState>): void {
  state = { ...state, ...change };
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useClientState(): ClientState {
  return useSyncExternalStore(subscribe, () => state);
}

export function hasToken(): boolean {
  return token !== null;
}

/** Sends this token from now on, and asks everything again. */
export function setToken(next: string | null): void {
  token = next;
  answers.clear();
  update({ needsToken: false, epoch: state.epoch + 1 });
}

/** Asks who is signed in. */
export async function loadSession(): Promise<void> {
  try {
    const response = await fetch("/session", { credentials: "same-origin", headers: { Accept: "application/json" } });
    update({ session: response.ok ? { ...NO_SESSION, ...((await response.json()) as Partial<Session>) } : NO_SESSION });
  } catch {
    update({ session: NO_SESSION }); // that the server is away is shown by the next question
  }
}

/** Ends the session; the address to go to. Raises AnswerError. */
export async function endSession(): Promise<string> {
  let response: Response;
  try {
    response = await fetch("/sign-out", { method: "POST", credentials: "same-origin", headers: { Accept: "application/json" } });
  } catch {
    throw new AnswerError(AWAY, "The server cannot be reached.");
  }
  if (!response.ok) throw new AnswerError(`HTTP_${response.status}`, `The server answered with status ${response.status}.`);
  return ((await response.json()) as { next: string }).next;
}

export function openTokenDialog(): void {
  update({ needsToken: true });
}

export function closeTokenDialog(): void {
  update({ needsToken: false });
}

/** Shows the graph of the newest revision: all answers are fetched again. */
export function showNewestRevision(): void {
  answers.clear();
  update({ revision: state.newer ?? state.revision, newer: null, epoch: state.epoch + 1 });
}

/** Fetches everything again after a change that was made here: it is no news that the graph has changed. */
export function showOwnChange(): void {
  answers.clear();
  update({ revision: null, newer: null, epoch: state.epoch + 1 });
}

interface Body {
  data?: unknown;
  errors?: { message: string; extensions?: { code?: string; candidates?: string[]; requestId?: string; path?: string } }[];
  error?: { code: string; message: string; candidates?: string[]; requestId?: string; path?: string };
}

/** Fetches an answer, past the cache. Raises AnswerError, or the AbortError of `signal`. */
export async function sendOperation<Answer, Variables>(
  operation: Operation<Answer, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Answer> {
  const headers: Record<string, string> = { "Content-Type": "application/json", Accept: "application/json" };
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  let response: Response;
  try {
    response = await fetch(ADDRESS, {
      method: "POST",
      headers,
      credentials: "same-origin",
      body: JSON.stringify({ query: operation.text, variables, operationName: operation.name }),
      signal: signal ?? null,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    update({ away: true });
    throw new AnswerError(AWAY, "The server cannot be reached.");
  }
  let body: Body;
  try {
    body = (await response.json()) as Body;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new AnswerError(`HTTP_${response.status}`, `The server answered with status ${response.status} and no JSON.`);
  }
  if (state.away) update({ away: false });
  const refused = body.error ?? (body.errors?.[0] && { message: body.errors[0].message, code: "INTERNAL", ...body.errors[0].extensions });
  if (refused) {
    if (refused.code === UNAUTHENTICATED) update({ needsToken: true, ...(token === null ? forgetSession() : {}) });
    throw new AnswerError(refused.code, refused.message, refused.candidates ?? [], refused.requestId ?? null, refused.path || null);
  }
  if (body.data === undefined || body.data === null) throw new AnswerError(`HTTP_${response.status}`, "The server sent no data.");
  return body.data as Answer;
}

/** What changes when the server does not know the session any more. */
function forgetSession(): Partial<ClientState> {
  return state.session?.actor ? { session: { ...state.session, name: "", actor: "" }, sessionEnded: true } : {};
}

function buildKey<Variables>(operation: Operation<unknown, Variables>, variables: Variables): string {
  return `${state.epoch}:${state.revision ?? ""}:${operation.name}:${JSON.stringify(variables)}`;
}

/** An answer from the cache, or fetched. Answers of one revision never change. */
export async function fetchAnswer<Answer, Variables>(
  operation: Operation<Answer, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Answer> {
  const key = buildKey(operation, variables);
  if (answers.has(key)) return answers.get(key) as Answer;
  const answer = await sendOperation(operation, variables, signal);
  answers.set(key, answer);
  const oldest = answers.keys().next().value;
  if (answers.size > KEPT_ANSWERS && oldest !== undefined) answers.delete(oldest);
  return answer;
}

export interface QueryState<Answer> {
  /** The answer to these variables, or the one before it while `loading`. */
  data: Answer | null;
  error: AnswerError | null;
  loading: boolean;
  retry(): void;
}

/** Asks for an answer while the component is shown; `variables` null: asks nothing. */
export function useQuery<Answer, Variables>(operation: Operation<Answer, Variables>, variables: Variables | null): QueryState<Answer> {
  const { data, ...rest } = useAnswers(operation, variables && [variables]);
  return { ...rest, data: data?.[0] ?? null };
}

/** Asks one operation for several variables while the component is shown; null: asks nothing. One that fails is an error of all. */
export function useAnswers<Answer, Variables>(
  operation: Operation<Answer, Variables>,
  variables: readonly Variables[] | null,
): QueryState<Answer[]> {
  const { epoch } = useClientState();
  const [tries, setTries] = useState(0);
  const wanted = variables === null ? null : `${epoch}:${tries}:${operation.name}:${JSON.stringify(variables)}`;
  const [found, setFound] = useState<{ wanted: string | null; data: Answer[] | null; error: AnswerError | null }>({
    wanted: null,
    data: null,
    error: null,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: `wanted` is the operation and the variables as text
  useEffect(() => {
    if (wanted === null || variables === null) return;
    const controller = new AbortController();
    Promise.all(variables.map((one) => fetchAnswer(operation, one, controller.signal))).then(
      (data) => !controller.signal.aborted && setFound({ wanted, data, error: null }),
      (error: unknown) => {
        if (controller.signal.aborted) return;
        setFound({ wanted, data: null, error: error instanceof AnswerError ? error : new AnswerError("INTERNAL", String(error)) });
      },
    );
    return () => controller.abort();
  }, [wanted]);
  const retry = useCallback(() => setTries((count) => count + 1), []);
  const current = found.wanted === wanted;
  return { data: found.data, error: current ? found.error : null, loading: wanted !== null && !current, retry };
}

/** Notices the revision of the server: now, and again while the page is visible. */
export function watchRevision(ask: (signal: AbortSignal) => Promise<number>): () => void {
  const controller = new AbortController();
  const look = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      const found = await ask(controller.signal);
      if (state.revision === null) update({ revision: found });
      else if (found !== state.revision && found !== state.newer) update({ newer: found });
    } catch {
      // The status line says that the server is away; the next look may find it again.
    }
  };
  void look();
  const timer = window.setInterval(() => void look(), POLL_MS);
  document.addEventListener("visibilitychange", look);
  return () => {
    controller.abort();
    window.clearInterval(timer);
    document.removeEventListener("visibilitychange", look);
  };
}
