/** The frame around every page: skip link, search, menu, status of the server, theme and token. */
import { Component, type ReactNode, Suspense, useEffect, useState } from "react";
import { Announcer } from "./announcer";
import { loadSession, sendOperation, showNewestRevision, useClientState, useQuery, watchRevision } from "./client";
import { SearchField } from "./combobox";
import { usePlace } from "./location";
import { Menu } from "./menu";
import { text } from "./messages";
import { Link } from "./parts";
import { PastBanner, TimeControl, useFixedTimes } from "./past";
import { About } from "./queries/home";
import { matchRoute } from "./routes";
import { Account } from "./session";
import { setTheme, THEMES, type Theme, useTheme } from "./theme";
import { useHeadingFocus, useTitle } from "./title";
import { TokenDialog } from "./token";

export function App() {
  const place = usePlace();
  const { away, newer, epoch } = useClientState();
  const [menu, setMenu] = useState(false);
  useHeadingFocus(place.path);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another token asks again
  useEffect(() => watchRevision(async (signal) => (await sendOperation(About, {}, signal)).about.revision), [epoch]);
  useEffect(() => void loadSession(), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the menu closes when another page opens
  useEffect(() => setMenu(false), [place.path]);

  const found = matchRoute(place.path);
  const changing = useFixedTimes();
  return (
    <>
      <a href="#content" className="skip">
        {text.skip}
      </a>
      <header className="bar">
        <div className="bar-inner">
          <Link href="/" className="brand">
            {text.title}
          </Link>
          <search className="bar-search">{place.path !== "/" && <SearchField />}</search>
          <div className="bar-tools">
            <button type="button" className="menu-button" aria-expanded={menu} aria-controls="menu" onClick={() => setMenu(!menu)}>
              {text.menu}
            </button>
            <ThemeChoice />
            <TimeControl />
            <Account />
          </div>
          <Menu shown={menu} />
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        {away && (
          <p className="notice bad" role="alert">
            {text.away}
          </p>
        )}
        {newer !== null && (
          <div className="notice row" role="status">
            {text.newer(newer)}{" "}
            <button type="button" onClick={showNewestRevision}>
              {text.showNewer}
            </button>
          </div>
        )}
        <PastBanner follows={found?.route.past === true} instead={typeof found?.route.past === "string" ? found.route.past : undefined} />
        <ErrorBoundary key={place.path}>
          <Suspense fallback={<p className="busy">{text.loading}</p>}>
            {changing ? null : found ? <found.route.page key={`${found.route.path}:${found.id}`} id={found.id} /> : <UnknownPage />}
          </Suspense>
        </ErrorBoundary>
      </main>
      <Foot />
      <Announcer />
      <TokenDialog />
    </>
  );
}

function UnknownPage() {
  useTitle(text.unknownPage);
  return (
    <div className="head">
      <h1 tabIndex={-1}>{text.unknownPage}</h1>
      <p>
        <Link href="/">Start</Link>
      </p>
    </div>
  );
}

function ThemeChoice() {
  const { theme } = useTheme();
  return (
    <label>
      <span className="hidden-text">{text.theme}</span>
      <select value={theme} onChange={(event) => setTheme(event.target.value as Theme)}>
        {THEMES.map((one) => (
          <option key={one} value={one}>
            {text.themes[one]}
          </option>
        ))}
      </select>
    </label>
  );
}

function Foot() {
  const { data } = useQuery(About, {});
  return (
    <footer>
      <span>meshline {data?.about.version}</span>
      <span>{data && text.revision(data.about.revision)}</span>
      <a href="/graphql">GraphQL</a>
      <a href="/openapi.json">OpenAPI</a>
    </footer>
  );
}

/** Shows a sentence instead of an empty window if a page fails, also if its file cannot be loaded. */
class ErrorBoundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return (
      <div className="notice bad stack" role="alert">
        <h1 tabIndex={-1}>This page could not be shown</h1>
        <p>{this.state.error.message}</p>
        <div>
          <button type="button" onClick={() => window.location.reload()}>
            {text.retry}
          </button>
        </div>
      </div>
    );
  }
}
