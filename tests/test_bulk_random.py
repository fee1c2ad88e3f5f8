"""Random tables, mappings and records: both engines give the same rows and counts.

`BULK_CASES=5000 BULK_SEED=7 pytest tests/test_bulk_random.py` tries more, and others.
"""

import csv
import gzip
import io
import json
import os
import random

import pytest

import nasty
from bulk import FRAMINGS, Case


CASES = int(os.environ.get("BULK_CASES", "80"))
# That can run at the same time
PARTS = 4
SEED = int(os.environ.get("BULK_SEED", "1"))

NAMES = ["user", "userId", "ITEM", "event name", "a.b", "ts", "select", "it's", 'q"t', "back`tick", "naïve", "商品", "int", "string", "x,y:z", "[0]"]
CONVERSIONS = {
    "string": ["x", "two words", 35, "007", 12345678901234567890123],
    "string:categorical": ["Drama", ["a", "b|c"], 7, None],
    "float": [1.5, 20, "3.25", None, "1e3"],
    "double": [2.5, -1, "1e-7", None],
    "int": [1, "2", -3, None],
    "long": [1, 2**40, "7", None],
    "boolean": [True, False, "true", 0, None],
    "timestamp": [1706685644, "2024-01-31T07:20:44Z", 1706685644123, None],
}
IDENTIFIERS = ["u1", "i2", 35, 'say "hi"', "a,b", "名前"]
EVENT_TYPES = ["view", "buy", "it's", 'a"b', "back\\slash", "c,d", 7, None]
TIMES = {
    "auto": [1706685644, "1706685644123", "2024-01-31T07:20:44.5+01:00", "2024-01-31"],
    "seconds": [1706685644, "1706685644.5"],
    "milliseconds": [1706685644123, "-1"],
    "dd/MM/yyyy HH:mm": ["31/01/2024 07:20", "1/1/2024 00:00"],
    "yyyy-MM-dd'T'HH:mm:ssX": ["2024-01-31T07:20:44Z", "2024-01-31T07:20:44+0530"],
}


class Mapping:
    """What a random user could ask for."""

    def __init__(self, rng):
        self.rng = rng
        self.is_csv = rng.random() < 0.15
        # In the record, and in an element of the array.
        self.places = {False: [], True: []}
        self.array = None if self.is_csv or rng.random() < 0.6 else self.place(False)
        self.time_format = rng.choice(list(TIMES))
        self.fields = [
            self.field("SourceColumnUserId", IDENTIFIERS),
            self.field("SourceColumnItemId", IDENTIFIERS),
            self.field("SourceColumnEventType", EVENT_TYPES),
            self.field("SourceColumnTimestamp", TIMES[self.time_format]),
        ]
        if rng.random() < 0.5:
            self.fields.append(self.field("SourceColumnEventValue", CONVERSIONS["float"]))
        self.additional = [
            (self.field(f"C{number}", CONVERSIONS[kind]), kind)
            for number, kind in enumerate(rng.sample(list(CONVERSIONS), rng.randint(0, 4)))
        ]
        self.event_types = rng.sample(EVENT_TYPES[:-1], rng.randint(0, 4))

    def place(self, in_element):
        """A place of its own: nothing else lies there, on the way or beyond."""
        known = self.places[in_element]
        while True:
            depth = 1 if self.is_csv else self.rng.choice([1, 1, 1, 2, 3])
            names = tuple(self.rng.choice(NAMES) for _ in range(depth))
            place = tuple(map(str.lower, names))
            if not any(place[: len(p)] == p[: len(place)] for p in known):
                known.append(place)
                return names

    def field(self, parameter, good):
        """Where a field's values lie, and which values suit it."""
        in_element = self.array is not None and self.rng.random() < 0.5
        return parameter, in_element, self.place(in_element), good

    def overrides(self):
        def written(field):
            _, in_element, place, _ = field
            names = [[quoted(name) for name in part] for part in (self.array or (), place)]
            return f"{'.'.join(names[0])}[].{'.'.join(names[1])}" if in_element else ".".join(names[1])

        parameters = {field[0]: written(field) for field in self.fields}
        parameters["TimestampFormat"] = self.time_format
        if self.additional:
            parameters["AdditionalColumns"] = ",".join(
                f"{written(field)}:{field[0]}:{kind}" for field, kind in self.additional
            )
        if self.event_types:
            texts = (str(event_type).replace('"', '""') for event_type in self.event_types)
            parameters["EventTypes"] = ",".join(f'"{text}"' for text in texts)
        return parameters

    def value(self, field):
        odd = nasty.TIMES if field[0] == "SourceColumnTimestamp" and self.rng.random() < 0.7 else nasty.VALUES
        return self.rng.choice(odd if self.rng.random() < 0.12 else field[3])

    def record(self):
        # One way of writing names per record: which of two counts is no rule that Spark could follow.
        case = self.rng.choice([str, str, str, str.upper, str.lower])
        record = {}
        fields = self.fields + [field for field, _ in self.additional]
        for field in fields:
            if not field[1] and self.rng.random() > 0.02:
                put(record, [case(name) for name in field[2]], self.value(field))
        if self.array:
            elements = []
            for _ in range(self.rng.choice([0, 1, 1, 2, 3])):
                element = {}
                for field in fields:
                    if field[1] and self.rng.random() > 0.02:
                        put(element, [case(name) for name in field[2]], self.value(field))
                elements.append(element if self.rng.random() > 0.03 else self.rng.choice(nasty.VALUES))
            if self.rng.random() < 0.05:
                elements = self.rng.choice(nasty.VALUES)
            put(record, [case(name) for name in self.array], elements)
        return record


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def put(record, names, value):
    """Puts the value there, unless something else lies on the way."""
    for name in names[:-1]:
        record = record.setdefault(name, {})
        if not isinstance(record, dict):
            return
    record.setdefault(names[-1], value)


def csv_text(mapping, records):
    columns = list(dict.fromkeys(name for record in records for name in record))
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    for record in records:
        cells = (record.get(name) for name in columns)
        cells = ["" if cell is None else cell if isinstance(cell, str) else json.dumps(cell) for cell in cells]
        # An empty line is none, and a NUL no text for a CSV.
        writer.writerow([cell.replace("\0", "") for cell in cells] if any(cells) else ["-"] * len(cells))
    return out.getvalue()


def string_columns(table):
    """As OpenCSVSerde has them, so that Glue's reader leaves cells alone."""
    for column in table["Table"]["StorageDescriptor"]["Columns"]:
        column["Type"] = "string"
    return table


@pytest.fixture
def interpreted(spark):
    """Spark without generated code, whose compilation takes longer than a small case itself."""
    spark.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    yield spark
    spark.conf.unset("spark.sql.codegen.factoryMode")


@pytest.mark.parametrize("part", range(PARTS))
def test_random_cases(interpreted, tmp_path, part):
    compared = refused = 0
    for number in range(part, CASES, PARTS):
        rng = random.Random(SEED * 1_000_000 + number)
        mapping = Mapping(rng)
        case = Case(f"random-{number}", tmp_path / str(number), mapping.overrides(), interpreted.buckets)
        records = [mapping.record() for _ in range(rng.choice([1, 20, 60]))]
        folder = rng.choice(["", "", "year=2024/", "2024/01/"])
        if mapping.is_csv:
            case.write(f"{folder}a.csv", csv_text(mapping, records))
        else:
            framing = rng.choice(["lines", "run_together", "pretty", "array", "bom"])
            content = FRAMINGS[framing](records)
            zipped = rng.random() < 0.3
            case.write(f"{folder}a.json{'.gz' if zipped else ''}", gzip.compress(content) if zipped else content)
        table = case.crawl()
        try:
            case.generate(string_columns(table) if mapping.is_csv else table)
        except AssertionError as fault:
            # Most values of some column are of a type that does not fit its field, say.
            assert "error: " in str(fault), fault
            refused += 1
        else:
            try:
                case.compare_results()
            except Exception as fault:
                raise AssertionError(f"case {number} of seed {SEED}: {mapping.overrides()}") from fault
            compared += 1
        case.forget()
    print(f"{compared} cases compared, {refused} refused")
    assert compared > refused
