/** The title of the window, and the focus after a change of the page. */
import { useEffect, useRef } from "react";
import { announce } from "./announcer";
import { showName } from "./names";

/** Sets the title of the window while the component is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === "" ? "meshline" : `${showName(title).slice(0, 200)} · meshline`;
  }, [title]);
}

/** Moves the focus to the heading when the path changes, but not when the page is first opened: so a screen reader reads on from there. */
export function useHeadingFocus(path: string): void {
  const last = useRef(path);
  useEffect(() => {
    if (last.current === path) return;
    last.current = path;
    window.scrollTo(0, 0);
    let tries = 0;
    const timer = window.setInterval(() => {
      const field = document.querySelector<HTMLElement>("main [data-autofocus]");
      const heading = field ?? document.querySelector<HTMLElement>("main h1[tabindex]");
      tries += 1;
      if (!heading && tries < 40) return;
      window.clearInterval(timer);
      if (!heading) return;
      heading.focus({ preventScroll: true });
      if (!field) announce(heading.textContent ?? "");
    }, 25);
    return () => window.clearInterval(timer);
  }, [path]);
}
