/** The menu: the first page, and the other pages in three groups that open one at a time. */
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { usePlace } from "./location";
import { text } from "./messages";
import { Link } from "./parts";
import { GROUPS, type Group, ROUTES } from "./routes";

export function Menu({ shown }: { shown: boolean }) {
  const place = usePlace();
  const [open, setOpen] = useState<Group | null>(null);
  const buttons = useRef(new Map<Group, HTMLButtonElement>());
  // biome-ignore lint/correctness/useExhaustiveDependencies: a group closes when another page opens
  useEffect(() => setOpen(null), [place.path, place.search]);
  const pressKey = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || open === null) return;
    event.stopPropagation();
    buttons.current.get(open)?.focus();
    setOpen(null);
  };
  return (
    <nav
      id="menu"
      aria-label={text.menuLabel}
      className={shown ? "nav open" : "nav"}
      onKeyDown={pressKey}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setOpen(null);
      }}
    >
      <Link href="/" current={place.path === "/"}>
        {ROUTES[0]?.name}
      </Link>
      {GROUPS.map((group) => {
        const routes = ROUTES.filter((route) => route.menu === group);
        const current = routes.some((route) => route.path === place.path);
        return (
          <div key={group} className="menu-group">
            <button
              type="button"
              ref={(element) => {
                if (element) buttons.current.set(group, element);
              }}
              className={current ? "current" : undefined}
              aria-expanded={open === group}
              aria-controls={`menu-${group}`}
              onClick={() => setOpen(open === group ? null : group)}
            >
              {text.groups[group]} <span aria-hidden="true">▾</span>
            </button>
            <ul id={`menu-${group}`} className="plain" hidden={open !== group}>
              {routes.map((route) => (
                <li key={route.path}>
                  <Link href={route.path} className="menu-link" current={route.path === place.path}>
                    {route.name}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        );
      })}
    </nav>
  );
}
