"""The policies that are broken now, by fingerprint; shown only where somebody asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meshline.governance.policies.passes import Breach, Place
from meshline.governance.policies.showing import fingerprint
from meshline.governance.policies.watch import Watch
from meshline.governance.report import Violation


class Watched:
    """Of a watch that others may use, too."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._index: object = None
        self._fingerprints: dict[Place, str] = {}
        self._found: dict[str, tuple[Place, Breach]] = {}

    def now(self) -> Mapping[str, tuple[Place, Breach]]:
        """All that is broken."""
        with self._watch.live.lock:
            found = self._watch.violations()
            index = self._watch.live.index
            if index is not self._index:  # nodes mean something else
                self._index, self._fingerprints = index, {}
            known = self._fingerprints
            self._fingerprints = {place: known.get(place) or fingerprint(index, place) for place, _ in found}
        self._found = {self._fingerprints[place]: (place, breach) for place, breach in found}
        return self._found

    def shown(self, wanted: Iterable[str]) -> dict[str, Violation]:
        """Some of what was found, with their paths; of what has gone since nothing."""
        with self._watch.live.lock:
            current = dict(self._watch.violations())
            asked = [self._found[one] for one in wanted]
            shown = self._watch.shown([one for one in asked if one[0] in current])
        return {violation.fingerprint: violation for violation in shown}
