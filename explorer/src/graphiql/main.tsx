/** GraphiQL at /graphql: an editor of queries with the schema's documentation. The token is a header that its user writes; it is not stored. */
import { GraphiQL } from "graphiql";
import "graphiql/style.css";
import { createRoot } from "react-dom/client";
import { keepFieldsLabelled } from "./labels";
import { installPolicy } from "./policy";
import { storage } from "./storage";
import "./style.css";

interface Parameters {
  query: string;
  variables?: unknown;
  operationName?: string | null | undefined;
}

const QUERY = `# Ctrl-Enter runs the query.
# Ctrl-Space suggests fields.
# Where the server has tokens, write
# {"Authorization": "Bearer ..."}
# into Headers, and fetch the schema
# again: the button at the lower left.
query Search($text: String!) {
  search(text: $text, first: 10) {
    totalCount
    nodes {
      id
      name
      kind
    }
  }
}
`;
const VARIABLES = JSON.stringify({ text: "customers.email" }, null, 2);

async function sendQuery(parameters: Parameters, options?: { headers?: Record<string, string> | null | undefined }) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { ...options?.headers, "Content-Type": "application/json", Accept: "application/json" },
    credentials: "same-origin",
    body: JSON.stringify(parameters),
  });
  return response.json();
}

installPolicy();
const root = document.getElementById("root");
if (root === null) throw new Error("the page has no root");
createRoot(root).render(
  <GraphiQL
    fetcher={sendQuery}
    storage={storage}
    defaultQuery={QUERY}
    variables={VARIABLES}
    shouldPersistHeaders={false}
    showPersistHeadersSettings={false}
    defaultEditorToolsVisibility="headers"
  >
    <GraphiQL.Logo>
      <h1>
        GraphiQL · <a href="/">meshline</a>
      </h1>
    </GraphiQL.Logo>
  </GraphiQL>,
);
keepFieldsLabelled(root);
