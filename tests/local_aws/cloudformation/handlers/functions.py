"""Lambda functions, who may invoke them, and what does."""

import json

from ...context import ACCOUNT, REGION
from ..errors import ResourceFailed
from .base import Handler, pick, tag_map

CONFIGURATION = (
    "Description",
    "Handler",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "Environment",
    "EphemeralStorage",
    "TracingConfig",
    "LoggingConfig",
    "DeadLetterConfig",
    "KmsKeyArn",
    "VpcConfig",
    "Layers",
)


class Function(Handler):
    """AWS::Lambda::Function; the code is a package in S3."""

    accepts = {
        *CONFIGURATION,
        "FunctionName",
        "Code",
        "Architectures",
        "PackageType",
        "ReservedConcurrentExecutions",
        "RecursiveLoop",
        "Tags",
    }
    replaces = {"FunctionName", "PackageType"}

    def create(self, resource, properties):
        name = properties.get("FunctionName") or resource.generated_name()
        self._check_trust(properties["Role"])
        self.call(
            "lambda",
            "CreateFunction",
            FunctionName=name,
            Code=properties["Code"],
            Tags=tag_map(properties),
            **self._configuration(properties),
            **pick(properties, "Architectures", "PackageType"),
        )
        resource.physical_id = name
        resource.attributes = {"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"}
        self._reserve(name, {}, properties)

    def update(self, resource, old, properties):
        name = resource.physical_id
        if (old["Code"], old.get("Architectures")) != (
            properties["Code"],
            properties.get("Architectures"),
        ):
            code = pick(properties["Code"], "S3Bucket", "S3Key", "S3ObjectVersion", "ZipFile")
            architectures = properties.get("Architectures")
            self.call(
                "lambda",
                "UpdateFunctionCode",
                FunctionName=name,
                Architectures=architectures,
                **code,
            )
        parameters = self._configuration(properties)
        parameters.setdefault("Environment", {"Variables": {}})
        parameters.setdefault("Timeout", 3)
        parameters.setdefault("MemorySize", 128)
        self.call("lambda", "UpdateFunctionConfiguration", FunctionName=name, **parameters)
        self._reserve(name, old, properties)

    def delete(self, resource, properties):
        self.call_if_there("lambda", "DeleteFunction", FunctionName=resource.physical_id)

    def _configuration(self, properties):
        parameters = pick(properties, *CONFIGURATION)
        if "KmsKeyArn" in parameters:
            parameters["KMSKeyArn"] = parameters.pop("KmsKeyArn")
        return parameters

    def _reserve(self, name, old, properties):
        reserved = properties.get("ReservedConcurrentExecutions")
        if reserved is not None:
            self.call(
                "lambda",
                "PutFunctionConcurrency",
                FunctionName=name,
                ReservedConcurrentExecutions=reserved,
            )
        elif "ReservedConcurrentExecutions" in old:
            self.call("lambda", "DeleteFunctionConcurrency", FunctionName=name)

    def _check_trust(self, role_arn):
        """Lambda refuses a role that it may not assume."""
        role = self.call("iam", "GetRole", RoleName=role_arn.split("/")[-1])["Role"]
        if "lambda.amazonaws.com" not in json.dumps(role["AssumeRolePolicyDocument"]):
            raise ResourceFailed(
                "The role defined for the function cannot be assumed by Lambda. "
                "(Service: Lambda, Status Code: 400)"
            )


class Permission(Handler):
    """AWS::Lambda::Permission."""

    accepts = {
        "Action",
        "FunctionName",
        "Principal",
        "SourceArn",
        "SourceAccount",
        "EventSourceToken",
        "PrincipalOrgID",
    }
    replaces = accepts

    def create(self, resource, properties):
        identifier = resource.generated_name(100)
        self.call("lambda", "AddPermission", StatementId=identifier, **properties)
        resource.physical_id = identifier
        resource.attributes = {"Id": identifier}

    def delete(self, resource, properties):
        self.call_if_there(
            "lambda",
            "RemovePermission",
            FunctionName=properties["FunctionName"],
            StatementId=resource.physical_id,
        )


class EventSourceMapping(Handler):
    """AWS::Lambda::EventSourceMapping."""

    accepts = {
        "FunctionName",
        "EventSourceArn",
        "BatchSize",
        "Enabled",
        "MaximumBatchingWindowInSeconds",
        "FunctionResponseTypes",
        "ScalingConfig",
        "FilterCriteria",
        "Tags",
    }
    replaces = {"EventSourceArn"}

    def create(self, resource, properties):
        self._refuse_filter(properties)
        parameters = {name: value for name, value in properties.items() if name != "Tags"}
        answer = self.call(
            "lambda", "CreateEventSourceMapping", Tags=tag_map(properties), **parameters
        )
        resource.physical_id = answer["UUID"]
        resource.attributes = {
            "Id": answer["UUID"],
            "EventSourceMappingArn": answer.get("EventSourceMappingArn"),
        }

    def update(self, resource, old, properties):
        self._refuse_filter(properties)
        changed = {
            name: value
            for name, value in properties.items()
            if name not in ("Tags", "EventSourceArn") and old.get(name) != value
        }
        if "Enabled" in old:
            changed.setdefault("Enabled", properties.get("Enabled", True))
        self.call("lambda", "UpdateEventSourceMapping", UUID=resource.physical_id, **changed)

    def delete(self, resource, properties):
        self.call_if_there("lambda", "DeleteEventSourceMapping", UUID=resource.physical_id)

    def _refuse_filter(self, properties):
        if properties.get("FilterCriteria"):
            raise ResourceFailed("FilterCriteria is not known to local_aws")


class EventInvokeConfig(Handler):
    """AWS::Lambda::EventInvokeConfig."""

    accepts = {
        "FunctionName",
        "Qualifier",
        "MaximumRetryAttempts",
        "MaximumEventAgeInSeconds",
        "DestinationConfig",
    }
    replaces = {"FunctionName", "Qualifier"}

    def create(self, resource, properties):
        self._put(properties)
        resource.physical_id = resource.generated_name()

    def update(self, resource, old, properties):
        self._put(properties)

    def delete(self, resource, properties):
        self.call_if_there(
            "lambda", "DeleteFunctionEventInvokeConfig", FunctionName=properties["FunctionName"]
        )

    def _put(self, properties):
        # The only qualifier is the latest version, which moto's answer names by its absence.
        parameters = {name: value for name, value in properties.items() if name != "Qualifier"}
        self.call("lambda", "PutFunctionEventInvokeConfig", **parameters)


HANDLERS = {
    "AWS::Lambda::Function": Function,
    "AWS::Lambda::Permission": Permission,
    "AWS::Lambda::EventSourceMapping": EventSourceMapping,
    "AWS::Lambda::EventInvokeConfig": EventInvokeConfig,
}
