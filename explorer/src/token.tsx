/** The dialog that asks to sign in, where the server has that, or for a token. The token stays in the memory of the page. */
import { type FormEvent, useEffect, useRef, useState } from "react";
import { closeTokenDialog, hasToken, setToken, useClientState } from "./client";
import { text } from "./messages";
import { SignInLink } from "./session";

export function TokenDialog() {
  const { needsToken, session, sessionEnded } = useClientState();
  const dialog = useRef<HTMLDialogElement>(null);
  const [given, setGiven] = useState("");
  const refused = needsToken && hasToken();

  useEffect(() => {
    const element = dialog.current;
    if (!element) return;
    if (needsToken && !element.open) element.showModal();
    if (!needsToken && element.open) element.close();
  }, [needsToken]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const token = given.trim();
    if (token === "") return;
    setGiven("");
    setToken(token);
  };
  return (
    <dialog ref={dialog} aria-labelledby="token-title" onClose={closeTokenDialog}>
      <form className="stack" onSubmit={submit}>
        <h2 id="token-title">{session?.signIn ? text.signInTitle : text.tokenTitle}</h2>
        {session?.signIn && (
          <>
            <p role={sessionEnded ? "alert" : undefined}>{sessionEnded ? text.sessionEnded : text.signInHelp}</p>
            <p>
              <SignInLink />
            </p>
          </>
        )}
        <p id="token-help">{text.tokenHelp}</p>
        {refused && <p role="alert">{text.tokenRefused}</p>}
        <label className="field">
          <span>{text.token}</span>
          <input
            type="password"
            autoComplete="off"
            spellCheck={false}
            aria-describedby="token-help"
            value={given}
            onChange={(event) => setGiven(event.target.value)}
          />
        </label>
        <div className="row">
          <button type="submit" className="main-button">
            {text.tokenUse}
          </button>
          {hasToken() && (
            <button type="button" onClick={() => setToken(null)}>
              {text.tokenForget}
            </button>
          )}
          <button type="button" onClick={closeTokenDialog}>
            {text.cancel}
          </button>
        </div>
      </form>
    </dialog>
  );
}
