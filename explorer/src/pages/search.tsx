/** Results of a search, grouped by kind. */
import { useState } from "react";
import { AssetChoice } from "../choices";
import { SearchField } from "../combobox";
import { changeHref, navigate, usePlace } from "../location";
import { capitalize, count, formatNumber, KINDS, nameKinds } from "../messages";
import { Answered, AssetLink, Badge, ListLine, Name, OwnerLinks } from "../parts";
import { usePast, usePastQuery } from "../past";
import { type AssetKind, Search, type SearchAnswer } from "../queries/search";
import { useTitle } from "../title";

const PAGE = 50;
const MOST = 1000;

export default function SearchPage() {
  const place = usePlace();
  const wanted = place.search.get("q")?.trim() ?? "";
  const kind = Object.keys(KINDS).find((one) => one === place.search.get("kind")?.toUpperCase()) as AssetKind | undefined;
  const domain = place.search.get("domain");
  const owner = place.search.get("owner");
  const tag = place.search.get("tag");
  const key = [wanted, kind, domain, owner, tag].join("\n");
  const [size, setSize] = useState({ key, first: PAGE });
  const first = size.key === key ? size.first : PAGE;
  useTitle(wanted ? `Search: ${wanted}` : tag ? `Tagged ${tag}` : "Search");
  const query = usePastQuery(Search, wanted || tag ? { text: wanted, kinds: kind ? [kind] : null, domain, owner, tag, first } : null);
  const asOf = usePast();
  const choose = (name: string) => (value: string) => navigate(changeHref(place, { [name]: value }));
  return (
    <>
      <h1 tabIndex={-1}>
        {wanted ? (
          <>Results for “{<Name text={wanted} />}”</>
        ) : tag ? (
          <>
            Tagged <Name text={tag} />
          </>
        ) : (
          "Search"
        )}
      </h1>
      <SearchField key={wanted} large label="Words to search for" initial={wanted} />
      <div className="row row-end">
        <label className="field">
          <span>Kind</span>
          <select value={kind ?? ""} onChange={(event) => choose("kind")(event.target.value)}>
            <option value="">all kinds</option>
            {Object.keys(KINDS).map((one) => (
              <option key={one} value={one}>
                {nameKinds(one)}
              </option>
            ))}
          </select>
        </label>
        <AssetChoice kind="domain" label="Domain" value={domain ?? ""} asOf={asOf} onChoose={choose("domain")} />
        <AssetChoice kind="owner" label="Owner" value={owner ?? ""} asOf={asOf} onChoose={choose("owner")} />
        <AssetChoice kind="tag" label="Tag" value={tag ?? ""} asOf={asOf} onChoose={choose("tag")} />
      </div>
      {(wanted !== "" || tag) && (
        <Answered query={query}>
          {({ search }) => (
            <>
              <p role="status">
                {count(search.totalCount, "result", "results")}
                {search.truncated && ": the best ones. More assets match; add words, or choose a kind, domain, owner or tag."}
              </p>
              <Groups hits={search.edges} />
              <ListLine shown={search.edges.length} total={search.totalCount} />
              {search.pageInfo.hasNextPage && first < MOST && (
                <div>
                  <button type="button" onClick={() => setSize({ key, first: Math.min(MOST, first * 2) })}>
                    Show more
                  </button>
                </div>
              )}
            </>
          )}
        </Answered>
      )}
    </>
  );
}

type Hit = SearchAnswer["search"]["edges"][number];

function Groups({ hits }: { hits: Hit[] }) {
  const groups = new Map<string, Hit[]>();
  for (const hit of hits) groups.set(hit.node.kind, [...(groups.get(hit.node.kind) ?? []), hit]);
  return (
    <>
      {[...groups].map(([kind, found]) => (
        <section key={kind} className="card" aria-labelledby={`group-${kind}`}>
          <h2 id={`group-${kind}`}>
            {capitalize(nameKinds(kind))} <span className="soft">{formatNumber(found.length)}</span>
          </h2>
          <ul className="plain items">
            {found.map(({ node: asset, why }) => (
              <li key={asset.id}>
                <AssetLink asset={asset} />{" "}
                {asset.tags.slice(0, 5).map((one, index) => (
                  <Badge key={index}>
                    <Name text={one.value ? `${one.key}=${one.value}` : one.key} most={40} />
                  </Badge>
                ))}
                <div className="soft">
                  {asset.domain && (
                    <>
                      <AssetLink asset={asset.domain} full={false} /> ·{" "}
                    </>
                  )}
                  {asset.kind !== "OWNER" && <OwnerLinks owners={asset.owners} />}
                  {asset.description && (
                    <>
                      {" "}
                      · <Name text={asset.description} most={160} />
                    </>
                  )}
                  <Reasons why={why} />
                </div>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

/** How a word of the name means a word of the search, where one does not see it: `eml for email`. */
function Reasons({ why }: { why: Hit["why"] }) {
  const hidden = why.filter((one) => MEANINGS[one.meaning] !== undefined);
  if (!hidden.length) return null;
  return (
    <>
      {" "}
      · found by{" "}
      {hidden.map((one, index) => (
        <span key={one.word}>
          {index > 0 && ", "}
          <Name text={one.found} most={40} /> for {<Name text={one.word} most={40} />} ({MEANINGS[one.meaning]})
        </span>
      ))}
    </>
  );
}

const MEANINGS: Partial<Record<Hit["why"][number]["meaning"], string>> = {
  ABBREVIATION: "abbreviation",
  ACRONYM: "acronym",
  SYNONYM: "synonym",
  LEARNED: "synonym learned from titles",
  SIMILAR: "similar",
  TEXT: "text",
};
