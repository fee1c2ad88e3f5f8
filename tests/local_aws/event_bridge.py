"""EventBridge: hands events to the targets of the rules that match them.

moto matches the patterns. Its rules send to a few kinds of targets only, and do so even when they
are disabled.
"""

import json
import logging
import uuid
from datetime import datetime, timezone

import moto.events.models as moto_events
from moto.events.utils import EventTemplateParser

from .context import ACCOUNT, REGION

log = logging.getLogger("local_aws.event_bridge")


class EventBridge:
    """The event buses; services publish on the default one."""

    def __init__(self, context, delivery):
        self.context = context
        self.delivery = delivery

    def install(self):
        bridge = self

        def send_to_targets(rule, original_event, transform_input=True):
            bridge.offer(rule, original_event)

        moto_events.Rule.send_to_targets = send_to_targets

    def publish(self, event):
        """Puts an event of an AWS service on the default bus."""
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "account": ACCOUNT,
            "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [],
            **event,
        }
        bus = moto_events.events_backends[ACCOUNT][REGION].event_buses["default"]
        for rule in list(bus.rules.values()):
            self.offer(rule, event)

    def offer(self, rule, event):
        """Sends an event to a rule's targets if the rule is enabled and matches it."""
        if rule.state != "ENABLED" or rule.scheduled_expression:
            return
        event = _as_sent(event)
        if not rule.event_pattern.matches_event(event):
            return
        for target in list(rule.targets):
            try:
                self._send(rule.arn, target, event)
            except Exception:
                log.exception("rule %s, target %s", rule.name, target["Arn"])
                self._send_to_dead_letters(rule, target, event)

    def _send(self, source, target, event):
        options = {}
        if group := (target.get("SqsParameters") or {}).get("MessageGroupId"):
            options["MessageGroupId"] = group
        body = _input(target, event)
        self._deliver(source, target["Arn"], body, **options)

    def _send_to_dead_letters(self, rule, target, event):
        if arn := (target.get("DeadLetterConfig") or {}).get("Arn"):
            attributes = {
                "RULE_ARN": {"DataType": "String", "StringValue": rule.arn},
                "TARGET_ARN": {"DataType": "String", "StringValue": target["Arn"]},
            }
            self._deliver(rule.arn, arn, json.dumps(event), MessageAttributes=attributes)

    def _deliver(self, source, arn, body, **options):
        self.delivery.from_service("events.amazonaws.com", source, arn, body, **options)


def _as_sent(event):
    """An event with its time in text; moto's have it as a number, and a field of moto's own."""
    event = {name: value for name, value in event.items() if name != "ingestion-time"}
    if not isinstance(event["time"], str):
        moment = datetime.fromtimestamp(float(event["time"]), timezone.utc)
        event["time"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return event


def _input(target, event):
    """What a target gets: the event, a constant, a part of the event or a text made from it."""
    if target.get("Input"):
        return target["Input"]
    if path := target.get("InputPath"):
        value = event
        for part in path.removeprefix("$").strip(".").split("."):
            value = value[part] if part else value
        return json.dumps(value)
    if transformer := target.get("InputTransformer"):
        parsed = EventTemplateParser.parse(
            input_template=transformer.get("InputTemplate"),
            input_paths_map=transformer.get("InputPathsMap", {}),
            event={**event, "ingestion-time": event["time"]},
        )
        return json.dumps(parsed)
    return json.dumps(event)
