"""The generated Glue job on Spark gives the rows and counts of the engine, whatever the source."""

import csv
import gzip
import io
import random

import pytest

import nasty
from bulk import EVENT, FRAMINGS, MAPPED, each, text

def test_every_value_in_every_conversion(bulk_case):
    more = {"t": "x", "c": "x", "l": 1, "d": 1.5, "b": True}
    columns = "t:T:string,c:C:string:categorical,l:L:long,d:D:double,b:B:boolean"
    records = [record for field in EVENT if field != "at" for record in each(EVENT, field, nasty.VALUES)]
    records += [record for field in more for record in each({**EVENT, **more}, field, nasty.VALUES)]
    table = bulk_case(**MAPPED, AdditionalColumns=columns)
    table.write("a.json", text(records))
    counts = table.compare()
    assert counts["records_written"] > 500 and len(counts["rejected_by_reason"]) > 30


def test_every_value_in_a_catalogue(bulk_case):
    item = {"item_id": "i", "description": "d", "int": 1, "list": ["a"], "created": 1706685644, "price": 1.5}
    records = [record for field in item for record in each(item, field, nasty.VALUES)]
    columns = "description:D:string:textual,int:I:int,list:L:string:categorical,price:P:float,created:CREATION_TIMESTAMP"
    table = bulk_case(PersonalizeDatasetName="Items", AdditionalColumns=columns)
    table.write("a.json", text(records))
    counts = table.compare()
    assert {"not_whole_I", "nested_array_in_L", "not_a_time_CREATION_TIMESTAMP"} <= set(counts["rejected_by_reason"])


@pytest.mark.parametrize(
    "timestamp_format",
    ["auto", "seconds", "milliseconds", "microseconds", "nanoseconds"]
    + ["yyyy-MM-dd'T'HH:mm:ssX", "dd/MM/yyyy HH:mm:ss.SSS", "d MMM yy h:mm a", "yyyyMMdd", "'on' d. MMMM yyyy' (it''s)'"],
)  # fmt: skip
def test_every_time(bulk_case, timestamp_format):
    times = nasty.TIMES + nasty.VALUES + [
        "10/01/2019 22:34:04.123", "1/1/2019 22:34:04.123", "10/01/2019 22:34:04.1234", "10 Jan 19 10:34 PM", "1 FEB 20 0:34 am",
        "1 feb 20 12:34 am", "1 feb 20 12:34 Pm", "29 Feb 19 1:00 AM", "on 3. May 2024 (it's)", "on 03. september 2024 (it's)", "on 3. Sep 2024 (it's)",
        "2019-01-10T22:34:04+09", "2019-01-10T22:34:04+0930", "2019-01-10T22:34:04z",
    ]  # fmt: skip
    table = bulk_case(**MAPPED, TimestampFormat=timestamp_format)
    table.write("a.json", text(each(EVENT, "at", times)))
    counts = table.compare()
    assert counts["records_written"] >= 1


def events(count, seed=1):
    """Plausible events with a few odd values."""
    rng = random.Random(seed)
    return [
        {
            "user": rng.choice(["u1", "u2", 'say "hi"', "a,b", "back\\slash", "名前", 12345678901234567890123, None]),
            "item": rng.choice([f"item {number}", "x|y", 35, 35.0, ""]),
            "kind": rng.choice(["view", "view", "buy", "scroll", None, 7]),
            "value": rng.choice([1.5, 20, "1e3", None, "free"]),
            "at": rng.choice([1706685644 + number, str(1706685644123 + number), "2024-01-31T07:20:44.5+01:00", "?"]),
        }
        for number in range(count)
    ]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_json_framings(bulk_case, framing):
    table = bulk_case(**MAPPED, EventTypes="view,buy,7")
    name = {"gz": "b.json.gz", "bz2": "b.json.bz2"}.get(framing, "b.json")
    table.write("a.json", text(events(150, 1)))
    table.write(name, FRAMINGS[framing](events(150, 2)))
    counts = table.compare()
    assert counts["filtered"] > 50 and counts["rejected"] > 50 and counts["rows_written"] > 20


CSV_DIALECTS = [(",", True), ("\t", True), ("|", True), (";", False), ("\x01", False)]


@pytest.mark.parametrize("delimiter, header", CSV_DIALECTS)
def test_csv_dialects(bulk_case, delimiter, header):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n" if header else "\n")
    if header:
        # By the number a crawler tells the header from the rows.
        writer.writerow([*EVENT, "number"])
    # A cell of the reader's own types is no text any more: an identifier 35.0 would be the number.
    odd = ["u1", 'say "hi"', "two\nlines", "a,b;c|d\te", "\\N", "名前", "x" * 257, "  "]
    for number, event in enumerate(events(200)):
        event["user"] = odd[number % len(odd)]
        event["item"] = f"i{number}"
        writer.writerow([*event.values(), number])
    names = {} if header else {name: f"col{at}" for at, name in enumerate(EVENT)}
    table = bulk_case(**{key: names.get(value, value) for key, value in MAPPED.items()}, EventTypes="view,7")
    table.write("a.csv", out.getvalue())
    table.write("b.csv.gz", gzip.compress(out.getvalue().encode()))
    counts = table.compare()
    assert {"too_long_USER_ID", "missing_USER_ID"} <= set(counts["rejected_by_reason"])
    assert counts["rows_written"] > 50


def test_paths_and_keys_ignore_case(bulk_case):
    records = [
        {"Ctx": {"User ID": "u1", "a.b": {"Items": [{"id": 1}, {"id": "two"}]}}, "when": 1706685644},
        {"ctx": {"user id": "u2", "A.B": {"items": [{"ID": 3}]}}, "When": "2024-01-31"},
        {"ctx": "none", "when": 1706685644},
        {"ctx": {"user id": ["u"], "a.b": [1]}, "when": 1706685644},
        {"CTX": {"USER ID": {"x": 1}, "a.b": {"items": []}}, "WHEN": 1706685644},
        {"ctx": None, "when": 1706685644},
    ]
    table = bulk_case(
        SourceColumnUserId="ctx.`user id`", SourceColumnItemId="ctx.`a.b`.items[0].id",
        SourceColumnTimestamp="when", AdditionalColumns="ctx.`a.b`.items[1].id:SECOND:string",
    )  # fmt: skip
    table.write("a.json", text(records))
    assert table.compare()["rows_written"] == 2


PRODUCTS = [
    [{"sku": "a", "price": 1}, {"sku": "b", "price": "2.50", "tags": ["x", "y|z"]}], [], None, "none", [None], [{}], {"sku": "c"},
    [{"sku": 35.0, "type": "kept"}, {"sku": None, "type": "other"}], [{"sku": "x" * 257}], [[{"sku": "n"}]], ["text", {"SKU": "u"}],
    [{"sku": "d", "price": "free"}, {"sku": "e"}], [{"sku": "f", "tags": "one"}, {"sku": "g", "tags": [["deep"]]}], [1, 2],
]  # fmt: skip


@pytest.mark.parametrize("event_type", ["kind", "order.products[].type", None])
def test_exploded_arrays(bulk_case, event_type):
    orders = [{**EVENT, "order": {"products": products}} for products in PRODUCTS]
    orders += [{**EVENT, "order": {"Products": products}} for products in PRODUCTS]
    orders += [{**EVENT, "kind": "scroll", "order": {"products": PRODUCTS[0]}}, {**EVENT, "order": 5}, EVENT]
    parameters = {
        **MAPPED,
        "SourceColumnItemId": "order.products[].sku",
        "SourceColumnEventValue": "order.products[].price",
        "AdditionalColumns": "order.products[].tags:TAGS:string:categorical",
    }
    if event_type:
        parameters |= {"SourceColumnEventType": event_type, "EventTypes": "view,kept"}
    table = bulk_case(**parameters)
    table.write("a.json", text(orders))
    counts = table.compare()
    assert counts["rows_written"] >= (1 if event_type == "order.products[].type" else 6)


def test_an_array_of_single_values_explodes(bulk_case):
    table = bulk_case(**{**MAPPED, "SourceColumnItemId": "items[]"})
    records = [{**EVENT, "items": items} for items in ([1, "b"], ["c"], [], [None], "d", [[1]], [{}], ["", "e"])]
    table.write("a.json", text(records))
    assert table.compare()["rows_written"] == 4


@pytest.mark.parametrize("folders", ["year=2024/kind=view/", "2024/buy%20now/", "year=__HIVE_DEFAULT_PARTITION__/kind=a%2Fb/"])
def test_partition_keys(bulk_case, folders):
    hive = "=" in folders
    year, kind = ("year", "kind") if hive else ("partition_0", "partition_1")
    event = {name: value for name, value in EVENT.items() if name != "kind"}
    table = bulk_case(**MAPPED | {"SourceColumnEventType": kind}, AdditionalColumns=f"{year}:YEAR:int")
    table.write(f"{folders}a.json", text(each(event, "item", ["i1", None, 5])))
    assert table.compare()["records_read"] == 4


DATASETS = {
    "users": ({}, {"user_id": "u", "Age Group": "30-40", "tags": ["a", "b"], "score": 1.5, "vip": True, "count": 7}),
    "users_video": ({"PersonalizeDomain": "VIDEO_ON_DEMAND"}, {"user_id": "u", "subscriptionModel": "gold", "n": 1}),
    "items": ({}, {"item_id": "i", "genre": "Drama", "price": 9.9, "creation_timestamp": "2024-01-31T00:00:00Z"}),
    "items_ecommerce": ({"PersonalizeDomain": "ECOMMERCE"}, {"item_id": "i", "price": 9.9, "categoryL1": ["a", "b"], "productDescription": 'a "b"\nc'}),
    "items_video": ({"PersonalizeDomain": "VIDEO_ON_DEMAND"}, {"item_id": "i", "genres": ["Drama"], "creation_timestamp": 1706685644, "duration": 90}),
    "actions": ({}, {"action_id": "a", "value": 5, "type": "x", "expirationTimestamp": 1706685644000, "own": "z"}),
    "actionInteractions": ({}, {"action_id": "a", "user_id": "u", "event_type": "taken", "timestamp": 1706685644, "n": 1.5}),
    "interactions_ecommerce": ({"PersonalizeDomain": "ECOMMERCE"}, {"user_id": "u", "item_id": "i", "event_type": "View", "timestamp": 1706685644}),
    "interactions_video": ({"PersonalizeDomain": "VIDEO_ON_DEMAND", "AdditionalColumns": "imp:IMPRESSION"}, {"user_id": "u", "item_id": "i", "event_type": "Watch", "timestamp": 1706685644, "imp": ["i", "j"]}),
}  # fmt: skip


@pytest.mark.parametrize("dataset", DATASETS)
def test_datasets(bulk_case, dataset):
    parameters, record = DATASETS[dataset]
    odd = [None, "", "two\nlines", "a,b", 'q"', 5, 2.50, "2024-01-31", True, "x" * 300, ["p", "q|r"], {"o": 1}]
    table = bulk_case(PersonalizeDatasetName=dataset.split("_")[0], **parameters)
    records = [record] * 40 + [made for field in record for made in each(record, field, odd)]
    table.write("a.json", text(records))
    counts = table.compare()
    assert counts["rows_written"] > 40 and counts["rejected"] > 5
