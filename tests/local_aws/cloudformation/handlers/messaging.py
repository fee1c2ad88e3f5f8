"""SQS, SNS and EventBridge."""

import json

from ...context import ACCOUNT, REGION
from .base import Handler, document, pick, tag_map

QUEUE_ATTRIBUTES = {
    "VisibilityTimeout",
    "MessageRetentionPeriod",
    "DelaySeconds",
    "MaximumMessageSize",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "FifoQueue",
    "ContentBasedDeduplication",
}


class Queue(Handler):
    """AWS::SQS::Queue."""

    accepts = QUEUE_ATTRIBUTES | {"QueueName", "Tags"}
    replaces = {"QueueName", "FifoQueue"}

    def create(self, resource, properties):
        name = properties.get("QueueName") or resource.generated_name(80)
        url = self.call(
            "sqs",
            "CreateQueue",
            QueueName=name,
            Attributes=self._attributes(properties),
            tags=tag_map(properties),
        )["QueueUrl"]
        resource.physical_id = url
        resource.attributes = {
            "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
            "QueueName": name,
            "QueueUrl": url,
        }

    def update(self, resource, old, properties):
        attributes = {name: "" for name in ("RedrivePolicy",) if name in old}
        attributes |= self._attributes(properties)
        self.call("sqs", "SetQueueAttributes", QueueUrl=resource.physical_id, Attributes=attributes)

    def delete(self, resource, properties):
        self.call_if_there("sqs", "DeleteQueue", QueueUrl=resource.physical_id)

    def _attributes(self, properties):
        return pick(properties, *sorted(QUEUE_ATTRIBUTES))


class QueuePolicy(Handler):
    """AWS::SQS::QueuePolicy."""

    accepts = {"Queues", "PolicyDocument"}

    def create(self, resource, properties):
        self._put(properties["Queues"], document(properties["PolicyDocument"]))
        resource.physical_id = resource.generated_name()

    def update(self, resource, old, properties):
        self._remove(set(old["Queues"]) - set(properties["Queues"]))
        self._put(properties["Queues"], document(properties["PolicyDocument"]))

    def delete(self, resource, properties):
        self._remove(properties["Queues"])

    def _put(self, urls, policy):
        for url in urls:
            self.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": policy})

    def _remove(self, urls):
        for url in urls:
            attributes = {"Policy": ""}
            self.call_if_there("sqs", "SetQueueAttributes", QueueUrl=url, Attributes=attributes)


class Topic(Handler):
    """AWS::SNS::Topic."""

    accepts = {"TopicName", "DisplayName", "KmsMasterKeyId", "Subscription", "Tags"}
    replaces = {"TopicName"}

    def create(self, resource, properties):
        name = properties.get("TopicName") or resource.generated_name()
        attributes = pick(properties, "DisplayName", "KmsMasterKeyId")
        answer = self.call(
            "sns", "CreateTopic", Name=name, Attributes=attributes, Tags=properties.get("Tags")
        )
        resource.physical_id = answer["TopicArn"]
        resource.attributes = {"TopicArn": answer["TopicArn"], "TopicName": name}
        for item in properties.get("Subscription", []):
            self.call("sns", "Subscribe", TopicArn=answer["TopicArn"], **item)

    def update(self, resource, old, properties):
        for name in ("DisplayName", "KmsMasterKeyId"):
            self.call(
                "sns",
                "SetTopicAttributes",
                TopicArn=resource.physical_id,
                AttributeName=name,
                AttributeValue=properties.get(name, ""),
            )

    def delete(self, resource, properties):
        self.call_if_there("sns", "DeleteTopic", TopicArn=resource.physical_id)


class TopicPolicy(Handler):
    """AWS::SNS::TopicPolicy."""

    accepts = {"Topics", "PolicyDocument"}

    def create(self, resource, properties):
        self._put(properties)
        resource.physical_id = resource.generated_name()

    def update(self, resource, old, properties):
        self._put(properties)

    def delete(self, resource, properties):
        """A topic without a policy is none that AWS knows; the topic goes next."""

    def _put(self, properties):
        for topic in properties["Topics"]:
            self.call(
                "sns",
                "SetTopicAttributes",
                TopicArn=topic,
                AttributeName="Policy",
                AttributeValue=document(properties["PolicyDocument"]),
            )


class Subscription(Handler):
    """AWS::SNS::Subscription."""

    accepts = {
        "TopicArn",
        "Protocol",
        "Endpoint",
        "RawMessageDelivery",
        "FilterPolicy",
        "RedrivePolicy",
    }
    replaces = {"TopicArn", "Protocol", "Endpoint"}

    def create(self, resource, properties):
        answer = self.call(
            "sns",
            "Subscribe",
            ReturnSubscriptionArn=True,
            Attributes=pick(properties, "RawMessageDelivery", "FilterPolicy", "RedrivePolicy"),
            **pick(properties, "TopicArn", "Protocol", "Endpoint"),
        )
        resource.physical_id = answer["SubscriptionArn"]
        resource.attributes = {"Arn": answer["SubscriptionArn"]}

    def update(self, resource, old, properties):
        for name, value in pick(properties, "RawMessageDelivery", "FilterPolicy").items():
            self.call(
                "sns",
                "SetSubscriptionAttributes",
                SubscriptionArn=resource.physical_id,
                AttributeName=name,
                AttributeValue=value,
            )

    def delete(self, resource, properties):
        self.call_if_there("sns", "Unsubscribe", SubscriptionArn=resource.physical_id)


class Rule(Handler):
    """AWS::Events::Rule."""

    accepts = {
        "Name",
        "Description",
        "EventBusName",
        "EventPattern",
        "ScheduleExpression",
        "State",
        "RoleArn",
        "Targets",
        "Tags",
    }
    replaces = {"Name", "EventBusName"}

    def create(self, resource, properties):
        name = properties.get("Name") or resource.generated_name()
        arn = self._put(name, properties)
        resource.physical_id = name
        resource.attributes = {"Arn": arn}
        self._put_targets(name, properties)

    def update(self, resource, old, properties):
        name = resource.physical_id
        self._put(name, properties)
        kept = {target["Id"] for target in properties.get("Targets", [])}
        self._remove_targets(name, [t for t in old.get("Targets", []) if t["Id"] not in kept])
        self._put_targets(name, properties)

    def delete(self, resource, properties):
        self._remove_targets(resource.physical_id, properties.get("Targets", []))
        self.call_if_there("events", "DeleteRule", Name=resource.physical_id)

    def _put(self, name, properties):
        parameters = pick(
            properties, "Description", "EventBusName", "ScheduleExpression", "RoleArn", "Tags"
        )
        if "EventPattern" in properties:
            parameters["EventPattern"] = json.dumps(properties["EventPattern"])
        parameters["State"] = properties.get("State", "ENABLED")
        return self.call("events", "PutRule", Name=name, **parameters)["RuleArn"]

    def _put_targets(self, name, properties):
        if properties.get("Targets"):
            self.call("events", "PutTargets", Rule=name, Targets=properties["Targets"])

    def _remove_targets(self, name, targets):
        if targets:
            ids = [target["Id"] for target in targets]
            self.call_if_there("events", "RemoveTargets", Rule=name, Ids=ids)


HANDLERS = {
    "AWS::SQS::Queue": Queue,
    "AWS::SQS::QueuePolicy": QueuePolicy,
    "AWS::SNS::Topic": Topic,
    "AWS::SNS::TopicPolicy": TopicPolicy,
    "AWS::SNS::Subscription": Subscription,
    "AWS::Events::Rule": Rule,
}
