/** Which page answers which path. Every page but the first is loaded when it is opened. */
import { type ComponentType, type LazyExoticComponent, lazy } from "react";
import { Home } from "./pages/home";

/** The menu, in its order. */
export const GROUPS = ["Ask", "Mesh", "State"] as const;
export type Group = (typeof GROUPS)[number];

export interface Route {
  /** The path; `{id}` stands for one segment. */
  path: string;
  /** In the menu and in the title of the window. */
  name: string;
  page: ComponentType<{ id: string }> | LazyExoticComponent<ComponentType<{ id: string }>>;
  /** The group of the menu that lists it, if any does. */
  menu?: Group;
  /** Whether it shows the time that the frame has, or what it shows instead; missing: the present. */
  past?: true | string;
}

const lists = () => import("./pages/lists");
const runs = () => import("./pages/runs");
const reports = () => import("./pages/reports");
const pick = <Name extends string>(load: () => Promise<Record<Name, ComponentType | ComponentType<{ id: string }>>>, name: Name) =>
  lazy(async () => ({ default: (await load())[name] as ComponentType<{ id: string }> }));

const OWN_TIMES = "This page has its own times: the time of the other pages does not apply to it.";

export const ROUTES: Route[] = [
  { path: "/", name: "Start", page: Home },
  { path: "/search", name: "Search", page: lazy(() => import("./pages/search")), past: true },
  { path: "/a/{id}", name: "Asset", page: lazy(() => import("./pages/asset")), past: true },
  { path: "/impact", name: "What breaks", page: lazy(() => import("./pages/impact")), menu: "Ask", past: true },
  { path: "/lineage", name: "Lineage", page: lazy(() => import("./pages/lineage")), menu: "Ask", past: true },
  { path: "/why", name: "Why", page: lazy(() => import("./pages/why")), menu: "Ask", past: true },
  { path: "/change", name: "Check a change", page: lazy(() => import("./pages/change")), menu: "Ask" },
  { path: "/diff", name: "What changed", page: lazy(() => import("./pages/diff")), menu: "Ask", past: OWN_TIMES },
  { path: "/domains", name: "Domains", page: pick(lists, "Domains"), menu: "Mesh", past: true },
  { path: "/products", name: "Products", page: pick(lists, "Products"), menu: "Mesh", past: true },
  { path: "/datasets", name: "Datasets", page: pick(lists, "Datasets"), menu: "Mesh", past: true },
  { path: "/jobs", name: "Jobs", page: pick(lists, "Jobs"), menu: "Mesh", past: true },
  { path: "/consumers", name: "Consumers", page: pick(lists, "Consumers"), menu: "Mesh", past: true },
  { path: "/contracts", name: "Contracts", page: pick(lists, "Contracts"), menu: "Mesh", past: true },
  { path: "/owners", name: "Owners", page: pick(lists, "Owners"), menu: "Mesh", past: true },
  { path: "/tags", name: "Tags", page: pick(lists, "Tags"), menu: "Mesh", past: true },
  { path: "/namespaces", name: "Namespaces", page: pick(lists, "Namespaces"), menu: "Mesh", past: true },
  { path: "/quality", name: "Quality", page: pick(reports, "QualityPage"), menu: "State" },
  { path: "/policies", name: "Policies", page: pick(reports, "PoliciesPage"), menu: "State" },
  { path: "/sources", name: "Sources", page: pick(reports, "SourcesPage"), menu: "State" },
  { path: "/events", name: "Events", page: pick(runs, "EventsPage"), menu: "State", past: OWN_TIMES },
  {
    path: "/runs/{id}",
    name: "Run",
    page: pick(runs, "RunPage"),
    past: "A run is shown as its events describe it, whatever the time of the other pages.",
  },
  { path: "/identity", name: "Identity", page: pick(reports, "IdentityPage"), menu: "State" },
  { path: "/requests", name: "Access requests", page: lazy(() => import("./pages/requests")), menu: "State" },
  { path: "/audit", name: "Audit", page: pick(reports, "AuditPage"), menu: "State" },
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
