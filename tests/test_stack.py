"""A stack's life: created, used, updated and deleted with sam. The tests build on each other."""

import collections
import gzip
import json
import random

import pytest

import segment_messages
from deployment import Stack
from local_aws.client import wait_until
from personalize_rules import check, check_schema, read_csv
from segment_messages import messages

USERS_QUEUE = "queue-of-the-user"
ODD_NAMES = ["plain", "two words", "one+one", "100%", "a=b", "ünïcödé", "日本", "(x)&y;z,w", "%2B", "'q'"]


@pytest.fixture(scope="module")
def stack(aws):
    stack = Stack(
        aws, "shop", SourceDataPrefix="/logs/segment-logs", TableName="segment_logs",
        NotificationEmail="data-team@example.com", ConversionSchedule="cron(0 3 * * ? *)",
        CrawlerSchedule="cron(0 2 * * ? *)", **segment_messages.MAPPING,
    )  # fmt: skip
    # The bucket tells a queue of the user's own of everything.
    queue = aws.client("sqs").create_queue(QueueName=USERS_QUEUE)["QueueUrl"]
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    own = {"Id": "mine", "QueueArn": arn["Attributes"]["QueueArn"], "Events": ["s3:ObjectCreated:*"],
           "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "mine/"}]}}}
    stack.s3.put_bucket_notification_configuration(
        Bucket=stack.source, NotificationConfiguration={"QueueConfigurations": [own]},
        SkipDestinationValidation=True,
    )  # fmt: skip
    stack.put("logs/segment-logs/s0/1706659200000/00000.gz", messages(100, seed=1))
    stack.deploy()
    return stack


def notifications(stack):
    found = stack.s3.get_bucket_notification_configuration(Bucket=stack.source)
    queues = [queue["Id"] for queue in found.get("QueueConfigurations", [])]
    return queues, "EventBridgeConfiguration" in found


def converted_rows(stack):
    """The rows in the incremental folder, checked against Personalize's rules."""
    schema = stack.artifact("schema.json")
    return [list(row.values()) for key in stack.csv_keys() for row in check(stack.read(key), schema)]


def event(stack, key, kind):
    """An event that tells of an object once more."""
    head = stack.s3.head_object(Bucket=stack.source, Key=key)
    etag, size = head["ETag"].strip('"'), head["ContentLength"]
    time = stack.receipts()[key]["event_time"]
    if kind == "event_bridge":
        detail = {"bucket": {"name": stack.source}, "object": {"key": key, "size": size, "etag": etag}}
        return {"source": "aws.s3", "detail-type": "Object Created", "time": time, "detail": detail}
    from urllib.parse import quote_plus

    stored = {"key": quote_plus(key, safe="/"), "size": size, "eTag": etag}
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": time,
              "s3": {"bucket": {"name": stack.source}, "object": stored}}
    s3 = {"Records": [record]}
    return s3 if kind == "s3" else {"Type": "Notification", "Message": json.dumps(s3)}


def test_it_is_made_from_the_crawled_table(stack):
    outputs = stack.outputs
    bucket = outputs["ArtifactBucketName"]
    assert outputs["ConversionJobScriptLocation"] == f"s3://{bucket}/conversion_job.py"
    assert outputs["ConversionJobSchemaLocation"] == f"s3://{bucket}/schema.json"
    script = stack.artifact("conversion_job.py")
    compile(script, "conversion_job.py", "exec")
    assert '"segment_logs"' in script and '["properties", "sku"]' in script
    assert list(check_schema(stack.artifact("schema.json"))) == ["ITEM_ID", "USER_ID", "EVENT_TYPE", "TIMESTAMP"]
    assert "EVENT_VALUE is left out" in outputs["ConversionWarnings"]
    for name in ("plan.json", "explore.sql", "unload.sql", "table.json", "parameters.json"):
        assert stack.artifact(name)
    job = stack.aws.client("glue").get_job(JobName=outputs["ConversionGlueJobName"])["Job"]
    assert job["Command"]["ScriptLocation"] == outputs["ConversionJobScriptLocation"]
    crawler = stack.aws.client("glue").get_crawler(Name=outputs["ConversionGlueCrawlerName"])
    grouping = json.loads(crawler["Crawler"]["Configuration"])["Grouping"]
    # The bucket is level 1, logs 2, segment-logs 3.
    assert grouping["TableLevelConfiguration"] == 3


def test_the_users_notifications_stay(stack):
    assert notifications(stack) == (["mine"], True)


@pytest.fixture(scope="module")
def made(stack):
    """200 objects with 20 messages each, by their keys, after they were converted."""
    random_ = random.Random(5)
    all_messages = messages(4000, seed=2)
    made = {}
    for number in range(200):
        name = f"{random_.choice(ODD_NAMES)}-{number}"
        folder = random_.choice(["s1", "deep/er", "year=2026/month=01", "ü b+r"])
        suffix = random_.choice([".json", ".json.gz", "", ".gz"])
        made[f"logs/segment-logs/{folder}/{name}{suffix}"] = all_messages[number * 20 :][:20]
    for key, records in made.items():
        stack.put(key, records)
    wait_until(lambda: len(stack.receipts()) == len(made), 120, "not every object has a receipt")
    stack.settled()
    assert {receipt["state"] for receipt in stack.receipts().values()} == {"complete"}
    return made


def test_new_objects_become_exactly_the_rows_of_an_independent_program(stack, made):
    expected, counts = segment_messages.expected([m for part in made.values() for m in part])
    assert len(expected) > 1000 and counts["rejected"] > 200
    assert sorted(converted_rows(stack)) == sorted(expected)

    receipts = stack.receipts()
    assert receipts.keys() == made.keys()
    total = collections.Counter()
    for key, receipt in receipts.items():
        total.update({name: receipt["counts"][name] for name in counts})
        size = stack.s3.head_object(Bucket=stack.source, Key=key)["ContentLength"]
        assert receipt["source"]["size"] == receipt["counts"]["bytes_read"] == size
        _, own = segment_messages.expected(made[key])
        assert {name: receipt["counts"][name] for name in counts} == own
        rows = len(read_csv(stack.read(receipt["output_key"]).decode())) - 1 if receipt["output_key"] else 0
        assert rows == receipt["counts"]["rows_written"]
    assert total == counts


def test_rejected_records_lie_beside_with_their_reasons(stack, made):
    rejects = [json.loads(line) for key in stack.keys("rejected/") for line in stack.read(key).splitlines()]
    _, counts = segment_messages.expected([m for part in made.values() for m in part])
    assert len(rejects) == counts["rejected"]
    for reject in rejects:
        key = reject["file"].removeprefix(f"s3://{stack.source}/")
        assert json.loads(reject["record"]) in made[key]


def test_output_lies_flat_in_the_folder_of_its_hour(stack, made):
    for key, receipt in stack.receipts().items():
        hour = receipt["event_time"][:13].replace("T", "-")
        for prefix, result in (("incremental", "output_key"), ("rejected", "rejects_key")):
            if receipt[result]:
                assert receipt[result].split("/")[:2] == [prefix, hour] and receipt[result].count("/") == 2
    assert all(key.endswith(".csv") for key in stack.keys("incremental/2"))


def test_every_message_twice_doubles_nothing(stack, made):
    before = {key: stack.read(key) for key in stack.keys("incremental/2") + stack.keys("rejected/")}
    kinds = ["event_bridge", "s3", "sns"]
    for number, key in enumerate(made):
        stack.send(event(stack, key, kinds[number % 3]))
    stack.settled()
    after = {key: stack.read(key) for key in stack.keys("incremental/2") + stack.keys("rejected/")}
    assert after == before
    lines = [line for line in stack.log_lines("ConvertObjectFunction") if line.get("message") == "converted"]
    assert len(lines) >= 2 * len(made)


def test_a_replaced_object_replaces_its_rows(stack, made):
    key = next(key for key in made if key.endswith(".json"))
    first = stack.receipts()[key]
    old_event = event(stack, key, "event_bridge")
    stack.put(key, messages(30, seed=99))
    second = stack.receipt(key, but=first)
    stack.settled()
    made[key] = messages(30, seed=99)
    expected, _ = segment_messages.expected([m for part in made.values() for m in part])
    assert sorted(converted_rows(stack)) == sorted(expected)
    assert first["output_key"] not in stack.csv_keys() and second["output_key"] in stack.csv_keys()

    # The first version's event comes late: it is passed over.
    stack.send(old_event)
    stack.settled()
    assert stack.receipts()[key] == second
    last = stack.log_lines("ConvertObjectFunction")
    skipped = [line for line in last if line.get("message") == "passed over"]
    assert skipped[-1]["reason"] == "it has been replaced since; the replacement's own event follows"


def test_a_poisoned_object_fails_alone_and_at_once(stack):
    good = gzip.compress(json.dumps(messages(1, seed=3)[0]).encode())
    for number in range(10):
        key = f"logs/segment-logs/batch/{number}.gz"
        stack.s3.put_object(Bucket=stack.source, Key=key, Body=good[:-12] if number == 4 else good)
    (letter,) = stack.dead_letters(1)
    reason, body = letter
    assert reason.startswith(f"s3://{stack.source}/logs/segment-logs/batch/4.gz: is gzip-compressed and ends before")
    assert body["detail"]["object"]["key"] == "logs/segment-logs/batch/4.gz"
    stack.settled()
    receipts = stack.receipts()
    done = [number for number in range(10) if f"logs/segment-logs/batch/{number}.gz" in receipts]
    assert done == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    failed = [line for line in stack.log_lines("ConvertObjectFunction") if "batch/4.gz" in line.get("object", "")]
    assert [line["message"] for line in failed] == ["failed for good"]

    # Repaired and sent back, as the README says, it is converted.
    stack.s3.put_object(Bucket=stack.source, Key="logs/segment-logs/batch/4.gz", Body=good)
    assert stack.receipt("logs/segment-logs/batch/4.gz")["counts"]["records_read"] == 1


def test_what_is_no_source_is_passed_over(stack):
    stack.settled()
    before = stack.keys("")
    stack.send({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": stack.source})
    for bucket, key, reason in [
        (stack.destination, "incremental/2026-01-01-00/x.csv", "it is an output of this system"),
        (stack.destination, "converted/interactions.csv", "it is an output of this system"),
        (stack.source, "elsewhere/x.json", "it does not lie under the source prefix"),
        (stack.source, "logs/segment-logs/_temporary/x.json", "a name on its path begins with `.` or `_`, which crawlers pass over"),
        (stack.source, "logs/segment-logs/folder/", "it is a folder's mark"),
        (stack.source, "logs/segment-logs/empty.json", "it is empty"),
        (stack.source, "logs/segment-logs/gone.json", "it has been deleted since"),
    ]:  # fmt: skip
        if "gone" not in key and bucket == stack.source:
            stack.put(key, b"" if "empty" in key or key.endswith("/") else b"{}")
        detail = {"bucket": {"name": bucket}, "object": {"key": key, "etag": "0" * 32}}
        if "empty" in key:
            del detail["object"]["etag"]
        stack.send({"source": "aws.s3", "detail-type": "Object Created", "time": "2026-11-22T19:05:33Z", "detail": detail})
        location = f"s3://{bucket}/{key}"

        def reasons():
            lines = stack.log_lines("ConvertObjectFunction")
            return {line["reason"] for line in lines if line.get("object") == location}

        assert wait_until(reasons, 30, f"{location} was not passed over") == {reason}
    stack.settled()
    assert stack.keys("") == before


def test_messages_about_nothing_go_to_the_dead_letters(stack):
    stack.send('{"unheard": "of"}')
    ((reason, body),) = stack.dead_letters(1)
    assert reason.startswith("the event is none of S3's") and body == {"unheard": "of"}


def test_a_new_mapping_changes_script_schema_and_new_conversions(stack):
    script = stack.artifact("conversion_job.py")
    stack.deploy(
        EventTypes="Order Completed",
        AdditionalColumns="properties.price:PRICE:float,context.library.name:LIBRARY",
    )
    assert stack.artifact("conversion_job.py") != script
    fields = check_schema(stack.artifact("schema.json"))
    assert list(fields)[-2:] == ["PRICE", "LIBRARY"] and fields["PRICE"][0] == "float"
    stack.put("logs/segment-logs/after/update.json", messages(100, seed=8))
    receipt = stack.receipt("logs/segment-logs/after/update.json")
    rows = check(stack.read(receipt["output_key"]), stack.artifact("schema.json"))
    assert len(rows) > 3
    assert {row["EVENT_TYPE"] for row in rows} == {"Order Completed"}
    assert {row["LIBRARY"] for row in rows} == {"analytics-python"}


def test_a_missing_column_fails_the_update_and_everything_stays(stack):
    before = {name: stack.artifact(name) for name in ("plan.json", "schema.json", "conversion_job.py", "parameters.json")}
    output = stack.deploy(status=1, SourceColumnItemId="properties.skew")
    # sam folds the reason into a column of its table.
    folded = "".join(output.split())
    assert "SourceColumnItemIdasksfor`properties.skew`" in folded and "didyoumean`sku`" in folded
    assert stack.describe()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert before == {name: stack.artifact(name) for name in before}


def test_a_crawl_that_finds_a_new_column_renders_again(stack):
    added = {**messages(1, seed=4)[0], "campaign": {"source": "mail"}}
    stack.put("logs/segment-logs/new/column.json", [added])
    # The plan names the column once it is there; the stack's parameters stay.
    crawler = stack.outputs["ConversionGlueCrawlerName"]
    stack.aws.client("glue").start_crawler(Name=crawler)

    def history():
        entries = [json.loads(stack.read(key, stack.outputs["ArtifactBucketName"]))
                   for key in stack.keys("history/", stack.outputs["ArtifactBucketName"])]
        return [entry for entry in entries if entry["schema_changes"]["added"]]

    (entry,) = wait_until(history, 60, "nothing was rendered after the crawl")
    assert entry["cause"] == "crawl" and entry["schema_changes"]["added"] == ["campaign"]
    changes = [line for line in stack.log_lines("GenerateArtifactsFunction") if "SchemaChanges" in line]
    assert changes[-1]["message"] == "the source's schema changed: added: campaign"
    assert changes[-1]["SchemaChanges"] == 1
    assert '"campaign"' in stack.artifact("table.json")


def test_an_edited_script_survives(stack):
    bucket = stack.outputs["ArtifactBucketName"]
    edited = stack.artifact("conversion_job.py") + "\nprint('mine')\n"
    stack.s3.put_object(Bucket=bucket, Key="conversion_job.py", Body=edited.encode())
    stack.deploy(EventTypes="")
    assert stack.artifact("conversion_job.py") == edited
    warning = stack.outputs["ConversionWarnings"]
    assert f"s3://{bucket}/conversion_job.py was edited by a person and is kept" in warning
    rendered = warning.split(f"s3://{bucket}/")[-1]
    assert rendered.startswith("renderings/")
    script = stack.artifact(rendered)
    assert script != edited and "EVENT_TYPES" in edited and "EVENT_TYPES" not in script


def test_the_log_never_shows_where_cloudformation_is_answered(stack):
    log = stack.logs("GenerateArtifactsFunction")
    assert "CloudFormation asks" in log
    assert "X-Amz-Signature" not in log and "ResponseURL" not in log


def test_it_is_deleted_and_what_is_the_users_stays(stack):
    bucket = stack.outputs["ArtifactBucketName"]
    roles = {name: stack.resource(name) for name in ("GenerateArtifactsRole", "ConvertObjectRole")}
    before = {key: stack.read(key) for key in stack.keys("")}
    sources = stack.keys("", stack.source)
    unused = {name: stack.aws.unused(role) for name, role in roles.items()}
    stack.delete()
    assert {key: stack.read(key) for key in stack.keys("")} == before and len(before) > 400
    assert stack.keys("", stack.source) == sources
    assert notifications(stack) == (["mine"], False)
    assert bucket not in [found["Name"] for found in stack.s3.list_buckets()["Buckets"]]
    stack.unused = {
        (name, entry["action"])
        for name, entries in unused.items()
        for entry in entries
        if not stack.aws.calls(roles[name], entry["action"])
    }
    stack.roles = roles


def test_every_call_was_allowed_and_every_permission_was_needed(stack):
    own = [call for call in stack.aws.denied() if stack.name in call["role"] + call["resource"]]
    assert own == []
    # These are needed when things go wrong, which is seen in test_failures.py.
    assert stack.unused == {
        ("GenerateArtifactsRole", "lambda:InvokeFunction"),
        ("GenerateArtifactsRole", "glue:GetTables"),
        ("ConvertObjectRole", "s3:AbortMultipartUpload"),
        ("ConvertObjectRole", "s3:ListBucketMultipartUploads"),
    }
