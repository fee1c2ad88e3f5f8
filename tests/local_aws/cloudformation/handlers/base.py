"""What the handlers have in common: checked names, coerced values, tolerated absences."""

import json

from botocore.exceptions import ClientError, ParamValidationError

from ..errors import ApiError, ResourceFailed

GONE = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist", "404")
SCALARS = {
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "string": lambda value: str(value).lower() if isinstance(value, bool) else str(value),
    "boolean": lambda value: str(value).lower() == "true",
}


class Handler:
    """Creates, updates and deletes the resources of one type.

    `create` sets the resource's physical id as soon as there is something to delete.
    """

    accepts: set = set()  # the properties that are known; any other is an error
    replaces: set = set()  # the properties whose change means a new resource

    def __init__(self, context):
        self.context = context

    def create(self, resource, properties):
        raise NotImplementedError

    def update(self, resource, old, properties):
        raise NotImplementedError

    def delete(self, resource, properties):
        raise NotImplementedError

    def check_names(self, name, properties):
        """An unknown property is refused, as CloudFormation refuses it."""
        unknown = set(properties) - self.accepts
        if unknown:
            raise ApiError(
                f"Properties validation failed for resource {name}: unsupported properties "
                f"{sorted(unknown)} (AWS or local_aws does not know them)"
            )

    def must_replace(self, old, properties):
        return any(old.get(name) != properties.get(name) for name in self.replaces)

    def call(self, service, operation, /, **parameters):
        """Calls an API; text becomes the number or the truth value that the API wants.

        CloudFormation's properties may be text wherever an API has another kind of scalar.
        """
        client = self.context.client(service)
        shape = client.meta.service_model.operation_model(operation).input_shape
        parameters = {name: value for name, value in parameters.items() if value is not None}
        method = getattr(client, _python_name(client, operation))
        try:
            return method(**coerce(shape, parameters, operation))
        except ClientError as error:
            details = error.response["Error"]
            raise ServiceError(operation, service, details) from error
        except ParamValidationError as error:
            raise ResourceFailed(str(error)) from error

    def call_if_there(self, service, operation, /, **parameters):
        """Calls an API that removes something, which may have gone already."""
        try:
            return self.call(service, operation, **parameters)
        except ServiceError as error:
            if any(part in error.code for part in GONE):
                return None
            raise


class ServiceError(ResourceFailed):
    """What a service answered, worded as CloudFormation passes it on."""

    def __init__(self, operation, service, details):
        self.code = str(details.get("Code", ""))
        message = details.get("Message", "")
        super().__init__(f"{message} (Service: {service}, {operation}, Error Code: {self.code})")


def _python_name(client, operation):
    mapping = client.meta.method_to_api_mapping
    return next(name for name, api_name in mapping.items() if api_name == operation)


def coerce(shape, value, path=""):
    """A property's value as an API's shape wants it; an unknown name is an error."""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        unknown = set(value) - set(shape.members)
        if unknown and not getattr(shape, "is_document_type", False):
            raise ResourceFailed(f"{path}: unsupported properties {sorted(unknown)}")
        return {k: coerce(shape.members[k], v, f"{path}.{k}") for k, v in value.items()}
    if kind == "list" and isinstance(value, list):
        return [coerce(shape.member, item, path) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {str(k): coerce(shape.value, v, f"{path}.{k}") for k, v in value.items()}
    if kind == "string" and isinstance(value, (dict, list)):
        return json.dumps(value)
    if kind in SCALARS and isinstance(value, (str, int, float, bool)):
        return SCALARS[kind](value)
    return value


def pick(properties, *names):
    """The properties of these names that are given."""
    return {name: properties[name] for name in names if name in properties}


def tag_map(properties):
    """Tags as the services take them that want a map."""
    tags = properties.get("Tags")
    if isinstance(tags, list):
        return {tag["Key"]: str(tag["Value"]) for tag in tags}
    return tags


def document(value):
    """A policy document as text."""
    return value if isinstance(value, str) else json.dumps(value)
