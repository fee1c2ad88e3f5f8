"""Whether two CSV files hold the same rows, in whatever order and dialect."""

import csv
import pathlib
from typing import Self

import duckdb


class Rows:
    """The rows of a CSV. This project escapes quotes with a backslash, all others with a quote."""

    def __init__(self, path: pathlib.Path, *, backslashes: bool) -> None:
        with path.open(newline="") as file:
            self.columns = next(csv.reader(file))
        types = dict.fromkeys(self.columns, "VARCHAR")
        escape = "\\" if backslashes else '"'
        self.relation = (
            f"read_csv('{path}', auto_detect=false, header=true, delim=',', quote='\"', "
            f"escape='{escape}', columns={types})"
        )
        # The sum of the rows' hashes does not depend on their order, and counts those that repeat.
        [(self.count, self.digest)] = duckdb.sql(
            f"SELECT count(*), sum(hash({', '.join(self.columns)})::HUGEINT) FROM {self.relation}"
        ).fetchall()

    def difference(self, other: Self) -> str | None:
        """What a reader needs to find out why: counts, and the first rows that differ."""
        if self.columns != other.columns:
            return f"columns {self.columns} and {other.columns}"
        if (self.count, self.digest) == (other.count, other.digest):
            return None
        mine, others = self._without(other), other._without(self)
        return f"{self.count} and {other.count} rows\n  only the first:  {mine}\n  only the second: {others}"

    def _without(self, other: Self) -> list[tuple[str, ...]]:
        return duckdb.sql(
            f"FROM {self.relation} EXCEPT ALL FROM {other.relation} ORDER BY ALL LIMIT 3"
        ).fetchall()
