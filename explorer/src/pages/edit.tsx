/** What a person states about an asset by hand, for callers who may: owner, tag, description, consumer, and taking that back. */
import { type FormEvent, useState } from "react";
import { type AnswerError, fetchAnswer, useQuery } from "../client";
import { nameKind } from "../messages";
import { showName } from "../names";
import { Answered, type AssetLike, Name, Table, Value, When } from "../parts";
import {
  AddConsumer,
  AddOwner,
  AddTag,
  Caller,
  PersonStatements,
  type PersonStatementsAnswer,
  Retract,
  SetDescription,
} from "../queries/edit";
import { Suggest } from "../queries/search";
import { AuthorField, Confirm, Field, type Intent, plan } from "./confirm";

const FORMS = {
  owner: "Its owner",
  tag: "A tag",
  description: "Its description",
  consumer: "Who uses it",
} as const;
type Form = keyof typeof FORMS;
/** The fields of each form, by the names of the arguments that the server refuses. */
const FIELDS: Record<Form, readonly string[]> = {
  owner: ["owner", "type", "by"],
  tag: ["tag", "by"],
  description: ["description", "by"],
  consumer: ["consumer", "purpose", "by"],
};
/** The kinds that a consumer can use. */
const USED = ["COLUMN", "DATASET", "DATA_PRODUCT"];

/** The role of the caller; null while it is not known, and for callers who may state nothing. */
export function useAuthor(): { actor: string | null } | null {
  const { data } = useQuery(Caller, {});
  return data?.about.role === "ADMIN" ? { actor: data.about.actor } : null;
}

/** Shown to callers with the role that mutations need only. */
export function EditCard({ asset }: { asset: AssetLike }) {
  const author = useAuthor();
  return author && <Editor asset={asset} actor={author.actor} />;
}

/** Whether a source knows an owner or consumer of this name. If the server cannot say, it is taken for known. */
async function isKnown(kind: "OWNER" | "CONSUMER", name: string): Promise<boolean> {
  try {
    const { suggest } = await fetchAnswer(Suggest, { text: name, first: 50 });
    return suggest.some((one) => one.kind === kind && one.name === name);
  } catch {
    return true;
  }
}

/** `known`: false for an owner or a consumer that this would make. */
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
    case "consumer": {
      const [consumer, purpose] = [one("consumer"), one("purpose") || null];
      const why = purpose === null ? "" : `, for this purpose: “${showName(purpose)}”`;
      const sentence = `State ${author} that the consumer ${showName(consumer)} uses the ${about}${why}. It is then among the recipients to notify of changes that affect what it uses.${known ? "" : ` No source knows a consumer ${showName(consumer)} yet: is the name right?`}`;
      return plan(AddConsumer, { asset: asset.id, consumer, purpose, by }, sentence);
    }
  }
}

function Editor({ asset, actor }: { asset: AssetLike; actor: string | null }) {
  const [form, setForm] = useState<Form>("owner");
  const [intent, setIntent] = useState<Intent | null>(null);
  const [open, setOpen] = useState(false);
  const [refusal, setRefusal] = useState<AnswerError | null>(null);
  const forms = Object.entries(FORMS).filter(([key]) => key !== "consumer" || USED.includes(asset.kind));
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setRefusal(null);
    const given = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    const named = given[form]?.trim() ?? "";
    const known = (form !== "owner" && form !== "consumer") || (await isKnown(form === "owner" ? "OWNER" : "CONSUMER", named));
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
                <select
                  value={form}
                  onChange={(event) => {
                    setForm(event.target.value as Form);
                    setRefusal(null);
                  }}
                >
                  {forms.map(([key, name]) => (
                    <option key={key} value={key}>
                      {name}
                    </option>
                  ))}
                </select>
              </label>
              {form === "owner" && (
                <>
                  <Field<HTMLInputElement> name="owner" label="Owner: a person or a team" refusal={refusal}>
                    {(props) => <input {...props} required maxLength={500} />}
                  </Field>
                  <Field<HTMLInputElement> name="type" label="Type of ownership" refusal={refusal}>
                    {(props) => <input {...props} defaultValue="technical" maxLength={100} />}
                  </Field>
                </>
              )}
              {form === "tag" && (
                <Field<HTMLInputElement> name="tag" label="Tag: key or key=value" refusal={refusal}>
                  {(props) => <input {...props} required maxLength={500} />}
                </Field>
              )}
              {form === "consumer" && (
                <>
                  <Field<HTMLInputElement> name="consumer" label="Consumer: who uses it" refusal={refusal}>
                    {(props) => <input {...props} required maxLength={500} />}
                  </Field>
                  <Field<HTMLInputElement> name="purpose" label="Purpose, if known" refusal={refusal}>
                    {(props) => <input {...props} maxLength={500} />}
                  </Field>
                </>
              )}
              {actor === null && <AuthorField refusal={refusal} />}
            </div>
            {form === "description" && (
              <Field<HTMLTextAreaElement> name="description" label="Description" refusal={refusal}>
                {(props) => <textarea {...props} required className="short" />}
              </Field>
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
      <Confirm intent={intent} close={() => setIntent(null)} fields={FIELDS[form]} refuse={setRefusal} />
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

export const PERSON = "person/";

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
  const uses = "consumers" in node ? node.consumers.filter((one) => one.asset.id === node.id) : [];
  const consumers = uses.map((one) => ({
    statement: one.statement,
    source: one.source,
    what: "used by",
    value: one.purpose === null ? one.consumer.name : `${one.consumer.name}: ${one.purpose}`,
    at: null,
  }));
  return [...owners, ...facts, ...consumers].filter((one) => one.source.startsWith(PERSON));
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
