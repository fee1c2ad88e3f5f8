"""The data sets, of the same bytes wherever they are made: `python data.py 100MB FOLDER`."""

import contextlib
import functools
import gzip
import hashlib
import itertools
import json
import pathlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import Self

import pyarrow.csv
import pyarrow.parquet

import events

Sizes = dict[str, int]
LINES = {
    "nested.json": events.nested,
    "shuffled.json": events.shuffled,
    "mixed.json": events.mixed,
    "escapes.json": events.escapes,
}
HEADER = "type,ITEM_ID,USER_ID,EVENT_TYPE,EVENT_VALUE,TIMESTAMP\n"
ROW_GROUP = 1_000_000
SMALL_FILES, SMALL_BYTES = 5_000, 50_000


def prepare(size: str, folder: pathlib.Path) -> Sizes:
    """Makes what is not there; returns how many bytes each source has once it is decompressed."""
    made = folder / "data.json"
    state = {"size": parse(size), "generator": _generator()}
    if made.exists() and (known := json.loads(made.read_text()))["state"] == state:
        return known["sizes"]
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "small").mkdir(parents=True)
    jobs: list[Callable[[], Sizes]] = [
        functools.partial(_flat, folder, parse(size)),
        *(functools.partial(_lines, folder, name, parse(size)) for name in LINES),
        functools.partial(_small, folder / "small"),
    ]
    with ProcessPoolExecutor(max_workers=2) as pool:
        results = [job.result() for job in [pool.submit(job) for job in jobs]]
    sizes = functools.reduce(lambda all_sizes, some: all_sizes | some, results)
    made.write_text(json.dumps({"state": state, "sizes": sizes}, indent=1))
    return sizes


def parse(size: str) -> int:
    """`100MB` as bytes."""
    match = re.fullmatch(r"(\d+)(MB|GB)", size)
    if not match:
        raise SystemExit(f"a size is a number of MB or GB, as in 100MB; this is none: {size}")
    return int(match[1]) * {"MB": 10**6, "GB": 10**9}[match[2]]


class Both:
    """A file, and the same as gzip beside it, as compressed as Firehose leaves it."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.written = 0
        self._plain = path.open("wb")
        self._packed = gzip.GzipFile(f"{path}.gz", "wb", compresslevel=6, mtime=0)

    def write(self, text: str) -> None:
        content = text.encode()
        self.written += self._plain.write(content)
        self._packed.write(content)

    def sizes(self) -> Sizes:
        return {self.path.name: self.written, f"{self.path.name}.gz": self.written}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._plain.close()
        self._packed.close()


def _flat(folder: pathlib.Path, size: int) -> Sizes:
    table = folder / "flat.csv"
    with contextlib.ExitStack() as files:
        lines = files.enter_context(Both(folder / "flat.json"))
        together = files.enter_context(Both(folder / "concat.json"))
        cells = files.enter_context(table.open("w"))
        cells.write(HEADER)
        for batch in events.useritems():
            records = list(map(_useritem, batch))
            lines.write("\n".join(records) + "\n")
            together.write("".join(records))
            cells.writelines(f"useritem,{i},{u},{e},{v},{t}\n" for i, u, e, v, t in batch)
            if lines.written >= size:
                break
    typed = folder / "flat.parquet"
    pyarrow.parquet.write_table(
        pyarrow.csv.read_csv(table), typed, compression="snappy", row_group_size=ROW_GROUP
    )
    columns = {path.name: path.stat().st_size for path in (table, typed)}
    return lines.sizes() | together.sizes() | columns


def _lines(folder: pathlib.Path, name: str, size: int) -> Sizes:
    with Both(folder / name) as output:
        for batch in LINES[name]():
            output.write(batch)
            if output.written >= size:
                break
    return output.sizes()


def _small(folder: pathlib.Path) -> Sizes:
    """As many collectors leave them: thousands of small files."""
    records = map(_useritem, itertools.chain.from_iterable(events.useritems()))
    written = 0
    for number in range(SMALL_FILES):
        content = "".join(f"{record}\n" for record in _take(records, SMALL_BYTES)).encode()
        written += len(content)
        packed = gzip.compress(content, compresslevel=6, mtime=0)
        (folder / f"{number:04}.json.gz").write_bytes(packed)
    return {"small": written}


def _take(records: Iterator[str], size: int) -> Iterator[str]:
    taken = 0
    while taken < size:
        record = next(records)
        taken += len(record)
        yield record


def _useritem(row: events.Row) -> str:
    item, user, event, value, time = row
    return (
        f'{{"type": "useritem", "ITEM_ID": {item}, "USER_ID": {user}, '
        f'"EVENT_TYPE": "{event}", "EVENT_VALUE": {value}, "TIMESTAMP": {time}}}'
    )


def _generator() -> str:
    """Tells data of an earlier generator, which has to be made again."""
    sources = (pathlib.Path(source).read_bytes() for source in (__file__, events.__file__))
    return hashlib.sha256(b"".join(sources)).hexdigest()


if __name__ == "__main__":
    prepare(sys.argv[1], pathlib.Path(sys.argv[2]))
