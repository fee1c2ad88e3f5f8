"""Parquet, ORC and Avro: files of other writers give the rows that another library reads of them."""

import json
import pathlib

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
import pytest

import tables
from conftest import CORPORA, FLAT, convert, corpus, overrides, rejects, run


def arrow_paths(schema, outer=()):
    """The places of single values and of arrays of them."""
    for field in schema:
        kind, path = field.type, [*outer, field.name]
        if pa.types.is_struct(kind):
            yield from arrow_paths(kind.fields, path)
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            if not pa.types.is_nested(kind.value_type):
                yield path, True
        elif not pa.types.is_nested(kind) and not pa.types.is_interval(kind):
            yield path, False


def python_values(table):
    """Records as Python values, with no time left out for being too exact or too early."""

    def plain(kind):
        if pa.types.is_timestamp(kind):
            return pa.timestamp("us", kind.tz)
        if pa.types.is_time64(kind):
            return pa.time64("us")
        if pa.types.is_struct(kind):
            return pa.struct([field.with_type(plain(field.type)) for field in kind.fields])
        if pa.types.is_list(kind):
            return pa.list_(kind.value_field.with_type(plain(kind.value_type)))
        return kind

    schema = pa.schema([field.with_type(plain(field.type)) for field in table.schema])
    return table.cast(schema, safe=False).to_pylist()


PARQUET = sorted((CORPORA / "pq").rglob("*.parquet"))
ORC = sorted((CORPORA / "orc").rglob("*.orc"))
AVRO = sorted([*(CORPORA / "avro").rglob("*.avro"), *(CORPORA / "arrowt").rglob("*.avro")])
# What only one of the two reads, or reads as the format does not say; each with the reason
ODD = {
}


def names(paths):
    return [path.name for path in paths]


def compare(tmp_path, path, classification, read):
    """Either both libraries read the same rows, or the file is refused for a reason."""
    try:
        schema, records = read(path)
    except Exception as fault:
        records = fault
    if isinstance(records, Exception) or path.name in ODD:
        done = run("crawl", path, "--sample", "all", status=None)
        assert done.returncode == 0 or done.stderr.startswith("error: "), done.stderr
        return
    paths = list(schema)
    if records and paths:
        tables.check(tmp_path, path, classification, paths, records)


def read_parquet(path):
    table = pyarrow.parquet.read_table(path, coerce_int96_timestamp_unit="us", arrow_extensions_enabled=True)
    return arrow_paths(table.schema), python_values(table)


def read_orc(path):
    table = pyarrow.orc.read_table(path)
    return arrow_paths(table.schema), python_values(table)


@pytest.mark.parametrize("path", PARQUET, ids=names(PARQUET))
def test_parquet_of_the_corpus(tmp_path, path):
    compare(tmp_path, path, "parquet", read_parquet)


@pytest.mark.parametrize("path", ORC, ids=names(ORC))
def test_orc_of_the_corpus(tmp_path, path):
    compare(tmp_path, path, "orc", read_orc)


def avro_paths(schema, names, outer=()):
    for field in schema["fields"]:
        path, kind = [*outer, field["name"]], field["type"]
        if isinstance(kind, list):
            kinds = [k for k in kind if k != "null"]
            kind = kinds[0] if len(kinds) == 1 else "several"
        kind = names.get(kind, kind) if isinstance(kind, str) else kind
        name = kind["type"] if isinstance(kind, dict) else kind
        if isinstance(kind, dict) and kind.get("logicalType") == "duration":
            continue
        if name == "record":
            yield from avro_paths(kind, names, path)
        elif name == "array":
            items = kind["items"]
            items = [i for i in items if i != "null"][0] if isinstance(items, list) else items
            if isinstance(items, str):
                yield path, True
        elif name != "map":
            yield path, False


def read_avro(path):
    with open(path, "rb") as file:
        reader = fastavro.reader(file)
        records = list(reader)
    return avro_paths(reader.writer_schema, {}), records


@pytest.mark.parametrize("path", AVRO, ids=names(AVRO))
def test_avro_of_the_corpora(tmp_path, path):
    compare(tmp_path, path, "avro", read_avro)
