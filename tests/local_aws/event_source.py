"""Event source mappings: polls SQS queues and hands their messages to functions, as Lambda does.

moto pushes a message into the function while SendMessage is still running, knows neither partial
failures nor a message that comes back.
"""

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import moto.awslambda.models as moto_lambda
import moto.sqs.models as moto_sqs
from moto.awslambda.exceptions import InvalidParameterValueException

from . import lambda_functions
from .context import ACCOUNT, REGION

log = logging.getLogger("local_aws.event_source")

SQS_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
RECEIVE_AT_ONCE = 10
DEFAULT_CONCURRENCY = 5


class EventSources:
    """Starts a poller for each mapping that is made, and lets moto keep the mappings."""

    def __init__(self, context, access, functions):
        self.context = context
        self.access = access
        self.functions = functions

    def install(self):
        sources = self
        backend = moto_lambda.LambdaBackend
        old_create = backend.create_event_source_mapping

        def create_event_source_mapping(self, spec):
            sources.validate(spec)
            mapping = old_create(self, spec)
            if ":sqs:" in mapping.event_source_arn:
                _queue(mapping.event_source_arn).lambda_event_source_mappings.clear()
                Poller(mapping, sources).start()
            return mapping

        backend.create_event_source_mapping = create_event_source_mapping

    def validate(self, spec):
        """What AWS refuses when a mapping is made."""
        arn = spec.get("EventSourceArn") or ""
        if ":sqs:" not in arn:
            return
        function = lambda_functions.find(spec["FunctionName"])
        for action in SQS_ACTIONS:
            if not self.access.check(function.role, action, arn, operation="Lambda polls SQS"):
                raise InvalidParameterValueException(
                    "The provided execution role does not have permissions to call "
                    f"{action.split(':')[1]} on SQS"
                )
        queue = _queue(arn)
        visibility = int(queue.visibility_timeout)
        if visibility < int(function.timeout):
            raise InvalidParameterValueException(
                f"Queue visibility timeout: {visibility} seconds is less than Function timeout: "
                f"{function.timeout} seconds"
            )
        batch, window = spec.get("BatchSize") or 10, spec.get("MaximumBatchingWindowInSeconds") or 0
        if int(batch) > RECEIVE_AT_ONCE and int(window) < 1:
            raise InvalidParameterValueException(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
                "greater than 10"
            )


def _queue(arn):
    queue = moto_sqs.sqs_backends[ACCOUNT][REGION].queues.get(arn.split(":")[-1])
    if queue is None:
        raise InvalidParameterValueException(f"The queue {arn} does not exist")
    return queue


class Poller(threading.Thread):
    """Polls for one mapping until that is deleted."""

    def __init__(self, mapping, sources):
        super().__init__(daemon=True, name=f"poller-{mapping.uuid}")
        self.mapping = mapping
        self.sources = sources
        scaling = mapping.scaling_config or {}
        self.concurrency = int(scaling.get("MaximumConcurrency") or DEFAULT_CONCURRENCY)
        self.free = threading.Semaphore(self.concurrency)
        self.workers = ThreadPoolExecutor(max_workers=self.concurrency)
        self.sqs = sources.context.client("sqs")

    @property
    def exists(self):
        backend = moto_lambda.lambda_backends[ACCOUNT][REGION]
        return backend.get_event_source_mapping(self.mapping.uuid) is not None

    @property
    def enabled(self):
        return str(self.mapping.enabled).lower() == "true"

    def run(self):
        while self.exists:
            try:
                if not self.enabled:
                    time.sleep(0.1)
                    continue
                self._poll()
            except Exception as error:
                log.warning("polling %s: %s", self.mapping.event_source_arn, error)
                time.sleep(0.5)
        self.workers.shutdown(wait=False)

    def _poll(self):
        if not self.free.acquire(timeout=0.5):
            return
        taken = False
        try:
            function = lambda_functions.find(self.mapping.function_arn)
            if not self._permitted(function):
                time.sleep(0.5)
                return
            messages = self._receive()
            if messages:
                self.workers.submit(self._process, function, messages)
                taken = True
        finally:
            if not taken:
                self.free.release()

    def _permitted(self, function):
        arn = self.mapping.event_source_arn
        return all(
            self.sources.access.check(
                function.role, action, arn, operation="Lambda polls SQS", once=True
            )
            for action in SQS_ACTIONS
        )

    def _url(self):
        name = self.mapping.event_source_arn.split(":")[-1]
        return f"{self.sources.context.endpoint}/{ACCOUNT}/{name}"

    def _receive(self):
        """A batch: what is there, and where a window is set, what comes within it."""
        size = int(self.mapping.batch_size)
        end = None
        messages = []
        while self.exists and self.enabled and len(messages) < size:
            found = self.sqs.receive_message(
                QueueUrl=self._url(),
                MaxNumberOfMessages=min(RECEIVE_AT_ONCE, size - len(messages)),
                WaitTimeSeconds=0,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            messages += found
            if end is None and messages:
                end = time.time() + int(self.mapping.max_batch_window or 0)
            if end is not None and time.time() >= end:
                break
            if not found:
                time.sleep(0.05)
        return messages

    def _process(self, function, messages):
        try:
            event = {"Records": [self._record(message) for message in messages]}
            outcome = self.sources.functions.invoke(function, json.dumps(event).encode())
            failed = self._failed(outcome, {m["MessageId"] for m in messages})
            url = self._url()
            for message in messages:
                if message["MessageId"] in failed:
                    self._bring_back(url, message)
                else:
                    self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        except Exception:
            log.exception("batch of %s", self.mapping.event_source_arn)
        finally:
            self.free.release()

    def _failed(self, outcome, sent):
        """The messages of a batch that are to be delivered again."""
        if outcome.failed:
            return sent
        if "ReportBatchItemFailures" not in (self.mapping.function_response_types or []):
            return set()
        try:
            answer = json.loads(outcome.body or b"null") or {}
            failed = {item["itemIdentifier"] for item in answer.get("batchItemFailures") or []}
        except (ValueError, KeyError, TypeError, AttributeError):
            return sent
        # AWS takes an identifier that it did not send for the failure of the whole batch.
        return failed if failed <= sent else sent

    def _bring_back(self, url, message):
        """A failed message comes back after its queue's time, which a test may shorten."""
        limit = self.sources.context.settings.visibility_seconds
        if limit is not None:
            self.sqs.change_message_visibility(
                QueueUrl=url,
                ReceiptHandle=message["ReceiptHandle"],
                VisibilityTimeout=int(limit),
            )

    def _record(self, message):
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: {
                    "stringValue": value.get("StringValue"),
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": value["DataType"],
                }
                for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.mapping.event_source_arn,
            "awsRegion": REGION,
        }
