"""Reads templates: YAML with its short intrinsic functions, the SAM transform, and parameters."""

import json
import re

import yaml
from samtranslator.translator.transform import transform as sam_transform

from ..context import ACCOUNT, REGION
from .errors import ApiError

SAM = "AWS::Serverless-2016-10-31"
KNOWN_SECTIONS = {
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Resources",
    "Outputs",
    "Globals",
}


class _Loader(yaml.SafeLoader):
    """Leaves dates as text: `2012-10-17` is a policy's version, not a day."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _short_function(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if name == "Fn::GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {name: value}


_Loader.add_multi_constructor("!", _short_function)


def parse(text):
    """A template's text, JSON or YAML, as nested dictionaries."""
    try:
        template = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ApiError(f"Template format error: YAML not well-formed. ({error})") from error
    if not isinstance(template, dict):
        raise ApiError("Template format error: unsupported structure.")
    unknown = set(template) - KNOWN_SECTIONS
    if unknown:
        raise ApiError(
            f"Invalid template property or properties [{', '.join(sorted(map(str, unknown)))}]"
        )
    if not template.get("Resources"):
        raise ApiError("Template format error: At least one Resources member must be defined.")
    return template


def transforms(template):
    declared = template.get("Transform") or []
    return [declared] if isinstance(declared, str) else declared


class _ManagedPolicies:
    """The AWS managed policies that SAM templates name by their last component."""

    NAMES = (
        "AWSLambdaBasicExecutionRole",
        "AWSLambdaSQSQueueExecutionRole",
        "AWSLambdaVPCAccessExecutionRole",
        "AWSGlueServiceRole",
    )

    def load(self):
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in self.NAMES}


def process(template, values):
    """Applies the template's transforms, as CloudFormation does when a change set is made."""
    for name in transforms(template):
        if name != SAM:
            raise ApiError(f"No transform named {name} is known to local_aws")
    if not transforms(template):
        return template
    try:
        result = sam_transform(json.loads(json.dumps(template)), dict(values), _ManagedPolicies())
    except Exception as error:
        message = getattr(error, "message", str(error))
        causes = "; ".join(str(cause.message) for cause in getattr(error, "causes", []))
        raise ApiError(
            f"Transform {SAM} failed with: {message} {causes}", "ValidationError"
        ) from error
    result.pop("Transform", None)
    return result


# Parameters -----------------------------------------------------------------------------------


def parameter_values(template, given, previous):
    """The value of each parameter, checked against its declaration."""
    declared = template.get("Parameters") or {}
    unknown = [item["ParameterKey"] for item in given if item["ParameterKey"] not in declared]
    if unknown:
        raise ApiError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values = {}
    for item in given:
        name = item["ParameterKey"]
        if str(item.get("UsePreviousValue", "")).lower() == "true":
            if name in previous:
                values[name] = previous[name]
        else:
            values[name] = item.get("ParameterValue", "")
    for name, declaration in declared.items():
        if name not in values and "Default" in declaration:
            values[name] = _default(declaration["Default"])
    missing = [name for name in declared if name not in values]
    if missing:
        raise ApiError(f"Parameters: [{', '.join(missing)}] must have values")
    for name, value in values.items():
        _check(name, declared[name], value)
    return values


def _default(value):
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _check(name, declaration, value):
    def refuse(reason):
        message = declaration.get("ConstraintDescription")
        raise ApiError(
            f"Parameter '{name}' must {message}" if message else f"Parameter '{name}' {reason}"
        )

    kind = declaration.get("Type")
    items = value.split(",") if kind == "CommaDelimitedList" else [value]
    allowed = [_default(item) for item in declaration.get("AllowedValues", [])]
    for item in items:
        if allowed and item.strip() not in allowed:
            refuse(f"must be one of AllowedValues ({value})")
    if kind == "Number":
        try:
            number = float(value)
        except ValueError:
            refuse("must be a number")
        if number < float(declaration.get("MinValue", number)):
            refuse("must be a number not less than MinValue")
        if number > float(declaration.get("MaxValue", number)):
            refuse("must be a number not greater than MaxValue")
    elif kind in ("String", "CommaDelimitedList"):
        pattern = declaration.get("AllowedPattern")
        if kind == "String" and pattern and not re.fullmatch(pattern, value):
            refuse(f"must match pattern {pattern}")
        if len(value) < int(declaration.get("MinLength", 0)):
            refuse("must contain at least MinLength characters")
        if len(value) > int(declaration.get("MaxLength", len(value))):
            refuse("must contain at most MaxLength characters")
    else:
        raise ApiError(f"Parameter type {kind} ({name}) is not known to local_aws")


def pseudo_parameters(stack):
    return {
        "AWS::AccountId": ACCOUNT,
        "AWS::Region": REGION,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": stack.name,
        "AWS::StackId": stack.stack_id,
        "AWS::NotificationARNs": [],
    }
