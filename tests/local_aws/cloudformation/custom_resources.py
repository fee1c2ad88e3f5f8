"""Custom resources: the events that CloudFormation sends to a function, and the answers it takes.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html.
"""

import json
import logging
import queue
import threading
import uuid
from urllib.parse import quote

import moto.awslambda.models as moto_lambda

from ..context import ACCOUNT, REGION
from .errors import ResourceFailed
from .intrinsics import as_text

log = logging.getLogger("local_aws.custom_resources")

PATH = "/cloudformation-custom-resource-response/"
LONGEST = 4096
DEFAULT_TIMEOUT = 3600
REQUIRED = ("Status", "PhysicalResourceId", "StackId", "RequestId", "LogicalResourceId")


class Responses:
    """The endpoint behind the response URLs, which on AWS are presigned ones of S3."""

    def __init__(self, context):
        self.context = context
        self.lock = threading.Lock()
        self.waiting = {}
        self.log = []

    def expect(self, stack, resource, request_id):
        """A URL of its own for one request, and the queue on which its answer will come."""
        token = quote(f"{stack.stack_id}|{resource.logical_id}|{request_id}", safe="")
        answers = self.waiting[request_id] = queue.Queue()
        url = (
            f"{self.context.endpoint}{PATH}{token}?X-Amz-Algorithm=AWS4-HMAC-SHA256"
            "&X-Amz-Date=20300101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Expires=7200"
            f"&X-Amz-Credential=LOCAL%2F20300101%2F{REGION}%2Fs3%2Faws4_request"
            f"&X-Amz-Signature={uuid.uuid4().hex}{uuid.uuid4().hex}"
        )
        return url, answers

    def serve(self, environ):
        """A PUT to a response URL: the status, the headers and the body of the answer."""
        status, code = self._take(environ)
        with self.lock:
            self.log.append({"method": environ["REQUEST_METHOD"], "status": status})
        if status == 200:
            return 200, {"ETag": f'"{uuid.uuid4().hex}"'}, b""
        body = f"<Error><Code>{code}</Code><Message>refused by local_aws</Message></Error>"
        return status, {"Content-Type": "application/xml"}, body.encode()

    def _take(self, environ):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        faults = self.context.faults
        with self.lock:
            if faults.response_refusals > 0:
                faults.response_refusals -= 1
                return 503, "SlowDown"
        if environ["REQUEST_METHOD"] != "PUT":
            return 403, "SignatureDoesNotMatch"
        if not environ.get("CONTENT_LENGTH"):
            return 411, "MissingContentLength"
        if environ.get("CONTENT_TYPE"):
            # The URL is signed for an empty content type; any other breaks the signature.
            return 403, "SignatureDoesNotMatch"
        if len(body) > LONGEST:
            log.error("a response of %s bytes", len(body))
            return 400, "EntityTooLarge"
        request_id = environ["PATH_INFO"].rsplit("|", 1)[-1]
        answers = self.waiting.get(request_id)
        if answers is None:
            return 403, "AccessDenied"
        answers.put(body)
        return 200, ""


class CustomResource:
    """The handler of Custom::* and AWS::CloudFormation::CustomResource."""

    def __init__(self, context, responses):
        self.context = context
        self.responses = responses

    def check_names(self, name, properties):
        """A custom resource has whatever properties its function understands."""

    def must_replace(self, old, properties):
        """Whether it is replaced turns out in its answer to an Update."""
        return False

    def create(self, resource, properties):
        # What is asked to be deleted where no answer ever names the resource.
        resource.physical_id = resource.generated_name()
        self._adopt(resource, self._request("Create", resource, properties))

    def update(self, resource, old, properties):
        answer = self._request("Update", resource, properties, old)
        self._adopt(resource, answer)

    def delete(self, resource, properties):
        self._request("Delete", resource, properties)

    def _adopt(self, resource, answer):
        resource.physical_id = answer["PhysicalResourceId"]
        resource.attributes = answer.get("Data") or {}

    def _request(self, kind, resource, properties, old=None):
        """Sends an event and waits for its answer; raises where that is not a success."""
        request_id = str(uuid.uuid4())
        url, answers = self.responses.expect(resource.stack, resource, request_id)
        event = {
            "RequestType": kind,
            "ServiceToken": properties["ServiceToken"],
            "ResponseURL": url,
            "StackId": resource.stack.stack_id,
            "RequestId": request_id,
            "LogicalResourceId": resource.logical_id,
            "ResourceType": resource.type,
            "ResourceProperties": as_strings(properties),
        }
        if kind != "Create":
            event["PhysicalResourceId"] = resource.physical_id
        if old is not None:
            event["OldResourceProperties"] = as_strings(old)
        try:
            self._invoke(properties["ServiceToken"], event)
            body = answers.get(timeout=float(properties.get("ServiceTimeout", DEFAULT_TIMEOUT)))
        except queue.Empty as error:
            raise ResourceFailed(
                "CloudFormation did not receive a response from your Custom Resource. Please check "
                f"your logs for requestId [{request_id}]. If you are using the Python cfn-response "
                "module, you may need to update your Lambda function code so that CloudFormation "
                "can attach the updated version."
            ) from error
        finally:
            self.responses.waiting.pop(request_id, None)
        answer = self._check(body, event)
        log.info("%s of %s: %s", kind, resource.logical_id, answer)
        if answer["Status"] != "SUCCESS":
            if kind == "Create":
                resource.physical_id = answer["PhysicalResourceId"]
            raise ResourceFailed(
                "Received response status [FAILED] from custom resource. Message returned: "
                f"{answer.get('Reason', '')} (RequestId: {request_id})"
            )
        return answer

    def _invoke(self, token, event):
        if ":lambda:" not in token:
            raise ResourceFailed(f"The service token {token} is not known to local_aws")
        functions = moto_lambda.lambda_backends[ACCOUNT][REGION]
        if functions.get_function_by_arn(token) is None:
            raise ResourceFailed(f"Function not found: {token}")
        self.context.client("lambda").invoke(
            FunctionName=token, InvocationType="Event", Payload=json.dumps(event)
        )

    def _check(self, body, event):
        """The answer as JSON with all that it must have, of this very request."""
        try:
            answer = json.loads(body)
            missing = [name for name in REQUIRED if not answer.get(name)]
        except (ValueError, AttributeError) as error:
            raise ResourceFailed("Invalid response: Response object is not JSON.") from error
        if missing:
            raise ResourceFailed(f"Invalid response: {', '.join(missing)} missing or empty")
        for name in ("StackId", "RequestId", "LogicalResourceId"):
            if answer[name] != event[name]:
                raise ResourceFailed(f"Invalid response: {name} is not that of the request")
        if answer["Status"] not in ("SUCCESS", "FAILED"):
            raise ResourceFailed(f"Invalid response: the Status is {answer['Status']}")
        if answer["Status"] == "FAILED" and not answer.get("Reason"):
            raise ResourceFailed(
                "Invalid response: a Reason is required where the Status is FAILED"
            )
        return answer


def as_strings(value):
    """Properties as a function gets them: CloudFormation turns every scalar into a string."""
    if isinstance(value, dict):
        return {key: as_strings(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_strings(item) for item in value]
    return as_text(value)
