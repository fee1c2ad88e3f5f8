"""What S3 says of the objects written to it: notifications, and events on EventBridge.

moto's own events lack half of the fields of AWS's and hold wrong values in others. The shapes are
those of https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
and https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html.
"""

import itertools
import json
import logging
import time
import uuid
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from urllib.parse import quote_plus

import moto.s3.notifications as moto_notifications
from moto.s3.responses import S3Response

from .context import ACCOUNT

log = logging.getLogger("local_aws.s3_events")

REASONS = {
    "Put": "PutObject",
    "Post": "POST Object",
    "Copy": "CopyObject",
    "CompleteMultipartUpload": "CompleteMultipartUpload",
    "Delete": "DeleteObject",
    "DeleteMarkerCreated": "DeleteObject",
}
DETAIL_TYPES = {"ObjectCreated": "Object Created", "ObjectRemoved": "Object Deleted"}


class S3Events:
    """Takes the place of moto's function that sends a bucket's events."""

    def __init__(self, delivery, bus):
        self.delivery = delivery
        self.bus = bus
        self.sequence = itertools.count(int(time.time() * 1e6))
        # S3 answers before it notifies; one thread keeps the order of the writes.
        self.sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="s3-events")

    def install(self):
        moto_notifications.send_event = self.send_event
        _tell_of_notifications_as_s3_does()

    def send_event(self, _account, event_name, bucket, key):
        name = str(getattr(event_name, "value", event_name))
        configuration = bucket.notification_configuration
        if configuration is None or _is_put_of_multipart(name, key):
            return
        described = self._describe(bucket, key)
        for notification in [
            *configuration.cloud_function,
            *configuration.queue,
            *configuration.topic,
        ]:
            if notification.matches(event_name, key.name):
                record = _record(name, bucket, described, notification.id)
                self.sender.submit(self._deliver, bucket.arn, notification.arn, record)
        _, group, kind = name.split(":")
        if configuration.event_bridge is not None and group in DETAIL_TYPES:
            event = _event_bridge_event(group, kind, bucket, described)
            self.sender.submit(self._publish, event)

    def _describe(self, bucket, key):
        """The object as it is now; its events are sent later, when it may have gone."""
        described = {
            "key": key.name,
            "size": key.size,
            "etag": key.etag.replace('"', ""),
            "sequencer": f"{next(self.sequence):018X}",
        }
        if bucket.is_versioned:
            described["version-id"] = key.version_id
        return described

    def _deliver(self, bucket_arn, arn, record):
        body = json.dumps({"Records": [record]})
        try:
            self.delivery.from_service("s3.amazonaws.com", bucket_arn, arn, body)
        except Exception:
            log.exception("notification to %s", arn)

    def _publish(self, event):
        try:
            self.bus.publish(event)
        except Exception:
            log.exception("event %s", event)


def _tell_of_notifications_as_s3_does():
    """Makes GetBucketNotificationConfiguration answer in S3's shape.

    moto names the document differently, which strict clients refuse, and leaves EventBridge out:
    a client that adds to what it read would turn EventBridge off.
    """
    old_get = S3Response.get_bucket_notification
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

    def get_bucket_notification(self):
        configuration = self.backend.get_bucket_notification_configuration(self.bucket_name)
        status, headers, body = old_get(self)
        found = ElementTree.fromstring(body)
        answer = ElementTree.Element(f"{{{namespace}}}NotificationConfiguration")
        answer.extend(found)
        if configuration and configuration.event_bridge is not None:
            ElementTree.SubElement(answer, f"{{{namespace}}}EventBridgeConfiguration")
        body = ElementTree.tostring(answer, encoding="utf-8", default_namespace=namespace)
        headers["Content-Length"] = str(len(body))
        return status, headers, body

    S3Response.get_bucket_notification = get_bucket_notification


def _is_put_of_multipart(name, key):
    """moto tells of a completed multipart upload twice: as the put of an object as well."""
    return name == "s3:ObjectCreated:Put" and getattr(key, "multipart", None) is not None


def _record(name, bucket, described, configuration_id):
    stored = {
        "key": quote_plus(described["key"], safe="/*"),
        "size": described["size"],
        "eTag": described["etag"],
        "sequencer": described["sequencer"],
    }
    if "version-id" in described:
        stored["versionId"] = described["version-id"]
    if name.startswith("s3:ObjectRemoved"):
        del stored["size"], stored["eTag"]
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region_name,
        "eventTime": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "eventName": name.removeprefix("s3:"),
        "userIdentity": {"principalId": "AWS:AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {
            "x-amz-request-id": uuid.uuid4().hex[:16].upper(),
            "x-amz-id-2": uuid.uuid4().hex,
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": "A3NL1KOZZKEXAMPLE"},
                "arn": bucket.arn,
            },
            "object": stored,
        },
    }


def _event_bridge_event(group, kind, bucket, described):
    stored = dict(described)
    detail = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": stored,
        "request-id": uuid.uuid4().hex[:16].upper(),
        "requester": ACCOUNT,
        "source-ip-address": "127.0.0.1",
        "reason": REASONS.get(kind, kind),
    }
    if group == "ObjectRemoved":
        del stored["size"]
        marker = kind == "DeleteMarkerCreated"
        detail["deletion-type"] = "Delete Marker Created" if marker else "Permanently Deleted"
    return {
        "detail-type": DETAIL_TYPES[group],
        "source": "aws.s3",
        "resources": [bucket.arn],
        "detail": detail,
    }
