"""The generated Glue job, run on Spark beside this project's own engine."""

import bz2
import contextlib
import dataclasses
import gzip
import io
import json
import pathlib
import runpy
import shutil
import subprocess
import sys

import ruff
from pyspark.sql import SparkSession

from awsglue import catalog
from conftest import convert, overrides, run

RUFF = ruff.find_ruff_bin()
RAW, CONVERTED = "raw", "converted"

# A record, and the parameters that map it
EVENT = {"user": "u1", "item": "i1", "kind": "view", "value": 1.5, "at": 1706685644}
MAPPED = {
    "SourceColumnUserId": "user",
    "SourceColumnItemId": "item",
    "SourceColumnEventType": "kind",
    "SourceColumnEventValue": "value",
    "SourceColumnTimestamp": "at",
}


def text(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def each(base, field, values):
    """The record once for each value of the field, and once without it."""
    rest = {name: value for name, value in base.items() if name != field}
    return [rest, *({**rest, field: value} for value in values)]


def dump(record):
    return json.dumps(record, ensure_ascii=False)


FRAMINGS = {
    "lines": lambda records: "".join(dump(r) + "\n" for r in records).encode(),
    "run_together": lambda records: "".join(map(dump, records)).encode(),
    "pretty": lambda records: "\n".join(json.dumps(r, indent=2) for r in records).encode(),
    "array": lambda records: json.dumps(records).encode(),
    "gz": lambda records: gzip.compress("".join(map(dump, records)).encode()),
    "bz2": lambda records: bz2.compress("\r\n".join(map(dump, records)).encode()),
    "bom": lambda records: ("\ufeff" + "\n".join(map(dump, records))).encode(),
}


def session(buckets):
    """A Spark session for which `s3://raw/` and `s3://converted/` are folders."""
    catalog.buckets = buckets
    options = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.default.parallelism": "2",
        "spark.sql.adaptive.enabled": "false",
        # Hive's own reader of CSV, for external tables
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:metastore;create=true",
        "spark.sql.warehouse.dir": buckets / "warehouse",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        "spark.hadoop.fs.viewfs.overload.scheme.target.s3.impl": "org.apache.hadoop.fs.LocalFileSystem",
        # Two processes of these run at the same time on two cores.
        "spark.driver.extraJavaOptions": f"-XX:+UseSerialGC -Dderby.system.home={buckets}",
        # Looks for the line that each column is made in
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.master("local[2]")
    for bucket in (RAW, CONVERTED):
        (buckets / bucket).mkdir()
        options[f"spark.hadoop.fs.viewfs.mounttable.{bucket}.linkFallback"] = (
            buckets / bucket
        ).as_uri()
    for name, value in options.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def run_script(script, *arguments):
    """Runs a job's script as Glue does, and gives what it printed."""
    printed, before = io.StringIO(), sys.argv
    sys.argv = [str(script), "--JOB_NAME", "job", *arguments]
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = before
    return printed.getvalue()


@dataclasses.dataclass
class Case:
    """A source and its mapping, and where both engines put their results."""

    name: str
    folder: pathlib.Path
    """Where the engine works"""
    parameters: dict
    buckets: pathlib.Path

    @property
    def source(self):
        return self.buckets / RAW / self.name

    @property
    def output(self):
        return self.buckets / CONVERTED / self.name / "converted"

    @property
    def rejects(self):
        return self.buckets / CONVERTED / self.name / "rejected" / "bulk"

    def write(self, name, content):
        """A file of the source."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def crawl(self):
        """The table that a crawler would record."""
        table = json.loads(run("crawl", self.source, "--json", "--sample", "all").stdout)
        table["Table"]["DatabaseName"] = "db"
        table["Table"]["StorageDescriptor"]["Location"] = f"s3://{RAW}/{self.name}/"
        return table

    def generate(self, table=None):
        """Renders the plan of the table, which then is in the catalog."""
        table = table or self.crawl()
        catalog.add(table)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "table.json").write_text(json.dumps(table))
        places = {
            "SourceBucketName": RAW,
            "SourceDataPrefix": f"/{self.name}",
            "DestinationBucketName": CONVERTED,
            "DestinationDataPrefix": f"/{self.name}/converted",
            "IncrementalDataPrefix": f"/{self.name}/incremental",
            "RejectedDataPrefix": f"/{self.name}/rejected",
        }
        arguments = overrides(**places, **self.parameters)
        table_file = self.folder / "table.json"
        run("generate", "--table", table_file, "-o", self.folder, *arguments)
        script = self.folder / "conversion_job.py"
        for check in (["check"], ["format", "--check", "--diff"]):
            done = subprocess.run([RUFF, *check, "--isolated", "-q", script], capture_output=True, text=True)
            assert done.returncode == 0, f"{script.read_text()}\n{done.stdout}"
        return script

    def run_engine(self):
        """The lines of the engine's CSV, header first, and the summary."""
        destination = self.folder / "engine.csv"
        plan = self.folder / "plan.json"
        summary = convert(self.source, destination, "--plan", plan, "--threads", "1")
        header, *rows = split(destination.read_text(encoding="utf-8"))
        return [header, *sorted(rows)], summary

    def run_job(self, *arguments):
        """The lines of the job's CSVs, header first, and its counts."""
        printed = run_script(self.folder / "conversion_job.py", *arguments)
        return self.lines(), json.loads(printed.splitlines()[-1])

    def lines(self):
        """The lines of all CSVs in the output folder, in which nothing else may be."""
        rows, headers = [], set()
        for path in self.output.iterdir():
            if path.is_file() and not path.name.endswith(".crc"):
                assert path.suffix == ".csv", path
                header, *lines = split(path.read_text(encoding="utf-8"))
                headers.add(header)
                rows += lines
        (header,) = headers
        return [header, *sorted(rows)]

    def rejected(self):
        """The job's rejects."""
        return [
            json.loads(line)
            for path in sorted(self.rejects.glob("*.jsonl"))
            for line in split(path.read_text(encoding="utf-8"))
        ]

    def compare(self):
        """Generates the job, and fails unless both engines give the same; gives the counts."""
        self.generate()
        return self.compare_results()

    def compare_results(self):
        """Fails unless both engines give the same lines and counts, which it gives."""
        expected, summary = self.run_engine()
        found, counts = self.run_job()
        assert found[0] == expected[0]
        missing, surplus = difference(expected, found), difference(found, expected)
        assert not missing and not surplus, f"missing {missing}, surplus {surplus}"
        names = ["records_read", "records_written", "rows_written", "filtered", "rejected"]
        names += ["rejected_by_reason"]
        wanted = {name: summary[name] for name in names}
        assert counts == wanted, f"{counts} instead of {wanted}"
        assert len(self.rejected()) == counts["rejected"]
        return counts

    def forget(self):
        """Removes the files of the case."""
        for folder in (self.folder, self.source, self.output.parent):
            shutil.rmtree(folder, ignore_errors=True)


def split(text):
    """Lines that a line feed ends, and nothing else."""
    assert text.endswith("\n")
    return text[:-1].split("\n")


def difference(lines, others):
    """A few of the lines that the others do not have, as often."""
    left = list(lines)
    for line in others:
        if line in left:
            left.remove(line)
    return left[:8]
