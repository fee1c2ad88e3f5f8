"""The generated Glue job on Spark gives the rows and counts of the engine, of files that say their columns' types.

Left out are columns that Spark does not read, or that it has no type for: whole numbers of nanoseconds as
timestamps, times of a day, and UUIDs, which are text to the engine and 16 bytes to Spark.
"""

import datetime
import decimal
import io
import json
import math

import pyarrow as pa
import pyarrow.parquet
import pytest
from pyspark.sql import SparkSession

from awsglue import reader
from bulk import MAPPED

UTC = datetime.UTC
DAY = 86_400
TEXTS = [
    "x", 'say "hi"', "a,b", "two\nlines", "tab\tand\r\nmore", "back\\slash", "a|b", "#", "  in  blanks ", "  ", "", "名前 😀", "NaN", "Infinity",
    "true", "0", " 7 ", "007", "1e3", "-0.0", "1706685644", "1706685644123", "20240131", "2024-01-31T07:20:44.5+01:00", "\\N", "x" * 1001,
]  # fmt: skip
FLOATS = [1.5, 7.0, 0.1, 1e-7, -0.0, 0.0, 1.0, 16777217.0, 3.4028234e38, 1e10, math.nan, math.inf, -math.inf]
DAYS = [0, -1, 1, 19_753, -719_162, 2_932_896, 2_932_897, -719_528, -719_529, -141_428]
SECONDS = [0, 1_706_685_644, -1, -DAY, -62_135_596_800, 253_402_300_799, 253_402_300_800, -62_167_219_200, -62_167_219_201, -14_830_974_400]


def whole(bits, signed=True):
    """The least and the most of a whole number, and some between."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return [value for value in (0, 1, 7, -1, low, high, 1_706_685_644, 1_706_685_644_123, 20_240_131) if low <= value <= high]


def times(per_second):
    """The same instants, some with a fraction."""
    fractions = [0, per_second // 2, per_second // 1000, per_second - 1, 1 % per_second]
    counts = [seconds * per_second + fractions[at % 5] for at, seconds in enumerate(SECONDS)]
    return counts + [-1, -per_second // 2]


def decimals(*texts):
    return [decimal.Decimal(text) for text in texts]


# By name a type and values of it; of times and days the numbers that they are stored as
TYPES = {
    "text": (pa.string(), TEXTS),
    "large": (pa.large_string(), TEXTS[:4]),
    "words": (pa.dictionary(pa.int32(), pa.string()), ["a", "b,c", "a", None, "true", "12"]),
    "bytes": (pa.binary(), [b"x", "名前, 7".encode(), b"", b" ", b"12", b"\xff", b"ok \xc3\x28", b"\xed\xa0\x80", "\ufffd".encode()]),
    "fixed": (pa.binary(4), [b"abcd", b"1234", b"\xff\x00ab"]),
    "yes": (pa.bool_(), [True, False]),
    "int8": (pa.int8(), whole(8)),
    "int16": (pa.int16(), whole(16)),
    "int32": (pa.int32(), whole(32)),
    "int64": (pa.int64(), whole(64)),
    "uint8": (pa.uint8(), whole(8, False)),
    "uint16": (pa.uint16(), whole(16, False)),
    "uint32": (pa.uint32(), whole(32, False)),
    "uint64": (pa.uint64(), whole(64, False)),
    "float": (pa.float32(), FLOATS),
    "double": (pa.float64(), [*FLOATS, 1e300, -1e300, 1e22, 123456789012345680.0, 1706685644.0, 1706685644123.5]),
    "price": (pa.decimal128(9, 2), decimals("7.10", "0.00", "-0.05", "100.00", "9999999.99")),
    "exact": (pa.decimal128(38, 10), decimals("1.5", "-0.0000000001", "1706685644.5", "1234567890123456789012345678")),
    "big": (pa.decimal128(20, 0), decimals("5", "1706685644123", "-18446744073709551615")),
    "day": (pa.date32(), DAYS),
    "s": (pa.timestamp("s"), times(1)),
    "ms": (pa.timestamp("ms"), times(1000)),
    "us": (pa.timestamp("us"), times(1_000_000)),
    "ms_utc": (pa.timestamp("ms", "UTC"), times(1000)),
    "us_zone": (pa.timestamp("us", "America/New_York"), times(1_000_000)),
    "nothing": (pa.null(), [None]),
}  # fmt: skip
# By the last letter of a column's name
CONVERSIONS = {"t": "string", "c": "string:categorical", "f": "float", "d": "double", "i": "int", "l": "long", "b": "boolean", "e": "timestamp"}
TEMPORAL = ("day", "s", "ms", "us", "ms_utc", "us_zone")
# What differs in conversions that all others go through in the same way
FEW = ("text", "bytes", "yes", "int64", "double", "price", "us", "nothing")


def array(data_type, values):
    if pa.types.is_temporal(data_type):
        storage = pa.int64() if pa.types.is_timestamp(data_type) else pa.int32()
        return pa.array(values, storage).cast(data_type)
    return pa.array(values, data_type)


def one_value_a_row(columns):
    """Rows with one value of one column each, so that a fault hides no other."""
    total = sum(len(values) for _, values in columns.values())
    arrays, start = {"item_id": pa.array([f"i{at}" for at in range(total)])}, 0
    for name, (data_type, values) in columns.items():
        after = total - start - len(values)
        arrays[name] = array(data_type, [None] * start + values + [None] * after)
        start += len(values)
    return pa.table(arrays)


def in_conversions(types, letters):
    """The types once for each of the conversions that take them."""

    def fits(name, letter):
        if name in TEMPORAL:
            return letter in "tlbe"
        return not (name == "yes" and letter == "e")

    return {f"{name}_{letter}": known for name, known in types.items() for letter in letters if fits(name, letter)}


def every_column(columns):
    named = ((name, CONVERSIONS[name.rsplit("_", 1)[1]]) for name in columns)
    return ",".join(f"{name}:{name.upper()}:{conversion}" for name, conversion in named)


def parquet(table, **options):
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out, **options)
    return out.getvalue()


def by_spark(case, table, name, kind, **options):
    """Has Spark write a file of the source."""
    spark, folder = SparkSession.getActiveSession(), case.folder.parent / "spark" / name
    folder.mkdir(parents=True)
    (folder / "in.parquet").write_bytes(parquet(table))
    # Names as they are, as the job has them
    spark.conf.set("spark.sql.caseSensitive", "true")
    frame = spark.read.parquet(str(folder / "in.parquet")).coalesce(1)
    frame.write.format(kind).options(**options).save(str(folder / "out"))
    (part,) = (folder / "out").glob("part-*")
    case.write(name, part.read_bytes())


@pytest.fixture(scope="module", autouse=True)
def interpreted(spark):
    """Spark without generated code, whose compilation takes longer than these cases themselves."""
    spark.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    yield
    spark.conf.unset("spark.sql.codegen.factoryMode")


def compare(case):
    """Whether both engines give the same, and what the job rejects is JSON; gives the counts."""
    counts = case.compare()
    for reject in case.rejected():
        json.loads(reject["record"], parse_constant=pytest.fail)
    return counts


PARQUET_OPTIONS = [
    {"compression": "none", "data_page_version": "2.0", "use_dictionary": False},
    {"compression": "snappy", "row_group_size": 50},
    {"compression": "gzip", "version": "1.0", "data_page_size": 200},
    {"compression": "zstd", "data_page_version": "2.0", "write_statistics": False, "store_schema": False},
    {"compression": "lz4", "use_dictionary": True},
]  # fmt: skip


@pytest.mark.parametrize("letters, fewer", [("te", ""), ("l", "fdibc")])
def test_parquet_of_every_type_in_every_conversion(bulk_case, spark, letters, fewer):
    columns = in_conversions(TYPES, letters) | in_conversions({name: TYPES[name] for name in FEW}, fewer)
    rows = one_value_a_row(columns)
    case = bulk_case(PersonalizeDatasetName="Items", AdditionalColumns=every_column(columns))
    # Rows go to the files in turn, so that each has all kinds.
    parts = [rows.take(list(range(at, len(rows), 6))) for at in range(6)]
    for part, options in zip(parts, PARQUET_OPTIONS):
        case.write(f"{options['compression']}.parquet", parquet(part, **options))
    spark.conf.set("spark.sql.parquet.outputTimestampType", "INT96")
    by_spark(case, parts[5], "int96.parquet", "parquet")
    spark.conf.unset("spark.sql.parquet.outputTimestampType")
    case.write("none/of/them.parquet", parquet(rows.slice(0, 0)))
    assert compare(case)["records_read"] == len(rows)


# Spark has no unsigned types, and writes times without a zone to ORC as numbers that only it knows to
# be times.
NOT_IN_ORC = ("uint8", "uint16", "uint32", "uint64", "nothing", "words", "fixed", "large", "s", "ms", "us")
# In ORC there are two calendars before this second of 1582.
GREGORIAN = -12_219_292_800


def test_orc_of_every_type(bulk_case):
    types = {name: known for name, known in TYPES.items() if name not in NOT_IN_ORC}
    types["day"] = pa.date32(), [day for day in DAYS if day * DAY >= GREGORIAN]
    for name, per_second in (("ms_utc", 1000), ("us_zone", 1_000_000)):
        types[name] = types[name][0], [t for t in times(per_second) if t // per_second >= GREGORIAN]
    columns = in_conversions(types, "te")
    rows = one_value_a_row(columns)
    case = bulk_case(PersonalizeDatasetName="Items", AdditionalColumns=every_column(columns))
    parts = [rows.take(list(range(at, len(rows), 6))) for at in range(6)]
    for part, codec in zip(parts, ["zlib", "snappy", "zstd", "lz4", "none", "lzo"]):
        by_spark(case, part, f"{codec}.orc", "orc", compression=codec)
    assert compare(case)["records_read"] == len(rows)


PRODUCT = pa.struct({"SKU": pa.string(), "price": pa.decimal128(9, 2), "tags": pa.list_(pa.string())})
NESTED = {
    "User": pa.struct({"Id": pa.int64(), "names": pa.list_(pa.string())}),
    "products": pa.list_(PRODUCT),
    "tags": pa.map_(pa.string(), pa.string()),
    "counts": pa.map_(pa.int32(), pa.struct({"n": pa.int16()})),
    "mixed": pa.list_(pa.float64()),
    "days": pa.list_(pa.date32()),
    "times": pa.list_(pa.timestamp("us", "UTC")),
    "at": pa.timestamp("ms", "UTC"),
}  # fmt: skip
A_TIME = datetime.datetime(2024, 1, 31, 7, 20, 44, 500_000, UTC)
RECORDS = [
    {"products": [{"SKU": "a", "price": decimal.Decimal("7.10")}, {"SKU": "b", "price": None, "tags": ["x", "y|z", None, " "]}]},
    {"products": []}, {"products": None}, {"products": [None]}, {"products": [{"SKU": None}, {"SKU": "c"}]}, {"products": [{"SKU": "x" * 257}]},
    {"User": None}, {"User": {"Id": None}}, {"User": {"Id": 2**62, "names": None}}, {"User": {"Id": 1, "names": []}}, {"User": {"Id": 1, "names": [None, "n"]}},
    {"tags": None}, {"tags": []}, {"tags": [("color", "red")]}, {"tags": [("COLOR", "red"), ("size", "1"), ("Color", "blue")]}, {"tags": [("Color", None)]},
    {"tags": [("colour", "red"), ("", "blue")]}, {"counts": [(7, {"n": 1}), (8, None)]}, {"counts": [(8, {"n": 2})]}, {"counts": [(7, None)]},
    {"mixed": [1.5, math.nan, None, -0.0, math.inf, 7.0]}, {"mixed": []}, {"days": [datetime.date(1583, 1, 1), None, datetime.date(1969, 12, 31)]},
    {"times": [A_TIME, datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)]}, {"at": None}, {"at": datetime.datetime(1583, 1, 1, tzinfo=UTC)},
]  # fmt: skip
WHOLE = {
    "User": {"Id": 35, "names": ["first", "second"]}, "products": [{"SKU": "s", "price": decimal.Decimal("0.50"), "tags": ["t"]}],
    "tags": [("color", "green")], "counts": [(7, {"n": 3})], "mixed": [1.0], "days": [], "times": [], "at": A_TIME,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["parquet", "orc"])
def test_structs_lists_and_maps(bulk_case, kind):
    case = bulk_case(
        SourceColumnUserId="user.id", SourceColumnItemId="products[].sku", SourceColumnEventValue="products[].price", SourceColumnTimestamp="at",
        AdditionalColumns="products[].tags:T:string:categorical,user.names[1]:SECOND:string,tags.color:COLOR:string,counts.7.n:SEVEN:int",
    )  # fmt: skip
    rows = pa.Table.from_pylist([WHOLE | record for record in RECORDS], pa.schema(NESTED))
    by_spark(case, rows, f"a.{kind}", kind)
    counts = compare(case)
    assert counts["records_read"] == len(RECORDS) and counts["rows_written"] > 10


@pytest.mark.parametrize("kind", ["parquet", "orc"])
def test_lists_join_to_categories(bulk_case, kind):
    case = bulk_case(
        PersonalizeDatasetName="Items", SourceColumnItemId="user.id",
        AdditionalColumns="mixed:M:string:categorical,days:D:string:categorical,times:W:string:categorical,user.names:N:string:categorical",
    )  # fmt: skip
    rows = pa.Table.from_pylist([WHOLE | record for record in RECORDS], pa.schema(NESTED))
    by_spark(case, rows, f"b.{kind}", kind)
    compare(case)


EVENTS = {
    "user": [1, 2, None],
    "item": ["i1", "i2", "i3"],
    "kind": ["view", "buy", None],
    "value": [1, 2, 3],
    "at": [1_706_685_644, 1_706_685_645, 1_706_685_646],
}


@pytest.mark.parametrize("kind", ["parquet", "orc"])
def test_files_of_different_schemas(bulk_case, kind):
    types = {"user": pa.int64(), "item": pa.string(), "kind": pa.string(), "value": pa.int32(), "at": pa.int64()}
    changes = [
        {},
        {"user": pa.string(), "value": pa.float64()},
        {"user": pa.int32(), "value": pa.string(), "at": pa.string()},
        {"user": pa.int16(), "kind": pa.binary(), "at": pa.timestamp("ms", "UTC")},
        {"user": None, "value": pa.decimal128(23, 2), "at": pa.timestamp("us", "UTC")},
        {"item": pa.int8(), "kind": None, "value": pa.float32()},
        {"at": None, "value": None},
        {"item": pa.struct({"id": pa.string()}), "value": pa.bool_()},
        {"item": pa.list_(pa.string())},
        {"item": pa.map_(pa.string(), pa.string()), "at": pa.date32()},
    ]
    case = bulk_case(**MAPPED, EventTypes="view", AdditionalColumns="year:YEAR:int")
    for at, changed in enumerate(changes):
        columns = {}
        for name, data_type in (types | changed).items():
            if data_type is not None:
                columns[name] = of_type(EVENTS[name], data_type)
        by_spark(case, pa.table(columns), f"year={2020 + at}/kind of=a%2Fb/f.{kind}", kind)
    counts = compare(case)
    assert counts["records_read"] == 3 * len(changes) and counts["rows_written"] > 3


def of_type(values, data_type):
    """The values as ones of that type, as far as there are any."""
    if pa.types.is_struct(data_type):
        return pa.array([{"id": str(value)} for value in values], data_type)
    if pa.types.is_list(data_type):
        return pa.array([[str(value)] for value in values], data_type)
    if pa.types.is_map(data_type):
        return pa.array([[("id", str(value))] for value in values], data_type)
    if pa.types.is_timestamp(data_type):
        return pa.array([value * 1000 for value in values], pa.int64()).cast(pa.timestamp("ms")).cast(data_type)
    if pa.types.is_date(data_type):
        return pa.array([value // DAY for value in values], pa.int32()).cast(data_type)
    if pa.types.is_int8(data_type):
        return pa.array(range(len(values)), data_type)
    return pa.array(values).cast(data_type)


@pytest.mark.parametrize("timestamp_format", ["milliseconds", "dd/MM/yyyy HH:mm"])
def test_typed_times_are_the_same_in_every_timestamp_format(bulk_case, timestamp_format):
    columns = {name: TYPES[name] for name in ("day", "ms", "us_zone")}
    columns["text"] = pa.string(), ["1706685644123", "31/01/2024 07:20", "2024-01-31 07:20:44", ""]
    columns["number"] = pa.int64(), [0, 1_706_685_644_123]
    rows = one_value_a_row(columns)
    asked = ",".join(f"{name}:{name.upper()}_E:timestamp" for name in columns)
    case = bulk_case(PersonalizeDatasetName="Items", AdditionalColumns=asked, TimestampFormat=timestamp_format)
    case.write("a.parquet", parquet(rows))
    compare(case)


@pytest.mark.parametrize("dataset", ["Users", "Items"])
def test_all_columns_by_default(bulk_case, dataset):
    types = {name: TYPES[name] for name in ("text", "yes", "int8", "int64", "float", "double", "price", "day", "us", "ms_utc", "nothing", "bytes")}
    most = 24 if dataset == "Users" else 100
    assert len(types) < most
    rows = one_value_a_row(types).append_column("List", pa.array([["a", "b"]] * sum(len(v) for _, v in types.values())))
    if dataset == "Users":
        rows = rows.rename_columns({"item_id": "user_id"})
    case = bulk_case(PersonalizeDatasetName=dataset)
    case.write("a.parquet", parquet(rows))
    compare(case)


def test_filters_compare_typed_columns_as_text(bulk_case):
    kinds = {
        "day": (pa.date32(), "2024-01-31", [19_753, 0]),
        "ms": (pa.timestamp("ms"), "2024-01-31 07:20:44.5", [1_706_685_644_500, 1]),
        "bytes": (pa.binary(), "view", [b"view", b"\xff", b"v"]),
        "price": (pa.decimal128(9, 2), "7.1", decimals("7.10", "7.11")),
        "double": (pa.float64(), "NaN", [math.nan, 1.0]),
        "yes": (pa.bool_(), "True", [True, False]),
    }
    rows = one_value_a_row({name: (data_type, values) for name, (data_type, _, values) in kinds.items()})
    rows = rows.append_column("at", pa.array([1_706_685_644] * len(rows)))
    for name, (_, kept, _) in kinds.items():
        case = bulk_case(
            SourceColumnUserId="item_id", SourceColumnItemId="item_id", SourceColumnEventType=name, SourceColumnTimestamp="at", EventTypes=kept
        )  # fmt: skip
        case.write("a.parquet", parquet(rows))
        counts = compare(case)
        assert (counts["rows_written"], counts["rejected"]) == (1, 0)


def test_a_table_of_no_rows_is_a_header(bulk_case):
    case = bulk_case(PersonalizeDatasetName="Items", AdditionalColumns="text:T:string")
    case.write("a.parquet", parquet(one_value_a_row({"text": TYPES["text"]}).slice(0, 0)))
    assert compare(case)["records_read"] == 0


LOG = [
    r'203.0.113.7 - jo [10/Oct/2000:13:55:36 -0700] "GET /item/1?x=\"y\" HTTP/1.1" 200 2326 "https://shop.example.com/" "Mozilla/5.0 (X11; \"x\")"',
    r'2001:db8::1 - - [10/Oct/2000:13:55:36 +0000] "-" 408 - "-" "-"',
    r'host.example.com - ab [01/Jan/2024:00:00:00 +0000] "POST /cart HTTP/1.0" 302 - "-" "名前 \\\\ |"',
]
COMBINED = (
    r'(?P<clientip>\S+) (?P<ident>\S+) (?P<auth>\S+) \[(?P<timestamp>[^]]+)\] "(?:(?P<verb>\w+) (?P<request>\S+) HTTP/(?P<httpversion>[\d.]+)'
    r'|(?P<rawrequest>.*?))" (?P<response>\d+) (?:(?P<bytes>\d+)|-) "(?P<referrer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"'
)


def test_logs(bulk_case):
    reader.patterns["%{COMBINEDAPACHELOG}"] = COMBINED
    case = bulk_case(
        SourceColumnUserId="auth", SourceColumnItemId="request", SourceColumnEventType="verb", SourceColumnEventValue="bytes",
        SourceColumnTimestamp="timestamp", TimestampFormat="dd/MMM/yyyy:HH:mm:ss Z", EventTypes="GET,POST",
        AdditionalColumns="agent:AGENT:string,response:STATUS:int",
    )  # fmt: skip
    case.write("a.log", "".join(line + "\n" for line in LOG))
    case.write("b.log", "".join(line + "\r\n" for line in LOG))
    assert compare(case)["rows_written"] == 4
