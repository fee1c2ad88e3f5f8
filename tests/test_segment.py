"""Messages made by Segment's own client library, gzipped over folders, against the oracle."""

import datetime
import gzip
import json

import segment.analytics

import segment_messages
from conftest import convert, overrides, rejects, run
from personalize_rules import check
from segment_messages import messages

MAPPING = overrides(**segment_messages.MAPPING)


def store(folder, made):
    """As Segment lays its logs out: gzipped JSON lines in source/day folders."""
    for number in range(0, len(made), 100):
        name = folder / "segment-logs" / f"source{number % 3}" / f"{1706659200000 + number}" / f"{number:05}.gz"
        name.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(name, "wt", encoding="utf-8") as out:
            for message in made[number : number + 100]:
                ascii_only = number % 200 == 0
                out.write(json.dumps(message, ensure_ascii=ascii_only) + "\n")


def test_rows_are_exactly_those_that_an_independent_program_finds(tmp_path):
    made = messages(2000, seed=7)
    store(tmp_path / "in", made)
    expected, counts = segment_messages.expected(made)
    assert counts["rejected"] > 100 and counts["filtered"] > 100 and len(expected) > 500

    run("generate", tmp_path / "in", "-o", tmp_path / "artifacts", *MAPPING)
    summary = convert(tmp_path / "in", tmp_path / "out.csv", *MAPPING)
    schema = (tmp_path / "artifacts/schema.json").read_text()
    rows = check((tmp_path / "out.csv").read_bytes(), schema)
    assert sorted(list(row.values()) for row in rows) == sorted(expected)
    assert {name: summary[name] for name in counts} == counts

    # Every rejected record is there whole.
    set_aside = [json.loads(reject["record"]) for reject in rejects(summary)]
    assert len(set_aside) == counts["rejected"]
    assert all(message in made for message in set_aside)
    for reject in rejects(summary)[:20]:
        with gzip.open(reject["file"], "rb") as content:
            content.seek(reject["offset"])
            assert content.readline().decode().rstrip("\n") == reject["record"]


def test_an_exploded_array_gives_a_row_per_product(tmp_path):
    client = segment.analytics.Client("write-key", send=False)
    when = datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc)
    orders = [
        [{"sku": "a", "price": 1.5}, {"sku": "b", "price": "2.50"}],
        [{"sku": "c"}],
        [{"sku": "d"}, {"price": 1}],
        [],
    ]
    with open(tmp_path / "orders.json", "w", encoding="utf-8") as out:
        for products in orders:
            _, message = client.track(
                user_id="u", event="Order Completed", properties={"products": products}, timestamp=when
            )
            out.write(json.dumps(message, default=str))
    summary = convert(
        tmp_path / "orders.json", tmp_path / "out.csv",
        *overrides(
            SourceColumnUserId="userId",
            SourceColumnItemId="properties.products[].sku",
            SourceColumnEventType="event",
            SourceColumnEventValue="properties.products[].price",
        ),
    )
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.split(",")[0:4:3] for line in lines[1:]] == [["a", "1.5"], ["b", "2.5"], ["c", ""]]
    # A record with one bad element is set aside whole, so that nothing of it can be doubled later.
    assert summary["rejected_by_reason"] == {"missing_ITEM_ID": 2}
    assert summary["records_written"] == 2 and summary["rows_written"] == 3
