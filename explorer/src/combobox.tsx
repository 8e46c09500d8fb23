/** A field that finds assets while one types: the combobox with a list of ARIA's authoring practices. */
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { announce } from "./announcer";
import { fetchAnswer } from "./client";
import { buildAssetHref, buildHref, navigate, readTime, usePlace } from "./location";
import { count, text } from "./messages";
import { type AssetLike, KindBadge, Name } from "./parts";
import { type AssetKind, FirstFound, Resolve, Suggest } from "./queries/search";

const REST_MS = 120;
const MOST = 10;

/** The asset that the text names exactly, then those whose names may be meant; if there is none, those with its words anywhere. */
export async function findAssets(given: string, kinds: AssetKind[] | null, asOf: string | null, signal: AbortSignal): Promise<AssetLike[]> {
  const search = async () => (await fetchAnswer(FirstFound, { text: given, first: MOST, kinds, asOf }, signal)).search.nodes;
  const suggest = async () => {
    const { suggest: all } = await fetchAnswer(Suggest, { text: given, first: kinds === null ? MOST : MOST * 5 }, signal);
    const fitting = all.filter((one) => kinds === null || kinds.includes(one.kind));
    return fitting.length > 0 ? fitting : search();
  };
  const [named, found] = await Promise.all([
    fetchAnswer(Resolve, { name: given, asOf }, signal).then(
      (answer) => answer.resolve,
      () => null, // no asset has this name, or several
    ),
    asOf === null ? suggest() : search(), // suggestions are of the present only
  ]);
  const first = named !== null && (kinds === null || kinds.includes(named.kind)) ? [named] : [];
  return [...first, ...found.filter((one) => one.id !== first[0]?.id)].slice(0, MOST);
}

export function SearchField({
  large = false,
  autoFocus = false,
  label = text.searchLabel,
  kinds = null,
  initial = "",
  onChoose = (asset: AssetLike) => navigate(buildAssetHref(asset.id)),
  onSubmit = (given: string) => navigate(buildHref("/search", { q: given })),
}: {
  large?: boolean;
  autoFocus?: boolean;
  label?: string;
  kinds?: AssetKind[] | null;
  initial?: string;
  onChoose?: (asset: AssetLike) => void;
  /** Enter without a choice. */
  onSubmit?: (given: string) => void;
}) {
  const id = useId();
  const [given, setGiven] = useState(initial);
  const [found, setFound] = useState<{ text: string; assets: AssetLike[] }>({ text: "", assets: [] });
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const wanted = given.trim();
  const asOf = readTime(usePlace().search, "asOf");
  const kindsKey = kinds?.join(",") ?? "";

  useEffect(() => {
    if (autoFocus) input.current?.focus();
  }, [autoFocus]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `kindsKey` is `kinds` as text
  useEffect(() => {
    if (wanted === "" || !open) return;
    const controller = new AbortController();
    const timer = window.setTimeout(() => {
      findAssets(wanted, kinds, asOf, controller.signal).then(
        (assets) => {
          if (controller.signal.aborted) return;
          setFound({ text: wanted, assets });
          setActive(-1);
          announce(count(assets.length, "suggestion", "suggestions"));
        },
        () => setFound({ text: wanted, assets: [] }),
      );
    }, REST_MS);
    return () => {
      window.clearTimeout(timer);
      controller.abort();
    };
  }, [wanted, open, kindsKey, asOf]);

  const shown = open && wanted !== "" && found.text !== "" ? found.assets : [];
  const expanded = open && wanted !== "" && found.text === wanted;

  const choose = (asset: AssetLike) => {
    setOpen(false);
    setGiven("");
    setFound({ text: "", assets: [] });
    onChoose(asset);
  };
  const pressKey = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setOpen(true);
      const size = shown.length;
      if (size > 0) setActive((at) => (event.key === "ArrowDown" ? (at + 1) % size : (at <= 0 ? size : at) - 1));
    } else if (event.key === "Escape") {
      if (open) event.preventDefault();
      setOpen(false);
      setActive(-1);
    } else if (event.key === "Enter") {
      const asset = shown[active];
      event.preventDefault();
      if (asset) choose(asset);
      else if (wanted !== "") {
        setOpen(false);
        onSubmit(wanted);
      }
    }
  };
  return (
    <div className={`combo ${large ? "large" : ""}`}>
      <label htmlFor={id} className={large ? "strong" : "hidden-text"}>
        {label}
      </label>
      <input
        ref={input}
        id={id}
        type="text"
        role="combobox"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        aria-expanded={expanded && shown.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={shown[active] ? `${id}-${active}` : undefined}
        placeholder={text.searchPlaceholder}
        value={given}
        maxLength={500}
        onChange={(event) => {
          setGiven(event.target.value);
          setOpen(true);
        }}
        onKeyDown={pressKey}
        onBlur={() => setOpen(false)}
      />
      <div role="listbox" id={`${id}-list`} aria-label={label} className="choices" hidden={!(expanded && shown.length > 0)}>
        {shown.map((asset, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the input, which keeps the focus
          // biome-ignore lint/a11y/useFocusableInteractive: as above
          <div
            key={asset.id}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === active}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => choose(asset)}
          >
            <KindBadge kind={asset.kind} /> <Name text={asset.qualifiedName} />
          </div>
        ))}
      </div>
      {expanded && shown.length === 0 && <div className="soft choices-none">Nothing begins like this. Enter searches all words.</div>}
    </div>
  );
}
