"""What the tests share: the program under test, run as a user would run it."""

import json
import os
import pathlib
import subprocess

import pytest

from local_aws import FaultProxy, LocalAws

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(
    os.environ.get("PERSONALIZE_PIPELINE", ROOT / "target/release/personalize-pipeline")
)
CORPORA = pathlib.Path(os.environ.get("CORPORA", ROOT / "corpora"))

FLAT = {"USER_ID": "string", "ITEM_ID": "string", "TIMESTAMP": "long"}


def run(*arguments, status=0, **options):
    """Runs the program and gives what it printed; fails unless it ends with the status, if given."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=300, **options
    )
    assert status in (None, done.returncode), f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def convert(source, destination, *arguments, status=0):
    """Converts and gives the JSON summary, whose counts have to add up."""
    done = run("convert", source, destination, "--json", *arguments, status=status)
    summary = json.loads(done.stdout)
    assert (
        summary["records_read"]
        == summary["records_written"] + summary["filtered"] + summary["rejected"]
    )
    assert summary["rejected"] == sum(summary["rejected_by_reason"].values())
    summary["stderr"] = done.stderr
    return summary


def overrides(**parameters):
    return ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())]


def rejects(summary):
    """The rejected records of a conversion."""
    if summary["rejects"] is None:
        return []
    text = pathlib.Path(summary["rejects"]).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def corpus(name):
    """A folder of public test data, or a skip where it is not there."""
    folder = CORPORA / name
    if not folder.is_dir():
        pytest.skip(f"the corpus {name} is not in {CORPORA}; set CORPORA to the folder it is in")
    return folder


@pytest.fixture(scope="session")
def aws(tmp_path_factory):
    """The stand-in for AWS; its crawler sees what the program's `crawl` sees."""
    log = tmp_path_factory.mktemp("local_aws") / "log"
    options = {"crawler": PROGRAM, "crawl_seconds": 0.3, "visibility_seconds": 1, "log": log}
    with LocalAws(**options) as aws:
        yield aws


@pytest.fixture(scope="module")
def broken_proxy(aws):
    """Through it the functions reach S3."""
    with FaultProxy(aws.endpoint) as proxy:
        aws.set(functions_s3_endpoint=proxy.endpoint)
        aws.stop_functions()
        yield proxy
        aws.set(functions_s3_endpoint=None)
        aws.stop_functions()


@pytest.fixture
def proxy(broken_proxy):
    """A proxy without faults, to begin with."""
    yield broken_proxy
    broken_proxy.clear()


@pytest.fixture
def usual(aws):
    """Puts back what a test has changed of the stand-in."""
    yield
    aws.set(max_timeout=None, crawl_seconds=0.3)
    aws.stop_functions()


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """A Spark session; its `buckets` is the folder whose folders stand for S3."""
    import bulk

    buckets = tmp_path_factory.mktemp("buckets")
    session = bulk.session(buckets)
    session.buckets = buckets
    yield session
    session.stop()


@pytest.fixture
def bulk_case(spark, tmp_path, request):
    """Makes a case for both engines from parameters."""
    import bulk

    def make(**parameters):
        name = "".join(c if c.isalnum() else "-" for c in request.node.name)
        return bulk.Case(name, tmp_path / "work", parameters, spark.buckets)

    return make
