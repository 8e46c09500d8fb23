"""Read answers of OpenMetadata's API with the models of its own library; runs in an environment with requirements.txt. Prints how many
there are of each type, as JSON.

python check_answers.py FILE: a JSON object with lists of entities by their types, and of lineage under `lineage`
"""

import importlib
import importlib.util
import json
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

# The package itself imports every connector and what they need; its models need none of it.
spec = importlib.util.find_spec("metadata")
assert spec is not None
assert spec.submodule_search_locations is not None
sys.modules["metadata"] = package = types.ModuleType("metadata")
package.__path__ = list(spec.submodule_search_locations)

MODELS = {
    "table": "entity.data.table:Table",
    "topic": "entity.data.topic:Topic",
    "container": "entity.data.container:Container",
    "dashboardDataModel": "entity.data.dashboardDataModel:DashboardDataModel",
    "dashboard": "entity.data.dashboard:Dashboard",
    "chart": "entity.data.chart:Chart",
    "pipeline": "entity.data.pipeline:Pipeline",
    "mlmodel": "entity.data.mlmodel:MlModel",
    "user": "entity.teams.user:User",
    "team": "entity.teams.team:Team",
    "domain": "entity.domains.domain:Domain",
    "dataProduct": "entity.domains.dataProduct:DataProduct",
    "databaseService": "entity.services.databaseService:DatabaseService",
    "messagingService": "entity.services.messagingService:MessagingService",
    "lineage": "type.entityLineage:EntityLineage",
}


def find_model(type_: str) -> Any:
    """The class of the entities of a type."""
    module, _, name = MODELS[type_].partition(":")
    return getattr(importlib.import_module(f"metadata.generated.schema.{module}"), name)


if __name__ == "__main__":
    found: Counter[str] = Counter()
    for type_, values in json.loads(Path(sys.argv[1]).read_text("utf-8")).items():
        for value in values:
            find_model(type_).model_validate(value)
            found[type_] += 1
    print(json.dumps(found))
