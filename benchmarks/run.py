"""Compares this project with its peers: the same rows of the same files, one process each.

Before anything is measured, the rows of each program are compared with this project's, since what
is fast and wrong is not worth comparing. `make bench` has everything ready that this needs.
"""

import argparse
import contextlib
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import data
import report
from goals import GOALS
from programs import PROJECT, Program, programs
from results import Results, Run
from rows import Rows
from tasks import TASKS, Task

MEASURE = pathlib.Path(__file__).parent / "measure.py"
BUILD = pathlib.Path("build/bench")
MEGABYTE = 1_000_000


def main() -> None:
    options = _options()
    tasks = [task for task in TASKS if not options.tasks or task.name in options.tasks]
    contestants = programs(options.program, options.gunzip, options.peers)
    folder = BUILD / options.size
    print(f"data of {options.size} in {folder}", flush=True)
    sizes = data.prepare(options.size, folder)
    results = Results(_machine(contestants), data.parse(options.size), options.rounds)
    print(report.machine(results), flush=True)
    for task in tasks:
        takers = [program for program in contestants if program.takes(task)]
        rows = _compare(task, takers, folder)
        results.tasks[task.name] = {"bytes": sizes[task.source], "rows": rows, "programs": {}}
        for program, runs in _measure(task, takers, folder, options.rounds).items():
            results.add(task.name, program.name, program.role, runs)
        print(f"\n{report.task(results, task.name)}", flush=True)
    results.goals = [goal.verdict(results) for goal in GOALS]
    print(f"\n{report.goals(results)}")
    results.save(folder / "results.json")
    print(f"\nall figures, with their spread, are in {folder / 'results.json'}")


def _compare(task: Task, takers: list[Program], folder: pathlib.Path) -> int:
    """The number of rows, the same for all. This also brings the files into the page cache."""
    with _output(folder) as kept:
        expected = None
        for program in takers:
            program.prepare(task, folder)
            with _output(folder) as output:
                _run(program, task, folder, output)
                if program.role == "floor":
                    continue
                if expected is None:
                    expected = Rows(output.rename(kept), backslashes=True)
                    continue
                found = Rows(output, backslashes=program.role == "project")
                if difference := expected.difference(found):
                    raise SystemExit(f"{task.name}, {PROJECT} and {program.name}: {difference}")
    return expected.count


def _measure(
    task: Task, takers: list[Program], folder: pathlib.Path, rounds: int
) -> dict[Program, list[Run]]:
    """In turns, since machines have slow and fast minutes. Another begins each time, and every other
    time it goes backwards, since each leaves memory and caches in some state to the next."""
    runs: dict[Program, list[Run]] = {program: [] for program in takers}
    for number in range(rounds):
        first = number % len(takers)
        order = takers[first:] + takers[:first]
        for program in order if number % 2 == 0 else reversed(order):
            with _output(folder) as output:
                runs[program].append(_run(program, task, folder, output))
    return runs


@contextlib.contextmanager
def _output(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """A file to write, which goes with everything that is written beside it."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        yield pathlib.Path(scratch, "rows.csv")


def _run(program: Program, task: Task, folder: pathlib.Path, output: pathlib.Path) -> Run:
    command = map(str, program.command(task, folder, output))
    # Floors print, to nowhere: gigabytes on their way to the disk would slow down what comes next.
    done = subprocess.run(
        [sys.executable, "-I", "-S", MEASURE, os.devnull, *command],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{task.name}: {program.name} failed:\n{done.stderr}")
    cpu, wall, peak = map(float, done.stdout.split())
    return Run(cpu, wall, peak / MEGABYTE)


def _machine(contestants: list[Program]) -> dict[str, object]:
    cpu = platform.processor() or platform.machine()
    described = pathlib.Path("/proc/cpuinfo")
    if described.exists():
        models = [line for line in described.read_text().splitlines() if "model name" in line]
        cpu = models[0].partition(": ")[2] if models else cpu
    versions = dict(filter(None, (program.version() for program in contestants)))
    versions["Python"] = platform.python_version()
    return {"cpu": cpu, "cores": os.cpu_count(), "versions": versions}


def _options() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return [name for name in text.split(",") if name]

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="100MB", help="of each set of data, as in 100MB or 1GB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=names, default=[], help="comma-separated; all if empty")
    parser.add_argument("--peers", type=names, default=[], help="comma-separated")
    parser.add_argument("--program", type=pathlib.Path, required=True, help="this project's")
    parser.add_argument("--gunzip", type=pathlib.Path, required=True, help="its decompression")
    options = parser.parse_args()
    known = [task.name for task in TASKS]
    if unknown := set(options.tasks) - set(known):
        parser.error(f"no such tasks: {', '.join(unknown)}; there are {', '.join(known)}")
    return options


if __name__ == "__main__":
    main()
