/** What the bench asks of each library. */
export interface Drawing {
  /** Milliseconds of the layout within the first drawing. */
  layout: number;
  look(zoom: number | "fit"): void;
  pan(dx: number, dy: number): void;
  /** Milliseconds of script of each drawing since the last call, where the library lets us know. */
  script?(): number[];
}
