"""Glue's own reader: records of files, typed one by one and never widened.

A field whose values have several types becomes a choice, which `toDF` shows as a struct with a member
per type, named by the type. JSON is a stream of values, whatever lies between them. A cell of a CSV
has its column's type where it can be read as such, and is a string where not.
"""

import bz2
import csv
import decimal
import gzip
import io
import json
import re

from pyspark.sql import types as T

from awsglue import columnar

patterns = {}
"""Regular expressions of Python for the grok patterns that tables have."""

CLASSES = {
    "boolean": T.BooleanType(),
    "int": T.IntegerType(),
    "long": T.LongType(),
    "decimal": T.DecimalType(38, 0),
    "double": T.DoubleType(),
    "string": T.StringType(),
}


def read(spark, table, files):
    """The files' records as a DataFrame; one without columns if there are none."""
    classification = table["Parameters"]["classification"]
    if classification in ("parquet", "orc") and files:
        return columnar.read(spark, classification, files)
    records = {"json": json_records, "csv": csv_records}.get(classification, log_records)
    found = [
        {**record, **partition}
        for path, partition in files
        for record in records(table, text(path))
    ]
    place = Place()
    for record in found:
        place.add(record)
    if not found:
        return spark.createDataFrame([], T.StructType([]))
    return spark.createDataFrame([place.value(record) for record in found], place.type())


def text(path):
    open_file = {".gz": gzip.open, ".bz2": bz2.open}.get(path.suffix, open)
    with open_file(path, "rt", encoding="utf-8-sig", newline="") as file:
        return file.read()


def json_records(_, text):
    decoder, at = json.JSONDecoder(), 0
    while True:
        while text[at : at + 1] in tuple(" \t\r\n,\x1e"):
            at += 1
        if at == len(text):
            return
        value, at = decoder.raw_decode(text, at)
        yield from value if isinstance(value, list) else [value]


def csv_records(table, text):
    parameters = table["StorageDescriptor"]["SerdeInfo"]["Parameters"] | table["Parameters"]
    delimiter = parameters.get("separatorChar") or parameters.get("field.delim") or ","
    columns = table["StorageDescriptor"]["Columns"]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    if parameters.get("skip.header.line.count") == "1":
        next(rows, None)
    for row in rows:
        if row:
            yield {
                column["Name"]: typed(column["Type"], cell) for column, cell in zip(columns, row)
            }


def log_records(table, text):
    """The lines that match; captures are strings, and one without text is none."""
    parameters = table["StorageDescriptor"]["SerdeInfo"]["Parameters"] | table["Parameters"]
    pattern = re.compile(patterns[parameters.get("grokPattern") or parameters["input.format"]])
    for line in text.splitlines():
        if match := pattern.fullmatch(line):
            yield match.groupdict()


def typed(type_name, cell):
    if cell == "":
        return None
    try:
        if type_name in ("int", "bigint"):
            return int(cell)
        if type_name in ("float", "double"):
            return float(cell)
    except ValueError:
        pass
    return cell


def class_of(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return next(
            (name for name, bits in (("int", 31), ("long", 63)) if -(2**bits) <= value < 2**bits),
            "decimal",
        )
    names = {float: "double", str: "string", dict: "struct", list: "array"}
    return names[type(value)]


class Place:
    """What was seen at one place of the records."""

    def __init__(self):
        self.classes, self.members, self.element = set(), {}, None

    def add(self, value):
        if value is None:
            return
        self.classes.add(class_of(value))
        if isinstance(value, dict):
            for name, member in value.items():
                self.members.setdefault(name, Place()).add(member)
        elif isinstance(value, list):
            self.element = self.element or Place()
            for element in value:
                self.element.add(element)

    def type(self):
        if len(self.classes) <= 1:
            return self.type_of(next(iter(self.classes), "string"))
        fields = [T.StructField(name, self.type_of(name)) for name in sorted(self.classes)]
        return T.StructType(fields)

    def type_of(self, name):
        if name == "struct":
            members = self.members.items()
            return T.StructType([T.StructField(name, place.type()) for name, place in members])
        return T.ArrayType(self.element.type()) if name == "array" else CLASSES[name]

    def value(self, value):
        if value is None:
            return None
        name = class_of(value)
        if name == "struct":
            value = tuple(place.value(value.get(key)) for key, place in self.members.items())
        elif name == "array":
            value = [self.element.value(element) for element in value]
        elif name == "decimal":
            value = decimal.Decimal(value)
        if len(self.classes) == 1:
            return value
        return tuple(value if known == name else None for known in sorted(self.classes))
