"""What a distributed Map reads from and writes to: data sets in object stores, as streams.

Everything here blocks and is called from threads; memory stays the same for a data set of any size.
"""

from __future__ import annotations

from statewright.items.objects import ObjectError, ObjectInfo, Objects, ObjectWriter, open_objects
from statewright.items.reader import Items, MapItem, Reader, open_items

__all__ = [
    "Items",
    "MapItem",
    "ObjectError",
    "ObjectInfo",
    "ObjectWriter",
    "Objects",
    "Reader",
    "open_items",
    "open_objects",
]
