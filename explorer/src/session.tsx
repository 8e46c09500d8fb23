/** Who is signed in, and the ways in and out: the server keeps the session, and the browser a cookie that no script can read. */
import { useState } from "react";
import { AnswerError, endSession, openTokenDialog, useClientState } from "./client";
import { useHref } from "./location";
import { text } from "./messages";

/** Leads to the identity provider, and back to this page. */
export function SignInLink() {
  return (
    <a href={`/sign-in?to=${encodeURIComponent(useHref())}`} className="button">
      {text.signIn}
    </a>
  );
}

/** In the bar: the person and how to sign out, or how to sign in. */
export function Account() {
  const { session } = useClientState();
  const [failure, setFailure] = useState<string | null>(null);
  if (!session?.actor)
    return (
      <>
        {session?.signIn && <SignInLink />}
        <button type="button" onClick={openTokenDialog}>
          {text.token}
        </button>
      </>
    );
  const leave = () => {
    endSession().then(
      (next) => window.location.assign(next),
      (error: unknown) => setFailure(error instanceof AnswerError ? error.message : String(error)),
    );
  };
  return (
    <>
      <span title={session.actor}>{session.name}</span>
      <button type="button" onClick={leave}>
        {text.signOut}
      </button>
      {failure !== null && <span role="alert">{failure}</span>}
    </>
  );
}
