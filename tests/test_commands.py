"""The commands as they are typed: exit statuses, messages, and what is left on the disk."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

import pytest

from conftest import PROGRAM, ROOT, convert, overrides, run
from personalize_rules import check

GOOD = {"user_id": "u", "item_id": "i", "timestamp": 1_700_000_000}


def source(tmp_path, *records):
    path = tmp_path / "in.json"
    path.write_text("\n".join(map(json.dumps, records or [GOOD])))
    return path


def leftovers(folder):
    return [str(path) for path in folder.rglob("*") if ".personalize-" in path.name]


def test_usage_faults_end_with_status_2(tmp_path):
    path = source(tmp_path)
    assert "Usage" in run("convert", status=2).stderr
    assert "there is no parameter" in run("convert", path, "o.csv", *overrides(Nope=1), status=2).stderr
    assert "KEY=VALUE" in run("convert", path, "o.csv", "--parameter-overrides", "x", status=2).stderr
    assert "auto, seconds" in run("crawl", path, *overrides(TimestampFormat="G"), status=2).stderr
    assert "percentage" in run("convert", path, "o.csv", "--max-rejects", "x", status=2).stderr


def test_overrides_may_stand_anywhere(tmp_path):
    path = source(tmp_path, {"who": "u", "what": "i", "timestamp": 1_700_000_000})
    mapping = overrides(SourceColumnUserId="who", SourceColumnItemId="what")
    for number, arguments in enumerate((
        ["convert", *mapping, path, tmp_path / "0.csv"],
        ["convert", path, *mapping, tmp_path / "1.csv", "--quiet"],
        ["convert", path, tmp_path / "2.csv", *mapping[:2], f"{mapping[0]}={mapping[2]}"],
    )):
        run(*arguments)
        assert (tmp_path / f"{number}.csv").read_text().endswith("\ni,u,1700000000\n")


def test_failures_are_one_line_with_the_remedy(tmp_path):
    missing = run("convert", tmp_path / "nowhere", "o.csv", status=1).stderr
    assert len(missing.splitlines()) == 1 and "nowhere" in missing
    fault = run("crawl", "s3://bucket/prefix", status=1).stderr
    assert "aws s3 sync s3://bucket/prefix" in fault
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/_x").write_text("x")
    assert "1 hidden" in run("crawl", tmp_path / "empty", status=1).stderr
    (tmp_path / "nothing.json").write_text("")
    fault = run("convert", tmp_path / "nothing.json", "o.csv", status=1).stderr
    assert "1 empty" in fault and "panicked" not in fault
    assert "neither a file nor a folder" in run("crawl", "/dev/null", status=1).stderr
    assert "aws s3 cp" in run("convert", source(tmp_path), "s3://b/x.csv", status=1).stderr
    path = source(tmp_path, {"userId": "u", "item_id": "i", "timestamp": 1})
    fault = run("convert", path, "o.csv", status=1).stderr
    assert len(fault.splitlines()) == 1
    for part in ("SourceColumnUserId", "`user_id`", "did you mean `userId`", "SourceColumnUserId=userId"):
        assert part in fault


def test_output_is_never_written_into_its_source(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    source(folder)
    for destination in (folder / "out.csv", folder / "new/out.csv", folder):
        assert "raw data" in run("convert", folder, destination, status=1).stderr
    assert "raw data" in run("run", folder, folder / "out", status=1).stderr
    assert "raw data" in run("convert", folder / "in.json", folder / "in.json", status=1).stderr
    assert json.loads((folder / "in.json").read_text()) == GOOD
    run("convert", folder, tmp_path / "in.csv")


def test_only_regular_files_are_replaced(tmp_path):
    path = source(tmp_path)
    (tmp_path / "link.csv").symlink_to(tmp_path / "target.csv")
    for destination in ("/dev/null", tmp_path / "link.csv"):
        fault = run("convert", path, destination, status=1).stderr
        assert "no regular file" in fault.splitlines()[-1]
    assert (tmp_path / "link.csv").is_symlink()


def test_nobody_has_to_read_to_the_end(tmp_path):
    path = source(tmp_path)
    for command in ([PROGRAM, "crawl", path, "--json"], [PROGRAM, "completions", "bash"]):
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.stdout.close()
        assert running.wait(timeout=60) == 0 and running.stderr.read() == b""
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "crawl", path], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr.startswith("error: cannot write to stdout")


def test_hidden_folders_are_not_even_looked_into(tmp_path):
    folder = tmp_path / "in"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git/broken").symlink_to("nowhere")
    source(folder)
    assert convert(folder, tmp_path / "out.csv")["files"] == 1


def test_many_files_need_few_open_ones(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(200):
        (tmp_path / f"in/{number}.json").write_text(json.dumps(GOOD))
    limited = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    run("convert", tmp_path / "in", tmp_path / "out", "--per-file", preexec_fn=limited)
    assert len(list((tmp_path / "out").iterdir())) == 200


def test_per_file_names_are_the_files_own(tmp_path):
    (tmp_path / "in").mkdir()
    for day in ("01", "02"):
        (tmp_path / f"in/events.2024-01-{day}.json.log").write_text(json.dumps(GOOD))
    convert(tmp_path / "in", tmp_path / "out", "--per-file")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["events.2024-01-01.csv", "events.2024-01-02.csv"]


def test_files_that_do_not_belong_are_named(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").write_text("u1,Berlin\nu2,Rome\n")
    (tmp_path / "in/b.csv").write_text("user_id,home_city\nu3,Paris\n")
    (tmp_path / "in/c.json").write_text(json.dumps(GOOD))
    users = overrides(PersonalizeDatasetName="Users", SourceColumnUserId="col0")
    errors = run("convert", tmp_path / "in", tmp_path / "out.csv", *users).stderr
    assert "b.csv has a header, unlike the files before it" in errors
    assert "c.json is json, unlike the files before it" in errors


def test_an_action_is_not_an_item(tmp_path):
    record = {**GOOD, "item_id": "ITEM", "action_id": "ACT", "event_type": "Viewed"}
    dataset = {"PersonalizeDatasetName": "ActionInteractions"}
    for more, expected in (({}, "ACT"), ({"SourceColumnItemId": "item_id "}, "ACT")):
        convert(source(tmp_path, record), tmp_path / "out.csv", *overrides(**dataset, **more))
        header, row = (tmp_path / "out.csv").read_text().splitlines()
        assert header.startswith("ACTION_ID,USER_ID") and row.startswith(expected)


def test_a_single_files_partitions_do_not_depend_on_how_it_was_typed(tmp_path):
    folder = tmp_path / "in/2024/month=01"
    folder.mkdir(parents=True)
    path = source(folder)
    columns = overrides(AdditionalColumns="partition_0:P,month:M")
    run("generate", tmp_path / "in", "-o", tmp_path / "plan", *columns)
    for typed, expected in ((tmp_path / "in", "2024,01"), (path, ",01"), (os.path.relpath(path), ",01")):
        convert(typed, tmp_path / "out.csv", "--plan", tmp_path / "plan/plan.json")
        assert (tmp_path / "out.csv").read_text().splitlines()[1].endswith("," + expected)


def test_a_first_row_that_names_what_is_asked_for_is_a_header(tmp_path):
    (tmp_path / "in.csv").write_text(",User Name,city,city\n0,ann,Rome,x\n1,bob,Oslo,y\n")
    users = overrides(
        PersonalizeDatasetName="Users", SourceColumnUserId="User Name", AdditionalColumns="col0:N"
    )
    convert(tmp_path / "in.csv", tmp_path / "out.csv", *users)
    assert (tmp_path / "out.csv").read_text() == "USER_ID,N\nann,0\nbob,1\n"
    users[-1] = "AdditionalColumns=city,col3:AGAIN"
    convert(tmp_path / "in.csv", tmp_path / "out.csv", *users)
    assert (tmp_path / "out.csv").read_text() == "USER_ID,CITY,AGAIN\nann,Rome,x\nbob,Oslo,y\n"


def test_too_many_rejects_fail_without_a_csv(tmp_path):
    path = source(tmp_path, GOOD, {**GOOD, "item_id": None})
    for limit, status in (("1", 0), ("50%", 0), ("0", 1), ("49.9%", 1)):
        out = tmp_path / f"out{limit}"
        done = run("convert", path, out / "x.csv", "--rejects", out, "--max-rejects", limit, status=status)
        assert (out / "x.csv").exists() == (status == 0)
        assert (out / "rejects.jsonl").exists()
        assert status == 0 or "1 of 2 records" in done.stderr
        assert leftovers(out) == []


def test_a_clean_run_takes_the_rejects_of_an_earlier_one_away(tmp_path):
    path = source(tmp_path, GOOD, {**GOOD, "item_id": None})
    convert(path, tmp_path / "out.csv")
    assert (tmp_path / "out.csv.rejects/rejects.jsonl").exists()
    source(tmp_path)
    convert(path, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv.rejects/rejects.jsonl").exists()


def test_a_failed_run_leaves_what_an_earlier_one_wrote(tmp_path):
    path = source(tmp_path, GOOD, {**GOOD, "item_id": None})
    run("generate", path, "-o", tmp_path / "plan")
    convert(path, tmp_path / "out.csv")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and "out" in str(p)}
    (tmp_path / "bad.json").write_bytes(b"PAR1....")
    run("convert", tmp_path / "bad.json", tmp_path / "out.csv", "--plan", tmp_path / "plan/plan.json", status=1)
    assert all(p.read_bytes() == content for p, content in before.items())


@pytest.mark.parametrize("options", [[], ["--threads", "1"], ["--per-file"]])
def test_a_full_disk_ends_the_run_and_leaves_nothing_behind(tmp_path, options):
    (tmp_path / "in").mkdir()
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"in/{name}.json").write_text(json.dumps(GOOD) * 50_000)
    before = sorted(tmp_path.rglob("*"))

    def small_disk():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    done = run("convert", tmp_path / "in", tmp_path / "new/out", *options, "-q", status=1, preexec_fn=small_disk)
    (line,) = done.stderr.splitlines()
    assert "the output cannot be written" in line and "large" in line
    assert sorted(tmp_path.rglob("*")) == before


def test_files_have_the_usual_permissions(tmp_path):
    convert(source(tmp_path), tmp_path / "out.csv")
    (tmp_path / "usual").write_text("")
    assert (tmp_path / "out.csv").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["convert", "run"])
def test_an_interruption_leaves_nothing_behind(tmp_path, stop, command):
    line = json.dumps(GOOD) + "\n" + json.dumps({**GOOD, "item_id": None}) + "\n"
    with open(tmp_path / "in.json", "w") as out:
        for _ in range(3000):
            out.write(line * 1000)
    before = sorted(tmp_path.rglob("*"))
    destination = tmp_path / "new/folder" / ("out.csv" if command == "convert" else "")
    running = subprocess.Popen(
        [PROGRAM, command, tmp_path / "in.json", destination], stderr=subprocess.PIPE, text=True
    )
    deadline = time.time() + 60
    while not leftovers(tmp_path) and running.poll() is None and time.time() < deadline:
        time.sleep(0.01)
    assert running.poll() is None, "it should still be at work"
    running.send_signal(stop)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130 and "interrupted" in errors
    assert sorted(tmp_path.rglob("*")) == before


def test_samconfig_gives_what_sam_deploy_would_use(tmp_path):
    path = source(tmp_path, {"who": "u", "what": "i", "timestamp": 1_700_000_000, "kind": "Buy, now"})
    (tmp_path / "samconfig.toml").write_text(
        """version = 0.1
[default.deploy.parameters]
stack_name = "x"
parameter_overrides = "SourceColumnUserId=who SourceColumnItemId=\\"what\\""
[prod.deploy.parameters]
parameter_overrides = ["SourceColumnUserId=who", "SourceColumnItemId=what",
    "SourceColumnEventType=kind", 'EventTypes="Buy, now"']
"""
    )
    config = ["--samconfig", tmp_path / "samconfig.toml"]
    assert convert(path, tmp_path / "out.csv", *config)["rows_written"] == 1
    # The comma inside an event type needs quotes of its own.
    fault = convert(path, tmp_path / "out.csv", *config, "--config-env", "prod")
    assert fault["filtered"] == 1
    more = overrides(EventTypes='"Buy, now"')
    assert convert(path, tmp_path / "out.csv", *config, "--config-env", "prod", *more)["filtered"] == 0
    assert "it has default, prod" in run("crawl", path, *config, "--config-env", "x", status=1).stderr


def test_a_conversion_needs_little_memory_whatever_the_size(tmp_path):
    block = "".join(json.dumps({**GOOD, "item_id": f"i{n}", "text": "x" * 100}) for n in range(5000))
    with open(tmp_path / "in.json", "w") as out:
        for _ in range(400):
            out.write(block)
    subprocess.run(["gzip", "-1", "-k", tmp_path / "in.json"], check=True)
    run("generate", tmp_path / "in.json", "-o", tmp_path / "plan")
    for name in ("in.json", "in.json.gz"):
        script = (
            "import resource, subprocess, sys\n"
            "subprocess.run(sys.argv[1:], check=True)\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, PROGRAM, "convert", tmp_path / name, tmp_path / "out.csv",
             "--threads", "1", "--quiet", "--plan", tmp_path / "plan/plan.json"],
            capture_output=True, text=True, check=True,
        )
        assert int(done.stdout) < 64 * 1024, f"{name}: {done.stdout} KiB"
    assert sum(1 for _ in open(tmp_path / "out.csv")) == 2_000_001


def test_samples_are_the_same_for_a_seed(tmp_path):
    for kind in ("firehose", "segment", "csv"):
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            run("sample", kind, tmp_path / kind / name, "--records", 3000, "--seed", seed)
        contents = [
            {
                path.relative_to(tmp_path / kind / name): path.read_bytes()
                for path in sorted((tmp_path / kind / name).rglob("*"))
                if path.is_file()
            }
            for name in "abc"
        ]
        assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize("dataset", ["Interactions", "Users", "Items", "Actions", "ActionInteractions"])
def test_every_dataset_passes_the_rules(tmp_path, dataset):
    path = tmp_path / "in.json"
    records = [
        {
            "user_id": n, "item_id": f"i{n}", "action_id": f"a{n}", "timestamp": "2024-02-29T12:00:00+01:00",
            "event_type": "Taken", "event_value": n / 4, "age": n, "tags": ["a|b", "c", None],
            "member": n % 2 == 0, "description": 'A "fine"\nthing, \\ or not', "creation_timestamp": 1700000000123,
        }
        for n in range(50)
    ]
    path.write_text("".join(map(json.dumps, records)))
    done = run("run", path, tmp_path / "out", "--json", *overrides(PersonalizeDatasetName=dataset))
    assert json.loads(done.stdout)["rows_written"] == 50
    csv_path = tmp_path / f"out/{dataset.lower()}.csv"
    rows = check(csv_path.read_bytes(), (tmp_path / "out/schema.json").read_text())
    assert len(rows) == 50
    if dataset in ("Users", "Items", "Actions"):
        assert rows[0]["TAGS"] == "a b|c" and rows[1]["MEMBER"] == "False"
        assert rows[0]["DESCRIPTION"] == 'A "fine" thing, \\ or not'


@pytest.mark.parametrize("domain", ["ECOMMERCE", "VIDEO_ON_DEMAND"])
def test_every_domain_passes_the_rules(tmp_path, domain):
    (tmp_path / "in.json").write_text(
        json.dumps({
            "itemId": "i", "price": "9.90", "categoryL1": "Shoes", "genres": ["Drama", "Crime"],
            "creationTimestamp": "2024-01-01", "product_description": "a, b",
        })
    )
    run("run", tmp_path / "in.json", tmp_path / "out",
        *overrides(PersonalizeDatasetName="Items", PersonalizeDomain=domain, SourceColumnItemId="itemId"))
    (row,) = check((tmp_path / "out/items.csv").read_bytes(), (tmp_path / "out/schema.json").read_text())
    assert row["CREATION_TIMESTAMP"] == "1704067200"
    assert row["PRICE"] == "9.9" and row["GENRES"] == "Drama|Crime"


def test_the_generated_job_is_python(tmp_path):
    mapping = overrides(
        EventTypes='O\'Brien\'s "best",}{ \\', SourceColumnEventType="event_type", TableName='"""'
    )
    run("generate", source(tmp_path, {**GOOD, "event_type": "x"}), "-o", tmp_path / "out", *mapping)
    compile((tmp_path / "out/conversion_job.py").read_text(), "conversion_job.py", "exec")


def test_help_has_an_example_for_every_command():
    for command in ("crawl", "generate", "convert", "run", "sample"):
        assert "Example:\n  personalize-pipeline" in run(command, "--help").stdout
    for shell in ("bash", "zsh", "fish"):
        assert "personalize-pipeline" in run("completions", shell).stdout


def test_the_readmes_commands_run_as_written(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```bash\n(# Something to try it on.*?)```", readme, re.S)
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", block], cwd=tmp_path, env={**os.environ, "PATH": path},
        capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stderr
    header, *converted = (tmp_path / "interactions.csv").read_text(encoding="utf-8").splitlines()
    assert header == "ITEM_ID,USER_ID,EVENT_TYPE,TIMESTAMP" and len(converted) > 3000
    schema = (tmp_path / "out/schema.json").read_text()
    rows = check((tmp_path / "out/interactions.csv").read_bytes(), schema)
    assert len(rows) > 1000 and all("|" in row["CATEGORY"] for row in rows)


def test_the_readme_lists_every_parameter():
    source_text = (ROOT / "crates/plan/src/parameters.rs").read_text()
    names = re.findall(r'^    "([A-Za-z]+)" = "', source_text, re.M)
    readme = (ROOT / "README.md").read_text()
    assert len(names) == 30
    assert [name for name in names if f"`{name}`" not in readme] == []
