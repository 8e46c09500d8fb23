"""Data contracts: files in three dialects. Each version of a contract is a scope of its own, so that several versions are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import ClassVar

from meshline.errors import InvalidInput, require_extra
from meshline.graph.model import Json
from meshline.ingest.documents import Document, parse_yaml, to_text
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.contracts.facts import build_contract_facts
from meshline.ingest.sources.contracts.field_reader import ParsedContract
from meshline.ingest.sources.promise_files import ParsedPromise, PromiseFiles
from meshline.ingest.validation import format_value

ACCEPTED = (
    "accepted are Data Contract Specification 0.9 to 1.2 (`dataContractSpecification: 1.2.0`), Open Data Contract Standard 3.0 to 3.2"
    " (`kind: DataContract` with `apiVersion: v3.1.0`), and `apiVersion: datacontract.com/v0.9`"
)
# dialect: the module that has `parse_contract`
_READERS: Mapping[str, str] = {
    "dcs": "meshline.ingest.sources.contracts.datacontract_spec",
    "odcs": "meshline.ingest.sources.contracts.odcs",
}


def parse_contract_file(data: bytes, file: str) -> ParsedContract:
    """The contract in a file. Each fault is one message with `file:line`. Raises MissingExtra."""
    try:
        found = parse_yaml(data, file)
        module = _READERS[_detect_dialect(found)]
        with require_extra("contracts", "reading a data contract"):
            reader = import_module(module)
        parsed: ParsedContract = reader.parse_contract(found)
    except InvalidInput as error:
        return ParsedContract(None, (error,), ())
    return parsed


def _detect_dialect(found: Document) -> str:
    """`dcs` or `odcs`. Raises InvalidInput for any other file."""
    value = found.value
    if not isinstance(value, dict):
        raise InvalidInput(f"found {format_value(value)}, which is not a data contract; {ACCEPTED}", found.format_place(()))
    version = to_text(value.get("apiVersion"))
    if "dataContractSpecification" in value:
        return _check_version(found, "dataContractSpecification", "dcs", r"(0\.9|1\.[0-2])(\.[0-9]+)?")
    if version.lower().startswith("datacontract.com/"):
        return _check_version(found, "apiVersion", "dcs", r"datacontract\.com/v?(0\.9|1\.[0-2])(\.[0-9]+)?")
    if value.get("kind") == "DataProduct":
        raise InvalidInput("this is a data product: `meshline ingest product` reads it", found.format_place(("kind",)))
    if value.get("kind") == "DataContract" or (version and "schema" in value):
        return _check_version(found, "apiVersion", "odcs", r"v?3\.[0-2](\.[0-9]+)?")
    raise InvalidInput(f"this is not a known kind of data contract; {ACCEPTED}", found.format_place(()))


def _check_version(found: Document, key: str, dialect: str, versions: str) -> str:
    assert isinstance(found.value, dict)
    version: Json = found.value.get(key)
    if re.fullmatch(versions, to_text(version), re.IGNORECASE) is None:
        raise InvalidInput(f"{key}: found {format_value(version)}; {ACCEPTED}", found.format_place((key,)))
    return dialect


class Contracts(PromiseFiles):
    """Files of contracts. `complete`: whether these are all files, so that a version whose file was removed is retracted."""

    kind: ClassVar[str] = "contract"

    def parse(self, data: bytes, file: str, context: Context) -> ParsedPromise:
        parsed = parse_contract_file(data, file)
        about = ("contract", parsed.id) if parsed.id else ()
        contract = parsed.contract
        if contract is None:
            return ParsedPromise(parsed.id, about, None, None, parsed.refused, parsed.warnings)
        facts = build_contract_facts(contract, context)
        warnings = [*parsed.warnings, *(f"{file}: {warning}" for warning in facts.warnings)]
        what = f"version {contract.version} of {contract.id}"
        return ParsedPromise(what, about, ("contract", contract.id, contract.version), facts.facts, parsed.refused, warnings)
