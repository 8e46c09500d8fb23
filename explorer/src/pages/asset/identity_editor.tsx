/** What a person states about the names of a dataset by hand: that they are those of one dataset, or of two. */
import { type FormEvent, useState } from "react";
import { AnswerError, sendOperation } from "../../client";
import { SearchField } from "../../combobox";
import { showName } from "../../names";
import { type AssetLike, AssetLink } from "../../parts";
import { DatasetIdentity } from "../../queries/asset";
import { NotSameAs, SameAs } from "../../queries/edit";
import { AuthorField, Confirm, Field, type Intent, plan, Refusal } from "../confirm";
import { describeBarrier, describeJoin, describeParting, type IdentityLike, showFullName } from "./identity_outcome";

const FORMS = {
  join: "It is the same dataset as another",
  part: "Two of its names are different datasets",
  bar: "It is never the same as another dataset",
} as const;
type Form = keyof typeof FORMS;
const FIELDS = ["dataset", "other", "why", "by"];

export interface Given {
  /** The ids of exactly the two names. */
  dataset: string;
  other: string;
  why: string;
  by: string | null;
}

/** `other`: the identity of the other dataset; null for two names of one. */
export function buildNameIntent(form: Form, given: Given, identity: IdentityLike, other: IdentityLike | null, author: string): Intent {
  const names = [...identity.members, ...(other?.members ?? [])].map((one) => one.name);
  const show = (id: string) => showFullName(names.find((one) => one.id === id) ?? { namespace: "", name: id });
  const why = given.why.trim();
  const [relation, operation] = form === "join" ? ["is the same dataset as", SameAs] : ["is not the same dataset as", NotSameAs];
  const sentence = `State in the name of ${showName(author)} that ${show(given.dataset)} ${relation} ${show(given.other)}, because: “${showName(why)}”.`;
  const points =
    form === "join" && other !== null
      ? describeJoin(identity, other)
      : other === null
        ? describeParting(identity, given.dataset, given.other)
        : describeBarrier(identity, other);
  return plan(operation, { ...given, why }, sentence, points);
}

/** The identity of another dataset as it is now, past the cache. Raises AnswerError, about the field, if it cannot be read. */
async function fetchOther(asset: AssetLike | null, own: string): Promise<IdentityLike> {
  const refuse = (message: string) => new AnswerError("INVALID_INPUT", message, [], null, "other");
  if (asset === null) throw refuse("Choose the other dataset from what the field suggests.");
  const { node } = await sendOperation(DatasetIdentity, { id: asset.id }).catch((error: unknown) => {
    throw refuse(error instanceof Error ? error.message : String(error));
  });
  if (node?.__typename !== "Dataset") throw refuse("This dataset is not there any more.");
  if (node.id === own) throw refuse("Both are the same dataset already.");
  return node.identity;
}

export function IdentityEditor({ id, identity, actor }: { id: string; identity: IdentityLike; actor: string | null }) {
  const [form, setForm] = useState<Form>("join");
  const [asset, setAsset] = useState<AssetLike | null>(null);
  const [intent, setIntent] = useState<Intent | null>(null);
  const [refusal, setRefusal] = useState<AnswerError | null>(null);
  const current = identity.members.filter((one) => !one.past).map((one) => one.name);
  const forms = Object.entries(FORMS).filter(([key]) => key !== "part" || current.length > 1);
  const chosen = form === "part" && current.length < 2 ? "join" : form; // an answer after a parting may have one name left
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setRefusal(null);
    const given = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    try {
      const other = chosen === "part" ? null : await fetchOther(asset, id);
      const ids =
        other === null ? { dataset: given.dataset ?? "", other: given.other ?? "" } : { dataset: identity.shown.id, other: other.shown.id };
      const by = actor === null ? (given.by ?? "") : null;
      const built = buildNameIntent(chosen, { ...ids, why: given.why ?? "", by }, identity, other, actor ?? given.by ?? "");
      const send = async () => {
        await built.send();
        setAsset(null);
      };
      setIntent({ ...built, send });
    } catch (problem) {
      setRefusal(problem instanceof AnswerError ? problem : new AnswerError("INTERNAL", String(problem)));
    }
  };
  return (
    <>
      <h3>State something about its names by hand</h3>
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <div className="row row-end">
          <label className="field">
            <span>What about its names</span>
            <select
              value={chosen}
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
          {chosen === "part" &&
            (["dataset", "other"] as const).map((name, index) => (
              <Field<HTMLSelectElement> key={name} name={name} label={index === 0 ? "This name" : "is not this name"} refusal={refusal}>
                {(props) => (
                  <select {...props} defaultValue={current[index]?.id}>
                    {current.map((one) => (
                      <option key={one.id} value={one.id}>
                        {showFullName(one)}
                      </option>
                    ))}
                  </select>
                )}
              </Field>
            ))}
        </div>
        {chosen !== "part" && (
          <div className="field">
            {asset && (
              <p>
                The other dataset: <AssetLink asset={asset} />
              </p>
            )}
            <SearchField
              field
              label={asset ? "Choose another dataset" : "Find the other dataset"}
              kinds={["DATASET"]}
              onChoose={setAsset}
              onSubmit={() =>
                setRefusal(new AnswerError("INVALID_INPUT", "Choose the other dataset from what the field suggests.", [], null, "other"))
              }
            />
            {refusal?.path === "other" && <Refusal error={refusal} />}
          </div>
        )}
        <div className="row row-end">
          <Field<HTMLInputElement> name="why" label="Reason" refusal={refusal}>
            {(props) => <input {...props} required maxLength={500} />}
          </Field>
          {actor === null && <AuthorField refusal={refusal} />}
        </div>
        <div>
          <button type="submit" className="main-button">
            Continue
          </button>
        </div>
      </form>
      <Confirm intent={intent} close={() => setIntent(null)} fields={FIELDS} refuse={setRefusal} />
    </>
  );
}
