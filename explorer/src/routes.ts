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

const lists = () => import("./pages/lists");
const reports = () => import("./pages/reports");
const pick = <Name extends string>(load: () => Promise<Record<Name, ComponentType>>, name: Name) =>
  lazy(async () => ({ default: (await load())[name] as ComponentType<{ id: string }> }));

export const ROUTES: Route[] = [
  { path: "/", name: "Start", page: Home, menu: true },
  { path: "/search", name: "Search", page: lazy(() => import("./pages/search")), menu: false },
  { path: "/a/{id}", name: "Asset", page: lazy(() => import("./pages/asset")), menu: false },
  { path: "/impact", name: "What breaks", page: lazy(() => import("./pages/impact")), menu: true },
  { path: "/lineage", name: "Lineage", page: lazy(() => import("./pages/lineage")), menu: true },
  { path: "/why", name: "Why", page: lazy(() => import("./pages/why")), menu: true },
  { path: "/change", name: "Check a change", page: lazy(() => import("./pages/change")), menu: true },
  { path: "/diff", name: "What changed", page: lazy(() => import("./pages/diff")), menu: true },
  { path: "/domains", name: "Domains", page: pick(lists, "Domains"), menu: true },
  { path: "/products", name: "Products", page: pick(lists, "Products"), menu: true },
  { path: "/datasets", name: "Datasets", page: pick(lists, "Datasets"), menu: true },
  { path: "/jobs", name: "Jobs", page: pick(lists, "Jobs"), menu: true },
  { path: "/consumers", name: "Consumers", page: pick(lists, "Consumers"), menu: true },
  { path: "/contracts", name: "Contracts", page: pick(lists, "Contracts"), menu: true },
  { path: "/owners", name: "Owners", page: pick(lists, "Owners"), menu: true },
  { path: "/quality", name: "Quality", page: pick(reports, "QualityPage"), menu: true },
  { path: "/policies", name: "Policies", page: pick(reports, "PoliciesPage"), menu: true },
  { path: "/sources", name: "Sources", page: pick(reports, "SourcesPage"), menu: true },
  { path: "/identity", name: "Identity", page: pick(reports, "IdentityPage"), menu: true },
  { path: "/audit", name: "Audit", page: pick(reports, "AuditPage"), menu: true },
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
