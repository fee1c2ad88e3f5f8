"""What goes wrong at a stack's creation and while objects are converted, and what is said of it."""

import http.server
import json
import threading

import pytest

from conftest import ROOT
from deployment import RECORD, Stack, lines, names, piece, records
from local_aws.client import wait_until


def failing(aws, name, status="ROLLBACK_COMPLETE", **parameters):
    """A stack that cannot be created, and why."""
    stack = Stack(aws, name, **parameters)
    if "empty" not in name:
        stack.put("source/a.json", [RECORD])
    assert stack.launch() == status
    return stack, stack.reasons()


@pytest.fixture(scope="module")
def stack(aws, broken_proxy):
    stack = Stack(aws, "trouble")
    stack.put("source/first.json", [RECORD])
    assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
    yield stack
    stack.remove()


# Creation


def test_without_data_creation_says_where_it_was_looked_for(aws):
    stack, reasons = failing(aws, "empty")
    assert f"nothing that it knows lies in s3://{stack.source}/source" in reasons
    # What was made before the failure is gone again.
    buckets = [bucket["Name"] for bucket in stack.s3.list_buckets()["Buckets"]]
    assert [bucket for bucket in buckets if "empty-artifact" in bucket] == []


def test_tables_of_other_names_are_named(aws):
    aws.next_crawl_makes("a", "b")
    stack, reasons = failing(aws, "names")
    assert f"has no table `source`; the crawler made a (s3://{stack.source}/source/), b (s3://{stack.source}/source/). Set TableName" in reasons


def test_a_failed_crawl_is_told(aws):
    aws.fail_next_crawl("Insufficient Lake Formation permission(s)")
    _, reasons = failing(aws, "crawl")
    assert "failed: Insufficient Lake Formation permission(s); see its log group" in reasons


def test_a_missing_column_is_told_with_those_that_are_there(aws):
    _, reasons = failing(aws, "column", SourceColumnUserId="userid")
    assert "SourceColumnUserId asks for `userid`" in reasons
    assert "did you mean `user_id`?" in reasons


def test_output_inside_the_input_is_refused_before_anything_runs(aws):
    name = "nested"
    _, reasons = failing(aws, name, DestinationBucketName=f"{name}-raw-data", RejectedDataPrefix="/source/bad")
    assert "RejectedDataPrefix" in reasons and "converted files would be read as raw data" in reasons
    assert aws.calls(role=f"{name}-GenerateArtifacts", action="glue:StartCrawler") == []


def test_equal_folders_are_refused_by_the_template(aws):
    stack = Stack(aws, "equal", IncrementalDataPrefix="/converted")
    with pytest.raises(Exception, match="DestinationDataPrefix and IncrementalDataPrefix must differ"):
        stack.launch()


def test_a_crawl_longer_than_the_function_and_an_unanswered_answer(aws, usual):
    """The function invokes itself to go on waiting, and answers until it is heard."""
    aws.set(crawl_seconds=6, max_timeout=9)
    aws.refuse_responses(2)
    stack = Stack(aws, "patience")
    stack.put("source/a.json", [RECORD])
    assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
    log = stack.log_lines("GenerateArtifactsFunction")
    messages = [line.get("message") for line in log]
    assert "the crawler still runs; the next invocation goes on waiting" in messages
    assert messages.count("CloudFormation could not be answered; trying again") == 2
    assert messages.count("crawler started") == 1
    stack.remove()


def test_a_table_of_another_folder_is_not_taken_for_the_raw_datas(aws):
    """SourceDataPrefix is changed, and TableName forgotten."""
    stack = Stack(aws, "moved")
    stack.put("source/a.json", [RECORD])
    assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
    stack.put("events/year=2026/b.json", [RECORD])
    assert stack.change(SourceDataPrefix="/events") == "UPDATE_ROLLBACK_COMPLETE"
    reasons = stack.reasons()
    assert f"table `source` lies in s3://{stack.source}/source/" in reasons
    assert f"has events (s3://{stack.source}/events/), source (" in reasons
    assert json.loads(stack.artifact("plan.json"))["source"]["prefix"] == "source"
    stack.parameters["SourceDataPrefix"] = "/source"
    stack.remove()


def test_a_rollback_succeeds_although_the_data_has_changed(aws):
    """A column was renamed; the update that follows it has a typing error."""
    stack = Stack(aws, "renamed")
    stack.put("source/a.json", [RECORD])
    assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
    plan = stack.artifact("plan.json")
    stack.s3.delete_object(Bucket=stack.source, Key="source/a.json")
    stack.put("source/b.json", [{"uid": "u", "item_id": "i", "timestamp": 1706685644}])
    assert stack.change(SourceColumnUserId="uidd") == "UPDATE_ROLLBACK_COMPLETE"
    assert "did you mean `uid`?" in stack.reasons()
    assert stack.artifact("plan.json") == plan
    assert "the plan in force is kept" in stack.logs("GenerateArtifactsFunction")
    assert stack.change(SourceColumnUserId="uid") == "UPDATE_COMPLETE"
    stack.remove()


def test_a_stack_is_deleted_while_its_crawler_runs(aws, usual):
    stack = Stack(aws, "running")
    stack.put("source/a.json", [RECORD])
    assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
    aws.set(crawl_seconds=60)
    aws.client("glue").start_crawler(Name=stack.outputs["ConversionGlueCrawlerName"])
    stack.remove()
    assert aws.calls("running-GenerateArtifacts", "glue:StopCrawler")


def test_more_artifacts_than_a_page_are_removed_and_the_users_own_are_not(aws):
    stack = Stack(aws, "pages")
    stack.put("source/a.json", [RECORD])
    assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
    bucket = stack.outputs["ArtifactBucketName"]
    for number in range(1100):
        stack.s3.put_object(Bucket=bucket, Key=f"history/{number % 7}.json", Body=b"{}")
    stack.remove()
    assert bucket not in [found["Name"] for found in stack.s3.list_buckets()["Buckets"]]


# Conversion


@pytest.mark.parametrize("path", sorted(ROOT.glob("events/convert_*.json")), ids=lambda path: path.stem)
def test_the_sample_events_are_understood(stack, path):
    key = f"source/year=2026/part 1+a {path.stem}.json"
    etag = stack.put(key, records(3))["ETag"].strip('"')
    stack.receipt(key)
    text = path.read_text().replace("my-raw-data", stack.source)
    text = text.replace("d41d8cd98f00b204e9800998ecf8427e", etag)
    text = text.replace("part+1%2Ba.json", f"part+1%2Ba+{path.stem}.json")
    text = text.replace("part 1+a.json", f"part 1+a {path.stem}.json")
    stack.settled()
    before = len(converted_lines(stack, key))
    answer, failed = stack.invoke("ConvertObjectFunction", json.loads(text))
    assert not failed, answer
    assert answer in ({"objects": 1}, {"batchItemFailures": []})
    assert len(converted_lines(stack, key)) == before + ("test_event" not in path.stem)


def converted_lines(stack, key):
    location = f"s3://{stack.source}/{key}"
    found = stack.log_lines("ConvertObjectFunction")
    return [line for line in found if line.get("object") == location and line["message"] == "converted"]


def test_a_body_that_breaks_is_resumed(stack, proxy):
    proxy.fail("truncate", method="GET", path="/source/broken", times=3, bytes=300_000)
    stack.put("source/broken.json", lines(20_000))
    receipt = stack.receipt("source/broken.json")
    assert proxy.count("truncate") == 3
    assert stack.users(receipt["output_key"]) == names(20_000)


def test_services_that_are_busy_are_asked_again(stack, proxy):
    proxy.fail("status", method="GET", path="/source/busy", times=2, status=503, code="SlowDown")
    proxy.fail("lost_reply", method="PUT", path="/incremental/", times=1)
    stack.put("source/busy.json", records(3))
    assert stack.receipt("source/busy.json")["counts"]["rows_written"] == 3


def test_an_object_too_large_for_an_invocation_is_given_up_cleanly(aws, stack, proxy, usual):
    aws.set(max_timeout=4)
    proxy.fail("stall", method="GET", path="/source/large", range=piece(4), bytes=1_000_000, seconds=20)
    stack.put("source/large.json", lines(450_000))
    ((reason, body),) = stack.dead_letters(1)
    assert "/source/large.json: is too large for one invocation" in reason
    assert "Run the Glue job" in reason
    assert body["detail"]["object"]["key"] == "source/large.json"
    assert stack.uploads_left() == []
    assert "source/large.json" not in stack.receipts()
    assert [key for key in stack.csv_keys() if "/large-" in key] == []


def test_a_function_killed_half_way_leaves_nothing_that_redelivery_does_not_put_right(aws, stack, proxy):
    """More rows than one part, so that a partial upload is there when the process dies."""
    proxy.fail("stall", method="GET", path="/source/killed", range=piece(4), bytes=1_000_000, seconds=60)
    stack.put("source/killed.json", lines(450_000))
    wait_until(lambda: stack.uploads_left(), 60, "no partial upload")
    aws.stop_functions()
    proxy.clear()
    receipt = stack.receipt("source/killed.json", seconds=120)
    assert receipt["counts"]["rows_written"] == 450_000
    assert stack.users(receipt["output_key"]) == names(450_000)
    assert stack.uploads_left() == []
    assert len([key for key in stack.csv_keys() if "/killed-" in key]) == 1


def test_what_cannot_be_written_is_tried_again_and_then_given_up_with_the_reason(stack, proxy):
    proxy.fail("status", method="PUT", path="/incremental/2.*/denied", times=None, status=403, code="AccessDenied")
    stack.put("source/denied.json", records(2))
    ((reason, _),) = stack.dead_letters(1, seconds=90)
    assert reason.startswith(f"s3://{stack.source}/source/denied.json: its output s3://{stack.destination}/incremental/")
    assert "(AccessDenied)" in reason
    found = stack.log_lines("ConvertObjectFunction")
    tries = [line for line in found if "denied.json" in line.get("object", "")]
    assert [line["message"] for line in tries] == ["failed for now"] * 5


def test_without_a_plan_messages_wait(stack):
    bucket = stack.outputs["ArtifactBucketName"]
    plan = stack.artifact("plan.json")
    stack.s3.delete_object(Bucket=bucket, Key="plan.json")
    stack.put("source/waiting.json", records(2))
    wait_until(lambda: "plan.json cannot be read" in stack.logs("ConvertObjectFunction"), 30)
    assert "The specified key does not exist" in stack.logs("ConvertObjectFunction")
    stack.s3.put_object(Bucket=bucket, Key="plan.json", Body=plan.encode())
    assert stack.receipt("source/waiting.json")["counts"]["rows_written"] == 2


def test_two_stacks_share_a_bucket_and_one_leaves(aws, stack):
    """EventBridge stays on for the other, although the first turned it on."""
    other = Stack(aws, "second", SourceBucketName=stack.source)
    assert other.launch() == "CREATE_COMPLETE", other.reasons()
    assert stack.artifact(f"bucket_events/{stack.source}") == "on"
    assert other.keys("bucket_events/", other.outputs["ArtifactBucketName"]) == []
    other.remove()
    stack.put("source/still.json", records(1))
    assert stack.receipt("source/still.json")


def test_two_datasets_do_not_share_a_folder(aws, stack):
    items = Stack(
        aws, "items", SourceBucketName=stack.source, DestinationBucketName=stack.destination,
        PersonalizeDatasetName="Items",
    )  # fmt: skip
    assert items.launch() == "CREATE_COMPLETE", items.reasons()
    stack.put("source/both.json", records(2))
    queues = {one.name: one for one in (stack, items)}
    letters = []

    def one_is_refused():
        for one in queues.values():
            sqs, url = aws.client("sqs"), one.outputs["DeadLetterQueueUrl"]
            found = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
            letters.extend(found.get("Messages", []))
        return letters

    wait_until(one_is_refused, 60, "both wrote into one folder")
    reason = letters[0]["MessageAttributes"]["Reason"]["StringValue"]
    assert "was converted to the folder incremental for another dataset" in reason
    items.remove()


@pytest.fixture
def cloudformation():
    """Takes answers as CloudFormation does: its URL, and what came."""
    answers = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self):
            answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/response", answers
    server.shutdown()


def test_the_sample_events_of_cloudformation_are_understood(stack, cloudformation):
    url, answers = cloudformation
    outputs = stack.outputs
    for kind in ("create", "update", "crawler_succeeded", "delete"):
        text = (ROOT / f"events/generate_{kind}.json").read_text()
        for sample, own in (
            ("http://127.0.0.1:9999/response", url),
            ("my-crawler", outputs["ConversionGlueCrawlerName"]),
            ("my-database", outputs["ConversionGlueDatabaseName"]),
            ("my-raw-data", stack.source),
            ("my-converted-data", stack.destination),
        ):
            text = text.replace(sample, own)
        answer, failed = stack.invoke("GenerateArtifactsFunction", json.loads(text))
        assert not failed, answer
        if kind == "update":
            assert "Product Added" in stack.artifact("plan.json")
    assert [answer["Status"] for answer in answers] == ["SUCCESS"] * 3
    assert stack.keys("", outputs["ArtifactBucketName"]) == []


def test_nothing_was_denied_and_failures_need_their_permissions(aws, stack):
    roles = [stack.resource("GenerateArtifactsRole"), stack.resource("ConvertObjectRole")]
    assert [call for role in roles for call in aws.denied(role)] == []
    for action in ("s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads"):
        assert aws.calls(roles[1], action), action
    assert aws.calls("names-GenerateArtifacts", "glue:GetTables")
    assert aws.calls("patience-GenerateArtifacts", "lambda:InvokeFunction")
