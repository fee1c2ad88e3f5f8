"""The stack as a user deploys it: with sam, from what `sam build` made, on the stand-in for AWS."""

import functools
import gzip
import json
import os
import pathlib
import platform
import subprocess

from conftest import ROOT
from local_aws.client import wait_until

SAM = pathlib.Path(os.environ.get("SAM", ROOT / ".venv-sam/bin/sam"))
TEMPLATE = ROOT / ".aws-sam/build/template.yaml"
SOURCE, DESTINATION = "raw-data", "converted-data"
# Large objects are read in pieces of this size, by a GET each.
PIECE = 8 << 20
RECORD = {"user_id": "u", "item_id": "i", "timestamp": 1706685644, "event_type": "View"}


def records(count, user="user"):
    """Records of so many users."""
    return [{**RECORD, "user_id": name} for name in names(count, user)]


def names(count, user="user"):
    """The users of `records`."""
    return [f"{user}-{number}" for number in range(count)]


def lines(count):
    """Records as JSON lines."""
    return "".join(json.dumps(record) + "\n" for record in records(count)).encode()


def piece(number):
    """A regex for the Range header of a GET of a piece from its beginning; the first has none."""
    return f"^bytes={number * PIECE}-"


@functools.cache
def packaged_template(aws):
    """The URL of the template, whose functions lie in S3 as well."""
    bucket = "packages"
    aws.client("s3").create_bucket(Bucket=bucket)
    done = subprocess.run(
        [SAM, "package", "--template-file", TEMPLATE, "--s3-bucket", bucket],
        env={**os.environ, **aws.environment}, cwd=ROOT, capture_output=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    aws.client("s3").put_object(Bucket=bucket, Key="template.yaml", Body=done.stdout)
    return f"{aws.endpoint}/{bucket}/template.yaml"


class Stack:
    """A stack, and the buckets and tools to use it."""

    def __init__(self, aws, name, **parameters):
        self.aws = aws
        self.name = name
        self.parameters = {
            "Architecture": "arm64" if platform.machine() == "aarch64" else "x86_64",
            "SourceBucketName": f"{name}-{SOURCE}",
            "DestinationBucketName": f"{name}-{DESTINATION}",
            **parameters,
        }
        self.s3 = aws.client("s3")
        self.source = self.parameters["SourceBucketName"]
        self.destination = self.parameters["DestinationBucketName"]
        # By their keys, with the ETags that they were read under
        self._receipts = {}
        for bucket in {self.source, self.destination}:
            self.s3.create_bucket(Bucket=bucket)

    # Deploying

    def deploy(self, status=0, **changes):
        """Creates or updates it; fails unless sam ends with the status. Gives what sam printed."""
        wanted = {**self.parameters, **changes}
        quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in wanted.values())
        overrides = [f'{name}="{value}"' for name, value in zip(wanted, quoted)]
        done = self._sam(
            "deploy", "--template-file", TEMPLATE, "--resolve-s3", "--no-confirm-changeset",
            "--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset",
            "--parameter-overrides", *overrides,
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert done.returncode == status, output
        if status == 0:
            self.parameters = wanted
        return output

    def delete(self):
        done = self._sam("delete", "--no-prompts")
        assert done.returncode == 0, done.stdout + done.stderr

    def _sam(self, *arguments):
        return subprocess.run(
            [SAM, *map(str, arguments), "--stack-name", self.name],
            env={**os.environ, **self.aws.environment}, cwd=ROOT,
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    # The same as the CloudFormation console does it: with a template that lies in S3

    def launch(self):
        """Creates it and gives the status in the end."""
        self._cloudformation("create_stack")
        return self._settled()

    def change(self, **changes):
        """Updates it and gives the status in the end."""
        self.parameters.update(changes)
        self._cloudformation("update_stack")
        return self._settled()

    def remove(self):
        """Deletes it and waits until it is gone."""
        identifier = self.describe()["StackId"]
        cloudformation = self.aws.client("cloudformation")
        cloudformation.delete_stack(StackName=identifier)
        status = self._settled(identifier)
        assert status == "DELETE_COMPLETE", f"{status}: {self.reasons(identifier)}"

    def _cloudformation(self, operation):
        parameters = [
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in self.parameters.items()
        ]
        getattr(self.aws.client("cloudformation"), operation)(
            StackName=self.name, TemplateURL=packaged_template(self.aws),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"], Parameters=parameters,
        )  # fmt: skip

    def _settled(self, identifier=None):
        def status():
            found = self.aws.client("cloudformation").describe_stacks(
                StackName=identifier or self.name
            )["Stacks"][0]["StackStatus"]
            return None if found.endswith("_IN_PROGRESS") else found

        return wait_until(status, 120, "the stack is still in progress")

    def reasons(self, identifier=None):
        """Why resources failed, as CloudFormation shows it."""
        events = self.aws.client("cloudformation").describe_stack_events(
            StackName=identifier or self.name
        )["StackEvents"]
        failed = (event for event in events if event["ResourceStatus"].endswith("FAILED"))
        return "\n".join(event.get("ResourceStatusReason", "") for event in failed)

    # Looking at it

    def describe(self):
        stacks = self.aws.client("cloudformation").describe_stacks(StackName=self.name)
        return stacks["Stacks"][0]

    @property
    def outputs(self):
        return {item["OutputKey"]: item["OutputValue"] for item in self.describe()["Outputs"]}

    def resource(self, logical_id):
        """The physical id of a resource."""
        cloudformation = self.aws.client("cloudformation")
        found = cloudformation.describe_stack_resources(StackName=self.name)["StackResources"]
        return next(
            resource["PhysicalResourceId"]
            for resource in found
            if resource["LogicalResourceId"] == logical_id
        )

    def logs(self, function):
        return self.aws.logs(self.resource(function))

    def log_lines(self, function):
        """The structured lines that a function has logged; of the last, not all may be there yet."""
        lines = self.logs(function).split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    # Objects

    def put(self, key, body, bucket=None, **options):
        if not isinstance(body, bytes):
            text = "".join(json.dumps(record, ensure_ascii=False) for record in body)
            body = text.encode()
        if key.endswith(".gz"):
            body = gzip.compress(body)
        return self.s3.put_object(Bucket=bucket or self.source, Key=key, Body=body, **options)

    def keys(self, prefix, bucket=None):
        return sorted(item["Key"] for item in self._list(prefix, bucket or self.destination))

    def _list(self, prefix, bucket):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item for page in pages for item in page.get("Contents", [])]

    def read(self, key, bucket=None):
        return self.s3.get_object(Bucket=bucket or self.destination, Key=key)["Body"].read()

    def artifact(self, key):
        return self.read(key, self.outputs["ArtifactBucketName"]).decode()

    def receipts(self):
        """The receipts by the keys of their objects."""
        for item in self._list("incremental/_receipts/", self.destination):
            key, etag = item["Key"], item["ETag"]
            if self._receipts.get(key, (None, None))[0] != etag:
                self._receipts[key] = etag, json.loads(self.read(key))
        receipts = (receipt for _, receipt in self._receipts.values())
        return {receipt["source"]["key"]: receipt for receipt in receipts}

    def receipt(self, key, but=None, seconds=60):
        """The receipt of an object, once it is complete and is not `but`."""

        def found():
            receipt = self.receipts().get(key)
            complete = receipt and receipt["state"] == "complete"
            return receipt if complete and receipt != but else None

        return wait_until(found, seconds, f"no receipt for {key}: {self.logs('ConvertObjectFunction')[-3000:]}")

    def csv_keys(self):
        return [key for key in self.keys("incremental/") if key.endswith(".csv")]

    def users(self, key):
        """The users in a CSV whose second column they are."""
        rows = self.read(key).decode().splitlines()[1:]
        return [row.split(",")[1] for row in rows]

    def uploads_left(self):
        """The keys of multipart uploads that were neither completed nor aborted."""
        found = self.s3.list_multipart_uploads(Bucket=self.destination)
        return [upload["Key"] for upload in found.get("Uploads", [])]

    # Queues

    def settled(self, seconds=120):
        """Waits until the queue of new objects is empty and nothing is under way."""
        sqs, url = self.aws.client("sqs"), self.outputs["NewObjectsQueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

        def empty():
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            return all(int(found[name]) == 0 for name in names)

        wait_until(empty, seconds, "messages are left in the queue")

    def send(self, body):
        """A message for the queue of new objects."""
        text = body if isinstance(body, str) else json.dumps(body)
        queue = self.outputs["NewObjectsQueueUrl"]
        self.aws.client("sqs").send_message(QueueUrl=queue, MessageBody=text)

    def dead_letters(self, count, seconds=60):
        """The reasons and bodies of so many dead letters, which are taken out."""
        sqs, url = self.aws.client("sqs"), self.outputs["DeadLetterQueueUrl"]
        letters = []

        def enough():
            found = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            )
            for message in found.get("Messages", []):
                attributes = message.get("MessageAttributes", {})
                reason = attributes.get("Reason", {}).get("StringValue")
                letters.append((reason, json.loads(message["Body"])))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return len(letters) >= count

        wait_until(enough, seconds, f"{len(letters)} dead letters instead of {count}")
        return letters

    def invoke(self, function, event):
        """Invokes a function and waits; gives its answer and whether it is an error."""
        answer = self.aws.client("lambda").invoke(
            FunctionName=self.resource(function), Payload=json.dumps(event)
        )
        return json.load(answer["Payload"]), "FunctionError" in answer
