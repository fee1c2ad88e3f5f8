"""Files of typed formats as another library reads them, beside what the program makes of them.

Every column that is one value, or an array of such, becomes a text column of a hand-written plan; the cells
that should come out are worked out here from the values that the other library gives.
"""

import datetime
import decimal
import json
import math
import struct
import uuid

import oracle
from conftest import convert


def plan(fields, classification, **source):
    """A plan that writes each (path, conversion) as a column that may be empty."""
    return {
        "plan_version": 1,
        "dataset": "Items",
        "domain": None,
        "source": {
            "bucket": "",
            "prefix": "",
            "database": "",
            "table": "t",
            "format": {"classification": classification, **source},
            "partition_keys": [],
        },
        "destination": {
            "bucket": "",
            "prefix": "c",
            "incremental_prefix": "i",
            "rejected_prefix": "r",
            "files": "single",
        },
        "filter": None,
        "timestamp_format": "auto",
        "fields": [
            {"name": f"C{at}", "source": {"path": path}, "conversion": conversion, "nullable": True}
            for at, (path, conversion) in enumerate(fields)
        ],
        "notes": [],
    }


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def texts_of(value):
    """The value as the text that a cell holds of it."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as fault:
            raise oracle.Rejected(value) from fault
    elif isinstance(value, datetime.datetime):
        if value.tzinfo:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        whole = value.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
        value = whole + f".{value.microsecond:06}".rstrip("0").rstrip(".")
    elif isinstance(value, datetime.time):
        value = value.strftime("%H:%M:%S") + f".{value.microsecond:06}".rstrip("0").rstrip(".")
    elif isinstance(value, datetime.date):
        value = value.strftime("%Y-%m-%d").rjust(10, "0")
    elif isinstance(value, uuid.UUID):
        value = str(value)
    elif isinstance(value, float) and not math.isfinite(value):
        value = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    elif isinstance(value, float) and not isinstance(value, bool):
        value = shortest(value)
    return oracle.text(value)


def shortest(value):
    """The fewest digits that stand for a number, of 32 bits if it fits in so many."""

    def as_single(number):
        return struct.unpack("f", struct.pack("f", number))[0]

    if abs(value) < 1e38 and as_single(value) == value:
        for digits in range(1, 10):
            text = f"{value:.{digits}g}"
            if as_single(float(text)) == value:
                return decimal.Decimal(text)
    return value


def cell(value):
    if isinstance(value, list):
        parts = [texts_of(part) for part in value]
        parts = [part.replace("|", " ").strip() for part in parts if part is not None]
        value = "|".join(part for part in parts if part) or None
    value = texts_of(value)
    if value is not None and len(value) > 1000:
        raise oracle.Rejected(value)
    return value


def get(record, path):
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def read_csv(text):
    """Rows in Personalize's dialect; an empty cell is None."""
    rows = []
    for line in text.split("\n")[1:-1]:
        cells, cell, is_quoted, chars = [], "", False, iter(line)
        for char in chars:
            if char == '"':
                is_quoted = not is_quoted
            elif char == "\\":
                cell += next(chars)
            elif char == "," and not is_quoted:
                cells.append(cell or None)
                cell = ""
            else:
                cell += char
        rows.append([*cells, cell or None])
    return rows


def check(folder, source, classification, paths, records, **format):
    """Converts the file and fails unless the rows are those of the records; gives the summary.

    `paths` are lists of names, with whether an array lies there.
    """
    fields = [
        (".".join(map(quoted, path)), "categorical" if is_array else "text")
        for path, is_array in paths
    ]
    (folder / "plan.json").write_text(json.dumps(plan(fields, classification, **format)))
    summary = convert(source, folder / "out.csv", "--plan", folder / "plan.json")
    expected, rejected = [], 0
    for record in records:
        try:
            expected.append([cell(get(record, path)) for path, _ in paths])
        except oracle.Rejected:
            rejected += 1
    found = read_csv((folder / "out.csv").read_text(encoding="utf-8"))
    assert (summary["records_read"], summary["rejected"]) == (len(records), rejected)
    for number, (row, wanted) in enumerate(zip(found, expected)):
        differing = [(path, cell, want) for (path, _), cell, want in zip(paths, row, wanted) if cell != want]
        assert not differing, f"row {number}: {differing[:5]}"
    assert len(found) == len(expected)
    return summary
