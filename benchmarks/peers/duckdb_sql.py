"""DuckDB: `python duckdb_sql.py TASK INPUT OUTPUT THREADS`."""

import sys

import duckdb

FLAT = {
    "ITEM_ID": "BIGINT",
    "USER_ID": "BIGINT",
    "EVENT_TYPE": "VARCHAR",
    "EVENT_VALUE": "BIGINT",
    "TIMESTAMP": "BIGINT",
}
NESTED = {
    "event": "VARCHAR",
    "userId": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "properties": "STRUCT(sku VARCHAR)",
}
SELECT_FLAT = "SELECT ITEM_ID, USER_ID, EVENT_TYPE, EVENT_VALUE, TIMESTAMP FROM"
SELECT_NESTED = """
    SELECT properties.sku AS ITEM_ID, userId AS USER_ID, event AS EVENT_TYPE,
        epoch_ms("timestamp") // 1000 AS TIMESTAMP
    FROM {source}
    WHERE event IN ('Product Added', 'Order Completed', 'Product Clicked')
        AND userId IS NOT NULL AND properties.sku IS NOT NULL
"""


def query(task: str, source: str) -> str:
    match task:
        case "flat":
            return (
                f"{SELECT_FLAT} read_json('{source}', format='newline_delimited', columns={FLAT})"
            )
        case "concat":
            return f"{SELECT_FLAT} read_json('{source}', format='unstructured', columns={FLAT})"
        case "csv":
            columns = {"type": "VARCHAR", **FLAT}
            return f"{SELECT_FLAT} read_csv('{source}', auto_detect=false, header=true, columns={columns})"
        case "parquet":
            return f"{SELECT_FLAT} read_parquet('{source}')"
        case _:
            return SELECT_NESTED.format(
                source=f"read_json('{source}', format='newline_delimited', columns={NESTED})"
            )


task, source, output, threads = sys.argv[1:]
connection = duckdb.connect()
connection.execute(f"SET threads = {threads}")
# Recommended for large exports: threads need not wait for each other.
connection.execute("SET preserve_insertion_order = false")
connection.execute(f"COPY ({query(task, source)}) TO '{output}' (FORMAT csv, HEADER)")
