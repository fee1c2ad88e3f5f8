"""Large objects are read in pieces by several GETs at the same time: what is converted is the object."""

import gzip
import io
import itertools
import json
import random

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
import pytest

from deployment import PIECE, RECORD, Stack, lines, names, piece, records
from local_aws.client import wait_until

# Beyond it an object is read in pieces.
LARGEST_WHOLE = 2 * PIECE


@pytest.fixture(scope="module")
def stack(aws, broken_proxy):
    stack = Stack(aws, "large")
    stack.put("source/first.json", [RECORD])
    assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
    yield stack
    stack.remove()


def passed_over(stack, key):
    """Why an object was passed over, each time that it was."""
    found = stack.log_lines("ConvertObjectFunction")
    location = f"s3://{stack.source}/{key}"
    return [line["reason"] for line in found if line.get("object") == location and "reason" in line]


def csvs(stack, name):
    """The users in each CSV of an object."""
    return [stack.users(key) for key in stack.csv_keys() if f"/{name}-" in key]


@pytest.mark.parametrize(
    ("size", "ranges"),
    [
        (1000, [""]),
        (LARGEST_WHOLE, [""]),
        (LARGEST_WHOLE + 1, ["", f"bytes={PIECE}-{2 * PIECE - 1}", f"bytes={2 * PIECE}-{2 * PIECE}"]),
    ],
)  # fmt: skip
def test_a_small_object_costs_one_get(stack, proxy, size, ranges):
    key = f"source/of-{size}.json"
    stack.put(key, lines(10).ljust(size, b"\n"))
    receipt = stack.receipt(key)
    assert stack.users(receipt["output_key"]) == names(10)
    assert receipt["counts"]["bytes_read"] == size
    assert sorted(proxy.gets(key)) == sorted(ranges)


def test_an_empty_object_costs_none(stack, proxy):
    stack.put("source/of-0.json", b"")
    wait_until(lambda: passed_over(stack, "source/of-0.json"), 30)
    assert proxy.gets("/source/of-0") == []


def break_every_piece(proxy, path):
    """Makes the pieces of an object break, stall and overtake each other."""
    rules = [
        # The first is the beginning of a GET of all.
        ("truncate", "^$", {"bytes": 3_000_000}),
        ("truncate", piece(1), {"bytes": 5_000_000}),
        # What follows is there before it.
        ("delay", piece(2), {"seconds": 2}),
        # Longer than a body may be silent
        ("stall", piece(3), {"bytes": 7_000_000, "seconds": 40}),
        ("reset", piece(4), {}),
        # More than the SDK's own tries
        ("status", piece(5), {"times": 4, "status": 503, "code": "SlowDown"}),
    ]
    for fault, range_, options in rules:
        proxy.fail(fault, method="GET", path=path, range=range_, **options)


def assert_every_piece_broke(proxy, path):
    counts = {fault: proxy.count(fault) for fault in ("truncate", "delay", "stall", "reset", "status")}
    assert counts == {"truncate": 2, "delay": 1, "stall": 1, "reset": 1, "status": 4}
    starts = [int(range_.split("=")[1].split("-")[0]) for range_ in proxy.gets(path) if range_]
    for number in (0, 1, 3):
        resumed = [start for start in starts if number * PIECE < start < (number + 1) * PIECE]
        assert len(resumed) == 1, f"piece {number} was resumed at {resumed}"


def test_pieces_that_break_are_resumed_and_stay_in_order(stack, proxy):
    break_every_piece(proxy, "/source/broken")
    body = lines(600_000)
    stack.put("source/broken.json", body)
    receipt = stack.receipt("source/broken.json", seconds=120)
    assert_every_piece_broke(proxy, "/source/broken")
    assert stack.users(receipt["output_key"]) == names(600_000)
    assert receipt["counts"]["bytes_read"] == len(body)


def test_pieces_of_a_compressed_object_are_its_bytes(stack, proxy):
    """gzip has a checksum of its own. Half of a record is noise, so that much is left of it."""
    break_every_piece(proxy, "/source/packed")
    noise = random.Random(7)
    text = "".join(
        json.dumps({**record, "noise": noise.randbytes(100).hex()}) + "\n"
        for record in records(450_000)
    )
    body = gzip.compress(text.encode(), compresslevel=1)
    assert len(body) > 6 * PIECE
    stack.s3.put_object(Bucket=stack.source, Key="source/packed.json.gz", Body=body)
    receipt = stack.receipt("source/packed.json.gz", seconds=120)
    assert_every_piece_broke(proxy, "/source/packed")
    assert stack.users(receipt["output_key"]) == names(450_000)
    assert receipt["counts"]["bytes_read"] == len(body)


def test_a_damaged_piece_is_noticed(stack, proxy):
    proxy.fail("corrupt", method="GET", path="/source/damaged", range=piece(1), at=1_000_000)
    stack.put("source/damaged.json", lines(250_000))
    receipt = stack.receipt("source/damaged.json")
    assert proxy.count("corrupt") == 1
    assert "its bytes came damaged: their crc32 is not" in passed_over(stack, "source/damaged.json")[0]
    assert stack.users(receipt["output_key"]) == names(250_000)
    assert receipt["counts"]["rejected"] == 0


def test_an_object_replaced_between_two_pieces_is_passed_over(stack, proxy):
    proxy.fail("hold", method="GET", path="/source/replaced", range=piece(3))
    stack.put("source/replaced.json", lines(450_000))
    wait_until(lambda: proxy.count("hold"), 30, "no fourth piece")
    stack.put("source/replaced.json", lines(450_000).replace(b"user-", b"new-"))
    proxy.release()
    receipt = stack.receipt("source/replaced.json")
    stack.settled()
    assert passed_over(stack, "source/replaced.json") == [
        "it has been replaced since; the replacement's own event follows"
    ]
    assert receipt["counts"]["rows_written"] == 450_000
    assert csvs(stack, "replaced") == [names(450_000, "new")]
    assert stack.uploads_left() == []


def test_an_object_deleted_between_two_pieces_leaves_nothing(stack, proxy):
    proxy.fail("hold", method="GET", path="/source/deleted", range=piece(4))
    stack.put("source/deleted.json", lines(450_000))
    wait_until(lambda: proxy.count("hold"), 30, "no fifth piece")
    stack.s3.delete_object(Bucket=stack.source, Key="source/deleted.json")
    proxy.release()
    wait_until(lambda: passed_over(stack, "source/deleted.json"), 30)
    stack.settled()
    assert passed_over(stack, "source/deleted.json") == ["it has been deleted since"]
    assert csvs(stack, "deleted") == [] and stack.uploads_left() == []


def spans(proxy, path):
    """The ranges of the GETs of a path, in order of their places."""
    ranges = [range_.removeprefix("bytes=").split("-") for range_ in proxy.gets(path) if range_]
    return sorted((int(first), int(last) + 1) for first, last in ranges)


def wide_table():
    """300,000 events, and as many bytes again that no plan needs."""
    events = [{**record, "item_id": f"{at:030}"} for at, record in enumerate(records(300_000))]
    idle = pa.array([f"{at:050}" for at in range(300_000)])
    return pa.Table.from_pylist(events).append_column("idle", idle)


def test_columns_are_got_at_the_same_time_and_once(aws, proxy):
    """While the first waits for its bytes, the others' come; what no plan needs is not asked for."""
    stack = Stack(aws, "columns")
    out = io.BytesIO()
    pyarrow.parquet.write_table(
        wide_table(), out, row_group_size=200_000, compression="none", use_dictionary=False
    )
    stack.put("source/first.parquet", out.getvalue())
    assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
    try:
        groups = pyarrow.parquet.ParquetFile(out).metadata
        chunks = {}
        for group, column in itertools.product(range(groups.num_row_groups), range(groups.num_columns)):
            chunk = groups.row_group(group).column(column)
            start = chunk.data_page_offset
            chunks[group, chunk.path_in_schema] = (start, start + chunk.total_compressed_size)
        start, _ = chunks[0, "item_id"]
        proxy.fail("hold", method="GET", path="/source/second", range=f"^bytes={start}-")
        stack.put("source/second.parquet", out.getvalue())
        others = {chunks[0, name][0] for name in ("user_id", "timestamp", "event_type")}
        wait_until(lambda: others <= {first for first, _ in spans(proxy, "/source/second")}, 30)
        assert proxy.count("hold") == 1
        proxy.release()
        receipt = stack.receipt("source/second.parquet")
        assert stack.users(receipt["output_key"]) == names(300_000)
        # Without the looks at the file's beginning and end
        behind = max(end for _, end in chunks.values())
        got = [span for span in spans(proxy, "/source/second") if span[0] > 0 and span[1] <= behind]
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(got)), got
        for _, name in chunks:
            wanted = [chunk for (_, of), chunk in chunks.items() if of == name]
            bytes_got = sum(end - start for start, end in got if any(a <= start < b for a, b in wanted))
            expected = 0 if name == "idle" else sum(b - a for a, b in wanted)
            assert bytes_got == expected, name
    finally:
        stack.remove()


def test_of_orc_only_wanted_streams_are_got_and_once(aws, proxy):
    stack = Stack(aws, "stripes")
    out = io.BytesIO()
    pyarrow.orc.write_table(
        wide_table(), out, stripe_size=8 << 20, compression="uncompressed", dictionary_key_size_threshold=0
    )
    stripes = pyarrow.orc.ORCFile(out).nstripes
    assert stripes > 2 and len(out.getvalue()) > LARGEST_WHOLE
    stack.put("source/first.orc", out.getvalue())
    assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
    try:
        stack.put("source/second.orc", out.getvalue())
        receipt = stack.receipt("source/second.orc")
        assert stack.users(receipt["output_key"]) == names(300_000)
        got = [span for span in spans(proxy, "/source/second") if span[1] - span[0] > 100_000]
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(got)), got
        assert len(got) >= stripes and sum(end - start for start, end in got) < 0.7 * len(out.getvalue())
    finally:
        stack.remove()
