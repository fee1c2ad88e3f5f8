"""What the converting function costs: real binary, local stand-in for AWS. Run it by `make bench-functions`.

Objects come out of memory, a connection giving as much as one to S3 does; all else is the tests'
stand-in. That is written in Python and shares the machine: with many small objects it is what wall
time is spent on. CPU seconds are those of the function's own processes and do not depend on it.
They are without TLS, which the stand-in does not speak.
"""

import argparse
import base64
import gzip
import io
import json
import os
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path

import pyarrow.json
import pyarrow.parquet

from conftest import PROGRAM
from deployment import Stack
from local_aws import FaultProxy, LocalAws
from local_aws.fault_proxy import Handler

MB, TB = 10**6, 10**12

# S3 user guide, "Performance guidelines": 85-90 MB/s per request in flight, 100-200 ms at first;
# within a Region small requests are answered in some 20 ms ("Performance design patterns").
CONNECTION_BYTES_PER_SECOND = 85 * MB
CONNECTIONS = 4
REQUEST_SECONDS = 0.02
# Messages that the function works on at the same time, and messages of a batch
AT_THE_SAME_TIME = 4
BATCH = 10

# AWS Lambda, "Pricing", us-east-1: per GB-second and per request. 1,769 MB are one vCPU ("Configure memory").
LAMBDA_GB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
LAMBDA_REQUEST = 0.20 / 10**6
LAMBDA_GB = 1769 / 1024
# Amazon S3, "Pricing", us-east-1, S3 Standard: GET and all other; PUT, POST and LIST
S3_GET = 0.0004 / 1000
S3_PUT = 0.005 / 1000
# Amazon EventBridge, SQS (three requests) and CloudWatch Logs (1 KB): of each object
EVENT = (1.00 + 3 * 0.40 + 0.50) / 10**6
# AWS Glue, "Pricing", us-east-1. A G.1X worker is one DPU of four vCPUs and 16 GB.
GLUE_DPU_HOUR = 0.44
# Spark took 14.4 CPU seconds for 200 MB of JSON lines, with every record accounted for.
GLUE_MB_PER_DPU_SECOND = 4 * 200 / 14.4

SEGMENT = {
    "EventTypes": "Product Added,Order Completed,Product Clicked",
    "SourceColumnUserId": "userId",
    "SourceColumnItemId": "properties.sku",
    "SourceColumnEventType": "event",
    "SourceColumnTimestamp": "timestamp",
}


class S3(FaultProxy):
    """Gives `objects` from memory at the pace of S3, and passes all else on."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream, _Handler)
        # With their checksums
        self.objects: dict[str, tuple[bytes, str]] = {}


class _Handler(Handler):
    proxy: S3

    def do_GET(self) -> None:
        found = self.proxy.objects.get(self.path.split("?")[0])
        if found is None:
            return self.handle_any()
        body, checksum = found
        range_ = self.headers.get("Range", "")
        self.proxy.pick(self.command, self.path, range_)
        start, end = 0, len(body)
        if range_:
            first, last = range_.removeprefix("bytes=").split("-")
            start, end = int(first), int(last) + 1
        self.send_response(206 if range_ else 200)
        self.send_header("ETag", f'"{etag(body)}"')
        self.send_header("Content-Length", str(end - start))
        if range_:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(body)}")
        else:
            self.send_header("x-amz-checksum-crc32", checksum)
        self.end_headers()
        try:
            if self.command == "GET":
                self._send(memoryview(body)[start:end])
        except ConnectionError:
            self.close_connection = True

    do_HEAD = do_GET

    def _send(self, body: memoryview) -> None:
        begun, slice_ = time.monotonic(), 1 << 18
        for at in range(0, len(body), slice_):
            ahead = at / CONNECTION_BYTES_PER_SECOND - (time.monotonic() - begun)
            if ahead > 0:
                time.sleep(ahead)
            self.wfile.write(body[at : at + slice_])


def etag(body: bytes) -> str:
    """Of the size alone: a digest of each answer would take longer than the conversion."""
    return md5(str(len(body)).encode()).hexdigest()


def crc32(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4)).decode()


@dataclass
class Case:
    """Objects that are converted, and how many bytes and records of JSON are in them."""

    name: str
    stack: Stack
    objects: list[bytes]
    json_bytes: int
    records: int


@dataclass
class Result:
    """What a case took."""

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int
    gets: int
    puts: int
    invocations: int


def sample(kind: str, records: int) -> bytes:
    """Sample data of the program, unpacked, as one text."""
    with tempfile.TemporaryDirectory() as folder:
        command = [PROGRAM, "sample", kind, folder, "--records", str(records), "--seed", "1"]
        subprocess.run(command, check=True, capture_output=True)
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        bodies = [path.read_bytes() for path in files if "useritem" in str(path) or kind == "segment"]
    return b"".join(gzip.decompress(b) if b.startswith(b"\x1f\x8b") else b for b in bodies)


def slices(text: bytes, size: int, count: int) -> Iterator[bytes]:
    """So many texts of about this size, which end with a line."""
    start = 0
    for _ in range(count):
        if start + size > len(text):
            start = 0
        end = text.index(b"\n", start + size - 1) + 1
        yield text[start:end]
        start = end


def parquet(text: bytes) -> bytes:
    """The same rows, in row groups of a million."""
    lines, out = io.BytesIO(text.replace(b"}{", b"}\n{")), io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.json.read_json(lines), out, row_group_size=10**6)
    return out.getvalue()


def cases(segment: Stack, flat: Stack, columns: Stack, size: int, count: int) -> Iterator[Case]:
    events = sample("segment", 20_000)
    large = events * max(1, size // len(events))
    packed = gzip.compress(large, compresslevel=6)
    small = list(slices(events, 50_000, count))
    rows = sample("firehose", 100_000)
    rows *= max(1, size // len(rows))

    def case(name: str, stack: Stack, objects: list[bytes], text: Iterable[bytes]) -> Case:
        return Case(name, stack, objects, sum(map(len, text)), sum(map(records, text)))

    yield case("Segment events, one object", segment, [large], [large])
    yield case("the same, .gz", segment, [packed], [large])
    name = f"Segment events, {count} × 50 KB, .gz"
    yield case(name, segment, [gzip.compress(text) for text in small], small)
    yield case("flat records, all kept, one object", flat, [rows], [rows])
    yield case("the same as Parquet", columns, [parquet(rows)], [rows])


def records(text: bytes) -> int:
    """How many JSON objects there are, in lines or run together."""
    return text.count(b"}{") + text.count(b"}\n") + text.endswith(b"}")


def processes(function: str) -> list[Path]:
    """The function's processes in /proc."""

    def is_one(process: Path) -> bool:
        try:
            return f"/code/{function}-" in os.readlink(process / "cwd")
        except OSError:
            return False

    return [path for path in Path("/proc").glob("[0-9]*") if is_one(path)]


def cpu_seconds(process: Path) -> float:
    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(process: Path) -> int:
    lines = (process / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def event(bucket: str, key: str, body: bytes) -> dict[str, object]:
    """A queue's message that tells of an object."""
    stored = {"key": key, "size": len(body), "etag": etag(body)}
    detail = {"bucket": {"name": bucket}, "object": stored}
    told = {"source": "aws.s3", "detail-type": "Object Created", "time": "2026-11-22T19:05:33Z", "detail": detail}
    return {"eventSource": "aws:sqs", "messageId": key, "body": json.dumps(told)}


def measure(aws: LocalAws, s3: S3, case: Case, number: int, concurrency: int) -> Result:
    """Converts a case's objects in new processes, told of by batches as a queue gives them."""
    stack, function = case.stack, case.stack.resource("ConvertObjectFunction")
    aws.stop_functions()
    s3.clear()
    objects = {f"source/{number}/{n}.json": body for n, body in enumerate(case.objects)}
    s3.objects = {f"/{stack.source}/{key}": (body, crc32(body)) for key, body in objects.items()}
    messages = [event(stack.source, key, body) for key, body in objects.items()]
    batches = [{"Records": messages[at : at + BATCH]} for at in range(0, len(messages), BATCH)]
    begun = time.monotonic()
    with ThreadPoolExecutor(concurrency) as pool:
        answers = list(pool.map(lambda batch: stack.invoke("ConvertObjectFunction", batch), batches))
    wall = time.monotonic() - begun
    assert all(answer == ({"batchItemFailures": []}, False) for answer in answers), answers
    found = processes(function)
    receipts = stack.receipts()
    read = sum(receipts[key]["counts"]["records_read"] for key in objects)
    assert read == case.records, f"{read} of {case.records} records"
    gets = sum(method in ("GET", "HEAD") for method, _, _ in s3.requests)
    return Result(
        cpu_seconds=sum(map(cpu_seconds, found)),
        wall_seconds=wall,
        peak_bytes=max(map(peak_bytes, found)),
        gets=gets,
        puts=len(s3.requests) - gets,
        invocations=len(batches),
    )


def lambda_seconds(case: Case, result: Result) -> float:
    """What is billed on one vCPU: processor, network or waiting, whichever takes longest."""
    stored = sum(map(len, case.objects))
    network = stored / (CONNECTIONS * CONNECTION_BYTES_PER_SECOND)
    waiting = (result.gets + result.puts) * REQUEST_SECONDS / AT_THE_SAME_TIME
    return max(result.cpu_seconds, network, waiting)


def dollars_per_tb(case: Case, result: Result, architecture: str) -> tuple[float, float]:
    """Of Lambda, and of requests and events, for a TB of JSON."""
    scale = TB / case.json_bytes
    computing = lambda_seconds(case, result) * LAMBDA_GB * LAMBDA_GB_SECOND[architecture]
    requests = result.gets * S3_GET + result.puts * S3_PUT
    events = len(case.objects) * EVENT
    return (
        scale * (computing + result.invocations * LAMBDA_REQUEST),
        scale * (requests + events),
    )


def report(case: Case, result: Result) -> str:
    megabytes = case.json_bytes / MB
    arm, requests = dollars_per_tb(case, result, "arm64")
    x86, _ = dollars_per_tb(case, result, "x86_64")
    return (
        f"{case.name:<34} {sum(map(len, case.objects)) / MB:>7,.0f} {megabytes:>7,.0f}"
        f" {result.cpu_seconds:>7.2f} {megabytes / result.cpu_seconds:>8,.0f}"
        f" {result.wall_seconds:>7.2f} {megabytes / result.wall_seconds:>7,.0f}"
        f" {result.peak_bytes / MB:>7,.0f} {arm:>8.2f} {x86:>8.2f} {requests:>9.2f}"
    )


HEADER = (
    f"{'':<34} {'stored':>7} {'JSON':>7} {'CPU':>7} {'MB per':>8} {'wall':>7} {'MB/s':>7} {'peak':>7}"
    f" {'$ per TB':>8} {'$ per TB':>8} {'requests,':>9}\n"
    f"{'':<34} {'MB':>7} {'MB':>7} {'s':>7} {'CPU s':>8} {'s':>7} {'':>7} {'MB':>7}"
    f" {'arm64':>8} {'x86_64':>8} {'$ per TB':>9}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=512, help="of JSON in a large object")
    parser.add_argument("--objects", type=int, default=2000, help="how many small ones")
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--concurrency", type=int, default=2, help="invocations at the same time")
    parser.add_argument(
        "--glue", type=float, default=GLUE_MB_PER_DPU_SECOND, help="MB a second that a DPU converts"
    )
    given = parser.parse_args()
    with LocalAws(log=os.devnull, crawler=PROGRAM, crawl_seconds=0.3) as aws, S3(aws.endpoint) as s3:
        segment, flat, columns = Stack(aws, "segment", **SEGMENT), Stack(aws, "flat"), Stack(aws, "columns")
        segment.put("source/first.json", sample("segment", 1000))
        flat.put("source/first.json", sample("firehose", 1000))
        columns.put("source/first.json", parquet(sample("firehose", 1000)))
        for stack in (segment, flat, columns):
            assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
        aws.set(functions_s3_endpoint=s3.endpoint)
        print(HEADER, flush=True)
        for case in cases(segment, flat, columns, given.megabytes * MB, given.objects):
            rounds = [measure(aws, s3, case, n, given.concurrency) for n in range(given.rounds)]
            print(report(case, median(rounds)), flush=True)
    glue = TB / MB / given.glue / 3600 * GLUE_DPU_HOUR
    print(f"\nGlue at {given.glue:.0f} MB/s per DPU: ${glue:.2f} per TB, and at least a minute of two DPUs a run")


def median(rounds: list[Result]) -> Result:
    """The round whose CPU seconds are the middle ones."""
    return sorted(rounds, key=lambda result: result.cpu_seconds)[len(rounds) // 2]


if __name__ == "__main__":
    main()
