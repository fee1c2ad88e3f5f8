"""The example that data-conversion pipelines for Personalize have been documented with since 2019."""

import json

from conftest import run
from personalize_rules import check

SAMPLE = """{"type": "useritem", "ITEM_ID": 35, "USER_ID": 1, "EVENT_TYPE": "click", 
"EVENT_VALUE": 35, "TIMESTAMP": 1547159644}{"type": "useritem", "ITEM_ID": 34, 
"USER_ID": 1, "EVENT_TYPE": "click", "EVENT_VALUE": 34, "TIMESTAMP": 1547159646}
{"type": "useritem", "ITEM_ID": 29, "USER_ID": 1, "EVENT_TYPE": "click", 
"EVENT_VALUE": 29, "TIMESTAMP": 1547159648}"""
EXPECTED = """ITEM_ID,USER_ID,EVENT_TYPE,EVENT_VALUE,TIMESTAMP
35,1,click,35,1547159644
34,1,click,34,1547159646
29,1,click,29,1547159648
"""


def test_the_sample_becomes_the_rows_that_are_documented(tmp_path):
    source = tmp_path / "useritem/2019/01/10/22/file.json"
    source.parent.mkdir(parents=True)
    source.write_text(SAMPLE)
    done = run("run", tmp_path / "useritem", tmp_path / "out", "--json")
    summary = json.loads(done.stdout)
    assert summary["records_read"] == summary["rows_written"] == 3
    assert (tmp_path / "out/interactions.csv").read_text() == EXPECTED
    check((tmp_path / "out/interactions.csv").read_bytes(), (tmp_path / "out/schema.json").read_text())
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "interactions.csv", "plan.json", "schema.json", "conversion_job.py", "explore.sql", "unload.sql",
    }
