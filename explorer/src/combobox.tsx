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

// Only an id or `kind:name` is resolved: at 300,000 columns a name that is still being typed costs `resolve` seconds, and `suggest` 20 ms.
const RESOLVED = /^([a-z]{1,8}_[0-9a-f]{32}|(domain|product|dataset|column|job|consumer|owner|contract):.+)$/i;

/** Those that the text names to the end, `customers.email` before `customers.email_hash`, in their order; then the others in theirs. */
export function putExactFirst(found: readonly AssetLike[], given: string): AssetLike[] {
  const wanted = given.toLowerCase();
  const isExact = ({ name, qualifiedName }: AssetLike) => {
    const full = qualifiedName.toLowerCase();
    return name.toLowerCase() === wanted || full === wanted || full.endsWith(`.${wanted}`) || full.endsWith(`/${wanted}`);
  };
  return [...found.filter(isExact), ...found.filter((one) => !isExact(one))];
}

/** Assets whose names may be meant, the likeliest first; if there is none, those with these words anywhere. */
export async function findAssets(given: string, kinds: AssetKind[] | null, asOf: string | null, signal: AbortSignal): Promise<AssetLike[]> {
  const fits = (one: AssetLike) => kinds === null || kinds.some((kind) => kind === one.kind);
  if (RESOLVED.test(given)) {
    const named = await fetchAnswer(Resolve, { name: given, asOf }, signal).then(
      (answer) => answer.resolve,
      () => null, // no asset has this name, or several
    );
    if (named !== null && fits(named)) return [named];
  }
  // Suggestions are of the present only.
  const suggested = asOf === null ? (await fetchAnswer(Suggest, { text: given, first: MOST * 5 }, signal)).suggest.filter(fits) : [];
  const found =
    suggested.length > 0 ? suggested : (await fetchAnswer(FirstFound, { text: given, first: MOST, kinds, asOf }, signal)).search.nodes;
  return putExactFirst(found, given).slice(0, MOST);
}

export function SearchField({
  large = false,
  autoFocus = false,
  label = text.searchLabel,
  field = false,
  kinds = null,
  initial = "",
  onChoose = (asset: AssetLike) => navigate(buildAssetHref(asset.id)),
  onSubmit = (given: string) => navigate(buildHref("/search", { q: given })),
}: {
  large?: boolean;
  autoFocus?: boolean;
  label?: string;
  /** Whether it is a field of a form: its label is visible then, and tells what it wants instead of a placeholder. */
  field?: boolean;
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
      <label htmlFor={id} className={large ? "strong" : field ? undefined : "hidden-text"}>
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
        placeholder={field ? undefined : text.searchPlaceholder}
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
