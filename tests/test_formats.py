"""Every format and compression: files of other writers give the rows that another library reads of them."""

import bz2
import datetime
import decimal
import gzip
import io
import itertools
import json
import lzma
import random
import struct
import zipfile
from xml.etree import ElementTree

import amazon.ion.simpleion as ion
import bson
import cramjam
import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
import pytest
import zstandard

import tables
from conftest import CORPORA, convert, overrides, rejects, run


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
    "datapage_v1-corrupt-checksum.parquet": "its checksum is wrong, which pyarrow does not look at",
    "rle-dict-uncompressed-corrupt-checksum.parquet": "its checksum is wrong, which pyarrow does not look at",
    "dict-page-offset-zero.parquet": "its footer's lists are typed as the format does not say",
    "repeated_no_annotation.parquet": "the reader finds fewer rows than the footer has, so it is refused",
    "nation.dict-malformed.parquet": "its dictionary's header is longer than it says",
    "decimal64_v2.orc": "a draft of ORC 2",
    "decimal64_v2_cplusplus.orc": "a draft of ORC 2",
    "orc-file-11-format.orc": "decimals without a precision, as Hive 0.11 wrote them",
    "orc_split_elim.orc": "decimals without a precision, as Hive 0.11 wrote them",
    "sample1.orc": "its columns are encrypted, of which pyarrow reads the masks",
    "sample2.orc": "its columns are encrypted, of which pyarrow reads the masks",
}
# Columns that the other library reads otherwise
ODD_COLUMNS = {"ts_nanos", "local_ts_nanos"}


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
        assert path.name not in ODD or "cannot be read" in done.stdout + done.stderr
        assert done.returncode == 0 or done.stderr.startswith("error: "), done.stderr
        return
    paths = [(names, is_array) for names, is_array in schema if names[-1] not in ODD_COLUMNS]
    if records and paths:
        tables.check(tmp_path, path, classification, paths, records)


def read_parquet(path):
    table = pyarrow.parquet.read_table(path, coerce_int96_timestamp_unit="us", arrow_extensions_enabled=True)
    return arrow_paths(table.schema), python_values(table)


def read_orc(path):
    file = pyarrow.orc.ORCFile(path)
    if file.nrows > 100_000:
        pytest.skip(f"{file.nrows} rows take Python too long")
    table = file.read()
    return arrow_paths(table.schema), python_values(table)


@pytest.mark.parametrize("path", PARQUET, ids=names(PARQUET))
def test_parquet_of_the_corpus(tmp_path, path):
    compare(tmp_path, path, "parquet", read_parquet)


@pytest.mark.parametrize("path", ORC, ids=names(ORC))
def test_orc_of_the_corpus(tmp_path, path):
    if path.name == "TestOrcFile.testDate2038.orc":
        plan = tables.plan([("time", "text")], "orc")
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        summary = convert(path, tmp_path / "out.csv", "--plan", tmp_path / "plan.json")
        # The zone that they were written in has summer time.
        assert summary["rejected_by_reason"] == {"inexact_time_C0": 212_000}
        return
    compare(tmp_path, path, "orc", read_orc)


def sparse(rng, values, share):
    return [None if rng.random() < share else value for value in values]


def orc_columns(rng, rows):
    """Columns of every type, and numbers for every kind of run, with some, most or all values missing."""

    def times(start, end):
        days = 365 * (end - start)
        return [datetime.datetime(start, 1, 1) + rng.random() * datetime.timedelta(days) for _ in range(rows)]

    def numbers(bits):
        return [rng.getrandbits(bits) - (1 << (bits - 1)) for _ in range(rows)]

    steps = list(itertools.accumulate(rng.randrange(100) for _ in range(rows)))
    words = ["", "a", "straße", "x" * 300, *map(str, range(200))]
    texts = [rng.choice(words) for _ in range(rows)]
    lists = [[rng.choice(words) for _ in range(rng.choice([0, 0, 1, 3]))] for _ in range(rows)]
    inner = [{"n": n, "t": t} for n, t in zip(numbers(17), texts, strict=True)]
    columns = {
        "same": ([7] * rows, pa.int64()),
        "steps": (steps, pa.int32()),
        "falling": ([-3 * step for step in steps], pa.int64()),
        "outliers": ([rng.getrandbits(40 if rng.random() < 0.02 else 7) - 9 for _ in range(rows)], pa.int64()),
        "long": (numbers(64), pa.int64()),
        "short": (numbers(16), pa.int16()),
        "byte": (numbers(8), pa.int8()),
        "is": ([rng.random() < 0.5 for _ in range(rows)], pa.bool_()),
        "double": ([rng.uniform(-1e6, 1e6) for _ in range(rows)], pa.float64()),
        "text": (texts, pa.string()),
        "number": ([str(number) for number in numbers(64)], pa.string()),
        "bytes": ([text.encode() for text in texts], pa.binary()),
        "decimal": ([decimal.Decimal(number).scaleb(-3) for number in numbers(60)], pa.decimal128(25, 3)),
        "day": ([time.date() for time in times(1900, 2100)], pa.date32()),
        "time": (times(1990, 2035), pa.timestamp("us")),
        "early": (times(1900, 1970), pa.timestamp("us")),
        "list": (lists, pa.list_(pa.string())),
    }
    members = {"inner": pa.struct({"n": pa.int32(), "t": pa.string()}), "list": pa.list_(pa.int64())}
    outer = [{"inner": rng.choice([None, held]), "list": rng.choice([None, [1, None, 2], []])} for held in inner]
    columns["outer"] = (outer, pa.struct(members))
    shares = {"": 0, "_some": 0.1, "_most": 0.95, "_none": 1}
    return {
        name + suffix: pa.array(sparse(rng, values, share), kind)
        for name, (values, kind) in columns.items()
        for suffix, share in shares.items()
    }


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        (3000, {"compression": "uncompressed", "dictionary_key_size_threshold": 0}),
        (3000, {"compression": "zlib", "compression_block_size": 65_536 * 2, "dictionary_key_size_threshold": 1}),
        (3000, {"compression": "snappy", "stripe_size": 1 << 16, "batch_size": 500}),
        (3000, {"compression": "lz4", "file_version": "0.11"}),
        # Its streams are read piece by piece.
        (50_000, {"compression": "zstd", "compression_strategy": "speed", "dictionary_key_size_threshold": 0}),
    ],
    ids=lambda value: value["compression"] if isinstance(value, dict) else str(value),
)
def test_orc_of_every_type_and_run(tmp_path, rows, options):
    columns = orc_columns(random.Random(rows), rows)
    if rows > 10_000:
        columns = {name: columns[name] for name in ("long", "number_some", "decimal", "outliers", "list", "text")}
    table = pa.table(columns)
    pyarrow.orc.write_table(table, tmp_path / "a.orc", **options)
    records = pyarrow.orc.read_table(tmp_path / "a.orc").to_pylist()
    tables.check(tmp_path, tmp_path / "a.orc", "orc", list(arrow_paths(table.schema)), records)


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


EVENTS = [
    {"user": f"u{number % 7}", "item": f"i{number}", "at": 1700000000 + number, "note": "é, \"x\""}
    for number in range(5000)
]
MAPPED = overrides(
    SourceColumnUserId="user",
    SourceColumnItemId="item",
    SourceColumnTimestamp="at",
    AdditionalColumns="note:NOTE:string",
)


def lines(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def hadoop_snappy(content):
    """As Hadoop's SnappyCodec writes it: lengths, and raw snappy, in blocks of 256 KiB."""
    out = b""
    for start in range(0, len(content), 1 << 18):
        block = content[start : start + (1 << 18)]
        chunk = cramjam.snappy.compress_raw(block)
        out += struct.pack(">II", len(block), len(bytes(chunk))) + bytes(chunk)
    return out


def zipped(content):
    archive = io.BytesIO()
    half = content.index(b"\n", len(content) // 2) + 1
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/1.json", content[:half])
        file.writestr("__MACOSX/._1.json", b"\0")
        file.writestr("a/2.json.gz", gzip.compress(content[half:]))
    return archive.getvalue()


COMPRESSIONS = {
    "gzip": lambda content: gzip.compress(content[:1000]) + gzip.compress(content[1000:]),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda content: zstandard.compress(content),
    "lz4": lambda content: bytes(cramjam.lz4.compress(content)),
    "snappy": lambda content: bytes(cramjam.snappy.compress(content)),
    "hadoop snappy": hadoop_snappy,
    "zip": zipped,
    "gzip in zstd": lambda content: zstandard.compress(gzip.compress(content)),
}


@pytest.fixture(scope="module")
def plain_rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    (folder / "events").write_bytes(lines(EVENTS))
    convert(folder / "events", folder / "out.csv", *MAPPED)
    return (folder / "out.csv").read_text()


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compressions_of_other_libraries(tmp_path, plain_rows, compression):
    source = tmp_path / "events"
    source.write_bytes(COMPRESSIONS[compression](lines(EVENTS)))
    summary = convert(source, tmp_path / "out.csv", *MAPPED)
    assert (tmp_path / "out.csv").read_text() == plain_rows
    assert summary["bytes_decoded"] >= len(lines(EVENTS)) > summary["bytes_read"]
    table = json.loads(run("crawl", source, "--json").stdout)["Table"]
    assert table["Parameters"]["compressionType"] == compression.split()[-1]
    content = source.read_bytes()
    source.write_bytes(content[: len(content) * 2 // 3])
    cut = convert(source, tmp_path / "cut.csv", "--plan", plan_of(tmp_path), status=1)
    assert cut["rows_written"] == 0 and len(cut["files_failed"]) == 1
    assert not (tmp_path / "cut.csv").exists()


def plan_of(folder):
    """The plan of the events, whatever they are compressed with."""
    (folder / "sound").write_bytes(lines(EVENTS))
    run("generate", folder / "sound", "-o", folder / "plan", *MAPPED)
    return folder / "plan/plan.json"


def test_a_bomb_is_refused(tmp_path):
    bomb = tmp_path / "bomb.gz"
    with gzip.open(bomb, "wb", compresslevel=9) as file:
        file.write(lines(EVENTS))
        for _ in range(600):
            file.write(b" " * (1 << 20))
    done = run("convert", bomb, tmp_path / "out.csv", *MAPPED, status=1)
    assert "unpacks to more than 250 times its size" in done.stderr and "MaximumExpansion" in done.stderr
    more = [*MAPPED, "MaximumExpansion=5000"]
    assert convert(bomb, tmp_path / "out.csv", *more)["rows_written"] == len(EVENTS)


def test_nesting_has_an_end(tmp_path):
    content = lines(EVENTS)
    for _ in range(4):
        content = gzip.compress(content)
    (tmp_path / "nested").write_bytes(content)
    done = run("convert", tmp_path / "nested", tmp_path / "out.csv", *MAPPED, status=1)
    assert "compressed more than 3 times over" in done.stderr and "MaximumNesting" in done.stderr


def ion_text(records):
    return ion.dumps(records, binary=False, sequence_as_stream=True).encode()


def xml(records):
    root = ElementTree.Element("events")
    for record in records:
        row = ElementTree.SubElement(root, "event", user=record["user"])
        for name in ("item", "at", "note"):
            ElementTree.SubElement(row, name).text = str(record[name])
    return ElementTree.tostring(root, "utf-8", xml_declaration=True)


OTHERS = {
    "ion": lambda records: ion.dumps(records, binary=True, sequence_as_stream=True),
    "ion text": ion_text,
    "bson": lambda records: b"".join(map(bson.encode, records)),
    "xml": xml,
}


@pytest.mark.parametrize("format", OTHERS)
def test_other_formats(tmp_path, plain_rows, format):
    (tmp_path / "events").write_bytes(OTHERS[format](EVENTS))
    user = "_user" if format == "xml" else "user"
    summary = convert(tmp_path / "events", tmp_path / "out.csv", *MAPPED, f"SourceColumnUserId={user}")
    assert (tmp_path / "out.csv").read_text() == plain_rows
    assert summary["records_read"] == len(EVENTS)
    table = json.loads(run("crawl", tmp_path / "events", "--json").stdout)["Table"]
    assert table["Parameters"]["classification"] == format.split()[0]
    types = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert types["note"] == "string" and types["at"] in ("int", "bigint")


def test_a_web_servers_log(tmp_path):
    line = '203.0.113.{n} - user{n} [10/Jan/2024:22:34:{n:02} +0100] "GET /item/{n} HTTP/1.1" 200 {n} "-" "Mozilla/5.0 (X11)"\n'
    log = "".join(line.format(n=number) for number in range(50)) + "not a line of it\n"
    (tmp_path / "access.log").write_text(log)
    columns = overrides(
        SourceColumnUserId="auth",
        SourceColumnItemId="request",
        SourceColumnTimestamp="timestamp",
        SourceColumnEventType="verb",
        SourceColumnEventValue="bytes",
        TimestampFormat="dd/MMM/yyyy:HH:mm:ss Z",
    )
    summary = convert(tmp_path / "access.log", tmp_path / "out.csv", *columns)
    assert summary["rejected_by_reason"] == {"no_match": 1}
    rows = (tmp_path / "out.csv").read_text().splitlines()
    assert rows[:2] == ["ITEM_ID,USER_ID,EVENT_TYPE,EVENT_VALUE,TIMESTAMP", "/item/0,user0,GET,0,1704922440"]
    assert len(rows) == 51


def write_parquet(path, columns, **options):
    pyarrow.parquet.write_table(pa.table(columns), path, **options)


def test_files_of_one_table_may_differ(tmp_path):
    source = tmp_path / "source"
    (source / "day=1").mkdir(parents=True)
    (source / "day=2").mkdir()
    ids = {"item": ["i1", "i2"], "at": [1700000000, 1700000001]}
    write_parquet(source / "day=1/a.parquet", {"user": pa.array([1, 2], pa.int32()), **ids})
    write_parquet(source / "day=1/b.parquet", {"USER": ["u3", None], **ids, "price": [1.5, None]})
    write_parquet(source / "day=2/c.parquet", {**ids, "user": pa.array([2**40, 4], pa.int64())})
    columns = overrides(
        SourceColumnUserId="user",
        SourceColumnItemId="item",
        SourceColumnTimestamp="at",
        SourceColumnEventValue="price",
        AdditionalColumns="day:DAY:string",
    )
    table = json.loads(run("crawl", source, "--json").stdout)["Table"]
    types = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert types == {"user": "string", "item": "string", "at": "bigint", "price": "double"}
    summary = convert(source, tmp_path / "out.csv", *columns)
    assert summary["rejected_by_reason"] == {"missing_USER_ID": 1}
    assert (tmp_path / "out.csv").read_text().splitlines()[1:] == [
        "i1,1,,1700000000,1",
        "i2,2,,1700000001,1",
        "i1,u3,1.5,1700000000,1",
        "i1,1099511627776,,1700000000,2",
        "i2,4,,1700000001,2",
    ]
    (reject,) = rejects(summary)
    assert (reject["row"], reject["row_group"], reject["reason"]) == (2, 0, "missing_USER_ID")
    assert json.loads(reject["record"]) == {"USER": None, "item": "i2", "at": 1700000001, "price": None}


def test_only_needed_columns_are_read(tmp_path):
    rng = random.Random(1)
    many = {f"c{at}": [rng.random() for _ in range(20_000)] for at in range(20)}
    ids = {"user": ["u"] * 20_000, "item": ["i"] * 20_000, "at": [1700000000] * 20_000}
    for path, write in ((tmp_path / "a.parquet", write_parquet), (tmp_path / "a.orc", write_orc)):
        write(path, {**many, **ids})
        summary = convert(path, tmp_path / "out.csv", *MAPPED[:-1])
        assert summary["rows_written"] == 20_000
        assert summary["bytes_read"] < path.stat().st_size / 10


def write_orc(path, columns):
    pyarrow.orc.write_table(pa.table(columns), path)
