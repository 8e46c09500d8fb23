"""What a caller may send events about, where access rules limit that: which events are refused, and what is left out of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple, TypeVar

import msgspec

from meshline.errors import NotPermitted
from meshline.ingest.openlineage.events import DatasetEvent, DatasetMention, Event
from meshline.ingest.openlineage.facet_types import AnyFacet, JobLineage, LifecycleStateChange, Ownership, Symlinks
from meshline.ingest.openlineage.facets import Facet
from meshline.ingest.openlineage.left_out import LeftOut

# Of an input in a namespace of others: what the run found in it. All else states what the dataset is, which is for its own producers.
OF_THE_RUN = frozenset({"version", "dataQualityAssertions"})

FacetT = TypeVar("FacetT", bound=AnyFacet)


class IngestRights(NamedTuple):
    """About which namespaces a caller may send events: patterns. `also`: those of others, which all have to permit it, too.

    `may_name`: whether he may state of an owner of this name that it owns something; None: of any.
    """

    caller: str
    patterns: frozenset[str]
    also: tuple[IngestRights, ...] = ()
    may_name: Callable[[str], bool] | None = None

    def check_event(self, event: Event) -> list[LeftOut]:
        """What is to be left out of an event. Raises NotPermitted unless its job, its outputs and all that they are joined with are in
        these namespaces.

        Inputs may be of any: where data comes from is what lineage is about. But what an input is, and with what it is one, only those
        may state who may send events about its namespace: else it could be joined with a dataset that the caller sees.
        """
        return [*(one for rights in self.also for one in rights.check_event(event)), *self._check_parts(event)]

    def _check_parts(self, event: Event) -> Iterator[LeftOut]:
        if isinstance(event, DatasetEvent):
            self._check_dataset(event.dataset)
            yield from self._leave_out_owners(("dataset",), event.dataset.facets)
            return
        self._check_namespace(event.job[0], "the job")
        lineage = _read_facet(event.job_facets, "lineage", JobLineage)
        for entry in lineage.entries or () if lineage is not None else ():
            self._check_namespace(entry.namespace or "", f"{(entry.name or '')[:100]!r}, of which the lineage of the job is,")
        yield from self._leave_out_owners(("job",), event.job_facets)
        for position, output in enumerate(event.outputs):
            self._check_dataset(output)
            yield from self._leave_out_owners(("outputs", position), output.facets)
        for position, of_input in enumerate(event.inputs):
            if self._includes(of_input.namespace):
                self._check_dataset(of_input)
                yield from self._leave_out_owners(("inputs", position), of_input.facets)
            elif facets := tuple(sorted(of_input.facets.keys() - OF_THE_RUN)):
                yield LeftOut(("inputs", position), facets, self._describe())

    def _check_dataset(self, dataset: DatasetMention) -> None:
        """Its namespace, and those of the names that are its own, too."""
        self._check_namespace(dataset.namespace, f"the dataset {dataset.name!r}")
        symlinks = _read_facet(dataset.facets, "symlinks", Symlinks)
        for identifier in symlinks.identifiers or () if symlinks is not None else ():
            self._check_namespace(identifier.namespace, f"a symlink of {dataset.name!r}")
        change = _read_facet(dataset.facets, "lifecycleStateChange", LifecycleStateChange)
        if change is not None and change.previous_identifier is not None:
            self._check_namespace(change.previous_identifier.namespace, f"the former name of {dataset.name!r}")

    def _leave_out_owners(self, of: tuple[str | int, ...], facets: Mapping[str, Facet]) -> Iterator[LeftOut]:
        if self.may_name is None or "ownership" not in facets:
            return
        found = _read_facet(facets, "ownership", Ownership)
        for owner in found.owners or () if found is not None else ():
            if not self.may_name(owner.name.strip()):
                why = f"{self.caller!r} sees no owner {owner.name[:100]!r}: name one that it sees, itself or a group of its (access rules)"
                yield LeftOut(of, ("ownership",), why)
                return

    def _check_namespace(self, namespace: str, named: str) -> None:
        if not self._includes(namespace):
            asked = f"{named} is in the namespace {namespace!r}"
            raise NotPermitted(f"{asked}, and {self._describe()}")

    def _includes(self, namespace: str) -> bool:
        return any(fnmatchcase(namespace, pattern) for pattern in self.patterns)

    def _describe(self) -> str:
        return f"{self.caller!r} may send events about: {', '.join(sorted(self.patterns)) or 'none'} (access rules)"


def _read_facet(facets: Mapping[str, Facet], name: str, kind: type[FacetT]) -> FacetT | None:
    """A facet, or None if there is none. Raises NotPermitted for one that cannot be read: what it joins is not known."""
    facet = facets.get(name)
    if facet is None:
        return None
    try:
        return msgspec.json.decode(facet.raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotPermitted(f"the facet {name!r} cannot be read ({error}), and may join what this caller may not (access rules)") from error
