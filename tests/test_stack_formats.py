"""A stack over files of other formats than text: crawled, planned, and converted object by object."""

import gzip
import io
import json
import zipfile

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
import pytest

from deployment import Stack, names, records


def table(rows):
    """With columns that no plan needs, so that most of the file need not be read."""
    idle = {f"idle{at}": [f"{at}-{n}-{'x' * 40}" for n in range(len(rows))] for at in range(20)}
    return pa.Table.from_pylist(rows).append_column("idle", pa.array(idle["idle0"])), idle


def parquet(rows):
    found, idle = table(rows)
    for name, values in idle.items():
        found = found.append_column(name, pa.array(values))
    out = io.BytesIO()
    pyarrow.parquet.write_table(found, out, row_group_size=5000, compression="none", use_dictionary=False)
    return out.getvalue()


def orc(rows):
    found, idle = table(rows)
    for name, values in idle.items():
        found = found.append_column(name, pa.array(values))
    out = io.BytesIO()
    pyarrow.orc.write_table(found, out, compression="zstd")
    return out.getvalue()


def avro(rows):
    fields = [
        {"name": "user_id", "type": ["null", "string"]},
        {"name": "item_id", "type": "string"},
        {"name": "timestamp", "type": "long"},
        {"name": "event_type", "type": "string"},
    ]
    out = io.BytesIO()
    schema = fastavro.parse_schema({"type": "record", "name": "event", "fields": fields})
    fastavro.writer(out, schema, rows, codec="deflate")
    return out.getvalue()


def archive(rows):
    out = io.BytesIO()
    half = len(rows) // 2
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in (("1.json", rows[:half]), ("2.json.gz", rows[half:])):
            content = "".join(map(json.dumps, part)).encode()
            file.writestr(name, gzip.compress(content) if name.endswith(".gz") else content)
    return out.getvalue()


FORMATS = {"parquet": parquet, "orc": orc, "avro": avro, "zip": archive}


@pytest.mark.parametrize("format", FORMATS)
def test_objects_of_other_formats(aws, format):
    write = FORMATS[format]
    stack = Stack(aws, f"of-{format}")
    stack.put(f"source/first.{format}", write(records(10)))
    assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
    try:
        plan = json.loads(stack.artifact("plan.json"))
        assert plan["source"]["format"]["classification"] == {"zip": "json"}.get(format, format)
        events = records(20_000)
        events[7] = {**events[7], "user_id": None}
        content = write(events)
        stack.put(f"source/second.{format}", content)
        receipt = stack.receipt(f"source/second.{format}")
        assert stack.users(receipt["output_key"]) == [*names(7), *names(20_000)[8:]]
        assert receipt["counts"]["rejected_by_reason"] == {"missing_USER_ID": 1}
        (reject,) = stack.read(receipt["rejects_key"]).splitlines()
        assert json.loads(json.loads(reject)["record"])["item_id"] == "i"
        if format in ("parquet", "orc"):
            assert receipt["counts"]["bytes_read"] < len(content) / 4

        stack.put(f"source/cut.{format}", content[: len(content) // 2])
        (letter,) = stack.dead_letters(1)
        assert f"cut.{format}" in json.dumps(letter)
    finally:
        stack.remove()
