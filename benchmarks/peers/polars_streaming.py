"""Polars, lazily: `python polars_streaming.py TASK INPUT OUTPUT THREADS`."""

import os
import sys

task, source, output, threads = sys.argv[1:]
# Read when polars is imported.
os.environ["POLARS_MAX_THREADS"] = threads

import polars as pl

FLAT = {
    "ITEM_ID": pl.Int64,
    "USER_ID": pl.Int64,
    "EVENT_TYPE": pl.String,
    "EVENT_VALUE": pl.Int64,
    "TIMESTAMP": pl.Int64,
}
NESTED = {
    "event": pl.String,
    "userId": pl.String,
    "timestamp": pl.String,
    "properties": pl.Struct({"sku": pl.String}),
}
KEPT = ["Product Added", "Order Completed", "Product Clicked"]


def rows() -> pl.LazyFrame:
    match task:
        case "flat":
            return pl.scan_ndjson(source, schema=FLAT).select(list(FLAT))
        case "csv":
            return pl.scan_csv(source, schema={"type": pl.String, **FLAT}).select(list(FLAT))
        case "parquet":
            return pl.scan_parquet(source).select(list(FLAT))
    fields = pl.scan_ndjson(source, schema=NESTED).select(
        ITEM_ID=pl.col("properties").struct.field("sku"),
        USER_ID="userId",
        EVENT_TYPE="event",
        TIMESTAMP="timestamp",
    )
    kept = fields.filter(
        pl.col("EVENT_TYPE").is_in(KEPT),
        pl.col("USER_ID").is_not_null(),
        pl.col("ITEM_ID").is_not_null(),
    )
    instant = pl.col("TIMESTAMP").str.to_datetime("%Y-%m-%dT%H:%M:%S%.3fZ", time_unit="ms")
    return kept.with_columns(TIMESTAMP=instant.dt.timestamp("ms") // 1000)


rows().sink_csv(output)
