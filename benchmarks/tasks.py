"""What is converted."""

import dataclasses
import pathlib

# The columns of the flat rows; of the others those that a row needs, and some events only
FLAT = [
    "SourceColumnUserId=USER_ID",
    "SourceColumnItemId=ITEM_ID",
    "SourceColumnEventType=EVENT_TYPE",
    "SourceColumnEventValue=EVENT_VALUE",
    "SourceColumnTimestamp=TIMESTAMP",
]
NESTED = [
    "EventTypes=Product Added,Order Completed,Product Clicked",
    "SourceColumnUserId=userId",
    "SourceColumnItemId=properties.sku",
    "SourceColumnEventType=event",
    "SourceColumnTimestamp=timestamp",
]


@dataclasses.dataclass(frozen=True)
class Task:
    name: str
    kind: str
    # A file of the data, or a folder of many
    source: str
    compressed: bool = False

    @property
    def parameters(self) -> list[str]:
        return NESTED if self.kind == "nested" else FLAT

    def files(self, data: pathlib.Path) -> list[pathlib.Path]:
        source = data / self.source
        return sorted(source.iterdir()) if source.is_dir() else [source]


JSON = {
    "flat": "flat",
    "concat": "concat",
    "nested": "nested",
    "shuffled": "nested",
    "mixed": "nested",
    "escapes": "nested",
}
TASKS = [
    *(Task(name, kind, f"{name}.json") for name, kind in JSON.items()),
    Task("csv", "csv", "flat.csv"),
    Task("parquet", "parquet", "flat.parquet"),
    *(Task(f"{name}.gz", kind, f"{name}.json.gz", compressed=True) for name, kind in JSON.items()),
    Task("small", "flat", "small", compressed=True),
]
