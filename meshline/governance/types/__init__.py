"""Data types in one normal form, and which of them grow into which without loss."""

from meshline.governance.types.data_type import NESTED, Part, Type, can_promote, is_same, is_specified, is_widening
from meshline.governance.types.normalization import is_worded, list_unknown_names, normalise_type

__all__ = [
    "NESTED",
    "Part",
    "Type",
    "can_promote",
    "is_same",
    "is_specified",
    "is_widening",
    "is_worded",
    "list_unknown_names",
    "normalise_type",
]
