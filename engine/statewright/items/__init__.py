"""What a distributed Map reads from and writes to: data sets in object stores, as streams.

Everything here blocks and is called from threads; memory stays the same for a data set of any size.
"""

from __future__ import annotations

from statewright.items.objects import ObjectError, ObjectInfo, Objects, ObjectWriter
from statewright.items.opening import open_objects
from statewright.items.reader import Items, MapItem, Reader, open_items
from statewright.items.writer import ChildResult, Results, WriterConfig, open_results, transform

__all__ = [
    "ChildResult",
    "Items",
    "MapItem",
    "ObjectError",
    "ObjectInfo",
    "ObjectWriter",
    "Objects",
    "Reader",
    "Results",
    "WriterConfig",
    "open_items",
    "open_objects",
    "open_results",
    "transform",
]
