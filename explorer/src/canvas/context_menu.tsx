/** The menu of a right click, of Shift+F10 and of the Menu key: the arrows go from item to item, Escape closes it. */
import { type KeyboardEvent, useLayoutEffect, useRef } from "react";
import { navigate } from "../location";
import type { Action } from "./actions";

export interface ContextMenuProps {
  /** Of whom it is. */
  label: string;
  /** Where it was asked for, in the window. */
  at: { x: number; y: number };
  actions: readonly Action[];
  /** `back`: whether the focus goes back to where it was. */
  onClose(back: boolean): void;
}

const EDGE = 8;

export function ContextMenu({ label, at, actions, onClose }: ContextMenuProps) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const menu = box.current!;
    const { width, height } = menu.getBoundingClientRect();
    menu.style.left = `${Math.max(EDGE, Math.min(at.x, window.innerWidth - width - EDGE))}px`;
    menu.style.top = `${Math.max(EDGE, Math.min(at.y, window.innerHeight - height - EDGE))}px`;
    menu.querySelector<HTMLElement>("[role^=menuitem]")?.focus({ preventScroll: true });
  }, [at]);

  const choose = (action: Action) => {
    onClose(action.href === undefined);
    if (action.href === undefined) action.run?.();
    else navigate(action.href);
  };

  const pressKey = (event: KeyboardEvent<HTMLDivElement>) => {
    const items = [...event.currentTarget.querySelectorAll<HTMLElement>("[role^=menuitem]")];
    const here = items.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: here + 1, ArrowUp: here - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
    if (next !== undefined) items[next % items.length]!.focus();
    else if (event.key === "Escape" || event.key === "Tab") onClose(true);
    else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey) {
      // The next item that begins with this letter, as in menus of the system.
      const order = [...items.slice(here + 1), ...items.slice(0, here + 1)];
      order.find((item) => item.textContent?.toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div
      ref={box}
      role="menu"
      aria-label={label}
      className="canvas-menu"
      onKeyDown={pressKey}
      onContextMenu={(event) => event.preventDefault()}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) onClose(false);
      }}
    >
      {actions.map((action) => {
        const on = action.pressed ?? action.expanded;
        return (
          <button
            key={action.label}
            type="button"
            tabIndex={-1}
            {...(on === undefined ? { role: "menuitem" } : { role: "menuitemcheckbox", "aria-checked": on })}
            onClick={() => choose(action)}
          >
            {on ? "✓ " : ""}
            {action.label}
          </button>
        );
      })}
    </div>
  );
}
