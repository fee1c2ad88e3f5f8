"""Several things at once: whatever the order, rows are those of the object as it is in the end."""

import contextlib
import json
import time

import pytest

from deployment import RECORD, Stack, lines, names, piece, records
from local_aws.client import wait_until


@pytest.fixture(scope="module")
def stack(aws, broken_proxy):
    stack = Stack(aws, "races")
    stack.put("source/first.json", [RECORD])
    assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
    yield stack
    stack.remove()


def created(stack, key, etag, moment="2026-11-22T19:05:33Z"):
    detail = {"bucket": {"name": stack.source}, "object": {"key": key, "etag": etag.strip('"')}}
    return {"source": "aws.s3", "detail-type": "Object Created", "time": moment, "detail": detail}


def csvs(stack, name):
    """The users in each CSV of an object, by its key."""
    found = {}
    for key in stack.csv_keys():
        if f"/{name}-" in key:
            # It may go between the listing and the reading.
            with contextlib.suppress(stack.s3.exceptions.NoSuchKey):
                found[key] = stack.users(key)
    return found


def quiet(stack):
    """Waits until nothing is under way, retries included."""
    for _ in range(2):
        stack.settled()
        time.sleep(1.2)
    stack.settled()


def test_the_same_content_told_by_events_of_two_hours_gives_one_csv(stack, proxy):
    proxy.fail("delay", method="PUT", path="/incremental/.*/twice", times=2, seconds=2)
    etag = stack.put("source/twice.json", records(5, "t"))["ETag"]
    stack.send(created(stack, "source/twice.json", etag, "2026-11-22T10:59:00Z"))
    stack.receipt("source/twice.json")
    quiet(stack)
    (found,) = csvs(stack, "twice").items()
    assert found == (stack.receipts()["source/twice.json"]["output_key"], names(5, "t"))


def test_a_slow_conversion_that_lost_does_not_take_the_winners_rows(stack, proxy):
    """Content a, then b whose rows are slow, then a again."""
    stack.put("source/aba.json", records(5, "a"))
    stack.receipt("source/aba.json")
    stack.settled()
    # Shorter than the five deliveries that the last event has, a second apart.
    proxy.fail("delay", method="PUT", path="/incremental/2.*/aba-", times=1, seconds=2.5)
    stack.put("source/aba.json", records(7, "b"))
    time.sleep(1)
    stack.put("source/aba.json", records(5, "a"))
    time.sleep(4)
    quiet(stack)
    (found,) = csvs(stack, "aba").items()
    receipt = stack.receipts()["source/aba.json"]
    assert found == (receipt["output_key"], names(5, "a"))
    assert receipt["state"] == "complete" and receipt["superseded"] == []


def test_a_late_repetition_does_not_take_the_rows_of_a_conversion_under_way(stack, proxy):
    proxy.fail("hold", method="PUT", path="/incremental/2.*/late-")
    etag = stack.put("source/late.json", records(4, "l"))["ETag"]
    wait_until(lambda: "source/late.json" in stack.receipts(), 20, "not claimed")
    assert stack.receipts()["source/late.json"]["state"] == "publishing"
    stack.s3.delete_object(Bucket=stack.source, Key="source/late.json")
    answer, failed = stack.invoke("ConvertObjectFunction", created(stack, "source/late.json", etag))
    assert not failed, answer
    proxy.release()
    quiet(stack)
    assert list(csvs(stack, "late").values()) == [names(4, "l")]


def test_an_event_of_earlier_content_does_not_disturb_a_conversion_under_way(stack, proxy):
    """It has something to remove, and waits until the results of the later content are there."""
    earlier = stack.put("source/mark.json", records(3, "a"))["ETag"]
    stack.receipt("source/mark.json")
    stack.settled()
    proxy.fail("hold", method="PUT", path="/incremental/2.*/mark-")
    stack.put("source/mark.json", records(4, "b"))
    wait_until(lambda: stack.receipts()["source/mark.json"]["state"] == "publishing", 20, "not claimed")
    event = created(stack, "source/mark.json", earlier)
    answer, failed = stack.invoke("ConvertObjectFunction", event)
    assert failed and "source/mark.json" in answer["errorMessage"], answer
    proxy.release()
    quiet(stack)
    answer, failed = stack.invoke("ConvertObjectFunction", event)
    assert not failed, answer
    (found,) = csvs(stack, "mark").items()
    receipt = stack.receipts()["source/mark.json"]
    assert found == (receipt["output_key"], names(4, "b"))
    assert receipt["state"] == "complete" and receipt["superseded"] == []


def test_an_empty_object_takes_the_place_of_its_earlier_version(stack):
    stack.put("source/emptied.json", records(5, "e"))
    first = stack.receipt("source/emptied.json")
    stack.settled()
    stack.put("source/emptied.json", b"")
    receipt = stack.receipt("source/emptied.json", but=first)
    quiet(stack)
    assert csvs(stack, "emptied") == {} and receipt["output_key"] is None


def test_a_storm_of_replacements_ends_with_the_last_content(aws, stack, proxy):
    """Eight objects replaced again and again while requests are slow, lost or refused and processes die."""
    proxy.fail("delay", method="PUT", path="/incremental/", times=20, seconds=0.3)
    proxy.fail("lost_reply", method="PUT", path="/storm-", times=6)
    proxy.fail("lost_reply", method="DELETE", path="/storm-", times=2)
    proxy.fail("status", method="PUT", path="/storm-", times=4, status=503, code="SlowDown")
    for turn in range(5):
        for number in range(8):
            stack.put(f"source/storm-{number}.json", records(3 + turn, f"{turn}-{number}"))
        time.sleep(0.4)
        if turn in (1, 3):
            aws.stop_functions()
    last = {f"storm-{number}": names(7, f"4-{number}") for number in range(8)}

    def done():
        return all(list(csvs(stack, name).values()) == [rows] for name, rows in last.items())

    wait_until(done, 60, "rows are not those of the last content")
    quiet(stack)
    assert done()
    for number in range(8):
        assert stack.receipts()[f"source/storm-{number}.json"]["state"] == "complete"


def test_an_object_deleted_while_its_function_is_killed_leaves_no_parts(aws, stack, proxy):
    proxy.fail("stall", method="GET", path="/source/parts", range=piece(4), bytes=1_000_000, seconds=60)
    stack.put("source/parts.json", lines(450_000))
    wait_until(lambda: stack.uploads_left(), 60, "no partial upload")
    stack.s3.delete_object(Bucket=stack.source, Key="source/parts.json")
    aws.stop_functions()
    proxy.clear()
    wait_until(lambda: not stack.uploads_left(), 30, "a partial upload was left")
    quiet(stack)
    assert csvs(stack, "parts") == {}


def test_a_part_that_is_refused_is_the_reason(stack, proxy):
    proxy.fail("status", method="PUT", path="partNumber=", times=None, status=403, code="AccessDenied")
    stack.put("source/refused.json", lines(450_000))
    ((reason, _),) = stack.dead_letters(1, seconds=90)
    assert "cannot be written: injected (AccessDenied)" in reason, reason
    assert stack.uploads_left() == []


def test_a_stack_is_deleted_while_a_crawl_is_rendered(aws, proxy):
    stack = Stack(aws, "rendering")
    stack.put("source/first.json", [RECORD])
    assert stack.launch() == "CREATE_COMPLETE", stack.reasons()
    stack.put("source/second.json", [{**RECORD, "more": 1}])
    delays = proxy.count("delay")
    proxy.fail("delay", method="PUT", path="/renderings/", times=1, seconds=1.5)
    aws.client("glue").start_crawler(Name=stack.outputs["ConversionGlueCrawlerName"])
    wait_until(lambda: proxy.count("delay") > delays, 20, "nothing is rendered")
    stack.remove()


def test_one_request_that_hangs_does_not_fail_its_batch_mates(aws, stack, proxy, usual):
    aws.set(max_timeout=4)
    aws.stop_functions()
    proxy.fail("delay", method="PUT", path="/incremental/2.*/hang-", times=None, seconds=30)
    for name in ("hang", *(f"mate{number}" for number in range(5))):
        stack.put(f"source/{name}.json", records(2))
    ((reason, body),) = stack.dead_letters(1, seconds=90)
    assert "source/hang.json: its output" in reason and "the invocation's time was over" in reason
    for number in range(5):
        assert stack.receipt(f"source/mate{number}.json")
    aws.set(max_timeout=None)
    aws.stop_functions()


def test_large_objects_that_share_an_invocation_are_tried_again(aws, stack, proxy, usual):
    aws.set(max_timeout=4)
    aws.stop_functions()
    proxy.fail("stall", method="GET", path="/source/shared", times=2, bytes=100_000, seconds=8)
    event = {"Records": []}
    for number in range(2):
        etag = stack.put(f"elsewhere/shared{number}.json", lines(20_000))["ETag"]
        stack.s3.copy_object(
            Bucket=stack.source, Key=f"source/shared{number}.json",
            CopySource=f"{stack.source}/elsewhere/shared{number}.json",
        )  # fmt: skip
        body = json.dumps(created(stack, f"source/shared{number}.json", etag))
        event["Records"].append({"eventSource": "aws:sqs", "messageId": str(number), "body": body})
    answer, failed = stack.invoke("ConvertObjectFunction", event)
    assert not failed
    aws.set(max_timeout=None)
    aws.stop_functions()
    for number in range(2):
        receipt = stack.receipt(f"source/shared{number}.json", seconds=90)
        assert receipt["counts"]["rows_written"] == 20_000


def test_results_under_a_prefix_of_earlier_parameters_are_left_with_a_note(stack):
    bad = [{"user_id": "q"}]
    stack.put("source/moved.json", records(3, "m") + bad)
    first = stack.receipt("source/moved.json")
    stack.settled()
    assert stack.change(RejectedDataPrefix="/bad") == "UPDATE_COMPLETE"
    stack.put("source/moved.json", records(4, "n") + bad)
    second = stack.receipt("source/moved.json", but=first)
    quiet(stack)
    assert list(csvs(stack, "moved").values()) == [names(4, "n")]
    assert second["rejects_key"].startswith("bad/")
    assert "left where it is: the stack now writes elsewhere" in stack.logs("ConvertObjectFunction")
