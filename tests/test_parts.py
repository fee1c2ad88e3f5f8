"""A large file is converted in parts by several threads: the same bytes come out as with one."""

import gzip
import json
import random

import pytest

from conftest import convert, run

# Several parts of a mebibyte, whatever the records are like.
ENOUGH = 6 << 20


def record(number, rng):
    """A record; some are rejected, some hold what looks like the beginning of another."""
    fields = {"user_id": f"u{number % 997}", "item_id": number, "timestamp": 1547157950 + number}
    odd = rng.random()
    if odd < 0.01:
        fields["timestamp"] = "yesterday"
    elif odd < 0.02:
        fields["note"] = 'text with }{"user_id":1} and "quotes" in it, and a \\ at its end\\'
    elif odd < 0.03:
        fields["user_id"] = None
    elif odd < 0.04:
        fields["note"] = "long " * rng.randrange(2000)
    return fields


def records():
    rng = random.Random(1)
    number = size = 0
    while size < ENOUGH:
        text = json.dumps(record(number, rng), ensure_ascii=False)
        number += 1
        size += len(text)
        yield text


def broken(texts):
    """Now and then a record without its end, a stray line, bytes that are no text."""
    for number, text in enumerate(texts):
        if number % 501 == 7:
            yield text[: len(text) // 2]
        elif number % 733 == 5:
            yield "no record at all"
        elif number % 911 == 3:
            yield text.replace("user_id", "user\udcff_id")
        else:
            yield text


def rows(texts, note):
    """The same as CSV; `note` makes the text of a column that is not wanted."""
    yield "note,user_id,item_id,timestamp"
    for number, text in enumerate(texts):
        fields = json.loads(text)
        values = (note(number), fields["user_id"] or "", fields["item_id"], fields["timestamp"])
        yield ",".join(map(str, values))


LAYOUTS = {
    "lines": lambda: "\n".join(records()),
    "lines of CRLF": lambda: "\r\n".join(records()) + "\r\n",
    "run together": lambda: "".join(records()),
    "separated by commas": lambda: ",\n".join(records()),
    "an array": lambda: "[" + ",\n".join(records()) + "]",
    "an array that is not closed": lambda: "[" + ",".join(records()),
    "pretty": lambda: "\n".join(json.dumps(json.loads(text), indent=2) for text in records()),
    "broken lines": lambda: "\n".join(broken(records())),
    "broken, run together": lambda: "".join(broken(records())),
    "with a byte order mark": lambda: "\ufeff" + "\n".join(records()),
    "one record too long": lambda: "\n".join(records())
    + '\n{"user_id":1,"note":"'
    + "x" * (18 << 20)
    + '"}\n'
    + "\n".join(records()),
    "CSV": lambda: "\n".join(rows(records(), lambda n: "plain")),
    "CSV with line breaks in cells": lambda: "\n".join(
        rows(records(), lambda n: '"two\nlines, a ""quote"" and\n1,2,3,4\n"' if n % 3 else "")
    ),
    "CSV with a quote that is never closed": lambda: "\n".join(
        rows(records(), lambda n: '"never closed' if n == 9000 else "x")
    ),
    "CSV with ragged rows": lambda: "\n".join(
        rows(records(), lambda n: "one,more" if n % 400 == 1 else "x")
    ),
}


def converted(source, folder, threads):
    """All that a conversion leaves and says, but for how long it took and where it is."""
    folder.mkdir()
    summary = convert(source, folder / "out.csv", "--threads", threads, status=None)
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    same = {
        key: value
        for key, value in summary.items()
        if key not in ("seconds", "output", "rejects", "bytes_read")
    }
    return same, files


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_threads_change_nothing(tmp_path, layout, compressed):
    content = LAYOUTS[layout]().encode("utf-8", "surrogateescape")
    source = tmp_path / "events"
    # What compresses well would be a small file, and converted as a whole.
    source.write_bytes(gzip.compress(content, 0) if compressed else content)
    one = converted(source, tmp_path / "one", 1)
    assert one[0]["records_read"] > 0 or "too long" in layout
    for threads in (2, 5):
        assert converted(source, tmp_path / str(threads), threads) == one


def test_a_damaged_file_fails_as_it_does_with_one_thread(tmp_path):
    content = gzip.compress("\n".join(records()).encode(), 0)
    source = tmp_path / "events.gz"
    for damage in (content[:-2000], content[:3_000_000] + b"x" + content[3_000_001:]):
        source.write_bytes(damage)
        faults = [
            run("convert", source, tmp_path / "out.csv", "--threads", threads, status=1).stderr
            for threads in (1, 4)
        ]
        assert faults[0] == faults[1]
        assert not (tmp_path / "out.csv").exists()


def test_a_large_file_among_small_ones_keeps_its_place(tmp_path):
    folder = tmp_path / "events"
    folder.mkdir()
    texts = list(records())
    for number in range(6):
        (folder / f"{number}.json").write_text("\n".join(texts[number * 50 :][:50]))
    (folder / "3-large.json").write_text("\n".join(texts))
    one, four = (converted(folder, tmp_path / str(threads), threads) for threads in (1, 4))
    assert one == four
