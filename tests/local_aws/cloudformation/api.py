"""The CloudFormation API over HTTP: the query protocol, read and written by botocore's model."""

import json
import logging
import re
import uuid
from urllib.parse import parse_qs, urlparse
from xml.sax.saxutils import escape

from moto.core.parse import QueryParser
from moto.core.serialize import QuerySerializer
from moto.core.utils import get_service_model
from werkzeug.datastructures import MultiDict

from . import template as templates
from .engine import Desired, Engine
from .errors import ApiError
from .stack import ChangeSet, Stack

log = logging.getLogger("local_aws.cloudformation")

MODEL = get_service_model("cloudformation")
NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a "
    "change set."
)
NAMED_IAM = ("RoleName", "PolicyName", "ManagedPolicyName", "UserName", "GroupName")


class CloudFormation:
    """Answers the API's requests and starts the engine."""

    def __init__(self, context, handlers):
        self.context = context
        self.engine = Engine(handlers)
        self.stacks = []

    def serve(self, environ):
        """A WSGI request's status, headers and body."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length).decode()
        form = parse_qs(body, keep_blank_values=True)
        values = MultiDict((name, items[0]) for name, items in form.items())
        try:
            action = values.get("Action", "")
            if action not in MODEL.operation_names or action not in OPERATIONS:
                raise ApiError(f"The action {action} is not known to local_aws", "InvalidAction")
            operation = MODEL.operation_model(action)
            parameters = QueryParser(operation).parse({"values": values})
            result = OPERATIONS[action](self, parameters) or {}
            answer = QuerySerializer(operation).serialize(result)
            return answer["status_code"], dict(answer["headers"]), _bytes(answer["body"])
        except ApiError as error:
            log.info("%s: %s", values.get("Action"), error)
            return 400, {"Content-Type": "text/xml"}, _error(error)

    # Finding things

    def find(self, name, deleted=False):
        """A stack by its name or its id; deleted ones have an id only."""
        for stack in reversed(self.stacks):
            by_id = name == stack.stack_id and (deleted or not stack.deleted)
            if by_id or (name == stack.name and not stack.deleted):
                return stack
        raise ApiError(f"Stack with id {name} does not exist")

    def _find_or_none(self, name):
        try:
            return self.find(name)
        except ApiError:
            return None

    def _change_set(self, parameters):
        name = parameters["ChangeSetName"]
        stacks = self.stacks
        if "StackName" in parameters:
            stacks = [self.find(parameters["StackName"])]
        for stack in stacks:
            for change_set in stack.change_sets.values():
                if name in (change_set.change_set_id, change_set.name):
                    return change_set
        raise ApiError(f"ChangeSet [{name}] does not exist", "ChangeSetNotFound")

    # Reading a request

    def _template_text(self, parameters, stack):
        if parameters.get("TemplateBody"):
            return parameters["TemplateBody"]
        if parameters.get("TemplateURL"):
            return self._download(parameters["TemplateURL"])
        if stack is not None and parameters.get("UsePreviousTemplate"):
            return stack.text
        raise ApiError("Either Template URL or Template Body must be specified.")

    def _download(self, url):
        """A template in S3, path-style or with the bucket in the host's name."""
        parts = urlparse(url)
        path = parts.path.lstrip("/")
        match = re.match(r"(.+)\.s3[.-].*amazonaws\.com$", parts.netloc)
        bucket, key = (match.group(1), path) if match else path.split("/", 1)
        s3 = self.context.client("s3")
        try:
            return s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        except s3.exceptions.ClientError as error:
            raise ApiError(f"S3 error: {error}") from error

    def _desired(self, parameters, stack):
        text = self._template_text(parameters, stack if stack.text else None)
        template = templates.parse(text)
        values = templates.parameter_values(
            template, parameters.get("Parameters", []), stack.values
        )
        processed = templates.process(template, values)
        desired = Desired(
            text=text,
            template=processed,
            values=values,
            tags=parameters.get("Tags", stack.tags),
            capabilities=parameters.get("Capabilities", []),
        )
        _check_capabilities(processed, desired.capabilities)
        self.engine.validate(stack, desired)
        return desired

    # Stacks

    def create_stack(self, parameters):
        name = parameters["StackName"]
        if self._find_or_none(name) is not None:
            raise ApiError(f"Stack [{name}] already exists", "AlreadyExistsException")
        stack = Stack(name)
        desired = self._desired(parameters, stack)
        on_failure = parameters.get("OnFailure", "ROLLBACK")
        if parameters.get("DisableRollback"):
            on_failure = "DO_NOTHING"
        self.stacks.append(stack)
        self.engine.start(self.engine.create, stack, desired, on_failure)
        return {"StackId": stack.stack_id}

    def update_stack(self, parameters):
        stack = self.find(parameters["StackName"])
        _check_updatable(stack)
        desired = self._desired(parameters, stack)
        if self.engine.is_same(stack, desired):
            raise ApiError("No updates are to be performed.")
        self.engine.start(self.engine.update, stack, desired)
        return {"StackId": stack.stack_id}

    def delete_stack(self, parameters):
        stack = self._find_or_none(parameters["StackName"])
        if stack is None or stack.status == "DELETE_IN_PROGRESS":
            return
        if stack.status == "REVIEW_IN_PROGRESS":
            self.stacks.remove(stack)
            return
        stack.status = "DELETE_IN_PROGRESS"
        self.engine.start(self.engine.delete, stack, parameters.get("RetainResources", []))

    def describe_stacks(self, parameters):
        if "StackName" in parameters:
            return {"Stacks": [_stack(self.find(parameters["StackName"], deleted=True))]}
        return {"Stacks": [_stack(stack) for stack in self.stacks if not stack.deleted]}

    def list_stacks(self, parameters):
        wanted = parameters.get("StackStatusFilter")
        found = [s for s in self.stacks if not wanted or s.status in wanted]
        return {"StackSummaries": [_stack(stack) for stack in found]}

    def describe_stack_events(self, parameters):
        stack = self.find(parameters["StackName"], deleted=True)
        events = [{**e, "ResourceProperties": _json(e)} for e in reversed(stack.events)]
        return {"StackEvents": events}

    def describe_stack_resources(self, parameters):
        stack = self.find(parameters["StackName"], deleted=True)
        wanted = parameters.get("LogicalResourceId")
        found = [r for name, r in stack.resources.items() if wanted in (None, name)]
        return {"StackResources": [_resource(resource) for resource in found]}

    def describe_stack_resource(self, parameters):
        stack = self.find(parameters["StackName"], deleted=True)
        name = parameters["LogicalResourceId"]
        if name not in stack.resources:
            raise ApiError(f"Resource {name} does not exist for stack {stack.name}")
        return {"StackResourceDetail": _resource(stack.resources[name])}

    def list_stack_resources(self, parameters):
        stack = self.find(parameters["StackName"], deleted=True)
        return {"StackResourceSummaries": [_resource(r) for r in stack.resources.values()]}

    def get_template(self, parameters):
        if "ChangeSetName" in parameters:
            change_set = self._change_set(parameters)
            text, processed = change_set.text, change_set.template
        else:
            stack = self.find(parameters["StackName"], deleted=True)
            text, processed = stack.text, stack.template
        if parameters.get("TemplateStage") == "Processed":
            text = _dump(processed)
        return {"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]}

    def get_template_summary(self, parameters):
        stack = None
        if "StackName" in parameters:
            stack = self.find(parameters["StackName"])
            text = stack.text
        else:
            text = self._template_text(parameters, None)
        template = templates.parse(text)
        return {
            "Parameters": [
                {
                    "ParameterKey": name,
                    "DefaultValue": _default(declared),
                    "ParameterType": declared.get("Type"),
                    "NoEcho": _is_secret(declared),
                    "Description": declared.get("Description"),
                    "ParameterConstraints": {"AllowedValues": _allowed(declared)},
                }
                for name, declared in (template.get("Parameters") or {}).items()
            ],
            "Description": template.get("Description"),
            "Metadata": _dump(template.get("Metadata") or {}),
            "ResourceTypes": sorted({r["Type"] for r in template["Resources"].values()}),
            "DeclaredTransforms": templates.transforms(template),
            "Version": template.get("AWSTemplateFormatVersion"),
        }

    def validate_template(self, parameters):
        return self.get_template_summary(parameters)

    # Change sets

    def create_change_set(self, parameters):
        name = parameters["StackName"]
        kind = parameters.get("ChangeSetType", "UPDATE")
        stack = self._find_or_none(name)
        if kind == "CREATE":
            if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
                raise ApiError(f"Stack [{name}] already exists and cannot be created again")
        else:
            stack = self.find(name)
            _check_updatable(stack)
        is_new = stack is None
        stack = stack or Stack(name)
        desired = self._desired(parameters, stack)
        if is_new:
            stack.set_status("REVIEW_IN_PROGRESS", "User Initiated")
            self.stacks.append(stack)
        change_set = self._make_change_set(parameters, stack, desired, kind)
        stack.change_sets[change_set.change_set_id] = change_set
        return {"Id": change_set.change_set_id, "StackId": stack.stack_id}

    def _make_change_set(self, parameters, stack, desired, kind):
        arn = stack.stack_id.split(":stack/")[0]
        change_set = ChangeSet(
            change_set_id=f"{arn}:changeSet/{parameters['ChangeSetName']}/{uuid.uuid4()}",
            name=parameters["ChangeSetName"],
            stack=stack,
            kind=kind,
            text=desired.text,
            template=desired.template,
            values=desired.values,
            tags=desired.tags,
            capabilities=desired.capabilities,
            description=parameters.get("Description"),
            changes=self.engine.changes(stack, desired),
        )
        if kind == "UPDATE" and self.engine.is_same(stack, desired):
            change_set.status = "FAILED"
            change_set.reason = NO_CHANGES
            change_set.execution_status = "UNAVAILABLE"
        return change_set

    def describe_change_set(self, parameters):
        change_set = self._change_set(parameters)
        return {
            "ChangeSetName": change_set.name,
            "ChangeSetId": change_set.change_set_id,
            "StackId": change_set.stack.stack_id,
            "StackName": change_set.stack.name,
            "Description": change_set.description,
            "Parameters": _parameters(change_set.template, change_set.values),
            "CreationTime": change_set.created,
            "ExecutionStatus": change_set.execution_status,
            "Status": change_set.status,
            "StatusReason": change_set.reason,
            "Capabilities": change_set.capabilities,
            "Tags": change_set.tags,
            "Changes": change_set.changes,
        }

    def list_change_sets(self, parameters):
        stack = self.find(parameters["StackName"])
        return {
            "Summaries": [
                self.describe_change_set({"ChangeSetName": c.change_set_id})
                for c in stack.change_sets.values()
            ]
        }

    def delete_change_set(self, parameters):
        change_set = self._change_set(parameters)
        change_set.stack.change_sets.pop(change_set.change_set_id)

    def execute_change_set(self, parameters):
        change_set = self._change_set(parameters)
        stack = change_set.stack
        if change_set.execution_status != "AVAILABLE":
            raise ApiError(
                f"ChangeSet [{change_set.change_set_id}] cannot be executed in its current "
                f"status of [{change_set.status}]",
                "InvalidChangeSetStatus",
            )
        desired = Desired(
            change_set.text,
            change_set.template,
            change_set.values,
            change_set.tags,
            change_set.capabilities,
        )
        change_set.execution_status = "EXECUTE_COMPLETE"
        stack.change_sets = {change_set.change_set_id: change_set}
        if change_set.kind == "CREATE":
            on_failure = "DO_NOTHING" if parameters.get("DisableRollback") else "ROLLBACK"
            stack.status = "CREATE_IN_PROGRESS"
            self.engine.start(self.engine.create, stack, desired, on_failure)
        else:
            stack.status = "UPDATE_IN_PROGRESS"
            self.engine.start(self.engine.update, stack, desired)


def _check_updatable(stack):
    complete = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
    if stack.status not in complete:
        raise ApiError(f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")


def _check_capabilities(template, given):
    iam = [r for r in template["Resources"].values() if r["Type"].startswith("AWS::IAM::")]
    if not iam or "CAPABILITY_NAMED_IAM" in given:
        return
    named = any(
        name in (r.get("Properties") or {})
        for r in iam
        for name in NAMED_IAM
        if not (r["Type"] == "AWS::IAM::Policy" and name == "PolicyName")
    )
    wanted = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
    if wanted not in given:
        raise ApiError(f"Requires capabilities : [{wanted}]", "InsufficientCapabilitiesException")


def _stack(stack):
    described = {
        "StackId": stack.stack_id,
        "StackName": stack.name,
        "Description": stack.description,
        "Parameters": _parameters(stack.template, stack.values),
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": False,
        "NotificationARNs": [],
        "Capabilities": stack.capabilities,
        "Outputs": stack.outputs,
        "Tags": stack.tags,
        "EnableTerminationProtection": False,
    }
    return {name: value for name, value in described.items() if value is not None}


def _resource(resource):
    described = {
        "StackName": resource.stack.name,
        "StackId": resource.stack.stack_id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id or "",
        "ResourceType": resource.type,
        "Timestamp": resource.updated,
        "LastUpdatedTimestamp": resource.updated,
        "ResourceStatus": resource.status,
    }
    if resource.reason:
        described["ResourceStatusReason"] = resource.reason
    return described


def _parameters(template, values):
    declared = template.get("Parameters") or {}
    return [
        {
            "ParameterKey": name,
            "ParameterValue": "****" if _is_secret(declared.get(name, {})) else value,
        }
        for name, value in values.items()
    ]


def _is_secret(declared):
    return str(declared.get("NoEcho", "")).lower() == "true"


def _default(declared):
    return str(declared["Default"]) if "Default" in declared else None


def _allowed(declared):
    return [str(value) for value in declared.get("AllowedValues", [])]


def _dump(value):
    return json.dumps(value, indent=2)


def _json(event):
    return json.dumps(event["ResourceProperties"], default=str)


def _bytes(body):
    return body if isinstance(body, bytes) else body.encode()


def _error(error):
    message = escape(str(error))
    return (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type>'
        f"<Code>{error.code}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    ).encode()


OPERATIONS = {
    "CreateStack": CloudFormation.create_stack,
    "UpdateStack": CloudFormation.update_stack,
    "DeleteStack": CloudFormation.delete_stack,
    "DescribeStacks": CloudFormation.describe_stacks,
    "ListStacks": CloudFormation.list_stacks,
    "DescribeStackEvents": CloudFormation.describe_stack_events,
    "DescribeStackResources": CloudFormation.describe_stack_resources,
    "DescribeStackResource": CloudFormation.describe_stack_resource,
    "ListStackResources": CloudFormation.list_stack_resources,
    "GetTemplate": CloudFormation.get_template,
    "GetTemplateSummary": CloudFormation.get_template_summary,
    "ValidateTemplate": CloudFormation.validate_template,
    "CreateChangeSet": CloudFormation.create_change_set,
    "DescribeChangeSet": CloudFormation.describe_change_set,
    "ListChangeSets": CloudFormation.list_change_sets,
    "DeleteChangeSet": CloudFormation.delete_change_set,
    "ExecuteChangeSet": CloudFormation.execute_change_set,
}
