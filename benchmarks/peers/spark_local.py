"""Spark in one process: `python spark_local.py TASK INPUT OUTPUT THREADS`."""

import pathlib
import shutil
import sys

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

FLAT = "ITEM_ID BIGINT, USER_ID BIGINT, EVENT_TYPE STRING, EVENT_VALUE BIGINT, TIMESTAMP BIGINT"
NESTED = "event STRING, userId STRING, timestamp STRING, properties STRUCT<sku: STRING>"
COLUMNS = ["ITEM_ID", "USER_ID", "EVENT_TYPE", "EVENT_VALUE", "TIMESTAMP"]


def rows(spark: SparkSession, task: str, source: str) -> DataFrame:
    match task:
        case "flat":
            return spark.read.schema(FLAT).json(source).select(COLUMNS)
        case "csv":
            return spark.read.csv(source, header=True, schema=f"type STRING, {FLAT}").select(
                COLUMNS
            )
        case "parquet":
            return spark.read.parquet(source).select(COLUMNS)
    kept = (
        spark.read.schema(NESTED)
        .json(source)
        .where(
            F.col("event").isin("Product Added", "Order Completed", "Product Clicked")
            & F.col("userId").isNotNull()
            & F.col("properties.sku").isNotNull()
        )
    )
    return kept.select(
        F.col("properties.sku").alias("ITEM_ID"),
        F.col("userId").alias("USER_ID"),
        F.col("event").alias("EVENT_TYPE"),
        F.unix_timestamp("timestamp", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").alias("TIMESTAMP"),
    )


task, source, output, threads = sys.argv[1:]
spark = (
    SparkSession.builder.master(f"local[{threads}]")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.driver.memory", "3g")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
parts = pathlib.Path(f"{output}.parts")
# Quotes as in the CSV of the others, not escaped with backslashes.
rows(spark, task, source).coalesce(1).write.csv(str(parts), header=True, escape='"')
shutil.move(next(parts.glob("part-*.csv")), output)
shutil.rmtree(parts)
# What Java took is counted only if this process has waited for it.
java = spark.sparkContext._gateway.proc
spark.stop()
java.stdin.close()
java.wait()
