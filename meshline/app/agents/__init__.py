"""Questions of agents: the tools of the MCP server, over the same GraphQL that the command line and the page ask.

Nothing is computed here: a tool resolves names, asks one or two queries, and states the answer in one sentence and in rows.
"""
