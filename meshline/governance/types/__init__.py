"""Data types in one normal form, and which of them grow into which without loss."""

from meshline.governance.types.normalization import is_worded, normal, unknown_names
from meshline.governance.types.type_form import NESTED, Part, Type, promotes, same, specified, widening

__all__ = [
    "NESTED",
    "Part",
    "Type",
    "is_worded",
    "normal",
    "promotes",
    "same",
    "specified",
    "unknown_names",
    "widening",
]
