"""The generated Glue job as a job: what it leaves behind, what it replaces, how it fails."""

import ast
import itertools
import json

import pytest

import bulk
from bulk import EVENT, MAPPED, each, text
from conftest import convert, overrides, run
from test_bulk import PRODUCTS

ODD = [{"user": "u", "int": 1}, 7, "x" * 300, None, 2.5, ["a"], True, 'q"\\', "line\nbreak"]


def namespace(script):
    """The script's definitions, without running it."""
    names = {"__name__": "job"}
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), names)
    return names


def test_a_run_replaces_the_output_of_the_run_before(bulk_case):
    table = bulk_case(**MAPPED)
    table.write("a.json", text(each(EVENT, "user", ["u1", "u2", None])))
    table.generate()
    lines, counts = table.run_job()
    assert counts["rows_written"] == 2 and len(table.rejected()) == 2
    (table.output / "notes.csv").write_text(lines[0] + "\n")
    table.write("a.json", text(each(EVENT, "user", ["u3"])[1:]))
    lines, counts = table.run_job()
    assert lines[1:] == ["i1,u3,view,1.5,1706685644"], "and a file of somebody else's stays"
    assert sorted(path.name for path in table.output.glob("[!.]*")) == ["interactions.csv", "notes.csv"]
    assert table.rejected() == [] and [p for p in table.rejects.glob("[!.]*")] == []


def test_many_files_and_back_to_one(bulk_case):
    table = bulk_case(**MAPPED, OutputFiles="many")
    table.write("a.json", text([{**EVENT, "user": f"u{n}"} for n in range(100)]))
    many = table.compare()
    names = sorted(path.name for path in table.output.glob("[!.]*"))
    assert names == [f"interactions-{n:05d}.csv" for n in range(len(names))] and len(names) > 1
    table.parameters["OutputFiles"] = "single"
    assert table.compare() == many
    assert [path.name for path in table.output.glob("[!.]*")] == ["interactions.csv"]


def test_nothing_to_write_is_a_header(bulk_case):
    for files in ("single", "many"):
        table = bulk_case(**MAPPED, EventTypes="other", OutputFiles=files)
        table.write("a.json", text([EVENT] * 5))
        assert table.compare()["filtered"] == 5
        assert table.lines() == ["ITEM_ID,USER_ID,EVENT_TYPE,EVENT_VALUE,TIMESTAMP"]


def test_a_failed_run_leaves_the_output_of_the_run_before(bulk_case, monkeypatch):
    """Whichever of the moves into place fails, the ones before it are undone."""
    table = bulk_case(**MAPPED)
    table.write("a.json", text(each(EVENT, "user", ["u1", None])))
    script = table.generate()
    before = table.run_job()[0], table.rejected()
    table.write("a.json", text(each(EVENT, "user", ["u2", "u3", ""])))
    monkeypatch.setattr("sys.argv", ["job", "--JOB_NAME", "job"])
    job = namespace(script)
    move = job["Storage"].move

    def run_failing_at(number):
        """Runs the job; says whether the move of that number was reached."""
        moves = itertools.count()

        def failing(storage, source, target):
            if next(moves) == number:
                raise OSError("injected")
            move(storage, source, target)

        monkeypatch.setattr(job["Storage"], "move", failing)
        try:
            job["main"]()
        except OSError as fault:
            assert str(fault) == "injected"
            return True
        return False

    number = 0
    while run_failing_at(number):
        assert (table.lines(), table.rejected()) == before
        assert list(table.rejects.glob("_staging*")) == [], "nothing half-written is left"
        number += 1
    assert number >= 4, "old rows and rejects go, and new ones come"
    assert len(table.lines()) == 3 and len(table.rejected()) == 2


def test_a_source_that_cannot_be_read_or_is_empty_fails_and_changes_nothing(bulk_case):
    table = bulk_case(**MAPPED)
    table.write("a.json", text([EVENT]))
    table.generate()
    lines, _ = table.run_job()
    for content in ('{"user": ', ""):
        table.write("a.json", content)
        with pytest.raises((ValueError, RuntimeError)):
            table.run_job()
        assert table.lines() == lines


def test_a_bookmark_reads_new_files_only_and_puts_their_rows_into_a_folder_of_their_own(bulk_case):
    table = bulk_case(**MAPPED)
    enabled = ("--job-bookmark-option", "job-bookmark-enable")
    table.write("a.json", text([EVENT]))
    script = table.generate()
    bulk.run_script(script, *enabled)
    table.write("b.json", text([{**EVENT, "user": "u2"}, {**EVENT, "user": None}]))
    counts = json.loads(bulk.run_script(script, *enabled))
    assert counts["rows_written"] == counts["rejected"] == 1
    assert "no new files" in bulk.run_script(script, *enabled)
    rows = [path.read_text().splitlines()[1:] for path in sorted(table.output.glob("*/*.csv"))]
    assert sorted(rows) == [["i1,u1,view,1.5,1706685644"], ["i1,u2,view,1.5,1706685644"]]
    assert [path for path in table.output.glob("[!.]*") if path.is_file()] == []


def test_rejects_are_whole_records_that_the_engine_rejects_for_the_same_reasons(bulk_case, tmp_path):
    table = bulk_case(**{**MAPPED, "SourceColumnItemId": "order.products[].sku"})
    records = [{**EVENT, "order": {"products": products}} for products in PRODUCTS]
    records += each({**EVENT, "order": {"products": [{"sku": "s"}]}}, "user", ODD)
    records += [{**EVENT, "at": "?", "more": odd} for odd in ODD]
    table.write("a.json", text(records))
    counts = table.compare()
    again = tmp_path / "again.json"
    again.write_text("\n".join(reject["record"] for reject in table.rejected()), encoding="utf-8")
    summary = convert(again, tmp_path / "again.csv", "--plan", table.folder / "plan.json")
    assert summary["rejected_by_reason"] == counts["rejected_by_reason"]
    kept = [json.loads(reject["record"]) for reject in table.rejected() if '"more"' in reject["record"]]
    whole = [without_nulls(record) for record in records if record.get("more") is not None]
    assert sorted(map(json.dumps, kept)) == sorted(map(json.dumps, whole))


def without_nulls(record):
    return {name: value for name, value in record.items() if value is not None}


HOSTILE = ["\"\"\"\n}}", "'); DROP TABLE x; --", "\\", "{{x}} {{{y}}}", "\"'\"'", "# \u2028 \u202e", "%s{0}$1", "\r\nimport os"]


def test_text_from_parameters_never_breaks_out_of_its_literal(bulk_case):
    names = {name: f"{name}{odd}" for name, odd in zip(EVENT, HOSTILE)}
    records = [{names[name]: value for name, value in EVENT.items()} for _ in HOSTILE]
    for record, odd in zip(records, HOSTILE):
        record[names["kind"]] = odd
    quoted = {key: "`" + names[name].replace("`", "``") + "`" for key, name in MAPPED.items()}
    kept = ",".join('"' + odd.replace('"', '""') + '"' for odd in HOSTILE if odd.strip() == odd)
    table = bulk_case(**quoted, EventTypes=kept)
    table.write("a.json", text(records))
    counts = table.compare()
    assert counts["rows_written"] == counts["records_read"] - counts["filtered"] > 5
    script = (table.folder / "conversion_job.py").read_text(encoding="utf-8")
    strings = {node.value for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Constant)}
    assert {names[name] for name in EVENT} <= strings


def test_a_hostile_pattern_stays_in_its_comment(bulk_case):
    table = bulk_case(**MAPPED, TimestampFormat="yyyy-MM-dd'\nimport os #''\"\\'")
    table.write("a.json", text([{**EVENT, "at": "2024-01-31\nimport os #'\"\\"}, EVENT]))
    assert table.compare()["rows_written"] == 1


def test_the_script_has_no_part_that_its_plan_does_not_need(tmp_path):
    (tmp_path / "t.json").write_text('{"user_id":"u","name":"n"}\n')
    run("generate", tmp_path / "t.json", "-o", tmp_path / "out", *overrides(PersonalizeDatasetName="Users", AdditionalColumns="name:NAME:string"))
    script = (tmp_path / "out/conversion_job.py").read_text()
    for part in ("EVENT_TYPES", "EACH", "exploded", "epoch", "number_cell", "boolean_cell", "def join", "NUMBER"):
        assert part not in script, part
