"""The generated SQL: Athena's queries run on Spark as they are written, Redshift's on DuckDB."""

import re

import duckdb
import pytest
import sqlglot

from bulk import EVENT, MAPPED, text
from personalize_rules import read_csv

# https://docs.aws.amazon.com/athena/latest/ug/create-table.html, without the clauses for other tables
STRING = r"'(?:[^'\\]|\\.|'')*'"
PAIRS = rf"\({STRING} = {STRING}(?:, {STRING} = {STRING})*\)"
CREATE_TABLE = re.compile(
    r"CREATE EXTERNAL TABLE IF NOT EXISTS (?:`[^`]+`|\w+)\s"
    r"\(\s(?:  `[^`]+` (?:string|bigint|double),?\s)+\)\s"
    rf"ROW FORMAT SERDE {STRING}\sWITH SERDEPROPERTIES {PAIRS}\s"
    rf"STORED AS TEXTFILE\sLOCATION {STRING}\sTBLPROPERTIES {PAIRS}"
)
RECORDS = [
    {"user": f"u{n % 5}" if n % 7 else None, "item": f"i{n}" if n % 3 else None, "kind": ["view", "buy", "it's"][n % 3],
     "value": n / 2, "at": 1706685644 + n * 40_000}
    for n in range(60)
]  # fmt: skip


def statements(path):
    text = re.sub(r"^--.*\n", "", path.read_text(encoding="utf-8"), flags=re.M)
    return [statement.strip() for statement in text.split(";\n") if statement.strip()]


@pytest.fixture
def athena(spark):
    """Runs a query on Spark, set to read names in double quotes as Athena does."""
    options = {
        "spark.sql.ansi.enabled": "true",
        "spark.sql.ansi.doubleQuotedIdentifiers": "true",
        "spark.sql.caseSensitive": "false",
        "spark.sql.session.timeZone": "UTC",
    }
    before = {name: spark.conf.get(name) for name in options}

    def run(query):
        for name, value in options.items():
            spark.conf.set(name, value)
        rows = [tuple(row) for row in spark.sql(query).collect()]
        for name, value in before.items():
            spark.conf.set(name, value)
        return rows

    return run


def prepare(spark, case, records):
    """Runs the job, and makes the source's table known to Spark."""
    case.write("a.json", text(records))
    counts = case.compare()
    spark.read.json(str(case.source)).createOrReplaceTempView("records")
    queries = statements(case.folder / "explore.sql")
    name = re.search(r'FROM "([^"]+)"', queries[0])[1]
    spark.sql(f"CREATE OR REPLACE TEMPORARY VIEW `{name}` AS SELECT * FROM records")
    # Spark does not know skip.header.line.count.
    for path in case.output.glob("*.csv"):
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(True)[1:]), encoding="utf-8")
        (path.parent / f".{path.name}.crc").unlink()
    return counts, queries


def test_explore_runs_as_written(spark, athena, bulk_case):
    counts, queries = prepare(spark, bulk_case(**MAPPED, EventTypes="view,it's"), RECORDS)
    look, events, gaps, create, converted, days = queries
    assert len(athena(look)) == 20
    assert sorted(athena(events)) == [("buy", 20, 20), ("it's", 20, 20), ("view", 20, 0)]
    kept = [record for record in RECORDS if record["kind"] != "buy"]
    missing = [sum(record[name] is None for record in kept) for name in ("item", "user", "kind", "at")]
    assert athena(gaps) == [(40, *missing)]
    assert CREATE_TABLE.fullmatch(create), create
    athena(create)
    assert len(athena(converted)) == min(20, counts["rows_written"])
    assert sum(rows for _, rows in athena(days)) == counts["rows_written"] > 10
    assert len(athena(days)) > 10


@pytest.mark.parametrize("in_element", [False, True])
def test_explore_of_an_exploded_array(spark, athena, bulk_case, in_element):
    records = [{**EVENT, "kind": f"k{n % 2}", "order": {"products": [{"sku": f"s{m}" if m else None, "type": f"k{m}"} for m in range(n % 4)]}} for n in range(40)]
    parameters = {**MAPPED, "SourceColumnItemId": "order.products[].sku", "EventTypes": "k1,k3"}
    if in_element:
        parameters["SourceColumnEventType"] = "order.products[].type"
    _, (_, events, gaps, create, *_) = prepare(spark, bulk_case(**parameters), records)
    elements = [element for record in records for element in record["order"]["products"] if in_element or record["kind"] == "k1"]
    kept = [element for element in elements if not in_element or element["type"] == "k1"]
    (found,) = athena(gaps)
    assert found[1:3] == (len(kept), sum(element["sku"] is None for element in kept))
    if in_element:
        # Spark has no UNNEST; that it is one of Athena's is all that can be seen here.
        assert "UNNEST" in sqlglot.transpile(events, read="athena", write="trino")[0]
    else:
        assert sorted(athena(events)) == [("k0", 20, 10), ("k1", 20, 10)]
    assert CREATE_TABLE.fullmatch(create), create


def test_unload_gives_the_rows_of_the_engine(bulk_case):
    more = {"name": 'say "hi", \\ or\tnot #1', "vip": True, "count": 7}
    records = [{**record, **more, "name": more["name"] if n % 2 else " "} for n, record in enumerate(RECORDS)]
    table = bulk_case(**MAPPED, EventTypes="view,it's", AdditionalColumns="name:NAME,vip:VIP:boolean,count:COUNT:long", TimestampFormat="seconds")
    table.write("a.json", text(records))
    table.generate()
    lines, _ = table.run_engine()
    case_sensitive, unload = statements(table.folder / "unload.sql")
    assert case_sensitive == "SET enable_case_sensitive_identifier TO true"
    shape = r"UNLOAD \('(.*)'\)\nTO '(s3://[^']+/converted/interactions)'\nIAM_ROLE default\nDELIMITER ','\nHEADER\nPARALLEL OFF\nALLOWOVERWRITE\nEXTENSION 'csv'"
    query = re.fullmatch(shape, unload, re.S)[1].replace("''", "'")
    (query,) = sqlglot.transpile(query, read="redshift", write="duckdb")
    database = duckdb.connect()
    name = re.search(r'FROM "([^"]+)"', query)[1]
    database.execute(f"CREATE TABLE \"{name}\" AS SELECT * FROM read_json('{table.source}/a.json')")
    found = database.execute(query)
    header = ",".join(column[0] for column in found.description)
    rows = ["" if cell is None else cell for row in found.fetchall() for cell in row]
    width = header.count(",") + 1
    rows = [",".join(map(str, rows[at : at + width])) for at in range(0, len(rows), width)]
    assert header == lines[0]
    assert as_read(rows) == as_read(lines[1:])
    assert len(rows) > 10


def as_read(lines):
    """Rows as Personalize reads them, numbers by their value."""
    rows = read_csv("\n".join(lines) + "\n")
    return sorted([float(cell) if re.fullmatch(r"-?[0-9.]+", cell or "") else cell or "" for cell in row] for row in rows)
