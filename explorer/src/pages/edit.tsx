/** What a person states about an asset by hand, for callers who may: owner, tag, description, and taking that back. Each is confirmed first. */
import { type FormEvent, useEffect, useRef, useState } from "react";
import { announce } from "../announcer";
import { AnswerError, fetchAnswer, type Operation, sendOperation, showOwnChange, useQuery } from "../client";
import { nameKind, text } from "../messages";
import { showName } from "../names";
import { Answered, type AssetLike, Name, Problem, Table, Value, When } from "../parts";
import { AddOwner, AddTag, Caller, PersonStatements, type PersonStatementsAnswer, Retract, SetDescription } from "../queries/edit";
import { Suggest } from "../queries/search";

/** A change that waits for its confirmation. */
interface Intent {
  sentence: string;
  send: () => Promise<unknown>;
}

function plan<Variables>(operation: Operation<unknown, Variables>, variables: Variables, sentence: string): Intent {
  return { sentence, send: () => sendOperation(operation, variables) };
}

const FORMS = {
  owner: "Its owner",
  tag: "A tag",
  description: "Its description",
} as const;
type Form = keyof typeof FORMS;

/** Shown to callers with the role that mutations need only. */
export function EditCard({ asset }: { asset: AssetLike }) {
  const { data } = useQuery(Caller, {});
  if (data?.about.role !== "ADMIN") return null;
  return <Editor asset={asset} actor={data.about.actor} />;
}

/** Whether a source knows an owner of this name. If the server cannot say, it is taken for known. */
async function isOwnerKnown(name: string): Promise<boolean> {
  try {
    const { suggest } = await fetchAnswer(Suggest, { text: name, first: 50 });
    return suggest.some((one) => one.kind === "OWNER" && one.name === name);
  } catch {
    return true;
  }
}

/** `known`: false for an owner that this would make. */
export function buildIntent(asset: AssetLike, form: Form, given: Record<string, string>, actor: string | null, known = true): Intent {
  const by = actor === null ? (given.by ?? "") : null;
  const about = `${nameKind(asset.kind)} ${showName(asset.qualifiedName)}`;
  const author = `in the name of ${showName(actor ?? given.by ?? "")}`;
  const one = (name: string) => (given[name] ?? "").trim();
  switch (form) {
    case "owner": {
      const [owner, type] = [one("owner"), one("type") || "technical"];
      const sentence = `State ${author} that ${showName(owner)} owns the ${about}, as ${showName(type)} owner. Owners that it inherits no longer apply to it then; other owners of its own stay.${known ? "" : ` No source knows an owner ${showName(owner)} yet: is the name right?`}`;
      return plan(AddOwner, { asset: asset.id, owner, type, by }, sentence);
    }
    case "tag": {
      const tag = one("tag");
      return plan(AddTag, { asset: asset.id, tag, by }, `State ${author} that the ${about} has the tag ${showName(tag)}.`);
    }
    case "description": {
      const description = one("description");
      const sentence = `Describe the ${about} ${author}: “${showName(description.slice(0, 300))}${description.length > 300 ? " …" : ""}”. It replaces what the same person wrote before.`;
      return plan(SetDescription, { asset: asset.id, description, by }, sentence);
    }
  }
}

function Editor({ asset, actor }: { asset: AssetLike; actor: string | null }) {
  const [form, setForm] = useState<Form>("owner");
  const [intent, setIntent] = useState<Intent | null>(null);
  const [open, setOpen] = useState(false);
  const [by, setBy] = useState("");
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    const owner = given.owner?.trim() ?? "";
    const known = form !== "owner" || (await isOwnerKnown(owner));
    setIntent(buildIntent(asset, form, given, actor, known));
  };
  return (
    <details className="card fold" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>State something about it by hand</summary>
      {open && (
        <div className="stack">
          <form className="stack" onSubmit={(event) => void submit(event)}>
            <div className="row row-end">
              <label className="field">
                <span>What</span>
                <select value={form} onChange={(event) => setForm(event.target.value as Form)}>
                  {Object.entries(FORMS).map(([key, name]) => (
                    <option key={key} value={key}>
                      {name}
                    </option>
                  ))}
                </select>
              </label>
              {form === "owner" && (
                <>
                  <label className="field">
                    <span>Owner: a person or a team</span>
                    <input name="owner" required maxLength={500} />
                  </label>
                  <label className="field">
                    <span>Type of ownership</span>
                    <input name="type" defaultValue="technical" maxLength={100} />
                  </label>
                </>
              )}
              {form === "tag" && (
                <label className="field">
                  <span>Tag: key or key=value</span>
                  <input name="tag" required maxLength={500} />
                </label>
              )}
              {actor === null && (
                <label className="field">
                  <span>Your name</span>
                  <input name="by" required maxLength={200} value={by} onChange={(event) => setBy(event.target.value)} />
                </label>
              )}
            </div>
            {form === "description" && (
              <label className="field">
                <span>Description</span>
                <textarea name="description" required className="short" />
              </label>
            )}
            <div>
              <button type="submit" className="main-button">
                Continue
              </button>
            </div>
          </form>
          <Statements asset={asset} setIntent={setIntent} />
        </div>
      )}
      <Confirm intent={intent} close={() => setIntent(null)} />
    </details>
  );
}

interface Row {
  statement: string;
  source: string;
  what: string;
  value: unknown;
  at: string | null;
}

const PERSON = "person/";

/** What persons have stated about exactly this asset. */
export function listStatements(node: NonNullable<PersonStatementsAnswer["node"]>): Row[] {
  const owners = node.owners
    .filter((one) => one.inheritedFrom === null)
    .map((one) => ({ statement: one.statement, source: one.source, what: `${one.type} owner`, value: one.owner.name, at: null }));
  const facts = node.facts.map((one) => ({
    statement: one.statement,
    source: one.source,
    what: one.attribute,
    value: one.value,
    at: one.observedAt,
  }));
  return [...owners, ...facts].filter((one) => one.source.startsWith(PERSON));
}

function Statements({ asset, setIntent }: { asset: AssetLike; setIntent: (intent: Intent) => void }) {
  const query = useQuery(PersonStatements, { id: asset.id });
  const retract = (row: Row) => {
    const value = showName(typeof row.value === "string" ? row.value : JSON.stringify(row.value)).slice(0, 300);
    const sentence = `Retract what ${showName(row.source.slice(PERSON.length))} stated about the ${nameKind(asset.kind)} ${showName(asset.qualifiedName)}: ${showName(row.what)} ${value}. It stays in the history.`;
    setIntent(plan(Retract, { statement: row.statement }, sentence));
  };
  return (
    <Answered query={query}>
      {({ node }) => {
        const rows = node === null ? [] : listStatements(node);
        return (
          <>
            <h3>Stated by persons</h3>
            <Table
              caption="Stated by persons"
              rows={rows}
              rowKey={(row, index) => `${row.statement}:${index}`}
              columns={[
                { head: "Person", cell: (row) => <Name text={row.source.slice(PERSON.length)} /> },
                { head: "States", cell: (row) => <Name text={row.what} /> },
                { head: "Value", cell: (row) => <Value value={row.value} /> },
                { head: "At", cell: (row) => row.at && <When at={row.at} /> },
                {
                  head: "Take back",
                  cell: (row) => (
                    <button type="button" onClick={() => retract(row)}>
                      Retract
                    </button>
                  ),
                },
              ]}
            />
          </>
        );
      }}
    </Answered>
  );
}

function Confirm({ intent, close }: { intent: Intent | null; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [error, setError] = useState<AnswerError | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    setError(null);
    setBusy(false);
    if (intent && !dialog.current?.open) dialog.current?.showModal();
    if (!intent && dialog.current?.open) dialog.current.close();
  }, [intent]);
  const confirm = async () => {
    setBusy(true);
    try {
      await intent?.send();
      announce("Done.");
      close();
      showOwnChange();
    } catch (problem) {
      setError(problem instanceof AnswerError ? problem : new AnswerError("INTERNAL", String(problem)));
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="confirm-title" onClose={close}>
      <div className="stack">
        <h2 id="confirm-title">This changes the graph for all</h2>
        <p>{intent?.sentence}</p>
        <p className="soft">The audit log records it.</p>
        {error && <Problem error={error} />}
        <div className="row">
          <button type="button" className="main-button" disabled={busy} onClick={() => void confirm()}>
            State it
          </button>
          <button type="button" onClick={close}>
            {text.cancel}
          </button>
        </div>
      </div>
    </dialog>
  );
}
