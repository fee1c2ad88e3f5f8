"""The programs that are compared: this project's, its peers, and floors that none can go below."""

import dataclasses
import importlib.metadata
import pathlib
import shutil
import subprocess
import sys

from tasks import Task

PROJECT = "personalize-pipeline"
PEERS = pathlib.Path(__file__).parent / "peers"
# Where programs are measured that would take hours for all of it
MAIN_TASKS = {"flat", "nested", "csv", "flat.gz", "nested.gz", "small"}


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    role = "peer"

    def version(self) -> tuple[str, str] | None:
        """A name, and which one of it."""
        return None

    def takes(self, task: Task) -> bool:
        raise NotImplementedError

    def command(self, task: Task, data: pathlib.Path, output: pathlib.Path) -> list[object]:
        raise NotImplementedError

    def prepare(self, task: Task, data: pathlib.Path) -> None:
        """What has to be there before and is not measured."""


@dataclasses.dataclass(frozen=True)
class Project(Program):
    """On its command line: with parameters, so that it has a look at the source first, or with
    the plan that they make."""

    binary: pathlib.Path
    threads: int = 1
    planned: bool = False
    role = "project"

    def version(self) -> tuple[str, str] | None:
        return PROJECT, _printed(self.binary, "--version").split()[-1]

    def takes(self, task: Task) -> bool:
        return True

    def command(self, task: Task, data: pathlib.Path, output: pathlib.Path) -> list[object]:
        plan = ["--plan", data / "plan/plan.json"]
        mapping = plan if self.planned else ["--parameter-overrides", *task.parameters]
        files = [data / task.source, output]
        return [self.binary, "convert", *files, "--quiet", "--threads", self.threads, *mapping]

    def prepare(self, task: Task, data: pathlib.Path) -> None:
        if self.planned:
            made = ["--output", data / "plan", "--parameter-overrides", *task.parameters]
            command = [self.binary, "generate", data / task.source, *made]
            subprocess.run(command, check=True, capture_output=True)


@dataclasses.dataclass(frozen=True)
class Peer(Program):
    """A script in the folder of peers."""

    script: str
    package: str
    kinds: tuple[str, ...]
    threads: int = 1
    slow: bool = False

    def version(self) -> tuple[str, str] | None:
        if self.package == "jq":
            return "jq", _printed("jq", "--version").removeprefix("jq-")
        return self.package, importlib.metadata.version(self.package)

    def takes(self, task: Task) -> bool:
        return task.kind in self.kinds and not (self.slow and task.name not in MAIN_TASKS)

    def command(self, task: Task, data: pathlib.Path, output: pathlib.Path) -> list[object]:
        source = data / task.source
        files = source / "*.gz" if source.is_dir() else source
        return [sys.executable, PEERS / self.script, task.kind, files, output, self.threads]


@dataclasses.dataclass(frozen=True)
class Simdjson(Program):
    """A parser and just enough around it to write the same rows: no tool that a user would pick, and
    so none of the peers. It was compiled into their environment."""

    role = "parser"

    def takes(self, task: Task) -> bool:
        return task.name == "flat"

    @property
    def path(self) -> pathlib.Path:
        return pathlib.Path(sys.executable).parent / "simdjson_flat"

    def version(self) -> tuple[str, str] | None:
        return self.name, _printed(self.path, "--version")

    def command(self, task: Task, data: pathlib.Path, output: pathlib.Path) -> list[object]:
        return [self.path, data / task.source, output]


@dataclasses.dataclass(frozen=True)
class Floor(Program):
    """Reads the files and does next to nothing with them."""

    tool: str | pathlib.Path
    compressed_only: bool = False
    role = "floor"

    def takes(self, task: Task) -> bool:
        return task.compressed or not self.compressed_only

    def command(self, task: Task, data: pathlib.Path, output: pathlib.Path) -> list[object]:
        return [self.tool, *task.files(data)]


def programs(binary: pathlib.Path, gunzip: pathlib.Path, peers: list[str]) -> list[Program]:
    """Of the peers those that are named, or else all that are here."""
    everything = ("flat", "concat", "csv", "parquet", "nested")
    lines = ("flat", "csv", "parquet", "nested")
    json = ("flat", "concat", "nested")
    known = {
        "duckdb": [
            Peer("duckdb", "duckdb_sql.py", "duckdb", everything),
            Peer("duckdb, 2 threads", "duckdb_sql.py", "duckdb", everything, threads=2),
        ],
        "chdb": [Peer("chdb", "chdb_sql.py", "chdb", everything)],
        "polars": [Peer("polars", "polars_streaming.py", "polars", lines)],
        "python": [
            Peer("python", "python_orjson.py", "orjson", ("flat", "csv", "nested"), slow=True)
        ],
        "jq": [Peer("jq", "jq_filter.py", "jq", json, slow=True)],
        "spark": [Peer("spark", "spark_local.py", "pyspark", lines, slow=True)],
        "simdjson": [Simdjson("simdjson")],
    }
    if unknown := set(peers) - set(known):
        raise SystemExit(f"no such peers: {', '.join(unknown)}; there are {', '.join(known)}")
    if not peers:
        # Others have to be asked for: Spark is large and takes long, simdjson has to be compiled.
        peers = ["duckdb", "chdb", "polars", "python", *filter(shutil.which, ["jq"])]
    return [
        Project(PROJECT, binary),
        Project(f"{PROJECT}, 2 threads", binary, threads=2),
        Project(f"{PROJECT} --plan", binary, planned=True),
        *(program for name in peers for program in known[name]),
        Floor("cat", "cat"),
        Floor("gunzip", gunzip, compressed_only=True),
    ]


def _printed(*command: object) -> str:
    return subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True
    ).stdout.strip()
