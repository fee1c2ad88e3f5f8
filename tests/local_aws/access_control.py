"""IAM, enforced and recorded for the roles of functions and of crawlers.

moto checks no permissions. Here every request that is signed with the credentials of a function's
role needs what AWS would ask for, and each decision is kept, so that a test can tell a policy that
is too narrow from one that is too wide.
"""

import json
import logging
import threading
import time
import uuid
from dataclasses import asdict, dataclass, field
from urllib.parse import parse_qs

import moto.iam.models as moto_iam
import moto.s3.models as moto_s3

from . import iam_actions, policies
from .context import ACCOUNT, PARTITION, REGION

log = logging.getLogger("local_aws.access")

S3_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code>'
    "<Message>{message}</Message><RequestId>{request}</RequestId><HostId>local</HostId></Error>"
)
QUERY_ERROR = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
    "<Message>{message}</Message></Error><RequestId>{request}</RequestId></ErrorResponse>"
)


@dataclass
class Call:
    """One action that a role needed, and what came of it."""

    role: str
    action: str
    resource: str
    allowed: bool
    operation: str
    statements: list = field(default_factory=list)
    reason: str = ""
    time: float = field(default_factory=time.time)


class Access:
    """Decides for roles, and remembers."""

    def __init__(self, context):
        self.context = context
        self.lock = threading.Lock()
        self.calls = []
        self.roles_by_key = {}
        self.once = set()

    # Roles

    def credentials_of(self, role_arn, session):
        """Temporary credentials of a role, as Lambda hands them to a function."""
        answer = self.context.client("sts").assume_role(
            RoleArn=role_arn, RoleSessionName=session[:64]
        )
        found = answer["Credentials"]
        with self.lock:
            self.roles_by_key[found["AccessKeyId"]] = role_arn.split("/")[-1]
        return found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]

    def policies_of(self, role_name):
        """The names and documents of a role's policies; nothing where there is no such role."""
        role = self._role(role_name)
        if role is None:
            return []
        found = list(role.policies.items())
        for policy in role.managed_policies.values():
            found.append((policy.arn, _document(policy)))
        return found

    def _role(self, name):
        roles = moto_iam.iam_backends[ACCOUNT][PARTITION].roles
        return next((role for role in list(roles.values()) if role.name == name), None)

    # Decisions

    def decide(self, role, action, resource, values=None):
        """Whether a role may do something, without a record of it."""
        values = {
            "aws:ResourceAccount": ACCOUNT,
            "s3:ResourceAccount": ACCOUNT,
            "aws:PrincipalAccount": ACCOUNT,
            "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
            "aws:SecureTransport": "true",
            "aws:RequestedRegion": REGION,
            **(values or {}),
        }
        decision = policies.evaluate(self.policies_of(role), action, resource, values)
        boundary = getattr(self._role(role), "permissions_boundary_arn", None)
        if decision.allowed and boundary:
            managed = moto_iam.iam_backends[ACCOUNT][PARTITION].managed_policies[boundary]
            limit = policies.evaluate([(boundary, _document(managed))], action, resource, values)
            if not limit.allowed:
                return limit
        return decision

    def check(self, role, action, resource, operation, values=None, once=False):
        """Decides and records; `once` records what is asked again and again a single time."""
        role = role.split("/")[-1]
        decision = self.decide(role, action, resource, values)
        key = (role, action, resource, decision.allowed)
        if once and key in self.once:
            return decision.allowed
        self.once.add(key)
        self.record(role, action, resource, operation, decision)
        return decision.allowed

    def record(self, role, action, resource, operation, decision):
        call = Call(
            role=role,
            action=action,
            resource=resource,
            allowed=decision.allowed,
            operation=operation,
            statements=[asdict(match) for match in decision.matches],
            reason=decision.reason,
        )
        if not call.allowed:
            log.warning("denied: %s %s %s (%s)", role, action, resource, decision.reason)
        with self.lock:
            self.calls.append(call)

    # What tests ask for

    def recorded(self):
        with self.lock:
            return [asdict(call) for call in self.calls]

    def forget(self):
        with self.lock:
            self.calls.clear()
            self.once.clear()

    def unused(self, role_name):
        """The actions of a role's policies that nothing recorded has needed so far."""
        with self.lock:
            used = {
                (match["policy"], match["index"], match["action"])
                for call in self.calls
                if call.role == role_name
                for match in call.statements
            }
        return [
            {
                "policy": name,
                "index": index,
                "sid": statement.get("Sid", ""),
                "action": action,
                "resources": policies.listed(statement.get("Resource")),
            }
            for name, document in self.policies_of(role_name)
            for index, statement in enumerate(policies.statements(document))
            for action in policies.listed(statement.get("Action"))
            if (name, index, action) not in used
        ]

    # Requests

    def refuse(self, environ):
        """Gives None where a request may pass, or the WSGI answer that refuses it."""
        key, service = credential(environ)
        role = self.roles_by_key.get(key)
        if role is None:
            return None
        request = iam_actions.read_request(environ, service)
        try:
            operation, needed = iam_actions.needed(request)
        except iam_actions.Unknown as error:
            reason = f"{error} is not known to local_aws"
            self.record(role, str(error), "*", "?", policies.Decision(False, [], reason))
            return _refusal(request, reason)
        for need in needed:
            if not self.check(role, need.action, need.resource, operation, need.values):
                return _refusal(request, _message(role, need))
        return self._hide_missing(role, request, operation)

    def _hide_missing(self, role, request, operation):
        """S3 does not tell a role that may not list a bucket that an object is not in it."""
        if operation not in ("GetObject", "HeadObject"):
            return None
        name, key = iam_actions.split_path(request.path)
        bucket = moto_s3.s3_backends[ACCOUNT][PARTITION].buckets.get(name)
        if bucket is None or _is_there(bucket, key, request.query.get("versionId")):
            return None
        need = iam_actions.Needed("s3:ListBucket", f"arn:aws:s3:::{name}")
        if self.check(role, need.action, need.resource, f"{operation} of a missing key"):
            return None
        return _refusal(request, _message(role, need))


def _is_there(bucket, key, version):
    """Whether an object exists; one whose latest version is a delete marker does not."""
    found = bucket.keys.get(key)
    return found is not None and (version or not isinstance(found, moto_s3.FakeDeleteMarker))


def _document(policy):
    default = next(v for v in policy.versions if v.is_default_version)
    return default.document


def credential(environ):
    """The access key and the service that a request is signed for."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if "Credential=" in header:
        scope = header.split("Credential=", 1)[1].split(",")[0]
    else:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        scope = query.get("X-Amz-Credential", [""])[0]
    parts = scope.split("/")
    return (parts[0], parts[3]) if len(parts) == 5 else ("", "")


def _message(role, need):
    return (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{role}/local is not authorized to perform: "
        f"{need.action} on resource: {need.resource} because no identity-based policy allows the "
        f"{need.action} action"
    )


def _refusal(request, message):
    """The status, the headers and the body with which the service would refuse."""
    _drain(request.environ)
    request_id = str(uuid.uuid4())
    values = {"message": message, "request": request_id}
    headers = {"x-amzn-RequestId": request_id, "x-amz-request-id": request_id}
    if request.service == "s3":
        headers["Content-Type"] = "application/xml"
        body = S3_ERROR.format(**values).encode()
        return 403, headers, b"" if request.method == "HEAD" else body
    if request.service == "lambda":
        headers |= {"Content-Type": "application/json", "x-amzn-ErrorType": "AccessDeniedException"}
        return 403, headers, json.dumps({"Message": message}).encode()
    if "x-amz-target" not in request.headers:
        headers["Content-Type"] = "text/xml"
        return 403, headers, QUERY_ERROR.format(**values).encode()
    headers["Content-Type"] = "application/x-amz-json-1.1"
    code = "AccessDeniedException"
    if request.service == "sqs":
        headers["x-amzn-query-error"] = "AccessDenied;Sender"
    return 400, headers, json.dumps({"__type": code, "message": message}).encode()


def _drain(environ):
    """Reads what is left of a request's body: a client that is still sending misses the answer."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    stream = environ["wsgi.input"]
    while left > 0 and (chunk := stream.read(min(left, 1 << 20))):
        left -= len(chunk)
