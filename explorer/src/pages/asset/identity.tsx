/** The tab of the names of a dataset, and why they are one. */
import { useState } from "react";
import { nameValue } from "../../messages";
import { Answered, AssetLink, Badge, Name, Table, When } from "../../parts";
import { usePast, usePastQuery } from "../../past";
import { DatasetIdentity, type NameReason } from "../../queries/asset";
import { Retract } from "../../queries/edit";
import { Confirm, type Intent, plan } from "../confirm";
import { PERSON, useAuthor } from "../edit";
import { IdentityEditor } from "./identity_editor";
import { describeRetraction, describeStatement, type IdentityLike } from "./identity_outcome";

export function IdentityTab({ id }: { id: string }) {
  const query = usePastQuery(DatasetIdentity, { id });
  const present = usePast() === null;
  const author = useAuthor();
  const [intent, setIntent] = useState<Intent | null>(null);
  const retract = (identity: IdentityLike, reason: NameReason) =>
    setIntent(plan(Retract, { statement: reason.statement }, describeStatement(reason), describeRetraction(identity, reason)));
  return (
    <Answered query={query}>
      {({ node }) =>
        node?.__typename === "Dataset" && (
          <>
            <Table
              caption="Names"
              rows={node.identity.members}
              rowKey={(row) => row.name.id}
              columns={[
                { head: "Name", cell: (row) => <Name text={`${row.name.namespace}/${row.name.name}`} /> },
                { head: "Shown", cell: (row) => (row.shown ? "yes" : "") },
                {
                  head: "Rank",
                  cell: (row) => (
                    <>
                      {nameValue(row.rank)} {row.source && <Name text={`(${row.source})`} />} {row.past && "until it was renamed"}
                    </>
                  ),
                },
              ]}
            />
            <h3>What joins them</h3>
            <Reasons reasons={node.identity.reasons} retract={present && author ? (one) => retract(node.identity, one) : null} />
            {node.identity.partings.length > 0 && (
              <>
                <h3>What keeps others apart</h3>
                <Reasons reasons={node.identity.partings} retract={present && author ? (one) => retract(node.identity, one) : null} />
              </>
            )}
            {node.identity.mergedColumns.length > 0 && (
              <>
                <h3>Columns with several spellings</h3>
                <ul>
                  {node.identity.mergedColumns.map((one) => (
                    <li key={one.column.id}>
                      <AssetLink asset={one.column} full={false} />:{" "}
                      <Name text={one.spellings.map((spelling) => spelling.name).join(", ")} />
                    </li>
                  ))}
                </ul>
              </>
            )}
            {present && author && <IdentityEditor id={node.id} identity={node.identity} actor={author.actor} />}
            <Confirm intent={intent} close={() => setIntent(null)} />
          </>
        )
      }
    </Answered>
  );
}

/** `retract`: null for callers who may not, and in the past. Only what persons stated can be retracted here. */
function Reasons({ reasons, retract }: { reasons: readonly NameReason[]; retract: ((reason: NameReason) => void) | null }) {
  const isOwn = (reason: NameReason) => reason.source.startsWith(PERSON);
  return (
    <Table
      caption="Statements about names"
      rows={reasons}
      rowKey={(_, index) => String(index)}
      columns={[
        { head: "Name", cell: (row) => <Name text={`${row.start.namespace}/${row.start.name}`} /> },
        { head: "Relation", cell: (row) => nameValue(row.type) },
        { head: "Other name", cell: (row) => <Name text={`${row.end.namespace}/${row.end.name}`} /> },
        {
          head: "Why",
          cell: (row) => (
            <>
              <Name text={row.why} most={300} /> {row.rule && <Name text={`(rule: ${row.rule})`} most={300} />}{" "}
              {row.overruled && <Badge tone="warn">overruled</Badge>}
            </>
          ),
        },
        { head: "Stated by", cell: (row) => <Name text={row.source} /> },
        { head: "Since", cell: (row) => <When at={row.since} ago={false} /> },
        ...(retract !== null && reasons.some(isOwn)
          ? [
              {
                head: "Take back",
                cell: (row: NameReason) =>
                  isOwn(row) && (
                    <button type="button" onClick={() => retract(row)}>
                      Retract
                    </button>
                  ),
              },
            ]
          : []),
      ]}
    />
  );
}
