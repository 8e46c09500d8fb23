/** A change that is described, not made: may it ship, what does it break, who is notified, and the same as a command. */
import { type FormEvent, type ReactNode, useState } from "react";
import { type QueryState, useQuery } from "../client";
import { CompletenessLine, lookBehind } from "../completeness";
import { quoteShell } from "../files";
import { buildHref, changeHref, navigate, readChoice, usePlace } from "../location";
import { count, formatNumber, nameKinds, nameValue, text, VERDICTS } from "../messages";
import {
  Answered,
  type AssetLike,
  AssetLink,
  AssetLinks,
  Badge,
  CopyButton,
  Link,
  Name,
  PathLine,
  ReachBadge,
  RecipientContact,
  Table,
  Value,
  VerdictBadge,
} from "../parts";
import { Change, type ChangeAnswer, type ChangeInput, ChangeProducts, type CheckMode, type CheckProfile } from "../queries/change";
import { ProductGap } from "../queries/completeness";
import { useTitle } from "../title";
import { ViolationList } from "./violations";

const FORMS = ["words", "ddl", "contract", "schema", "product", "dbt"] as const;
type Form = (typeof FORMS)[number];
const MODES = ["STRICT", "USAGE"] as const satisfies readonly CheckMode[];
const PROFILES = ["MESH", "CONSUMER", "FULL"] as const satisfies readonly CheckProfile[];

const LABELS: Record<Form, { name: string; before: string | null; after: string }> = {
  words: { name: "In words", before: null, after: "The change" },
  ddl: { name: "SQL (DDL)", before: null, after: "CREATE, ALTER and DROP statements, in their order" },
  contract: {
    name: "Data contract",
    before: "The contract now (empty: as the graph knows it)",
    after: "The new contract (empty: it is removed)",
  },
  schema: { name: "Schema", before: "The schema now (empty: as the graph knows it)", after: "The new schema (empty: it is removed)" },
  product: { name: "Product spec", before: "The spec now (empty: as the graph knows it)", after: "The new spec (empty: it is removed)" },
  dbt: { name: "dbt manifest", before: "The manifest.json now", after: "The new manifest.json" },
};

interface Texts {
  before: string;
  after: string;
  dataset: string;
  dialect: string;
}

const EMPTY: Texts = { before: "", after: "", dataset: "", dialect: "" };

function buildInput(form: Form, texts: Texts): ChangeInput {
  const versions = { before: texts.before || null, after: texts.after || null };
  switch (form) {
    case "words":
      return {
        words: texts.after
          .split("\n")
          .map((line) => line.trim())
          .filter(Boolean),
      };
    case "ddl":
      return { ddl: { text: texts.after, dialect: texts.dialect || null } };
    case "contract":
      return { contract: versions };
    case "schema":
      return { schema: { ...versions, dataset: texts.dataset || null } };
    case "product":
      return { product: versions };
    case "dbt":
      return { dbt: versions };
  }
}

/** The command that asks the same. Texts of files become files that the user names. */
export function buildCommand(form: Form, texts: Texts, mode: CheckMode, profile: CheckProfile, server: string): string {
  const files: Record<Exclude<Form, "words" | "ddl">, [string, string]> = {
    contract: ["old-contract.yaml", "new-contract.yaml"],
    schema: ["old-schema.json", "new-schema.json"],
    product: ["old-product.yaml", "new-product.yaml"],
    dbt: ["old/manifest.json", "target/manifest.json"],
  };
  const words: string[] = ["meshline", "check", form === "words" ? "change" : form];
  if (form === "words") words.push(...(buildInput(form, texts).words ?? []));
  else if (form === "ddl") words.push("changes.sql", ...(texts.dialect ? ["--dialect", texts.dialect] : []));
  else {
    const [before, after] = files[form];
    words.push(...(texts.before === "" && form !== "dbt" ? [after] : [before, after]));
    if (form === "schema" && texts.dataset) words.push("--dataset", texts.dataset);
  }
  if (mode !== "STRICT") words.push("--mode", mode.toLowerCase());
  if (profile !== "MESH") words.push("--profile", profile.toLowerCase());
  words.push("--server", server);
  return words.map(quoteShell).join(" ");
}

export default function ChangePage() {
  const place = usePlace();
  const form = readChoice(place.search, "form", FORMS, "words");
  const mode = readChoice(place.search, "mode", MODES, "STRICT");
  const profile = readChoice(place.search, "profile", PROFILES, "MESH");
  const words = place.search.get("words") ?? "";
  const [texts, setTexts] = useState<Texts>({ ...EMPTY, after: form === "words" ? words : "" });
  // Words are in the address, so that the answer can be shared; the texts of files are too long for it.
  const [submitted, setSubmitted] = useState<{ form: Form; texts: Texts } | null>(null);
  const wanted =
    form === "words" ? (words ? { form, texts: { ...EMPTY, after: words } } : null) : submitted?.form === form ? submitted : null;
  const [shownWords, setShownWords] = useState(words);
  if (form === "words" && shownWords !== words) {
    setShownWords(words); // the address has changed, by the back button: the field follows it
    setTexts({ ...EMPTY, after: words });
  }
  useTitle(words ? `Check: ${words}` : "Check a change");
  const change = wanted && buildInput(wanted.form, wanted.texts);
  const query = useQuery(Change, change && { change, mode, profile });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (form === "words") navigate(changeHref(place, { words: texts.after.trim() }));
    else setSubmitted({ form, texts });
  };
  const set = (name: keyof Texts) => (event: { target: { value: string } }) => setTexts({ ...texts, [name]: event.target.value });
  return (
    <>
      <div className="head">
        <h1 tabIndex={-1}>May this change ship?</h1>
        <p className="soft">Nothing is changed: the answer is what would break.</p>
      </div>
      <nav className="tabs" aria-label="Form of the change">
        {FORMS.map((one) => (
          <Link key={one} href={buildHref("/change", { form: one === "words" ? null : one })} current={one === form}>
            {LABELS[one].name}
          </Link>
        ))}
      </nav>
      <form className="card" onSubmit={submit} key={form}>
        {LABELS[form].before !== null && (
          <label className="field">
            <span>{LABELS[form].before}</span>
            <textarea value={texts.before} onChange={set("before")} spellCheck={false} />
            <FileInput name={LABELS[form].before} onRead={(before) => setTexts((now) => ({ ...now, before }))} />
          </label>
        )}
        <label className="field">
          <span>{LABELS[form].after}</span>
          <textarea
            value={texts.after}
            onChange={set("after")}
            spellCheck={false}
            className={form === "words" ? "short" : undefined}
            aria-describedby={form === "words" ? "forms" : undefined}
            placeholder={form === "words" ? "drop customers.customers.email" : undefined}
          />
          {form !== "words" && <FileInput name={LABELS[form].after} onRead={(after) => setTexts((now) => ({ ...now, after }))} />}
        </label>
        {form === "words" && (
          <p id="forms" className="soft">
            <code>drop COLUMN</code>, <code>rename COLUMN to NAME</code>, <code>retype COLUMN to TYPE</code>, <code>add COLUMN TYPE</code>,{" "}
            <code>make COLUMN not null</code>, <code>drop table TABLE</code>; one a line. They are judged together.
          </p>
        )}
        {form === "schema" && (
          <label className="field">
            <span>The dataset, by any of its names (if the schema does not name it)</span>
            <input value={texts.dataset} onChange={set("dataset")} />
          </label>
        )}
        {form === "ddl" && (
          <label className="field">
            <span>SQL dialect, as sqlglot names it (may be empty)</span>
            <input value={texts.dialect} onChange={set("dialect")} />
          </label>
        )}
        <div className="row row-end">
          <label className="field">
            <span>Mode</span>
            <select
              value={mode}
              aria-describedby="mode-help"
              onChange={(event) => navigate(changeHref(place, { mode: event.target.value.toLowerCase() }), { replace: true })}
            >
              <option value="STRICT">strict: the rules decide</option>
              <option value="USAGE">usage: data that is not read may go</option>
            </select>
          </label>
          <label className="field">
            <span>Profile</span>
            <select
              value={profile}
              aria-describedby="profile-help"
              onChange={(event) => navigate(changeHref(place, { profile: event.target.value.toLowerCase() }), { replace: true })}
            >
              <option value="MESH">mesh</option>
              <option value="CONSUMER">consumer</option>
              <option value="FULL">full: the stricter of both</option>
            </select>
          </label>
          <button type="submit" className="main-button">
            Check it
          </button>
        </div>
        <p className="soft">
          <span id="mode-help">{text.modeHelp}</span> <span id="profile-help">{text.profileHelp}</span>
        </p>
      </form>
      {wanted && change && (
        <>
          <Report query={query} change={change} command={buildCommand(wanted.form, wanted.texts, mode, profile, window.location.origin)} />
          <section className="card" aria-labelledby="command">
            <h2 id="command">The same as a command</h2>
            <pre>{buildCommand(wanted.form, wanted.texts, mode, profile, window.location.origin)}</pre>
            <div className="row">
              <CopyButton content={buildCommand(wanted.form, wanted.texts, mode, profile, window.location.origin)} />
              {form === "words" && <CopyButton content={window.location.href} label={text.copyLink} />}
            </div>
          </section>
        </>
      )}
    </>
  );
}

/** Fills a field with the text of a file: manifests and contracts are files, and too long to be pasted. */
function FileInput({ name, onRead }: { name: string | null; onRead: (text: string) => void }) {
  return (
    <input
      type="file"
      aria-label={`${name}: from a file`}
      onChange={async (event) => {
        const file = event.target.files?.[0];
        if (file) onRead(await file.text());
      }}
    />
  );
}

function Report({ query, change, command }: { query: QueryState<ChangeAnswer>; change: ChangeInput; command: string }) {
  return (
    <Answered query={query}>
      {({ blastRadius: report }) => {
        const hits = report.findings.flatMap((finding) => finding.hits);
        const hidden = report.findings.some((finding) => finding.hiddenHits > 0);
        const unlisted = report.hiddenViolations.reduce((sum, one) => sum + one.count, 0);
        const owners = listChangedOwners(report);
        return (
          <>
            <section className="card" aria-labelledby="verdict">
              <h2 id="verdict" className="row">
                <VerdictBadge verdict={report.verdict} /> <span>{VERDICTS[report.verdict]?.meaning}</span>
              </h2>
              <p role="status">
                {count(report.findings.length, "change", "changes")} found,{" "}
                {count(new Set(hits.map((hit) => hit.name)).size, "consumer", "consumers")} hit
                {hidden && `, and ${text.hiddenConsumers}`}, {count(report.notify.length, "recipient", "recipients")} to notify,{" "}
                {report.policiesChecked
                  ? `${count(report.violations.length, "violation", "violations")} of policies`
                  : text.policiesUnchecked}
                {unlisted > 0 && `, ${count(unlisted, "further violation", "further violations")} ${text.hiddenViolations}`}.
              </p>
              <CompletenessLine completeness={report.completeness} />
              <div className="row">
                <CopyButton content={report.markdown} label={text.copyMarkdown} />
                <CopyButton content={command} label={text.copyCommand} />
              </div>
              {report.warnings.length > 0 && (
                <ul>
                  {report.warnings.map((warning, index) => (
                    <li key={index}>
                      <Name text={warning} most={600} />
                    </li>
                  ))}
                </ul>
              )}
            </section>
            {report.findings.map((finding) => (
              <Finding key={finding.fingerprint} finding={finding} />
            ))}
            {report.violations.length > 0 && (
              <section className="card" aria-labelledby="policies">
                <h2 id="policies">Policies</h2>
                <ViolationList violations={report.violations} />
              </section>
            )}
            <section className="card" aria-labelledby="recipients">
              <h2 id="recipients">Notify {count(report.notify.length, "recipient", "recipients")}</h2>
              {owners.length > 0 && (
                <p className="soft">
                  {text.recipientsOfCheck} <AssetLinks assets={owners} />.
                </p>
              )}
              <Table
                caption="Recipients"
                rows={report.notify}
                rowKey={(row, index) => `${row.name}:${index}`}
                columns={[
                  {
                    head: "Recipient",
                    cell: (row) => (row.recipient ? <AssetLink asset={row.recipient} full={false} /> : <Name text={row.name} />),
                  },
                  { head: "As", cell: (row) => (row.reason === "OWNS" ? "owner" : "consumer") },
                  { head: "Certainty", cell: (row) => (row.reach ? <ReachBadge reach={row.reach} /> : "by contract") },
                  { head: "Why", cell: (row) => <Name text={row.why} most={300} /> },
                  {
                    head: "Contact",
                    cell: (row) => <RecipientContact contact={listContacts(row.contacts)} owners={row.recipient?.owners ?? []} />,
                  },
                ]}
              />
            </section>
            <Products change={change} />
          </>
        );
      }}
    </Answered>
  );
}

/** The recipients that own what is changed, or the dataset that it is in. */
export function listChangedOwners(report: {
  findings: readonly { owners: readonly AssetLike[] }[];
  notify: readonly { reason: string; recipient: AssetLike | null }[];
}): AssetLike[] {
  const owners = new Set(report.findings.flatMap((finding) => finding.owners.map((one) => one.id)));
  return report.notify.flatMap((one) => (one.reason === "OWNS" && one.recipient && owners.has(one.recipient.id) ? one.recipient : []));
}

/** Null: none is stated. */
function listContacts(contacts: unknown): ReactNode {
  const known = Object.entries((contacts ?? {}) as Record<string, unknown>).filter(([, value]) => value !== null && value !== "");
  if (known.length === 0) return null;
  return known.map(([name, value]) => (
    <div key={name}>
      {name}: <Value value={value} />
    </div>
  ));
}

type FindingLine = ChangeAnswer["blastRadius"]["findings"][number];

function Finding({ finding }: { finding: FindingLine }) {
  return (
    <section className="card" aria-labelledby={`finding-${finding.fingerprint}`}>
      <h2 id={`finding-${finding.fingerprint}`} className="row">
        <VerdictBadge verdict={finding.verdict} />
        <span>
          <Name text={finding.subject} />: <Name text={finding.text} most={300} />
        </span>
      </h2>
      <p>
        <Name text={finding.reason} most={600} /> <span className="soft">(rule {finding.rule})</span>
      </p>
      {finding.safe && (
        <p>
          <span className="strong">Safe instead:</span> <Name text={finding.safe} most={600} />
        </p>
      )}
      {(finding.gaps.length > 0 || finding.unknown.length > 0) && (
        <div className="notice warn">
          <p>What would make this more certain:</p>
          <ul>
            {finding.gaps.map((gap, index) => (
              <li key={index}>
                <Name text={gap} most={300} />
              </li>
            ))}
            {finding.unknown.map((name, index) => (
              <li key={`unknown-${index}`}>
                The graph does not know <Name text={name} />.
              </li>
            ))}
          </ul>
        </div>
      )}
      <h3>Consumers that it hits</h3>
      <Table
        caption="Consumers that it hits"
        rows={finding.hits}
        rowKey={(row, index) => `${row.name}:${index}`}
        columns={[
          { head: "Consumer", cell: (row) => (row.consumer ? <AssetLink asset={row.consumer} full={false} /> : <Name text={row.name} />) },
          { head: "Verdict", cell: (row) => <VerdictBadge verdict={row.verdict} /> },
          { head: "Certainty", cell: (row) => (row.reach ? <ReachBadge reach={row.reach} masked={row.masked} /> : "by contract") },
          {
            head: "Owner",
            cell: (row) => (row.owners.length > 0 ? <AssetLinks assets={row.owners} /> : <Badge tone="bad">no owner</Badge>),
          },
          {
            head: "How",
            cell: (row) => (
              <>
                {row.why && <Name text={row.why} most={300} />}
                {row.path.length > 1 && (
                  <details>
                    <summary>{count(row.path.length - 1, "step", "steps")}</summary>
                    <PathLine steps={row.path} />
                  </details>
                )}
              </>
            ),
          },
        ]}
      />
      {finding.affected.length > 0 && (
        <p className="soft">
          It affects {finding.affected.map((one) => `${formatNumber(one.count)} ${nameKinds(one.kind)}`).join(", ")}.
          {finding.products.length > 0 && (
            <>
              {" "}
              Products: <AssetLinks assets={finding.products} />.
            </>
          )}
          {finding.contracts.length > 0 && (
            <>
              {" "}
              Contracts: <AssetLinks assets={finding.contracts} />.
            </>
          )}
          {finding.owners.length > 0 && (
            <>
              {" "}
              Owners of what is changed: <AssetLinks assets={finding.owners} />.
            </>
          )}
        </p>
      )}
    </section>
  );
}

function Products({ change }: { change: ChangeInput }) {
  const query = useQuery(ChangeProducts, { change });
  return (
    <section className="card" aria-labelledby="products">
      <h2 id="products">Products</h2>
      <Answered query={query}>
        {({ productImpact }) => (
          <>
            <Table
              caption="Affected products"
              rows={productImpact.products}
              rowKey={(row) => row.product.id}
              columns={[
                { head: "Product", cell: (row) => <AssetLink asset={row.product} full={false} /> },
                { head: "Verdict", cell: (row) => row.verdict && <VerdictBadge verdict={row.verdict} /> },
                { head: "Certainty", cell: (row) => <ReachBadge reach={row.reach} masked={row.masked} /> },
                { head: "Freshness promise", cell: (row) => `${nameValue(row.freshness.standing)}` },
              ]}
            />
            {productImpact.lostPromises.length > 0 && (
              <>
                <h3>Promises that can no longer be kept</h3>
                <ul>
                  {productImpact.lostPromises.map((one) => (
                    <li key={one.product.id}>
                      <AssetLink asset={one.product} full={false} />: now <Name text={one.now.text} most={300} />, then{" "}
                      <Name text={one.then.text} most={300} />
                    </li>
                  ))}
                </ul>
              </>
            )}
            <CompletenessLine completeness={productImpact.completeness} behind={lookBehind(ProductGap, { change })} />
          </>
        )}
      </Answered>
    </section>
  );
}
