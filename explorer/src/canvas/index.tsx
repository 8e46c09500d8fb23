/** The lineage of one or more assets: its controls, the picture, the tree beside it, and why each line is there. */
import { type KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { announce } from "../announcer";
import { useQuery } from "../client";
import { CompletenessLine } from "../completeness";
import { Problem } from "../parts";
import { ChangeHits, Violations } from "../queries/picture";
import { useTheme } from "../theme";
import { type Acts, listActions } from "./actions";
import { keepView, MOST_DEPTH, type PictureState, readState, writeState } from "./address";
import "./canvas.css";
import { collectVerdicts, markChanges, markVerdicts } from "./changes";
import { ContextMenu } from "./context_menu";
import { Controls } from "./controls";
import { Details } from "./details";
import { saveExport } from "./export_menu";
import { resolveGrouping } from "./grouping";
import type { Place } from "./layout";
import { requestLayout } from "./layout_client";
import type { Lights } from "./lights";
import { useCone, useDifference, useLineage, useUsers } from "./lineage_state";
import { countTones, groupViolations, markCards } from "./marks";
import {
  buildPicture,
  collectCone,
  FIRST_VIEW,
  findCards,
  GRANULARITIES,
  isUser,
  NOTHING,
  REACHES,
  type Side,
  stepPicture,
  type View,
} from "./model";
import { listLosses, listNotes } from "./notes";
import { Notices } from "./notices";
import { findNeighbour, foldRows, type OutlineRow, stepOutline } from "./outline";
import { readPalette } from "./palette";
import type { LineageCanvasProps } from "./props";
import { boxOf, type Hit, listBoxes, type Scene, stepScene } from "./scene";
import { runInSlices, useSlices } from "./slices";
import { chooseViewport, Surface } from "./surface";
import { Tree } from "./tree";
import { lightUsers, stepUsers, type Users } from "./users";
import { fit, pan, reveal, type Size, type Viewport, visiblePart, zoomAt } from "./viewport";

const VIEW_REST_MS = 400;
const NO_ROWS: readonly OutlineRow[] = [];
const NO_USERS: Users = { list: [], jobs: new Map() };
const EMPTY = buildPicture(NOTHING, FIRST_VIEW);
/** A picture of more nodes is made in slices. */
const MOST_AT_ONCE = 300;
/** Of more hits than this the list comes first; the picture is drawn when it is asked for. */
const MOST_DRAWN = 1000;

export default function LineageCanvas({ of, level, search, setSearch, openAsset }: LineageCanvasProps) {
  const latestView = useRef<View | null>(null);
  const state = useMemo(() => keepView(readState(search, level), latestView.current), [search, level]);
  latestView.current = state.view;
  const lineage = useLineage(of, state);
  const view = useMemo(() => resolveGrouping(state.view, lineage.known), [state.view, lineage.known]);
  const pinned = view.filters.size > 0 ? state.pin : null; // without a filter a pin changes no box
  const draw = useCallback(() => stepPicture(lineage.known, view, pinned), [lineage.known, view, pinned]);
  const [plain, drawn] = useSlices(draw, lineage.known.nodes.size > MOST_AT_ONCE, EMPTY);
  const difference = useDifference(of, state);
  const { picture: marked, beyond } = useMemo(() => markChanges(plain, difference.changes), [plain, difference.changes]);
  const users = useUsers(lineage, state);
  const join = useCallback(() => stepUsers(marked, users.found ?? NO_USERS, view), [marked, users.found, view]);
  const [picture, joined] = useSlices(join, users.found !== null && marked.cards.length > MOST_AT_ONCE, EMPTY);
  const listFirst = picture.cards.length > MOST_DRAWN && !state.draw;
  const { dark } = useTheme();
  const palette = useMemo(() => readPalette(dark), [dark]);
  const [scene, setScene] = useState<Scene | null>(null);
  const [viewport, setViewportState] = useState<Viewport>(state.viewport ?? { x: 0, y: 0, zoom: 1 });
  const [focus, setFocus] = useState<string | null>(null);
  const [hovered, setHovered] = useState<string | null>(null);
  const [line, setLine] = useState<string | null>(null);
  const [sought, setSought] = useState("");
  const [singleKeys, setSingleKeys] = useState(true);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [listAlone, setListAlone] = useState(false);
  const [menu, setMenu] = useState<{ x: number; y: number } | null>(null);
  const [draft, setDraft] = useState<{ words: string } | null>(null);
  const size = useRef<Size>({ width: 900, height: 600 });
  const places = useRef(new Map<string, Place>());
  const shownKey = useRef("");
  const findBox = useRef<HTMLInputElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const latestViewport = useRef(state.viewport);
  latestViewport.current = state.viewport;
  const latestSearch = useRef(search);
  latestSearch.current = search;

  const change = useCallback(
    (part: Partial<PictureState>, replace = false) => {
      const now = readState(latestSearch.current, level);
      setSearch(writeState(latestSearch.current, { ...now, ...part }, level), { replace });
    },
    [setSearch, level],
  );
  const changeView = useCallback(
    (part: Partial<View>, replace = false) => change({ view: { ...readState(latestSearch.current, level).view, ...part } }, replace),
    [change, level],
  );

  // The layout: old places are kept as long as the picture is about the same assets at the same level.
  const pictureKey = `${of.join()} ${view.granularity} ${view.grouping} ${state.asOf ?? ""}`;
  useEffect(() => {
    if (picture.cards.length === 0 || listFirst) return;
    const grouped = view.grouping !== "none";
    const fresh = shownKey.current !== pictureKey;
    const { boxes, links } = listBoxes(picture, grouped);
    let stop = () => {};
    let stale = false;
    const fail = () => announce("The picture could not be laid out. The list has everything.");
    const show = (layout: Awaited<ReturnType<typeof requestLayout>>) => {
      if (stale) return;
      const place = (next: Scene) => {
        places.current = layout.places;
        setScene(next);
        if (!fresh) return;
        const first = shownKey.current === "" && latestViewport.current;
        shownKey.current = pictureKey;
        setViewportState(first || chooseViewport(next, size.current));
      };
      stop = runInSlices(stepScene(picture, layout, grouped), place, fail);
    };
    const layout = requestLayout(boxes, links, fresh ? new Map() : places.current);
    if (layout instanceof Promise) layout.then(show, fail);
    else show(layout);
    return () => {
      stale = true;
      stop();
    };
  }, [picture, pictureKey, listFirst, view.grouping]);

  // What was added is said once.
  const before = useRef(0);
  useEffect(() => {
    const now = picture.cards.length;
    if (now === 0 || lineage.loading || !drawn || !joined) return;
    if (before.current !== 0 && now !== before.current)
      announce(`${Math.abs(now - before.current)} nodes ${now > before.current ? "added" : "removed"}, ${now} shown.`);
    before.current = now;
  }, [picture, lineage.loading, drawn, joined]);

  // Pan and zoom only replace the address, and only when they have come to rest.
  const rest = useRef(0);
  const setViewport = useCallback(
    (next: Viewport) => {
      setViewportState(next);
      window.clearTimeout(rest.current);
      rest.current = window.setTimeout(() => change({ viewport: next }, true), VIEW_REST_MS);
    },
    [change],
  );
  useEffect(() => () => window.clearTimeout(rest.current), []);

  const violations = useQuery(Violations, state.overlay === "policy" ? { first: 500 } : null);
  const verdicts = useQuery(ChangeHits, state.overlay === "change" && state.words !== "" ? { words: [state.words] } : null);
  const marks = useMemo(() => {
    if (state.overlay === "change") return verdicts.data ? markVerdicts(picture.cards, collectVerdicts(verdicts.data)) : new Map();
    const found = violations.data?.policyViolations;
    return markCards(picture.cards, state.overlay, {
      now: Date.now(),
      violations: groupViolations(found?.nodes ?? []),
      allViolations: found !== undefined && found.nodes.length >= found.totalCount,
    });
  }, [picture, state.overlay, violations.data, verdicts.data]);
  const list = useCallback(() => stepOutline(picture, marks), [picture, marks]);
  const [allRows, listed] = useSlices(list, picture.cards.length > MOST_AT_ONCE, NO_ROWS);
  const rows = useMemo(() => foldRows(allRows, folded), [allRows, folded]);
  const found = useMemo(() => findCards(picture, sought), [picture, sought]);
  const foundSet = useMemo(() => new Set(found), [found]);

  const coneOf = hovered ?? state.pin;
  const isColumn = coneOf !== null && lineage.known.nodes.get(coneOf)?.parent != null;
  const asked = coneOf !== null && lineage.known.nodes.has(coneOf) ? coneOf : null;
  const served = useCone(asked, isColumn ? "COLUMN" : view.granularity, state);
  const cone = useMemo(() => {
    if (coneOf === null || !picture.cardOf.has(coneOf)) return null;
    const lit = served ? new Set([coneOf, ...served.up, ...served.down]) : collectCone(lineage.known, coneOf);
    return users.found ? lightUsers(picture, lit, coneOf) : lit;
  }, [coneOf, served, picture, lineage.known, users.found]);
  const outside = useMemo(() => {
    const count = (ids: readonly string[]) => ids.filter((id) => !picture.cardOf.has(id)).length;
    return served ? { up: count(served.up), down: count(served.down), more: served.truncated } : null;
  }, [served, picture]);
  const lights: Lights = useMemo(
    () => ({ focus, hovered, cone, pinned: state.pin, marks, line, found: foundSet }),
    [focus, hovered, cone, state.pin, marks, line, foundSet],
  );

  const start = picture.cards.find((card) => card.node.start)?.id ?? null;
  const current = focus !== null && picture.cardOf.has(focus) ? focus : start;
  const card = current === null ? undefined : picture.cards[picture.cardOf.get(current)!];

  const briefId = card?.node.brief && !isUser(card.node) ? card.id : null;
  const { describe } = lineage;
  useEffect(() => {
    if (briefId !== null && !lineage.loading) describe(briefId); // else the answer that is on its way may have it
  }, [briefId, lineage.loading, describe]);

  const select = (id: string, show = true) => {
    setFocus(id);
    setLine(null);
    if (!rows.some((row) => row.id === id)) setFolded(new Set());
    const at = picture.cardOf.get(id);
    if (show && scene && at !== undefined && scene.picture === picture) setViewport(reveal(viewport, size.current, boxOf(scene, at)));
  };

  const toggleHop = (id: string, side: Side, want?: boolean) => {
    const at = picture.cardOf.get(id);
    if (at === undefined) return;
    const { id: cardId, node, openUp, openDown, moreUp, moreDown } = picture.cards[at]!;
    if (isUser(node)) return;
    const key = `${cardId}:${side}`;
    const isOpen = side === "up" ? openUp : openDown;
    const more = side === "up" ? moreUp : moreDown;
    const wanted = want ?? !(isOpen && more === 0);
    const [open, shut] = [new Set(view.open), new Set(view.shut)];
    if (wanted) {
      shut.delete(key);
      open.add(key);
    } else {
      open.delete(key);
      shut.add(key);
    }
    changeView({ open, shut });
  };

  const toggleFold = (id: string) => {
    const next = new Set(folded);
    if (!next.delete(id)) next.add(id);
    setFolded(next);
  };

  const toggleColumns = (id: string) => {
    const at = picture.cardOf.get(id);
    if (at === undefined || view.granularity !== "DATASET" || picture.cards[at]!.node.kind !== "DATASET") return;
    const columns = new Set(view.columns);
    if (!columns.delete(picture.cards[at]!.id)) columns.add(picture.cards[at]!.id);
    changeView({ columns });
  };

  const toggleGroup = (id: string) => {
    const closed = new Set(view.closed);
    if (!closed.delete(id)) closed.add(id);
    changeView({ grouping: view.grouping, closed });
  };

  const openNode = (id: string) => {
    const node = picture.cards[picture.cardOf.get(id) ?? -1];
    if (node && node.members.length > 0 && node.group) toggleGroup(node.group.id);
    else openAsset(id);
  };

  const togglePin = (id: string) => {
    const pin = state.pin === id ? null : id;
    change({ pin });
    announce(pin ? "Pinned: what it depends on and reaches stays lit." : "Let go.");
  };

  const onHit = (hit: Hit | null, how: "click" | "double" | "hover") => {
    if (!scene) return;
    const idOf = (one: Hit) =>
      one.kind === "row" ? scene.picture.cards[one.card]!.rows[one.row]!.id : "card" in one ? scene.picture.cards[one.card]!.id : null;
    if (how === "hover") {
      const id = hit && hit.kind !== "stub" ? idOf(hit) : null;
      if (id !== hovered) setHovered(id);
      return;
    }
    if (hit === null) {
      setLine(null);
      return;
    }
    if (how === "double") {
      const id = idOf(hit);
      if (id && (hit.kind === "card" || hit.kind === "row")) openNode(id);
      return;
    }
    if (hit.kind === "line") setLine(scene.picture.lines[hit.line]!.id);
    else if (hit.kind === "band") {
      const group = scene.bands[hit.band]!.group;
      if (group) toggleGroup(group.id);
    } else {
      const id = idOf(hit)!;
      select(id, false);
      if (hit.kind === "stub") toggleHop(id, hit.side);
      else if (hit.kind === "foot") toggleColumns(id);
      else if (hit.kind === "row") togglePin(id);
    }
  };

  const zoom = (factor: number) => setViewport(zoomAt(viewport, size.current, size.current.width / 2, size.current.height / 2, factor));
  const fitAll = () => scene && setViewport(fit(scene.bounds, size.current));
  const step = (direction: 1 | -1) => {
    if (found.length === 0) return;
    const at = found.indexOf(current ?? "");
    const next = found[(at + direction + found.length) % found.length]!;
    select(next);
    announce(`${found.indexOf(next) + 1} of ${found.length} found`);
  };
  const cycleGranularity = () => {
    const next = GRANULARITIES[(GRANULARITIES.indexOf(view.granularity) + 1) % GRANULARITIES.length]!;
    changeView({ granularity: next, open: new Set(), shut: new Set(), columns: new Set() });
    announce(`Level: ${next.toLowerCase()}`);
  };
  const cycleReach = () => {
    const reach = new Set(view.reach.size === 3 ? ["DIRECT" as const] : view.reach.size === 1 ? REACHES.slice(0, 2) : REACHES);
    changeView({ reach });
    announce(`Drawn in full: ${[...reach].join(", ").toLowerCase()}`);
  };
  const showReason = () => {
    if (!current) return;
    const lines = picture.lines.filter((one) => one.id.split(" ").includes(current) || picture.cards[one.to]!.id === current);
    if (lines.length === 0) return;
    const at = lines.findIndex((one) => one.id === line);
    setLine(lines[(at + 1) % lines.length]!.id);
  };

  const acts: Acts = {
    onHop: (side) => current && toggleHop(current, side),
    onColumns: () => current && toggleColumns(current),
    onPin: () => current && togglePin(current),
    onGroup: toggleGroup,
    onWords: (words, whole) => {
      change({ overlay: "change", words: whole ? words : "" });
      setDraft(whole ? null : { words });
    },
  };
  const actions = card
    ? listActions(
        card,
        card.rows.find((one) => one.id === current),
        state,
        acts,
      )
    : [];
  // A change that the reader is to complete: its field has the focus, behind what is written.
  useEffect(() => {
    if (draft === null) return;
    const field = unfold("canvas-words") as HTMLInputElement | null;
    field?.focus();
    field?.setSelectionRange(draft.words.length, draft.words.length);
  }, [draft]);

  const openMenu = (id: string, at: { x: number; y: number }) => {
    if (id !== current) select(id, false);
    setMenu(at);
  };
  const onMenuHit = (hit: Hit, at: { x: number; y: number }) => {
    if (hit.kind === "line" || hit.kind === "band") return onHit(hit, "click");
    const { id, rows: columns } = scene!.picture.cards[hit.card]!;
    openMenu(hit.kind === "row" ? columns[hit.row]!.id : id, at);
  };
  const focusTree = () => frame.current?.parentElement?.querySelector<HTMLElement>('[role=treeitem][tabindex="0"]')?.focus();
  const filterColumns = (id: string, wanted: string) => {
    const filters = new Map(view.filters);
    if (wanted === "") filters.delete(id);
    else filters.set(id, wanted);
    changeView({ filters }, true);
  };

  const onKey = (event: KeyboardEvent, row: OutlineRow) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const arrows = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"] as const;
    const arrow = arrows.find((one) => one === key);
    const id = row.id;
    const cardId = row.picture.cards[row.card]!.id;
    const move = 80;
    const actions = new Map<string, () => void>([
      ["Enter", () => openNode(id)],
      [" ", () => togglePin(id)],
      ["Escape", () => (line ? setLine(null) : state.pin ? change({ pin: null }) : sought ? setSought("") : undefined)],
      ["F2", () => toggleColumns(cardId)],
    ]);
    const letters = new Map<string, () => void>([
      ["e", () => toggleHop(cardId, "down", true)],
      ["E", () => toggleHop(cardId, "up", true)],
      ["-", () => toggleHop(cardId, row.level > 1 && row.picture.cards[row.card]!.hop < 0 ? "up" : "down", false)],
      ["_", () => toggleHop(cardId, "up", false)],
      ["o", () => toggleColumns(cardId)],
      ["f", fitAll],
      ["0", () => setViewport({ ...viewport, zoom: 1 })],
      ["+", () => zoom(1.25)],
      ["=", () => zoom(1.25)],
      ["<", () => zoom(0.8)],
      ["/", () => findBox.current?.focus()],
      ["n", () => step(1)],
      ["N", () => step(-1)],
      ["r", cycleReach],
      ["R", cycleReach],
      ["g", cycleGranularity],
      ["G", cycleGranularity],
      ["w", showReason],
      ["W", showReason],
      ["s", () => document.getElementById("canvas-columns")?.focus()],
      ["x", () => toggleFold(id)],
      ["l", () => setListAlone(!listAlone)],
      ["t", () => document.getElementById("page-time")?.focus()],
      ["?", () => unfold("canvas-keys")?.toggleAttribute("open")],
      ["c", () => void copyLink()],
      ["C", () => void copyLink()],
    ]);
    const act = actions.get(key) ?? (singleKeys ? letters.get(key) : undefined);
    if (arrow && event.shiftKey && arrow.startsWith("Arrow")) {
      const [dx, dy] = { ArrowLeft: [move, 0], ArrowRight: [-move, 0], ArrowUp: [0, move], ArrowDown: [0, -move] }[
        arrow as "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown"
      ] as [number, number];
      setViewport(pan(viewport, dx, dy));
    } else if (arrow) {
      const next = findNeighbour(row.picture, rows, id, arrow);
      if (next) select(next);
      else announce(arrow === "ArrowLeft" ? "Nothing upstream is shown." : arrow === "ArrowRight" ? "Nothing downstream is shown." : "");
    } else if (act) act();
    else return;
    event.preventDefault();
  };

  const copyLink = async () => {
    try {
      await navigator.clipboard.writeText(window.location.href);
      announce("Link copied.");
    } catch {
      announce("The link could not be copied: it is the address of this page.");
    }
  };

  const losses = listLosses(lineage.cuts, users.gap);
  const extra = listNotes(picture, view, state.view, lineage.ungrouped, losses);
  const part = visiblePart(viewport, size.current);
  const offWindow = useMemo(() => {
    if (!cone || !scene) return { up: 0, down: 0 };
    const counts = { up: 0, down: 0 };
    scene.picture.cards.forEach((one, i) => {
      if (!cone.has(one.id) && !one.rows.some((each) => cone.has(each.id))) return;
      const box = boxOf(scene, i);
      if (box.x + box.width < part.x) counts.up++;
      else if (box.x > part.x + part.width) counts.down++;
    });
    return counts;
  }, [cone, scene, part.x, part.width]);

  return (
    <section className="stack" aria-label="Lineage">
      <Controls
        state={state}
        picture={picture}
        tones={countTones(marks)}
        sought={sought}
        found={found.length}
        findBox={findBox}
        singleKeys={singleKeys}
        mostDepth={MOST_DEPTH}
        onChange={change}
        onView={changeView}
        onSought={setSought}
        onStep={step}
        onSingleKeys={setSingleKeys}
        draft={draft?.words ?? ""}
        onCopy={() => void copyLink()}
        onExport={(format) =>
          scene && void saveExport(format, scene, state, lineage.completeness, losses).catch((reason: unknown) => announce(String(reason)))
        }
      />
      {state.refused.length > 0 && (
        <p className="notice warn">These parts of the address could not be read and are shown as usual: {state.refused.join(", ")}.</p>
      )}
      {[difference, verdicts, users].map(({ error, retry }) => error && <Problem key={error.message} error={error} retry={retry} />)}
      <Notices
        {...{ state, picture, beyond, listFirst }}
        compared={!difference.loading && difference.error === null && drawn}
        verdict={state.overlay === "change" ? verdicts.data : null}
        onDraw={() => change({ draw: true })}
        onGroup={() => changeView({ grouping: "domain", closed: new Set(["*"]) })}
      />
      {lineage.error && <Problem error={lineage.error} retry={lineage.retry} />}
      {lineage.completeness && <CompletenessLine completeness={lineage.completeness} extra={extra} behind={lineage.behind} />}
      <div
        className={listFirst || listAlone ? "canvas-split list-first" : "canvas-split"}
        aria-busy={
          lineage.loading ||
          users.loading ||
          !drawn ||
          !joined ||
          !listed ||
          (lineage.completeness === null ? lineage.error === null : scene === null && !listFirst && picture.cards.length > 0)
        }
      >
        <div className="canvas-frame" ref={frame} hidden={listFirst || listAlone}>
          <Surface
            scene={scene}
            viewport={viewport}
            setViewport={setViewport}
            sizeRef={size}
            palette={palette}
            lights={lights}
            onHit={onHit}
            onMenu={onMenuHit}
          />
          {(["up", "down"] as const).map((side) => {
            const [unseen, missing] = [offWindow[side], outside?.[side] ?? 0];
            if (unseen + missing === 0) return null;
            return (
              <div key={side} className={`canvas-chip ${side}`} aria-hidden="true">
                {side === "up" ? "◀ " : ""}
                {unseen > 0 && `${unseen} outside the window`}
                {unseen > 0 && missing > 0 && ", "}
                {missing > 0 && `${missing}${outside?.more ? " or more" : ""} not in the picture`}
                {side === "down" ? " ▶" : ""}
              </div>
            );
          })}
          <div className="canvas-zoom">
            <button type="button" onClick={() => zoom(1.25)} aria-label="Zoom in">
              +
            </button>
            <button type="button" onClick={() => zoom(0.8)} aria-label="Zoom out">
              −
            </button>
            <button type="button" onClick={fitAll}>
              Fit
            </button>
          </div>
        </div>
        <div className="canvas-side">
          <Tree
            rows={rows}
            focus={current}
            found={foundSet}
            isOpen={(row) => !folded.has(row.id)}
            onFold={toggleFold}
            onFocus={(id) => select(id)}
            onKey={onKey}
            onOpen={openNode}
            onMenu={openMenu}
          />
          <Details
            card={card}
            row={card?.rows.find((one) => one.id === current)}
            line={picture.lines.find((one) => one.id === line)}
            picture={picture}
            state={state}
            cone={outside && coneOf ? { of: coneOf, ...outside } : null}
            actions={actions}
            onLine={setLine}
            onFilter={filterColumns}
            onFilterLeft={(id) => {
              select(id);
              requestAnimationFrame(focusTree); // when the row is the tab stop
            }}
          />
        </div>
      </div>
      {menu && card && (
        <ContextMenu
          label={`Actions for ${card.rows.find((one) => one.id === current)?.name ?? card.node.name}`}
          at={menu}
          actions={actions}
          onClose={(back) => {
            setMenu(null);
            if (back) focusTree();
          }}
        />
      )}
    </section>
  );
}

/** A control with all folds around it opened: one that is folded cannot have the focus. */
function unfold(id: string): HTMLElement | null {
  const control = document.getElementById(id);
  for (let fold = control?.parentElement?.closest("details"); fold; fold = fold.parentElement?.closest("details")) fold.open = true;
  return control;
}
