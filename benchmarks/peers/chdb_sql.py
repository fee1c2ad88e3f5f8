"""ClickHouse in one process: `python chdb_sql.py TASK INPUT OUTPUT THREADS`."""

import pathlib
import sys

import chdb

FLAT = "ITEM_ID Int64, USER_ID Int64, EVENT_TYPE String, EVENT_VALUE Int64, TIMESTAMP Int64"
NESTED = (
    "event String, userId Nullable(String), timestamp DateTime64(3, \\'UTC\\'), "
    "properties Tuple(sku Nullable(String))"
)
SELECT_FLAT = "SELECT ITEM_ID, USER_ID, EVENT_TYPE, EVENT_VALUE, TIMESTAMP FROM"
SELECT_NESTED = """
    SELECT properties.sku AS ITEM_ID, userId AS USER_ID, event AS EVENT_TYPE,
        toUnixTimestamp(timestamp) AS TIMESTAMP
    FROM {source}
    WHERE event IN ('Product Added', 'Order Completed', 'Product Clicked')
        AND userId IS NOT NULL AND properties.sku IS NOT NULL
"""


def query(task: str, source: pathlib.Path) -> str:
    match task:
        case "flat" | "concat":
            return f"{SELECT_FLAT} file('{source}', JSONEachRow, '{FLAT}')"
        case "csv":
            return f"{SELECT_FLAT} file('{source}', CSVWithNames, 'type String, {FLAT}')"
        case "parquet":
            return f"{SELECT_FLAT} file('{source}', Parquet)"
        case _:
            return SELECT_NESTED.format(source=f"file('{source}', JSONEachRow, '{NESTED}')")


task, source, output, threads = sys.argv[1:]
settings = {
    "max_threads": threads,
    "input_format_skip_unknown_fields": 1,
    "date_time_input_format": "'best_effort'",
    # Of one thread they would make two.
    "input_format_parallel_parsing": int(threads != "1"),
    "output_format_parallel_formatting": int(threads != "1"),
}
chdb.query(
    f"{query(task, pathlib.Path(source).absolute())} INTO OUTFILE '{output}' "
    f"FORMAT CSVWithNames SETTINGS {', '.join(f'{name} = {value}' for name, value in settings.items())}"
)
