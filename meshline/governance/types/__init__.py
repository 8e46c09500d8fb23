"""Data types in one normal form, and which of them grow into which without loss."""

from meshline.governance.types.form import NESTED, Part, Type, same, specified, widening
from meshline.governance.types.normal import normal

__all__ = ["NESTED", "Part", "Type", "normal", "same", "specified", "widening"]
