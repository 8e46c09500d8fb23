/** Requests for access: asking, and deciding about those of others. */
import { type FormEvent, useState } from "react";
import { announce } from "../announcer";
import { AnswerError, type Operation, sendOperation, showOwnChange, useQuery } from "../client";
import { changeHref, navigate, readChoice, usePlace } from "../location";
import { count, nameValue } from "../messages";
import { PageLine, usePages } from "../paging";
import { Answered, Name, Problem, Prose, Table, When } from "../parts";
import { AccessRequests, type AccessRequestsAnswer, DecideAccess, FindAsset, RequestAccess, WithdrawAccess } from "../queries/requests";
import { useTitle } from "../title";

const STATES = ["OPEN", "APPROVED", "GRANTED", "EXPIRED", "REVOKED", "REFUSED", "WITHDRAWN", "LAPSED"] as const;
const DAY_MS = 86_400_000;

type AccessRequest = AccessRequestsAnswer["accessRequests"]["nodes"][number];

export default function RequestsPage() {
  useTitle("Access requests");
  const place = usePlace();
  const state = readChoice(place.search, "state", [...STATES, ""] as const, "");
  const pages = usePages(state);
  const query = useQuery(AccessRequests, { state: state === "" ? null : state, first: pages.first, after: pages.after });
  return (
    <>
      <h1 tabIndex={-1}>Access requests: who may see what, and until when</h1>
      <AskForm asset={place.search.get("asset") ?? ""} />
      <div className="row row-end">
        <label className="field">
          <span>State</span>
          <select value={state} onChange={(event) => navigate(changeHref(place, { state: event.target.value }))}>
            <option value="">all states</option>
            {STATES.map((one) => (
              <option key={one} value={one}>
                {nameValue(one)}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Answered query={query}>
        {({ accessRequests: found }) => (
          <section className="card" aria-label="Requests">
            <p role="status">{count(found.totalCount, "request", "requests")}: yours, and those that you may decide.</p>
            <Table
              caption="Requests for access"
              rows={found.nodes}
              rowKey={(row) => row.id}
              columns={[
                { head: "State", cell: (row) => nameValue(row.state) },
                {
                  head: "What",
                  cell: (row) => (
                    <>
                      {row.kind === "DATA" && "the data of "}
                      <Name text={row.assetName} />
                    </>
                  ),
                },
                { head: "Asked by", cell: (row) => <Name text={formatCaller(row.asker, row.askerName)} /> },
                { head: "For", cell: (row) => <Name text={row.principal} /> },
                { head: "Purpose", cell: (row) => <Prose text={row.purpose} /> },
                { head: "Until", cell: (row) => <When at={row.until} /> },
                { head: "Decision", cell: (row) => <Decision request={row} /> },
              ]}
            />
            <PageLine pages={pages} list={found} />
          </section>
        )}
      </Answered>
    </>
  );
}

/** A caller for people: its name, which is its alone, behind the one that people know, if there is one. */
function formatCaller(name: string, shown: string | null): string {
  return shown === null || shown === name ? name : `${shown} (${name})`;
}

/** Sends a change, and shows what the server refuses. */
function useSender() {
  const [error, setError] = useState<AnswerError | null>(null);
  const [busy, setBusy] = useState(false);
  const send = async (work: () => Promise<unknown>) => {
    setBusy(true);
    setError(null);
    try {
      await work();
      announce("Done.");
      showOwnChange();
    } catch (problem) {
      setError(problem instanceof AnswerError ? problem : new AnswerError("INTERNAL", String(problem)));
    }
    setBusy(false);
  };
  return { error, busy, send };
}

function AskForm({ asset }: { asset: string }) {
  const { error, busy, send } = useSender();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    void send(async () => {
      const { resolve } = await sendOperation(FindAsset, { name: (given.asset ?? "").trim() });
      const until = new Date(Date.now() + Number(given.days) * DAY_MS).toISOString();
      const kind = given.data === "on" ? "DATA" : "METADATA";
      await sendOperation(RequestAccess, { asset: resolve.id, purpose: given.purpose ?? "", kind, until });
    });
  };
  return (
    <form className="card stack" aria-label="Ask for access" onSubmit={submit} key={asset}>
      <h2>Ask for access</h2>
      <div className="row row-end">
        <label className="field">
          <span>A domain, product or dataset, by name</span>
          <input name="asset" defaultValue={asset} required maxLength={500} />
        </label>
        <label className="field">
          <span>What it is needed for</span>
          <input name="purpose" required maxLength={500} />
        </label>
        <label className="field">
          <span>For how many days</span>
          <input name="days" type="number" min={1} max={3650} defaultValue={30} required />
        </label>
        <label>
          <input name="data" type="checkbox" /> The data itself
        </label>
        <button type="submit" className="main-button" disabled={busy}>
          Ask
        </button>
      </div>
      {error && <Problem error={error} />}
    </form>
  );
}

/** Who decides or has decided, and what the caller can do about it. */
function Decision({ request }: { request: AccessRequest }) {
  const { error, busy, send } = useSender();
  const [reason, setReason] = useState("");
  const act = <Variables,>(operation: Operation<unknown, Variables>, variables: Variables) =>
    void send(() => sendOperation(operation, variables));
  const decide = (decision: "APPROVE" | "REFUSE" | "REVOKE") =>
    act(DecideAccess, { request: request.id, decision, reason: reason || null });
  const active = request.state === "GRANTED" || request.state === "APPROVED";
  const forbidding = (request.forbiddenBy ?? []).join(", ");
  const steps = request.steps.slice(1);
  return (
    <div className="stack">
      {request.state === "OPEN" && (
        <p>
          Decided by <Name text={request.approvers.join(", ")} />
          {request.restrictions !== null && request.restrictions.length > 0 && (
            <>
              . It is restricted, and needs two: <Name text={request.restrictions.join(", ")} />
            </>
          )}
        </p>
      )}
      {(request.grantsNothing || forbidding !== "") && (
        <p className="notice warn">
          {request.grantsNothing
            ? "Nothing of it that you see is granted, by the access rules"
            : "Not all of it is granted, since this forbids some"}
          {forbidding !== "" && (
            <>
              : <Name text={forbidding} />
            </>
          )}
        </p>
      )}
      {steps.length > 0 && (
        <ul className="plain">
          {steps.map((step, index) => (
            <li key={index}>
              <Name text={formatCaller(step.by, step.byName)} />: {nameValue(step.kind)}
              {step.reason && (
                <>
                  , <Prose text={step.reason} />
                </>
              )}
            </li>
          ))}
        </ul>
      )}
      {request.restrictions !== null && (request.state === "OPEN" || active) && (
        <div className="row row-end">
          <label className="field">
            <span>Reason</span>
            <input value={reason} onChange={(event) => setReason(event.target.value)} maxLength={500} />
          </label>
          {request.state === "OPEN" && (
            <button type="button" disabled={busy} onClick={() => decide("APPROVE")}>
              Approve
            </button>
          )}
          <button type="button" disabled={busy || reason.trim() === ""} onClick={() => decide(active ? "REVOKE" : "REFUSE")}>
            {active ? "Revoke" : "Refuse"}
          </button>
        </div>
      )}
      {request.mine && (request.state === "OPEN" || active) && (
        <div>
          <button type="button" disabled={busy} onClick={() => act(WithdrawAccess, { request: request.id })}>
            {active ? "Give it back" : "Withdraw"}
          </button>
        </div>
      )}
      {error && <Problem error={error} />}
    </div>
  );
}
