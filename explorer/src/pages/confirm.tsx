/** The dialog that confirms a change of the graph before it is sent, and fields that show the server's refusal of their value. */
import { type ReactNode, type Ref, useEffect, useId, useRef, useState } from "react";
import { announce } from "../announcer";
import { AnswerError, type Operation, sendOperation, showOwnChange } from "../client";
import { text } from "../messages";
import { Problem, Prose } from "../parts";

/** A change that waits for its confirmation. `points`: what follows from it, one line each. */
export interface Intent {
  sentence: string;
  points: string[];
  send: () => Promise<unknown>;
}

export function plan<Variables>(
  operation: Operation<unknown, Variables>,
  variables: Variables,
  sentence: string,
  points: string[] = [],
): Intent {
  return { sentence, points, send: () => sendOperation(operation, variables) };
}

interface FieldProps<Element> {
  ref: Ref<Element>;
  id: string;
  name: string;
  "aria-invalid"?: true;
  "aria-describedby"?: string;
}

/** A field of a form. What the server refuses in it is shown below it, and the field gets the focus. */
export function Field<Element extends HTMLElement>({
  name,
  label,
  refusal,
  children,
}: {
  name: string;
  label: string;
  refusal: AnswerError | null;
  children: (props: FieldProps<Element>) => ReactNode;
}) {
  const id = useId();
  const field = useRef<Element>(null);
  const refused = refusal?.path === name;
  useEffect(() => {
    if (refused && refusal) field.current?.focus();
  }, [refused, refusal]);
  const state = refused ? { "aria-invalid": true as const, "aria-describedby": `${id}-refusal` } : {};
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ ref: field, id, name, ...state })}
      {refused && <Refusal error={refusal} id={`${id}-refusal`} />}
    </div>
  );
}

/** The sentence of a refusal, without the name of the argument: it is shown at its field, which has a label. */
export function Refusal({ error, id }: { error: AnswerError; id?: string }) {
  const begin = `${error.path}: `;
  return (
    <p role="alert" id={id} className="bad">
      <Prose text={error.message.startsWith(begin) ? error.message.slice(begin.length) : error.message} />
    </p>
  );
}

/** The name of the author, where the server cannot know it from a token. */
export function AuthorField({ refusal }: { refusal: AnswerError | null }) {
  return (
    <Field<HTMLInputElement> name="by" label="Your name" refusal={refusal}>
      {(props) => <input {...props} required maxLength={200} />}
    </Field>
  );
}

/** `fields`: the names of the fields that show a refusal of theirs; `refuse` gets it, and every other one is shown in the dialog. */
export function Confirm({
  intent,
  close,
  fields = [],
  refuse = () => {},
}: {
  intent: Intent | null;
  close: () => void;
  fields?: readonly string[];
  refuse?: (error: AnswerError) => void;
}) {
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
      const refused = problem instanceof AnswerError ? problem : new AnswerError("INTERNAL", String(problem));
      if (refused.path !== null && fields.includes(refused.path)) {
        dialog.current?.close(); // now, because it gives the focus back: the field takes it after that
        close();
        refuse(refused);
      } else {
        setError(refused);
        setBusy(false);
      }
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="confirm-title" onClose={close}>
      <div className="stack">
        <h2 id="confirm-title">This changes the graph for all</h2>
        <p>{intent?.sentence}</p>
        {intent !== null && intent.points.length > 0 && (
          <ul>
            {intent.points.map((point, index) => (
              <li key={index}>{point}</li>
            ))}
          </ul>
        )}
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
