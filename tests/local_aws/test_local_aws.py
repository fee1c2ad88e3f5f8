"""Tests of the stand-in itself: what it lets pass or breaks must not be told from AWS."""

import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import zipfile

import pytest
from botocore.exceptions import ClientError, WaiterError

from local_aws import FaultProxy, LocalAws
from local_aws.client import wait_until
from local_aws.policies import evaluate

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = (HERE / "selftest_template.yaml").read_text()
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
CRAWLER = """#!/usr/bin/env python3
import json, os, sys
folder = sys.argv[2]
files = sorted(f for _, _, fs in os.walk(folder) for f in fs)
columns = [{"Name": f.replace(".", "_"), "Type": "string"} for f in files]
storage = {"Columns": columns, "Location": folder}
print(json.dumps({"Table": {"Name": "x", "DatabaseName": "", "StorageDescriptor": storage}}))
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    crawler = tmp_path_factory.mktemp("crawler") / "crawler"
    crawler.write_text(CRAWLER)
    crawler.chmod(0o755)
    with LocalAws(crawler=crawler, crawl_seconds=0.2, visibility_seconds=0) as aws:
        aws.client("s3").create_bucket(Bucket="code")
        aws.client("s3").put_object(Bucket="code", Key="function.zip", Body=package())
        yield aws


@pytest.fixture(scope="module")
def stack(aws):
    """The outputs of the deployed stack."""
    assert deploy(aws, "selftest", "CREATE") == "CREATE_COMPLETE"
    return outputs(aws, "selftest")


def package():
    """A Lambda package whose bootstrap runs under this very Python."""
    script = (HERE / "selftest_bootstrap.py").read_text().splitlines()
    script[0] = f"#!{sys.executable}"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("bootstrap", "\n".join(script))
    return file.getvalue()


def deploy(aws, name, kind, **parameters):
    """Deploys by a change set, as SAM does; gives the stack's status in the end."""
    cloudformation = aws.client("cloudformation")
    change_set = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="change",
        ChangeSetType=kind,
        TemplateBody=TEMPLATE,
        Capabilities=CAPABILITIES,
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in {"CodeBucket": "code", **parameters}.items()
        ],
    )["Id"]
    described = cloudformation.describe_change_set(ChangeSetName=change_set)
    if described["Status"] == "FAILED":
        return described["StatusReason"]
    cloudformation.execute_change_set(ChangeSetName=change_set)
    return wait_until(lambda: settled(aws, name), 60, "the stack")


def settled(aws, name):
    status = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0][
        "StackStatus"
    ]
    return None if status.endswith("IN_PROGRESS") else status


def outputs(aws, name):
    stack = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}


def sent_to_thing(aws, function):
    """The custom resource's events: their kind, word and old word."""
    lines = [line[6:] for line in aws.logs(function).splitlines() if line.startswith("event {")]
    events = [json.loads(line) for line in lines if "ResponseURL" in line]
    return [
        (
            event["RequestType"],
            event["ResourceProperties"]["Word"],
            event.get("OldResourceProperties", {}).get("Word"),
        )
        for event in events
    ]


def invoke(aws, function, **event):
    answer = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    return json.load(answer["Payload"]), answer.get("FunctionError")


def keys(aws, bucket):
    return [o["Key"] for o in aws.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_stack_is_created_with_outputs_and_events(aws, stack):
    assert stack["Word"] == "HELLO"
    assert stack["Thing"] == "made"
    event = next(
        json.loads(line[6:])
        for line in aws.logs(stack["Function"]).splitlines()
        if line.startswith("event {") and "ResponseURL" in line
    )
    assert event["ResourceProperties"]["Number"] == "7"
    assert event["ResourceProperties"]["Truth"] == "true"
    resources = aws.client("cloudformation").list_stack_resources(StackName="selftest")
    names = {r["LogicalResourceId"] for r in resources["StackResourceSummaries"]}
    assert {"Function", "FunctionRole", "Thing"} <= names
    assert "Skipped" not in names


def test_a_function_has_the_environment_of_lambda(aws, stack):
    answer, _ = invoke(aws, stack["Function"])
    assert 25_000 < answer["left"] <= 30_000
    environment = answer["env"]
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == stack["Function"]
    assert environment["DESTINATION"] == stack["Destination"]
    again, _ = invoke(aws, stack["Function"])
    assert again["pid"] == answer["pid"], "the second invocation is warm"


def test_a_crash_and_a_timeout_end_the_process(aws, stack):
    answer, kind = invoke(aws, stack["Function"], do="crash")
    assert (answer["errorType"], kind) == ("Runtime.ExitError", "Unhandled")
    aws.set(max_timeout=0.3)
    answer, _ = invoke(aws, stack["Function"], do="sleep", seconds=9)
    aws.set(max_timeout=None)
    assert "Task timed out after 0.30 seconds" in answer["errorMessage"]
    assert invoke(aws, stack["Function"])[1] is None


def test_an_object_goes_through_event_bridge_and_the_queue(aws, stack):
    s3 = aws.client("s3")
    s3.put_object(Bucket=stack["Source"], Key="out/no", Body=b"1")
    s3.put_object(Bucket=stack["Source"], Key="in/a b+ä", Body=b"1")
    wait_until(lambda: keys(aws, stack["Destination"]) == ["in/a b+ä"], 10)
    s3.delete_object(Bucket=stack["Destination"], Key="in/a b+ä")
    assert aws.denied(stack["Role"]) == []
    assert {"Write"} == {item["sid"] for item in aws.unused(stack["Role"]) if item["sid"]}


def test_a_bucket_says_that_event_bridge_is_on(aws, stack):
    s3 = aws.client("s3")
    configuration = s3.get_bucket_notification_configuration(Bucket=stack["Source"])
    assert configuration["EventBridgeConfiguration"] == {}
    configuration = s3.get_bucket_notification_configuration(Bucket=stack["Destination"])
    assert "EventBridgeConfiguration" not in configuration


def test_a_message_that_fails_goes_to_the_dead_letters(aws, stack):
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=stack["Queue"], MessageBody='{"fail": true}')

    def dead():
        return sqs.receive_message(QueueUrl=stack["DeadLetters"]).get("Messages")

    assert wait_until(dead, 10)[0]["Body"] == '{"fail": true}'


@pytest.mark.parametrize(
    ("call", "key", "error"),
    [
        ("get_object", "in/missing", "403"),
        ("head_object", "in/missing", "403"),
        ("list_objects_v2", None, "AccessDenied"),
        ("get_object_tagging", "in/x", "AccessDenied"),
        ("get_object_acl", "in/x", "AccessDenied"),
    ],
)
def test_what_a_role_lacks_is_denied(aws, stack, call, key, error):
    aws.forget_calls()
    given = {"Bucket": stack["Source"], **({"Key": key} if key else {})}
    answer, kind = invoke(aws, stack["Function"], do="s3", call=call, **{"with": given})
    assert kind == "Unhandled"
    assert error in answer["errorMessage"] or "AccessDenied" in answer["errorMessage"]
    assert len(aws.denied(stack["Role"])) == 1
    aws.forget_calls()


def test_a_crawl_makes_a_table_or_fails(aws, stack):
    glue = aws.client("glue")

    def crawl():
        glue.start_crawler(Name=stack["Crawler"])
        with pytest.raises(glue.exceptions.CrawlerRunningException):
            glue.start_crawler(Name=stack["Crawler"])

        def ready():
            crawler = glue.get_crawler(Name=stack["Crawler"])["Crawler"]
            return crawler["State"] == "READY" and crawler["LastCrawl"]

        return wait_until(ready, 10)

    aws.client("s3").put_object(Bucket=stack["Source"], Key="in/new.json", Body=b"{}")
    assert crawl()["Status"] == "SUCCEEDED"
    table = glue.get_table(DatabaseName="selftest", Name="raw_in")["Table"]
    assert "new_json" in [c["Name"] for c in table["StorageDescriptor"]["Columns"]]
    assert table["StorageDescriptor"]["Location"] == f"s3://{stack['Source']}/in/"
    aws.fail_next_crawl("no luck")
    assert (crawl()["Status"], crawl()["Status"]) == ("FAILED", "SUCCEEDED")


def test_updates_replace_roll_back_and_do_nothing(aws, stack):
    function = stack["Function"]
    assert "didn't contain changes" in deploy(aws, "selftest", "UPDATE")
    before = len(sent_to_thing(aws, function))
    aws.refuse_responses(2)
    assert deploy(aws, "selftest", "UPDATE", Word="bye") == "UPDATE_COMPLETE"
    assert outputs(aws, "selftest")["Word"] == "BYE"
    assert [r["status"] for r in aws.responses()].count(503) == 2
    status = deploy(aws, "selftest", "UPDATE", Word="third", Fail="true")
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert outputs(aws, "selftest")["Word"] == "BYE"
    assert deploy(aws, "selftest", "UPDATE", Word="bye", Id="other") == "UPDATE_COMPLETE"
    assert sent_to_thing(aws, function)[before:] == [
        ("Update", "bye", "hello"),
        ("Update", "third", "bye"),
        ("Update", "bye", "third"),
        ("Update", "bye", "bye"),
        ("Delete", "bye", None),
    ]
    events = aws.client("cloudformation").describe_stack_events(StackName="selftest")
    reasons = [e.get("ResourceStatusReason", "") for e in events["StackEvents"]]
    assert any("told to fail" in reason for reason in reasons)


def test_a_template_that_is_wrong_is_refused(aws):
    with pytest.raises(ClientError, match="the word must not be forbidden"):
        deploy(aws, "forbidden", "CREATE", Word="forbidden")
    with pytest.raises(ClientError, match="must match pattern"):
        deploy(aws, "forbidden", "CREATE", Word="UPPER")
    with pytest.raises(ClientError, match="AWS::Foo::Bar"):
        aws.client("cloudformation").create_stack(
            StackName="unknown", TemplateBody='{"Resources": {"B": {"Type": "AWS::Foo::Bar"}}}'
        )
    properties = '{"Type": "AWS::S3::Bucket", "Properties": {"BuketName": "b"}}'
    with pytest.raises(ClientError, match="BuketName"):
        aws.client("cloudformation").create_stack(
            StackName="unknown", TemplateBody=f'{{"Resources": {{"B": {properties}}}}}'
        )


def test_a_failed_create_is_deleted_again(aws, stack):
    template = TEMPLATE.replace("Name: selftest", "Name: second")
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(
        StackName="second",
        TemplateBody=template,
        Capabilities=CAPABILITIES,
        Parameters=[
            {"ParameterKey": "CodeBucket", "ParameterValue": "code"},
            {"ParameterKey": "Fail", "ParameterValue": "true"},
        ],
    )
    with pytest.raises(WaiterError):
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName="second", WaiterConfig={"Delay": 1})
    wait_until(lambda: settled(aws, "second") == "ROLLBACK_COMPLETE", 20)
    resources = cloudformation.list_stack_resources(StackName="second")
    assert resources["StackResourceSummaries"] == []
    assert [d["Name"] for d in aws.client("glue").get_databases()["DatabaseList"]] == ["selftest"]


def test_the_fault_proxy_makes_what_it_is_told(aws):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="proxied")
    body = os.urandom(300_000)
    with FaultProxy(aws.endpoint) as proxy:
        through = LocalAws()
        through.endpoint = proxy.endpoint
        client = through.client("s3")
        client.put_object(Bucket="proxied", Key="k", Body=body)
        assert client.get_object(Bucket="proxied", Key="k")["Body"].read() == body
        proxy.fail("status", method="GET", path="/proxied/k")
        with pytest.raises(ClientError, match="SlowDown"):
            client.get_object(Bucket="proxied", Key="k")
        for fault in ("truncate", "reset", "corrupt"):
            proxy.fail(fault, method="GET", path="/proxied/k", bytes=1000)
            with pytest.raises(Exception):  # noqa: B017
                assert client.get_object(Bucket="proxied", Key="k")["Body"].read() == body
        proxy.fail("lost_reply", method="PUT")
        with pytest.raises(Exception):  # noqa: B017
            client.put_object(Bucket="proxied", Key="lost", Body=b"1")
        assert keys(aws, "proxied") == ["k", "lost"]
        assert proxy.count("truncate") == 1


def test_functions_use_s3_through_the_proxy(aws, stack):
    given = {"Bucket": stack["Source"], "Key": "in/through"}
    aws.client("s3").put_object(**given, Body=b"1")
    before, _ = invoke(aws, stack["Function"])
    with FaultProxy(aws.endpoint) as proxy:
        aws.set(functions_s3_endpoint=proxy.endpoint)
        invoke(aws, stack["Function"], do="s3", call="get_object", **{"with": given})
        aws.set(functions_s3_endpoint=None)
        assert ("GET", "/" + "/".join(given.values()), "passed") in proxy.requests
    after, kind = invoke(aws, stack["Function"])
    assert kind is None
    assert after["pid"] != before["pid"]


def test_a_stack_with_a_full_bucket_cannot_be_deleted(aws, stack):
    cloudformation = aws.client("cloudformation")
    aws.client("s3").put_object(Bucket=stack["Source"], Key="left", Body=b"1")
    cloudformation.delete_stack(StackName="selftest")
    assert wait_until(lambda: settled(aws, "selftest"), 20) == "DELETE_FAILED"
    assert sent_to_thing(aws, stack["Function"])[-1][0] == "Delete"
    for bucket in (stack["Source"], stack["Destination"]):
        for key in keys(aws, bucket):
            aws.client("s3").delete_object(Bucket=bucket, Key=key)
    cloudformation.delete_stack(StackName="selftest")
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName="selftest", WaiterConfig={"Delay": 1}
    )
    assert aws.client("lambda").list_functions()["Functions"] == []


def test_nothing_outlives_a_killed_parent():
    script = (
        "import os, sys\nfrom local_aws import LocalAws\n"
        "aws = LocalAws()\naws.start()\nprint(aws.process.pid, flush=True)\nsys.stdin.read()"
    )
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    server = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not running(server), 5, "the server to end")
    parent.stdin.close()
    parent.stdout.close()


def running(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_policies():
    policy = {
        "Statement": [
            {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/in/*"},
            {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/in/secret"},
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": "arn:aws:s3:::b",
                "Condition": {"StringLike": {"s3:prefix": ["in/*"]}},
            },
            {
                "Effect": "Allow",
                "Action": "s3:ListBucketVersions",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:Unheard": "x"}},
            },
        ]
    }

    def allowed(action, resource, **values):
        values = {name.replace("_", ":"): value for name, value in values.items()}
        return evaluate([("p", policy)], action, resource, values).allowed

    assert allowed("s3:GetObject", "arn:aws:s3:::b/in/x")
    assert not allowed("s3:GetObject", "arn:aws:s3:::b/out/x")
    assert not allowed("s3:PutObject", "arn:aws:s3:::b/in/x")
    assert not allowed("s3:GetObject", "arn:aws:s3:::b/in/secret")
    assert allowed("s3:ListBucket", "arn:aws:s3:::b", s3_prefix="in/a")
    assert not allowed("s3:ListBucket", "arn:aws:s3:::b", s3_prefix="out")
    assert not allowed("s3:ListBucket", "arn:aws:s3:::b")
    assert not allowed("s3:ListBucketVersions", "arn:aws:s3:::b")
