"""Personalize's rules for a CSV file and its schema, checked without any of the program's code.

Sources: the Personalize developer guide, pages preparing-training-data, limits,
how-it-works-dataset-schema and the pages of each dataset.
"""

import csv
import io
import json
import re

import fastavro

REQUIRED = {
    "Interactions": {"USER_ID": "string", "ITEM_ID": "string", "TIMESTAMP": "long"},
    "Users": {"USER_ID": "string"},
    "Items": {"ITEM_ID": "string"},
    "Actions": {"ACTION_ID": "string"},
    "ActionInteractions": {
        "USER_ID": "string",
        "ACTION_ID": "string",
        "EVENT_TYPE": "string",
        "TIMESTAMP": "long",
    },
}
LIMITS = {"USER_ID": 256, "ITEM_ID": 256, "ACTION_ID": 256, "EVENT_TYPE": 256}
TIMES = {
    "Interactions": ["TIMESTAMP"],
    "Users": [],
    "Items": ["CREATION_TIMESTAMP"],
    "Actions": ["CREATION_TIMESTAMP", "EXPIRATION_TIMESTAMP"],
    "ActionInteractions": ["TIMESTAMP"],
}


def read_csv(text):
    """The rows of a CSV in Personalize's dialect, as lists; an empty cell is None."""
    reader = csv.reader(
        io.StringIO(text, newline=""), doublequote=False, escapechar="\\", strict=True
    )
    return [[cell if cell else None for cell in row] for row in reader]


def check_schema(text):
    """Asserts the schema's rules and gives its fields as {name: (type, nullable, field)}."""
    schema = json.loads(text)
    fastavro.parse_schema(json.loads(text))
    assert list(schema) == ["type", "name", "namespace", "fields", "version"]
    assert schema["type"] == "record" and schema["version"] == "1.0"
    assert schema["namespace"] == "com.amazonaws.personalize.schema"
    assert len(text) <= 20_000
    fields = {}
    for field in schema["fields"]:
        types = field["type"] if isinstance(field["type"], list) else [field["type"]]
        (kind,) = [kind for kind in types if kind != "null"]
        assert kind in ("string", "int", "long", "float", "double")
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,149}", field["name"])
        assert set(field) <= {"name", "type", "categorical", "textual"}
        assert not (field.get("categorical") or field.get("textual")) or kind == "string"
        fields[field["name"]] = (kind, "null" in types, field)
    assert len({name.replace("_", "").upper() for name in fields}) == len(fields)
    for name, kind in REQUIRED[schema["name"]].items():
        assert fields[name][:2] == (kind, False), name
    if "EVENT_VALUE" in fields and schema["name"] == "Interactions":
        assert fields["EVENT_VALUE"][0] == "float"
    if "EVENT_TYPE" in fields and "Interactions" in schema["name"]:
        assert fields["EVENT_TYPE"][:2] == ("string", False)
        assert "categorical" not in fields["EVENT_TYPE"][2]
    textual = [name for name, (_, _, field) in fields.items() if field.get("textual")]
    assert len(textual) <= (schema["name"] == "Items")
    return fields


def check(csv_bytes, schema_text):
    """Asserts every rule of both and gives the rows as dicts."""
    fields = check_schema(schema_text)
    times = TIMES[json.loads(schema_text)["name"]]
    assert not csv_bytes.startswith(b"\xef\xbb\xbf"), "byte order mark"
    text = csv_bytes.decode("utf-8")
    assert "\r" not in text and "\t" not in text
    header, _, _ = text.partition("\n")
    assert header == ",".join(fields), "the header is unquoted and in the schema's order"
    rows = read_csv(text)[1:]
    assert len(rows) == text.count("\n") - 1, "one record, one line"
    for row in rows:
        assert len(row) == len(fields), row
        for cell, (name, (kind, nullable, field)) in zip(row, fields.items()):
            check_cell(name, cell, kind, nullable, field)
            if cell and name in times:
                assert abs(int(cell)) < 10**11, (name, cell, "is not in seconds")
    return [dict(zip(fields, row)) for row in rows]


def check_cell(name, cell, kind, nullable, field):
    if cell is None:
        assert nullable, f"{name} is empty"
        return
    if kind in ("int", "long"):
        assert re.fullmatch(r"-?\d+", cell), (name, cell)
    elif kind in ("float", "double"):
        assert re.fullmatch(r"-?\d+(\.\d+)?", cell), (name, cell)
    elif not field.get("textual"):
        assert len(cell) <= LIMITS.get(name, 1000), (name, len(cell))
        assert cell.strip(), name
