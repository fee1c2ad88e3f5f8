#!/usr/bin/env python3
"""A Lambda function in Python that is its own runtime: the tests' custom resource and consumer."""

import json
import os
import sys
import time
import urllib.request

import boto3

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"


def main():
    while True:
        with urllib.request.urlopen(f"{API}/invocation/next") as request:
            event = json.load(request)
            request_id = request.headers["Lambda-Runtime-Aws-Request-Id"]
            deadline = int(request.headers["Lambda-Runtime-Deadline-Ms"])
        try:
            answer, path = handle(event, deadline), "response"
        except Exception as error:
            answer = {"errorType": type(error).__name__, "errorMessage": str(error)}
            path = "error"
        body = json.dumps(answer).encode()
        urllib.request.urlopen(f"{API}/invocation/{request_id}/{path}", data=body).close()


def handle(event, deadline):
    print("event", json.dumps(event), flush=True)
    if "ResponseURL" in event:
        return answer_stack(event)
    if "Records" in event:
        return {"batchItemFailures": [f for r in event["Records"] if (f := consume(r))]}
    action = event.get("do")
    if action == "crash":
        sys.exit(3)
    if action == "sleep":
        time.sleep(event["seconds"])
    if action == "s3":
        client = boto3.client("s3")
        return str(getattr(client, event["call"])(**event["with"])["ResponseMetadata"])
    return {"left": deadline - time.time() * 1000, "pid": os.getpid(), "env": dict(os.environ)}


def answer_stack(event):
    properties = event["ResourceProperties"]
    failed = properties.get("Fail") == "true" and event["RequestType"] != "Delete"
    answer = {
        "Status": "FAILED" if failed else "SUCCESS",
        "Reason": "told to fail",
        "PhysicalResourceId": properties.get("Id", "made"),
        "Data": {"Word": properties["Word"].upper()},
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    request = urllib.request.Request(
        event["ResponseURL"],
        data=json.dumps(answer).encode(),
        method="PUT",
        headers={"Content-Type": ""},
    )
    for _ in range(5):
        try:
            urllib.request.urlopen(request).close()
            return {}
        except urllib.error.HTTPError as error:
            print("response refused", error.code, flush=True)
            time.sleep(0.05)
    raise RuntimeError("the response was not taken")


def consume(record):
    """Copies an object that a message tells of; gives the failure of a message that says so."""
    body = json.loads(record["body"])
    if body.get("fail"):
        return {"itemIdentifier": record["messageId"]}
    found = body["detail"]
    boto3.client("s3").copy_object(
        Bucket=os.environ["DESTINATION"],
        Key=found["object"]["key"],
        CopySource={"Bucket": found["bucket"]["name"], "Key": found["object"]["key"]},
    )
    return None


if __name__ == "__main__":
    main()
