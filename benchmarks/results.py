"""What was measured, as it is kept in results.json."""

import dataclasses
import json
import pathlib
import statistics
from typing import Self


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a program: seconds, and megabytes."""

    cpu: float
    wall: float
    peak: float


@dataclasses.dataclass
class Results:
    machine: dict[str, object]
    size: int
    rounds: int
    # By task: bytes of its source once decompressed, and by program its role and figures
    tasks: dict[str, dict[str, object]] = dataclasses.field(default_factory=dict)
    goals: list[dict[str, object]] = dataclasses.field(default_factory=list)

    def add(self, task: str, program: str, role: str, runs: list[Run]) -> None:
        figures = {}
        for name in ("cpu", "wall", "peak"):
            values = [getattr(run, name) for run in runs]
            median = statistics.median(values)
            figures[name] = {"median": median, "min": min(values), "max": max(values)}
        self.tasks[task]["programs"][program] = {"role": role, **figures}

    def median(self, task: str, program: str, figure: str) -> float:
        return self.tasks[task]["programs"][program][figure]["median"]

    def peers(self, task: str) -> list[str]:
        return [name for name, of in self.tasks[task]["programs"].items() if of["role"] == "peer"]

    def save(self, path: pathlib.Path) -> None:
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: pathlib.Path) -> Self:
        return cls(**json.loads(path.read_text()))
