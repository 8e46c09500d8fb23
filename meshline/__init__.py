"""meshline: a lineage-centric metadata graph for data meshes."""

from __future__ import annotations

__version__ = "0.1.0"
