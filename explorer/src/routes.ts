/** Which page answers which path. Every page but the first is loaded when it is opened. */
import { type ComponentType, type LazyExoticComponent, lazy } from "react";
import { Home } from "./pages/home";

export interface Route {
  /** The path; `{id}` stands for one segment. */
  path: string;
  /** In the menu and in the title of the window. */
  name: string;
  page: ComponentType<{ id: string }> | LazyExoticComponent<ComponentType<{ id: string }>>;
  /** Whether the menu lists it. */
  menu: boolean;
}

export const ROUTES: Route[] = [
  { path: "/", name: "Start", page: Home, menu: true },
  { path: "/search", name: "Search", page: lazy(() => import("./pages/search")), menu: false },
];

/** The route of a path and the value of its `{id}`, or null. A segment is decoded once. */
export function matchRoute(path: string, routes: readonly Route[] = ROUTES): { route: Route; id: string } | null {
  const given = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  for (const route of routes) {
    if (route.path === given) return { route, id: "" };
    if (!route.path.endsWith("/{id}")) continue;
    const start = route.path.slice(0, -"{id}".length);
    if (!given.startsWith(start)) continue;
    const segment = given.slice(start.length);
    if (segment === "" || segment.includes("/")) continue;
    try {
      return { route, id: decodeURIComponent(segment) };
    } catch {
      return null;
    }
  }
  return null;
}
