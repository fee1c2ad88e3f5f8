"""Tables of the results for a terminal."""

from goals import ONE
from results import Results

MEGABYTE = 1_000_000
HEADINGS = ("MB/CPU s", "MB/s", "CPU s", "wall s", "peak MB", "x CPU")


def machine(results: Results) -> str:
    versions = [f"{name} {version}" for name, version in results.machine["versions"].items()]
    return f"{results.machine['cpu']}, {results.machine['cores']} cores; {', '.join(versions)}"


def task(results: Results, name: str) -> str:
    """Floors come last; the last column is the CPU seconds over this project's with one thread."""
    measured = results.tasks[name]
    megabytes = measured["bytes"] / MEGABYTE
    project = results.median(name, ONE, "cpu")
    width = max(map(len, measured["programs"]))
    lines = [
        f"{name}: {megabytes:.0f} MB, {measured['rows']} rows",
        " " * width + "".join(f"{text:>10}" for text in HEADINGS),
    ]
    for program in measured["programs"]:
        cpu, wall, peak = (results.median(name, program, of) for of in ("cpu", "wall", "peak"))
        figures = (
            f"{megabytes / cpu:.{1 if megabytes < 10 * cpu else 0}f}",
            f"{megabytes / wall:.{1 if megabytes < 10 * wall else 0}f}",
            f"{cpu:.2f}",
            f"{wall:.2f}",
            f"{peak:.0f}",
            f"{cpu / project:.2f}",
        )
        lines.append(f"{program:{width}}" + "".join(f"{text:>10}" for text in figures))
    return "\n".join(lines)


def goals(results: Results) -> str:
    lines = [
        f"{goal['verdict']:13}{goal['goal']:66}{goal['measured'] or '':>12}"
        for goal in results.goals
    ]
    return "\n".join(["goals", *lines])
