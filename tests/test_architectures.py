"""The functions start and answer, on this machine's processor and on arm64."""

import os
import platform
import shutil
import subprocess
import time

import pytest

from conftest import ROOT
from deployment import SAM, TEMPLATE
from local_aws.runtime_api import RuntimeApi

ARM64 = "aarch64-unknown-linux-gnu"
# Machine numbers in the header of an ELF file.
MACHINES = {"x86_64": 62, "aarch64": 183}
FUNCTIONS = {
    "convert_object": (b'{"Event": "s3:TestEvent"}', b'{"objects":0}'),
    "generate_artifacts": (
        b'{"source": "aws.glue", "detail-type": "Glue Crawler State Change",'
        b' "detail": {"crawlerName": "c", "state": "Failed"}}',
        b"null",
    ),
}
ENVIRONMENT = {
    "STACK_NAME": "s", "ARTIFACT_BUCKET": "b", "NEW_OBJECTS_RULE": "r", "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_LOG_GROUP_NAME": "g",
    "AWS_LAMBDA_LOG_STREAM_NAME": "l",
}  # fmt: skip


def machine(bootstrap):
    return int.from_bytes(bootstrap.read_bytes()[18:20], "little")


def answer(command, event):
    """What a bootstrap answers to an event."""
    api = RuntimeApi("arn:aws:lambda:us-east-1:123456789012:function:f")
    process = subprocess.Popen(command, env={**ENVIRONMENT, "AWS_LAMBDA_RUNTIME_API": api.address})
    try:
        api.send("request", event, time.time() + 30)
        _, body, failed = api.answers.get(timeout=30)
    finally:
        process.kill()
        process.wait()
        api.close()
    assert not failed, body
    return body


@pytest.mark.parametrize("name", FUNCTIONS)
def test_on_this_machine(name):
    resource = "".join(part.title() for part in name.split("_")) + "Function"
    bootstrap = TEMPLATE.parent / resource / "bootstrap"
    assert machine(bootstrap) == MACHINES[platform.machine()]
    event, expected = FUNCTIONS[name]
    assert answer([bootstrap], event) == expected


@pytest.fixture(scope="module")
def arm64(tmp_path_factory):
    """The folder of both functions, built for arm64."""
    installed = subprocess.run(["rustup", "target", "list", "--installed"], capture_output=True, text=True)
    if ARM64 not in installed.stdout:
        pytest.skip(f"the arm64 functions are not built: run `rustup target add {ARM64}`")
    folder = tmp_path_factory.mktemp("arm64")
    environment = {**os.environ, "PATH": f"{SAM.parent}{os.pathsep}{os.environ['PATH']}"}
    packages = [argument for name in FUNCTIONS for argument in ("--package", name)]
    command = ["cargo", "lambda", "build", "--release", "--locked", "--arm64", *packages]
    done = subprocess.run(
        [*command, "--lambda-dir", folder], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", FUNCTIONS)
def test_on_arm64(arm64, name):
    bootstrap = arm64 / name / "bootstrap"
    assert machine(bootstrap) == MACHINES["aarch64"]
    runner = []
    if platform.machine() != "aarch64":
        emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
        if not emulator:
            pytest.skip("built for arm64, but not run: qemu-aarch64 is not installed")
        runner = [emulator, "-L", os.environ.get("ARM64_SYSROOT", "/usr/aarch64-linux-gnu")]
    event, expected = FUNCTIONS[name]
    assert answer([*runner, bootstrap], event) == expected
