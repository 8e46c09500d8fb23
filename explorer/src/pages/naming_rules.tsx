/** The rules that join names of one catalog: those that the graph suggests, to accept, and those in effect. */
import { type FormEvent, useState } from "react";
import { type AnswerError, useQuery } from "../client";
import { count, formatList } from "../messages";
import { showName } from "../names";
import { Answered, Name, Table } from "../parts";
import { AcceptNamingRule, RemoveNamingRule } from "../queries/edit";
import { NamingProposals, type NamingProposalsAnswer, type RuleLine } from "../queries/reports";
import { AuthorField, Confirm, type Intent, plan } from "./confirm";
import { PERSON, useAuthor } from "./edit";

type Proposal = NamingProposalsAnswer["namingProposals"][number];

const describeRule = (rule: RuleLine): string =>
  `${showName(rule.also.text)} is ${showName(rule.names.text)}${rule.ignoreCase ? ", ignoring case" : ""}`;

export function describePairs(one: { alike: number; unlike: number; unknown: number }): string {
  const parts = [`${one.alike} with alike columns`];
  if (one.unlike > 0) parts.push(`${one.unlike} with unlike columns`);
  if (one.unknown > 0) parts.push(`${one.unknown} whose columns are unknown`);
  return `${count(one.alike + one.unlike + one.unknown, "pair", "pairs")} of datasets: ${formatList(parts)}`;
}

const isByPerson = (rule: { source: string | null }) => (rule.source ?? "").startsWith(PERSON);
const pickPrefix = ({ namespace, prefix }: RuleLine["names"]) => ({ namespace, prefix });

export function buildRuleIntent(rule: RuleLine, form: "accept" | "remove", by: string | null, author: string, points: string[]): Intent {
  const given = { names: pickPrefix(rule.names), also: pickPrefix(rule.also), ignoreCase: rule.ignoreCase, by };
  const [verb, operation] = form === "accept" ? ["Accept", AcceptNamingRule] : ["Remove", RemoveNamingRule];
  return plan(operation, given, `${verb} in the name of ${showName(author)} the rule that ${describeRule(rule)}.`, points);
}

export function NamingRules() {
  const query = useQuery(NamingProposals, {});
  const author = useAuthor();
  const [intent, setIntent] = useState<Intent | null>(null);
  const [refusal, setRefusal] = useState<AnswerError | null>(null);
  const submit = (event: FormEvent<HTMLFormElement>, rule: RuleLine, form: "accept" | "remove", points: string[]) => {
    event.preventDefault();
    setRefusal(null);
    const by = author?.actor == null ? String(new FormData(event.currentTarget).get("by") ?? "") : null;
    setIntent(buildRuleIntent(rule, form, by, author?.actor ?? by ?? "", points));
  };
  const act = (rule: RuleLine, form: "accept" | "remove", points: string[]) =>
    author && (
      <form className="row row-end" onSubmit={(event) => submit(event, rule, form, points)}>
        {author.actor === null && <AuthorField refusal={refusal} />}
        <button type="submit" aria-label={`${form === "accept" ? "Accept" : "Remove"} the rule that ${describeRule(rule)}`}>
          {form === "accept" ? "Accept" : "Remove"}
        </button>
      </form>
    );
  return (
    <>
      <Answered query={query}>
        {({ namingProposals: found, namingRules: rules }) => (
          <section className="card" aria-label="Rules that join names">
            <h2>Rules that join names of one catalog</h2>
            <p role="status">
              {found.length === 0
                ? "The graph suggests none."
                : `The graph suggests ${count(found.length, "rule", "rules")}: two systems have the same tables behind these beginnings of names.`}
            </p>
            <ul className="plain items">
              {found.map((one, index) => (
                <li key={index}>
                  <ProposalLines proposal={one} />
                  {act(one.rule, "accept", [`It joins ${describePairs(one)}.`, "It applies to later datasets, too, until it is removed."])}
                </li>
              ))}
            </ul>
            {rules.length > 0 && (
              <>
                <h3>In effect</h3>
                <Table
                  caption="Rules in effect"
                  rows={rules}
                  rowKey={(_, index) => String(index)}
                  columns={[
                    { head: "Rule", cell: (row) => <Name text={describeRule(row)} most={300} /> },
                    { head: "Stated by", cell: (row) => <Name text={row.source ?? ""} /> },
                    {
                      head: "Change",
                      cell: (row) => isByPerson(row) && act(row, "remove", ["What only it joined is separate again."]),
                      has: (row) => author !== null && isByPerson(row),
                    },
                  ]}
                />
              </>
            )}
          </section>
        )}
      </Answered>
      <Confirm intent={intent} close={() => setIntent(null)} fields={["by"]} refuse={setRefusal} />
    </>
  );
}

function ProposalLines({ proposal }: { proposal: Proposal }) {
  return (
    <>
      <p className="strong">
        <Name text={describeRule(proposal.rule)} most={300} />
      </p>
      <p>It would join {describePairs(proposal)}.</p>
      <ul>
        {proposal.examples.map((one, index) => (
          <li key={index}>
            <Name text={`${one.also.namespace}/${one.also.name}`} /> is <Name text={`${one.names.namespace}/${one.names.name}`} />
          </li>
        ))}
      </ul>
    </>
  );
}
