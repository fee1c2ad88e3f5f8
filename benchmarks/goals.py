"""How fast this project means to be, in one place, and whether it is."""

import dataclasses
from collections.abc import Callable

from results import Results

ONE, TWO = "personalize-pipeline", "personalize-pipeline, 2 threads"


@dataclasses.dataclass(frozen=True)
class Goal:
    what: str
    bound: float
    measured: Callable[[Results], float]
    at_most: bool = False
    unit: str = "x"

    def verdict(self, results: Results) -> dict[str, object]:
        try:
            value = self.measured(results)
        except (LookupError, ValueError):  # of a task or a program that did not take part
            return {"goal": str(self), "verdict": "not measured", "measured": None}
        reached = value <= self.bound if self.at_most else value >= self.bound
        verdict = "reached" if reached else "missed"
        return {"goal": str(self), "verdict": verdict, "measured": f"{value:.2f}{self.unit}"}

    def __str__(self) -> str:
        return f"{self.what} {'<=' if self.at_most else '>='} {self.bound:g}{self.unit}"


def _less_than(peer: str, task: str, times: float) -> Goal:
    def ratio(results: Results) -> float:
        return results.median(task, peer, "cpu") / results.median(task, ONE, "cpu")

    return Goal(f"{task}: CPU of {peer}", times, ratio)


def _less_than_all(task: str, times: float) -> Goal:
    def ratio(results: Results) -> float:
        fastest = min(results.median(task, peer, "cpu") for peer in results.peers(task))
        return fastest / results.median(task, ONE, "cpu")

    return Goal(f"{task}: CPU of the fastest peer", times, ratio)


def _threads(task: str, times: float) -> Goal:
    def ratio(results: Results) -> float:
        return results.median(task, ONE, "wall") / results.median(task, TWO, "wall")

    return Goal(f"{task}: wall of one thread over that of two", times, ratio)


def _decoding(task: str, times: float) -> Goal:
    def ratio(results: Results) -> float:
        return results.median(task, TWO, "wall") / results.median(task, "gunzip", "wall")

    return Goal(f"{task}: wall of two threads over that of gunzip", times, ratio, at_most=True)


def _memory(program: str, megabytes: float) -> Goal:
    def peak(results: Results) -> float:
        return max(results.median(task, program, "peak") for task in results.tasks)

    return Goal(f"memory of {program}", megabytes, peak, at_most=True, unit=" MB")


GOALS = [
    _less_than_all("flat", 4),
    _less_than_all("concat", 4),
    _less_than("duckdb", "flat", 5),
    _less_than("duckdb", "concat", 5),
    _less_than_all("nested", 3),
    _less_than("duckdb", "shuffled", 2),
    _less_than("duckdb", "mixed", 2),
    _less_than("duckdb", "escapes", 2),
    _less_than("polars", "csv", 5),
    _less_than("polars", "parquet", 1.8),
    _less_than_all("flat.gz", 3),
    _less_than_all("nested.gz", 2.2),
    _decoding("flat.gz", 1.25),
    _decoding("nested.gz", 1.25),
    _less_than_all("small", 4),
    _threads("flat", 1.4),
    _less_than("python", "flat", 15),
    _less_than("simdjson", "flat", 1),
    _memory(ONE, 64),
    _memory(TWO, 128),
]
