"""The Data Catalog and S3: tables as `aws glue get-table` prints them, and buckets as folders."""

import pathlib
import urllib.parse

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"

tables = {}
"""Tables by database and name."""

buckets = pathlib.Path()
"""The folder whose folders are the buckets."""


def add(table):
    """Adds a table, in or out of GetTable's envelope."""
    table = table.get("Table", table)
    tables[table["DatabaseName"], table["Name"]] = table


def files(table):
    """The files of a table with their folders' values by partition key."""
    location = buckets / table["StorageDescriptor"]["Location"].removeprefix("s3://")
    keys = [key["Name"] for key in table.get("PartitionKeys", [])]
    for path in sorted(location.rglob("*")):
        relative = path.relative_to(location)
        hidden = any(part.startswith((".", "_")) for part in relative.parts)
        if path.is_file() and path.stat().st_size and not hidden:
            yield path, partition(keys, relative.parts[:-1])


def partition(keys, folders):
    named = dict(folder.split("=", 1) for folder in folders if "=" in folder)
    named = {
        name.lower(): None if value == HIVE_NULL else urllib.parse.unquote(value)
        for name, value in named.items()
    }
    plain = {f"partition_{depth}": name for depth, name in enumerate(folders) if "=" not in name}
    return {key: named.get(key.lower(), plain.get(key)) for key in keys}
