"""Read records with DataHub's own library, as `datahub ingest` does, and validate each by its model; runs in an environment with
requirements.txt. Prints how many aspects of each name there are, as JSON.

python check_records.py FILE
"""

import json
import sys
from collections import Counter
from pathlib import Path

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.source.file import read_metadata_file
from datahub.metadata import schema_classes as model
from datahub.metadata.urns import Urn

PATCHED = {"ownership", "globalTags", "upstreamLineage"}


def main() -> None:
    found: Counter[str] = Counter()
    for record in read_metadata_file(Path(sys.argv[1])):
        if isinstance(record, model.MetadataChangeProposalClass):
            typed = MetadataChangeProposalWrapper.try_from_mcpc(record)
            if typed is None:  # a patch or a removal has no typed aspect
                assert record.changeType in ("PATCH", "DELETE"), record
                if record.changeType == "PATCH":
                    assert record.aspect is not None
                    assert record.aspect.contentType == "application/json-patch+json", record
                    assert record.aspectName in PATCHED, record
                    value = json.loads(record.aspect.value)
                    assert all(one["op"] == "add" for one in (value["patch"] if isinstance(value, dict) else value))
                assert record.validate(), record
                found[f"{record.changeType} {record.aspectName}"] += 1
                continue
            record = typed
        assert isinstance(record, MetadataChangeProposalWrapper), record
        assert record.aspect is not None
        assert record.validate(), record
        assert record.aspect.validate(), record
        urn = Urn.from_string(record.entityUrn or "")
        assert urn.entity_type == record.entityType, record
        found[record.aspect.get_aspect_name()] += 1
    print(json.dumps(found))


if __name__ == "__main__":
    main()
