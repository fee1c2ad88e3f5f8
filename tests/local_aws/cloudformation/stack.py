"""What CloudFormation remembers of a stack: its resources, its events and its status."""

import random
import string
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ..context import ACCOUNT, REGION

STACK_TYPE = "AWS::CloudFormation::Stack"
CUSTOM_TYPE = "AWS::CloudFormation::CustomResource"


def now():
    return datetime.now(timezone.utc)


def random_suffix(length=12):
    return "".join(random.choices(string.ascii_uppercase + string.digits, k=length))


@dataclass
class Resource:
    """A resource of a stack; its properties are those it was last made or updated with."""

    stack: "Stack"
    logical_id: str
    type: str
    definition: dict = field(default_factory=dict)
    properties: dict = field(default_factory=dict)
    physical_id: str | None = None
    attributes: dict = field(default_factory=dict)
    depends_on: list = field(default_factory=list)
    status: str = ""
    reason: str = ""
    updated: datetime = field(default_factory=now)

    @property
    def is_custom(self):
        return self.type == CUSTOM_TYPE or self.type.startswith("Custom::")

    def generated_name(self, limit=64, lower=False):
        """A physical name as CloudFormation makes them up."""
        suffix = random_suffix()
        stem = f"{self.stack.name}-{self.logical_id}"[: limit - len(suffix) - 1]
        name = f"{stem}-{suffix}"
        return name.lower() if lower else name


@dataclass
class ChangeSet:
    """A change set; it holds what will be the stack's next template and parameters."""

    change_set_id: str
    name: str
    stack: "Stack"
    kind: str
    text: str
    template: dict
    values: dict
    tags: list
    capabilities: list
    description: str | None
    changes: list = field(default_factory=list)
    status: str = "CREATE_COMPLETE"
    reason: str | None = None
    execution_status: str = "AVAILABLE"
    created: datetime = field(default_factory=now)


class Stack:
    """A stack. Operations run in the background, one at a time."""

    def __init__(self, name):
        self.name = name
        unique = uuid.uuid4()
        self.stack_id = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{unique}"
        self.lock = threading.RLock()
        self.status = ""
        self.reason = None
        self.created = now()
        self.updated = None
        self.deleted = None
        self.description = None
        self.text = ""
        self.template = {"Resources": {}}
        self.values = {}
        self.tags = []
        self.capabilities = []
        self.outputs = []
        self.resources = {}
        self.events = []
        self.change_sets = {}

    def set_status(self, status, reason=None):
        self.status = status
        self.reason = reason
        self._event(self.name, self.stack_id, STACK_TYPE, status, reason, {})

    def resource_status(self, resource, status, reason=None):
        resource.status = status
        resource.reason = reason or ""
        resource.updated = now()
        self._event(
            resource.logical_id,
            resource.physical_id,
            resource.type,
            status,
            reason,
            resource.properties,
        )

    def _event(self, logical_id, physical_id, kind, status, reason, properties):
        with self.lock:
            self.events.append(
                {
                    "EventId": str(uuid.uuid4()),
                    "StackId": self.stack_id,
                    "StackName": self.name,
                    "LogicalResourceId": logical_id,
                    "PhysicalResourceId": physical_id or "",
                    "ResourceType": kind,
                    "Timestamp": now(),
                    "ResourceStatus": status,
                    "ResourceStatusReason": reason,
                    "ResourceProperties": properties,
                }
            )
