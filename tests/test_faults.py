"""Broken records cost themselves, broken files cost themselves, and everything is told."""

import base64
import gzip
import json
import random

import pytest

from conftest import convert, corpus, overrides, rejects
from personalize_rules import read_csv

GOOD = {"user_id": "u", "item_id": "i", "timestamp": 1_700_000_000}
GOOD_ROW = "i,u,1700000000"


def rows(path):
    return path.read_text(encoding="utf-8").splitlines()[1:]


def test_rejects_hold_bytes_reason_and_place(tmp_path):
    lines = [
        json.dumps(GOOD).encode(),
        b'{"user_id":"u","item_id":null,"timestamp":1}',
        b'{"user_id":"\xff\xfe","item_id":"i","timestamp":1}',
        b'{"user_id":"u","item_id":"i","timestamp":"soon"}',
        b'{"user_id":"u","item_id":',
        json.dumps(GOOD).encode(),
    ]
    (tmp_path / "in.json").write_bytes(b"\n".join(lines))
    summary = convert(tmp_path / "in.json", tmp_path / "out.csv")
    assert rows(tmp_path / "out.csv") == [GOOD_ROW] * 2
    found = rejects(summary)
    content = (tmp_path / "in.json").read_bytes()
    assert [reject["line"] for reject in found] == [2, 3, 4, 5]
    assert [reject["reason"] for reject in found] == [
        "missing_ITEM_ID", "not_utf8", "not_a_time_TIMESTAMP", "malformed_json",
    ]
    for reject, line in zip(found, lines[1:5]):
        record = (
            base64.b64decode(reject["record_base64"])
            if "record_base64" in reject
            else reject["record"].encode()
        )
        assert record == line
        assert content[reject["offset"] :].startswith(line)
        assert reject["file"] == str(tmp_path / "in.json") and reject["message"]


@pytest.mark.parametrize("cut", [10, 200, -12, -4])
def test_a_truncated_gzip_fails_alone(tmp_path, cut):
    source = tmp_path / "in"
    source.mkdir()
    for name in "abc":
        text = "".join(json.dumps({**GOOD, "item_id": f"{name}{n}"}) for n in range(1000))
        (source / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    content = (source / "b.gz").read_bytes()
    (source / "b.gz").write_bytes(content[:cut])
    summary = convert(source, tmp_path / "out.csv", status=1)
    (line,) = summary["stderr"].splitlines()
    assert "b.gz" in line and "gzip" in line and "ends before" in line
    assert summary["rows_written"] == 2000 and len(summary["files_failed"]) == 1
    assert {row[0] for row in rows(tmp_path / "out.csv")} == {"a", "c"}


def test_damaged_content_and_other_content_fail_alone(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    (source / "good.json").write_text(json.dumps(GOOD))
    damaged = bytearray(gzip.compress(random.Random(1).randbytes(4000)))
    damaged[100:110] = b"0123456789"
    (source / "damaged.gz").write_bytes(damaged)
    (source / "noise.json").write_bytes(random.Random(2).randbytes(5000))
    (source / "table.parquet").write_bytes(b"PAR1" + bytes(100))
    (source / "utf16.json").write_bytes(json.dumps(GOOD).encode("utf-16"))
    summary = convert(source, tmp_path / "out.csv", status=1)
    faults = {fault["file"].rsplit("/")[-1]: fault["error"] for fault in summary["files_failed"]}
    assert set(faults) == {"damaged.gz", "noise.json", "table.parquet", "utf16.json"}
    assert "Parquet" in faults["table.parquet"] and "UTF-16" in faults["utf16.json"]
    assert "not UTF-8 text" in faults["noise.json"] and "damaged" in faults["damaged.gz"]
    assert rows(tmp_path / "out.csv") == [GOOD_ROW]


def test_when_every_file_fails_there_is_no_output(tmp_path):
    (tmp_path / "in.json").write_text(json.dumps(GOOD))
    convert(tmp_path / "in.json", tmp_path / "out.csv")
    (tmp_path / "in.gz").write_bytes(gzip.compress(json.dumps(GOOD).encode())[:-3])
    convert(
        tmp_path / "in.gz", tmp_path / "new/out.csv", "--table", table_file(tmp_path), status=1
    )
    assert not (tmp_path / "new").exists()


def table_file(tmp_path):
    columns = [{"Name": name, "Type": "string"} for name in GOOD]
    table = {"Name": "t", "Parameters": {"classification": "json"}, "StorageDescriptor": {"Columns": columns}}
    (tmp_path / "table.json").write_text(json.dumps({"Table": table}))
    return tmp_path / "table.json"


def test_objects_inside_broken_records_never_become_rows(tmp_path):
    """One byte of one record is damaged, in every place; inside are objects with all it takes."""
    inner = {**GOOD, "item_id": "INNER"}
    records = [{**GOOD, "item_id": f"item{n}", "more": [inner, inner]} for n in range(4)]
    dump = lambda r: json.dumps(r, separators=(",", ":"))
    layouts = {
        "lines": "\n".join(map(dump, records)),
        "run together": "".join(map(dump, records)),
        "pretty": "\n".join(json.dumps(r, indent=1) for r in records),
    }
    table = table_file(tmp_path)
    for layout, text in layouts.items():
        (tmp_path / layout).mkdir()
        begin = text.index("item2") - 40
        for at in range(begin, begin + 160, 3):
            for change in ("", '"', "}", "]", "{"):
                damaged = text[:at] + change + text[at + 1 :]
                (tmp_path / layout / f"{at}{ord(change) if change else 0}.json").write_text(damaged)
        convert(tmp_path / layout, tmp_path / "out.csv", "--table", table)
        written = [row.split(",")[0] for row in rows(tmp_path / "out.csv")]
        assert "INNER" not in written, layout
        files = len(list((tmp_path / layout).iterdir()))
        assert written.count("item0") == files
        assert written.count("item3") > 0.9 * files, layout


def test_json_test_suite(tmp_path):
    """Each file as a value inside a record, on a line of its own between good ones."""
    folder = corpus("jts") / "test_parsing"
    files = sorted(folder.glob("*.json"))
    assert len(files) > 300
    before = json.dumps(GOOD).encode()
    wrong = []
    for path in files:
        content = path.read_bytes().replace(b"\n", b" ").replace(b"\r", b" ")
        if b"\0" in content or content.strip() == b"" or content.startswith((b"\xef\xbb\xbf", b"\xff\xfe")):
            continue
        record = b'{"user_id":"u","item_id":"x","timestamp":1700000000,"more":' + content + b"}"
        (tmp_path / "in.json").write_bytes(b"\n".join([before, record, before]))
        summary = convert(tmp_path / "in.json", tmp_path / "out.csv", "--table", table_file(tmp_path))
        written = rows(tmp_path / "out.csv")
        if written.count(GOOD_ROW) != 2:
            wrong.append((path.name, "a good record was harmed", written))
        accepted = "x,u,1700000000" in written
        # A line break inside a string became a blank above, which is allowed there.
        became_valid = path.name in ("n_string_unescaped_newline.json",)
        if path.name.startswith("y_") and not accepted or (
            path.name.startswith("n_") and accepted and not became_valid
        ):
            wrong.append((path.name, accepted, summary["rejected_by_reason"]))
    assert not wrong


def test_json_test_suite_as_files(tmp_path):
    """Each file as it is: no harm to the program, and nothing broken becomes a row."""
    for path in sorted((corpus("jts") / "test_parsing").glob("*.json")):
        if path.stat().st_size == 0:
            continue
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in/a.json").write_bytes(path.read_bytes())
        (tmp_path / "in/b.json").write_text(json.dumps(GOOD))
        binary = b"\0" in path.read_bytes() or path.name.startswith("i_string_UTF-16LE_with_BOM")
        done = convert(
            tmp_path / "in", tmp_path / "out.csv", "--table", table_file(tmp_path),
            status=1 if binary or "utf16" in path.name else 0,
        )
        assert rows(tmp_path / "out.csv") == [GOOD_ROW], path.name
        assert done["records_read"] >= 1


def test_csv_test_data(tmp_path):
    """csv-test-data: every cell is read as the suite's own JSON says."""
    folder = corpus("csvtd")
    checked = 0
    for path in sorted((folder / "csv").glob("*.csv")):
        expected = folder / "json" / path.with_suffix(".json").name
        content = json.loads(expected.read_text(encoding="utf-8")) if expected.exists() else None
        if not isinstance(content, list) or not content or path.name.startswith("header"):
            continue
        # An empty line is no row here, not even of a file with one column.
        content = [row for row in content if row != [""]]
        if not content:
            continue
        names = [f"col{n}" for n in range(len(content[0]))]
        columns = [{"Name": name, "Type": "string"} for name in names]
        table = {"Name": "t", "Parameters": {"classification": "csv"}, "StorageDescriptor": {"Columns": columns}}
        (tmp_path / "table.json").write_text(json.dumps(table))
        # The cells as metadata beside a user who is in the folder's name.
        source = tmp_path / path.stem / "user=u"
        source.mkdir(parents=True)
        (source / "in.csv").write_bytes(path.read_bytes())
        table["PartitionKeys"] = [{"Name": "user", "Type": "string"}]
        (tmp_path / "table.json").write_text(json.dumps(table))
        columns = ",".join(f"{name}:C{n}:string" for n, name in enumerate(names))
        convert(
            tmp_path / path.stem, tmp_path / "out.csv", "--table", tmp_path / "table.json",
            *overrides(PersonalizeDatasetName="Users", SourceColumnUserId="user", AdditionalColumns=columns),
        )
        found = [row[1:] for row in read_csv((tmp_path / "out.csv").read_text(encoding="utf-8"))[1:]]
        clean = [[" ".join(cell.split("\n")) if cell.strip() else None for cell in row] for row in content]
        assert found == clean, path.name
        checked += 1
    assert checked >= 8


def test_broken_streams_of_many_kinds_add_up(tmp_path):
    """Random damage to a file of good records: whatever happens, each good record that is not
    touched is written exactly once, or lies in the bytes of a rejected one."""
    random_ = random.Random(5)
    for layout in ("\n", ""):
        for attempt in range(40):
            records = [json.dumps({**GOOD, "item_id": f"item{n:03}"}).encode() for n in range(60)]
            broken = set(random_.sample(range(60), 5))
            for n in broken:
                at = random_.randrange(1, len(records[n]) - 1)
                change = random_.choice([b"", b'"', b"{", b"}", b"\\", b"\xff", b"\n", b"[", b"x"])
                records[n] = records[n][:at] + change + records[n][at + random_.choice([0, 1, 5]) :]
            (tmp_path / "in.json").write_bytes(layout.encode().join(records))
            summary = convert(tmp_path / "in.json", tmp_path / "out.csv", "--table", table_file(tmp_path))
            written = [row.split(",")[0] for row in rows(tmp_path / "out.csv")]
            set_aside = b"".join(
                base64.b64decode(r["record_base64"]) if "record_base64" in r else r["record"].encode()
                for r in rejects(summary)
            )
            for n in set(range(60)) - broken:
                in_rows = written.count(f"item{n:03}")
                in_rejects = f'"item{n:03}"'.encode() in set_aside
                assert in_rows == 1 and not in_rejects or in_rows == 0 and in_rejects, (attempt, n)
            if layout:
                untouched = 60 - len(broken)
                assert sum(f"item{n:03}" in written for n in set(range(60)) - broken) >= untouched - 3
