"""Sends an AWS service's message to a queue, a topic or a function, whichever an ARN names."""

import moto.sqs.models as moto_sqs

from . import lambda_functions
from .context import ACCOUNT, REGION
from .policies import Decision, service_is_allowed

ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}


class NotPermitted(Exception):
    """The receiver's own policy does not let the service in."""


class Delivery:
    """What S3, EventBridge and Lambda use to hand on an event."""

    def __init__(self, context, access, functions):
        self.context = context
        self.access = access
        self.functions = functions

    def from_service(self, principal, source_arn, arn, body, **options):
        """Delivers in the name of a service, which the receiver's policy has to let in."""
        action = ACTIONS.get(arn.split(":")[2])
        values = {"aws:SourceArn": source_arn, "aws:SourceAccount": ACCOUNT}
        policy = self._policy(arn)
        allowed = policy is not None and service_is_allowed(policy, principal, action, arn, values)
        reason = "" if allowed else "the resource's policy does not allow it"
        self.access.record(
            principal, action, arn, f"from {source_arn}", Decision(allowed, [], reason)
        )
        if not allowed:
            raise NotPermitted(f"{principal} may not {action} on {arn}: {reason}")
        self(arn, body, **options)

    def __call__(self, arn, body, **options):
        service = arn.split(":")[2]
        if service == "sqs":
            sqs = self.context.client("sqs")
            sqs.send_message(QueueUrl=self._queue_url(arn), MessageBody=body, **options)
        elif service == "sns":
            self.context.client("sns").publish(TopicArn=arn, Message=body)
        elif service == "lambda":
            self.functions.invoke_later(lambda_functions.find(arn), body.encode())
        else:
            raise ValueError(f"a delivery to {arn} is not known to local_aws")

    def _queue_url(self, arn):
        return f"{self.context.endpoint}/{ACCOUNT}/{arn.split(':')[-1]}"

    def _policy(self, arn):
        """The policy of a receiver, or None where it has none."""
        service = arn.split(":")[2]
        if service == "sqs":
            queue = moto_sqs.sqs_backends[ACCOUNT][REGION].queues.get(arn.split(":")[-1])
            return queue.policy if queue is not None else None
        if service == "sns":
            answer = self.context.client("sns").get_topic_attributes(TopicArn=arn)
            return answer["Attributes"].get("Policy")
        if service == "lambda":
            statements = lambda_functions.find(arn).policy.statements
            return {"Statement": statements}
        return None
