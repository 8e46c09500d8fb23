import type { Granularity } from "./model";

/** What the page gives to the canvas, at /lineage. */
export interface LineageCanvasProps {
  /** Ids of the assets in the middle; at least one. */
  of: string[];
  /** The level that fits their kind, where the address names none. */
  level: Granularity;
  /** The parameters of the address; unknown ones are kept. */
  search: URLSearchParams;
  /** Changes the parameters; `replace` leaves no step for the back button. */
  setSearch(next: URLSearchParams, options?: { replace?: boolean }): void;
  /** Opens the page of an asset. */
  openAsset(id: string): void;
}
