"""Files of checks with anything in any place: each is read or refused, and nothing fails."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from meshline.graph.model import Json
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import Context, Entry, Refusal, Unchanged
from meshline.ingest.sources.check_results import CheckFiles
from meshline.ingest.sources.great_expectations import GreatExpectations
from meshline.ingest.sources.soda import Soda
from tests.ingest.sources.loaded_checks import CORPUS, needs_corpus

HERE = Path(__file__).parent / "great_expectations"
ODD: tuple[Json, ...] = (None, 7, "", ["x"], {"a": 1}, [{}])


def replace_each_part(value: Any, odd: Json) -> Iterator[Any]:
    """The value with this in each of its places, one at a time."""
    yield odd
    parts = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    for place, part in parts:
        for other in replace_each_part(part, odd):
            copy = dict(value) if isinstance(value, dict) else list(value)
            copy[place] = other
            yield copy


def read_items(source: CheckFiles, folder: Path) -> None:
    for found in source.read(Context(Naming(), folder)).items:
        assert isinstance(found, Entry | Unchanged | Refusal)
        assert not isinstance(found, Refusal) or str(found.error).startswith("f:")


@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
@pytest.mark.parametrize("file", sorted(path.name for path in HERE.iterdir()))
def test_great_expectations(tmp_path: Path, file: str, odd: Json) -> None:
    source = GreatExpectations(files=("f",), dataset="db/t")
    for value in replace_each_part(json.loads((HERE / file).read_text()), odd):
        (tmp_path / "f").write_text(json.dumps(value))
        read_items(source, tmp_path)


@needs_corpus
@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
def test_scans(tmp_path: Path, odd: Json) -> None:
    scan = json.loads((CORPUS / "recorded" / "soda_scan.json").read_text())
    for name in ("queries", "logs", "metrics", "profiling", "metadata"):
        del scan[name]
    scan["checks"] = [check for check in scan["checks"] if check["name"] in ("Schema Check", "freshness(last_order_at) < 1d")]
    source = Soda(files=("f",), namespace="db")
    for value in replace_each_part(scan, odd):
        (tmp_path / "f").write_text(json.dumps(value))
        read_items(source, tmp_path)


@needs_corpus
@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
def test_files_of_checks(tmp_path: Path, odd: Json) -> None:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    source = Soda(files=("f",), namespace="db")
    for value in replace_each_part(yaml.load((CORPUS / "seeds" / "soda_customer_orders.yml").read_text()), odd):
        text = io.StringIO()
        yaml.dump(value, text)
        (tmp_path / "f").write_text(text.getvalue())
        read_items(source, tmp_path)
