"""Every way that the same records lie around gives the same rows."""

import bz2
import csv
import gzip
import io
import json
import os
import random

import pytest
import zstandard

import oracle
from conftest import convert, overrides, rejects, run
from personalize_rules import read_csv

RANDOM = random.Random(11)
RECORDS = [
    {
        "user_id": RANDOM.choice(["u1", 'say "hi"', "a,b", "back\\slash", "名前", "x|y", "12345678901234567890123"]),
        "item_id": f"item {number}",
        "event_type": RANDOM.choice(["click", "view"]),
        "event_value": RANDOM.choice(["1.5", "20", "", "1e3"]),
        "timestamp": str(1_700_000_000 + number),
    }
    for number in range(500)
]
COLUMNS = [
    ("item_id", oracle.IDENTIFIER, True),
    ("user_id", oracle.IDENTIFIER, True),
    ("event_type", oracle.IDENTIFIER, True),
    ("event_value", oracle.FLOAT, False),
    ("timestamp", oracle.EPOCH, True),
]
EXPECTED, _ = oracle.convert(RECORDS, COLUMNS)


def dump(record):
    return json.dumps(record, ensure_ascii=False)


JSON_LAYOUTS = {
    "lines": lambda: "".join(dump(r) + "\n" for r in RECORDS),
    "crlf": lambda: "".join(dump(r) + "\r\n" for r in RECORDS),
    "run_together": lambda: "".join(map(dump, RECORDS)),
    "escaped": lambda: "".join(map(json.dumps, RECORDS)),
    "pretty": lambda: "\n".join(json.dumps(r, indent=2) for r in RECORDS),
    "indent_0": lambda: "\n".join(json.dumps(r, indent=0) for r in RECORDS),
    "array": lambda: json.dumps(RECORDS),
    "pretty_array": lambda: json.dumps(RECORDS, indent=4),
    "array_per_line": lambda: "".join(json.dumps(RECORDS[n : n + 7]) + "\n" for n in range(0, 500, 7)),
    "commas": lambda: ",\n".join(map(dump, RECORDS)),
    "bom": lambda: "\ufeff" + "".join(dump(r) + "\n" for r in RECORDS),
    "blank_lines": lambda: "\n\n  \n".join(map(dump, RECORDS)) + "\n \n",
}


@pytest.mark.parametrize("layout", JSON_LAYOUTS)
def test_json_layouts(tmp_path, layout):
    (tmp_path / "in.json").write_text(JSON_LAYOUTS[layout](), encoding="utf-8", newline="")
    check(tmp_path / "in.json", tmp_path)


def check(source, tmp_path, *arguments):
    summary = convert(source, tmp_path / "out.csv", *arguments)
    assert summary["rejected"] == 0, rejects(summary)[:3]
    assert read_csv((tmp_path / "out.csv").read_text(encoding="utf-8"))[1:] == EXPECTED
    return summary


DELIMITERS = {"comma": ",", "tab": "\t", "pipe": "|", "semicolon": ";", "ctrl_a": "\x01"}


def delimited(delimiter, header, line_end="\n"):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=line_end)
    if header:
        writer.writerow(RECORDS[0])
    writer.writerows(record.values() for record in RECORDS)
    return out.getvalue()


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_delimited_text_with_a_header(tmp_path, delimiter, line_end):
    text = delimited(DELIMITERS[delimiter], True, line_end)
    (tmp_path / "in.csv").write_text(text, encoding="utf-8", newline="")
    check(tmp_path / "in.csv", tmp_path)


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_delimited_text_without_a_header(tmp_path, delimiter):
    text = delimited(DELIMITERS[delimiter], False)
    (tmp_path / "in.csv").write_text(text, encoding="utf-8", newline="")
    mapping = overrides(
        SourceColumnUserId="col0", SourceColumnItemId="col1", SourceColumnEventType="col2",
        SourceColumnEventValue="col3", SourceColumnTimestamp="col4",
    )
    check(tmp_path / "in.csv", tmp_path, *mapping)


def several(compress):
    """The content in three members, as appended or parallel compression leaves it."""
    def join(data):
        third = len(data) // 3
        return b"".join(map(compress, (data[:third], data[third : 2 * third], data[2 * third :])))
    return join


COMPRESSIONS = {
    "gzip": gzip.compress,
    "gzip_members": several(gzip.compress),
    "bzip2": bz2.compress,
    "bzip2_streams": several(bz2.compress),
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd_frames": several(zstandard.ZstdCompressor().compress),
    "zstd_best": zstandard.ZstdCompressor(level=22).compress,
}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("layout", ["run_together", "csv"])
def test_compression_is_recognised_by_content(tmp_path, compression, layout):
    text = JSON_LAYOUTS[layout]() if layout in JSON_LAYOUTS else delimited(",", True)
    # The name says nothing, or the wrong thing.
    (tmp_path / "in.txt").write_bytes(COMPRESSIONS[compression](text.encode()))
    summary = check(tmp_path / "in.txt", tmp_path)
    assert summary["bytes_read"] == os.path.getsize(tmp_path / "in.txt")
    assert summary["bytes_decoded"] == len(text.encode())


def test_line_breaks_inside_quotes_belong_to_the_cell(tmp_path):
    text = 'user_id,item_id,timestamp\n"u\n1","i ""x""\r\n2",1700000000\n"""",b,1700000001\n'
    (tmp_path / "in.csv").write_text(text, newline="")
    convert(tmp_path / "in.csv", tmp_path / "out.csv")
    rows = read_csv((tmp_path / "out.csv").read_text())
    assert rows[1:] == [['i "x" 2', "u 1", "1700000000"], ["b", '"', "1700000001"]]


def test_ragged_rows_are_rejected_not_shifted(tmp_path):
    text = "user_id,item_id,timestamp\nu1,i1,1700000000\nu2,i2\nu3,i,3,1700000002\nu4,i4,1700000003\n"
    (tmp_path / "in.csv").write_text(text)
    summary = convert(tmp_path / "in.csv", tmp_path / "out.csv")
    assert summary["rejected_by_reason"] == {"ragged_row": 2} and summary["rows_written"] == 2
    found = [(r["line"], r["offset"], r["record"]) for r in rejects(summary)]
    assert found == [(3, 43, "u2,i2"), (4, 49, "u3,i,3,1700000002")]


def test_files_of_one_table_are_joined_by_their_headers(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.csv").write_text("user_id,item_id,timestamp\nu1,i1,1700000000\n")
    (source / "b.csv").write_text("timestamp,item_id,more,USER_ID\n1700000001,i2,x,u2\n")
    convert(source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[1:] == ["i1,u1,1700000000", "i2,u2,1700000001"]
    (source / "c.csv").write_text("item_id,timestamp\ni3,1700000002\n")
    summary = convert(source, tmp_path / "out.csv", status=1)
    assert "c.csv has no column `user_id`" in summary["stderr"]
    assert summary["rows_written"] == 2


@pytest.mark.parametrize("hive", [True, False])
def test_folders_become_partition_columns(tmp_path, hive):
    for year, month in ((2023, "01"), (2024, "12")):
        folder = f"year={year}/month={month}" if hive else f"{year}/{month}"
        path = tmp_path / "in" / folder / "part.json"
        path.parent.mkdir(parents=True)
        path.write_text(dump(RECORDS[0]))
    (tmp_path / "in/_SUCCESS").write_text("x")
    (tmp_path / "in/.hidden").mkdir()
    (tmp_path / "in/.hidden/x.json").write_text("{}")
    (tmp_path / "in/empty.json").write_text("")
    key = "month" if hive else "partition_1"
    summary = convert(tmp_path / "in", tmp_path / "out.csv", *overrides(AdditionalColumns=f"{key}:MONTH"))
    rows = read_csv((tmp_path / "out.csv").read_text(encoding="utf-8"))
    assert [row[-1] for row in rows] == ["MONTH", "01", "12"]
    assert summary["files"] == 2


def test_the_order_is_that_of_the_sorted_names_however_many_threads(tmp_path):
    for number in range(60):
        path = tmp_path / "in" / f"{number:03}.json"
        path.parent.mkdir(exist_ok=True)
        # The first is by far the largest, so that all others are done before it.
        path.write_text("".join(map(dump, RECORDS[number :: 60] * (300 if number == 0 else 3))))
    one = convert(tmp_path / "in", tmp_path / "one.csv", "--threads", 1)
    many = convert(tmp_path / "in", tmp_path / "many.csv", "--threads", 8)
    assert one["rows_written"] == many["rows_written"] > 1500
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "many.csv").read_bytes()
    per_file = convert(tmp_path / "in", tmp_path / "per_file", "--per-file")
    assert per_file["rows_written"] == one["rows_written"]
    joined = []
    for path in sorted((tmp_path / "per_file").iterdir()):
        joined += path.read_text(encoding="utf-8").splitlines()[1:]
    assert joined == (tmp_path / "one.csv").read_text(encoding="utf-8").splitlines()[1:]


def test_a_crawled_table_can_stand_for_a_look_at_the_source(tmp_path):
    (tmp_path / "in.json").write_text(JSON_LAYOUTS["lines"](), encoding="utf-8")
    table = run("crawl", tmp_path / "in.json", "--json").stdout
    assert json.loads(table)["Table"]["StorageDescriptor"]["Columns"][0] == {"Name": "user_id", "Type": "string"}
    (tmp_path / "table.json").write_text(table)
    check(tmp_path / "in.json", tmp_path, "--table", tmp_path / "table.json")
    run("generate", "--table", tmp_path / "table.json", "-o", tmp_path / "artifacts")
    check(tmp_path / "in.json", tmp_path, "--plan", tmp_path / "artifacts/plan.json")
