/** What has changed, for screen readers: one polite live region for the whole page. */
import { useEffect, useState } from "react";

let listener: ((text: string) => void) | null = null;

export function announce(text: string): void {
  listener?.(text);
}

export function Announcer() {
  const [text, setText] = useState("");
  useEffect(() => {
    listener = setText;
    return () => {
      listener = null;
    };
  }, []);
  return (
    <div className="hidden-text" role="status" aria-live="polite">
      {text}
    </div>
  );
}
