"""Data types in one normal form, and which of them grow into which without loss."""

from meshline.governance.types.form import NESTED, Part, Type, promotes, same, specified, widening
from meshline.governance.types.known import unknown_names
from meshline.governance.types.normal import is_worded, normal

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
