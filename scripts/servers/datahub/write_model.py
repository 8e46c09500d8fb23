"""Write the Avro schemas of the aspects that `meshline export datahub` writes, from DataHub's own library, without their texts; runs in
an environment with requirements.txt.

python write_model.py FILE
"""

import json
import sys
from pathlib import Path

from datahub.metadata import schema_classes as model

NAMES = (
    "dataFlowInfo",
    "dataJobInfo",
    "dataJobInputOutput",
    "dataProductProperties",
    "dataTransformLogic",
    "dashboardInfo",
    "datasetProperties",
    "domainProperties",
    "domains",
    "globalTags",
    "glossaryTerms",
    "inputFields",
    "ownership",
    "ownershipTypeInfo",
    "schemaMetadata",
    "siblings",
    "status",
    "subTypes",
    "tagKey",
    "upstreamLineage",
    "viewProperties",
)
TEXTS = (
    "doc",
    "Searchable",
    "Relationship",
    "Aspect",
    "Urn",
    "java",
    "symbolDocs",
    "deprecated",
    "UrnValidation",
    "SearchableRef",
    "compliance",
)


def remove_texts(value: object) -> object:
    if isinstance(value, list):
        return [remove_texts(one) for one in value]
    if isinstance(value, dict):
        return {key: remove_texts(one) for key, one in value.items() if key not in TEXTS}
    return value


if __name__ == "__main__":
    found = {name: remove_texts(json.loads(str(model.ASPECT_NAME_MAP[name].RECORD_SCHEMA))) for name in NAMES}
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
