"""Says which IAM actions on which resources AWS would check for a request.

See https://docs.aws.amazon.com/service-authorization/latest/reference/. A request that is not
known here raises Unknown: it must be added, not let through.
"""

import io
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

from .context import ACCOUNT, REGION


class Unknown(Exception):
    """A request whose actions are not known."""


@dataclass
class Needed:
    """One action on one resource, with the values of its condition keys."""

    action: str
    resource: str
    values: dict = field(default_factory=dict)


@dataclass
class Request:
    """What of an HTTP request says what it is about."""

    service: str
    method: str
    path: str
    query: dict
    headers: dict
    environ: dict

    def body(self):
        """The body, which stays readable for whoever serves the request."""
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        body = self.environ["wsgi.input"].read(length)
        self.environ["wsgi.input"] = io.BytesIO(body)
        return body


def read_request(environ, service):
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    return Request(
        service=service,
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
        query={name: values[0] for name, values in query.items()},
        headers=headers,
        environ=environ,
    )


def needed(request):
    """The operation's name and what it needs."""
    if request.service == "s3":
        return _s3(request)
    if request.service == "lambda":
        return _lambda(request)
    operation, parameters = _operation(request)
    actions = SERVICES.get(request.service)
    if actions is None:
        raise Unknown(f"{request.service}:{operation}")
    return operation, actions(operation, parameters)


def _operation(request):
    """The operation of the JSON and of the query protocol."""
    target = request.headers.get("x-amz-target")
    if target:
        return target.rsplit(".", 1)[-1], json.loads(request.body() or b"{}")
    form = parse_qs(request.body().decode())
    parameters = {**request.query, **{name: values[0] for name, values in form.items()}}
    if "Action" not in parameters:
        raise Unknown(f"{request.service} {request.method} {request.path}")
    return parameters["Action"], parameters


# S3 -------------------------------------------------------------------------------------------

BUCKET_READS = {
    "versions": "ListBucketVersions",
    "uploads": "ListBucketMultipartUploads",
    "notification": "GetBucketNotification",
    "location": "GetBucketLocation",
    "versioning": "GetBucketVersioning",
    "policy": "GetBucketPolicy",
    "encryption": "GetEncryptionConfiguration",
    "tagging": "GetBucketTagging",
    "lifecycle": "GetLifecycleConfiguration",
    "publicAccessBlock": "GetBucketPublicAccessBlock",
    "ownershipControls": "GetBucketOwnershipControls",
    "acl": "GetBucketAcl",
}
BUCKET_WRITES = {
    "notification": "PutBucketNotification",
    "versioning": "PutBucketVersioning",
    "policy": "PutBucketPolicy",
    "encryption": "PutEncryptionConfiguration",
    "tagging": "PutBucketTagging",
    "lifecycle": "PutLifecycleConfiguration",
    "publicAccessBlock": "PutBucketPublicAccessBlock",
    "ownershipControls": "PutBucketOwnershipControls",
    "acl": "PutBucketAcl",
}
LISTING = {"list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after"}
LISTING |= {"encoding-type", "fetch-owner", "marker", "key-marker", "version-id-marker"}
LISTING |= {"upload-id-marker", "max-uploads", "x-id"}
OBJECT = {"versionId", "uploadId", "partNumber", "uploads", "tagging", "x-id", "acl", "attributes"}
OBJECT |= {"max-parts", "part-number-marker"}


def object_arn(bucket, key):
    return f"arn:aws:s3:::{bucket}/{key}"


def split_path(path):
    bucket, _, key = path.lstrip("/").partition("/")
    return bucket, key


def _s3(request):
    bucket, key = split_path(request.path)
    query = {k: v for k, v in request.query.items() if not k.lower().startswith("x-amz-")}
    query = {k: v for k, v in query.items() if not k.startswith("response-")}
    if not bucket:
        return "ListBuckets", [Needed("s3:ListAllMyBuckets", "*")]
    if not key:
        return _s3_bucket(request, bucket, query)
    if set(query) - OBJECT:
        raise Unknown(f"s3 {request.method} object ?{'&'.join(sorted(query))}")
    return _s3_object(request, bucket, key, query)


def _s3_bucket(request, bucket, query):
    arn = f"arn:aws:s3:::{bucket}"
    about = set(query) - LISTING
    method = request.method
    if method == "POST" and about == {"delete"}:
        return "DeleteObjects", _s3_batch_delete(request, bucket)
    if method in ("GET", "HEAD") and not about:
        values = {
            f"s3:{name}": query[name]
            for name in ("prefix", "delimiter", "max-keys")
            if name in query
        }
        return "ListObjects" if method == "GET" else "HeadBucket", [
            Needed("s3:ListBucket", arn, values)
        ]
    if method in ("PUT", "DELETE") and not about:
        action = "CreateBucket" if method == "PUT" else "DeleteBucket"
        return action, [Needed(f"s3:{action}", arn)]
    if len(about) == 1:
        name = about.pop()
        action = {"GET": BUCKET_READS, "PUT": BUCKET_WRITES}.get(method, {}).get(name)
        if action:
            values = {"s3:prefix": query["prefix"]} if "prefix" in query else {}
            return action, [Needed(f"s3:{action}", arn, values)]
    raise Unknown(f"s3 {method} bucket ?{'&'.join(sorted(query))}")


def _s3_batch_delete(request, bucket):
    result = []
    for found in ElementTree.fromstring(request.body()).iter():
        if not found.tag.endswith("Object"):
            continue
        fields = {child.tag.rsplit("}", 1)[-1]: child.text for child in found}
        action = "s3:DeleteObjectVersion" if "VersionId" in fields else "s3:DeleteObject"
        result.append(Needed(action, object_arn(bucket, fields["Key"])))
    return result


def _s3_object(request, bucket, key, query):
    arn = object_arn(bucket, key)
    method, headers = request.method, request.headers
    version = "Version" if "versionId" in query else ""
    if "tagging" in query:
        verb = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}[method]
        operation = f"{verb}Object{version}Tagging"
        return operation, [Needed(f"s3:{operation}", arn)]
    if "acl" in query or "attributes" in query:
        raise Unknown(f"s3 {method} object ?{'&'.join(sorted(query))}")
    if method == "DELETE":
        if "uploadId" in query:
            return "AbortMultipartUpload", [Needed("s3:AbortMultipartUpload", arn)]
        return "DeleteObject", [Needed(f"s3:DeleteObject{version}", arn)]
    if method in ("GET", "HEAD"):
        if "uploadId" in query:
            return "ListParts", [Needed("s3:ListMultipartUploadParts", arn)]
        operation = "GetObject" if method == "GET" else "HeadObject"
        return operation, [Needed(f"s3:GetObject{version}", arn)]
    result = [Needed("s3:PutObject", arn)]
    if source := headers.get("x-amz-copy-source"):
        path, _, source_version = unquote(source).partition("?versionId=")
        action = "s3:GetObjectVersion" if source_version else "s3:GetObject"
        result.insert(0, Needed(action, object_arn(*split_path(path))))
    if "if-match" in headers:
        result.append(Needed("s3:GetObject", arn))
    if "x-amz-tagging" in headers:
        result.append(Needed("s3:PutObjectTagging", arn))
    if "x-amz-acl" in headers:
        result.append(Needed("s3:PutObjectAcl", arn))
    return _write_operation(method, query, source), result


def _write_operation(method, query, source):
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if "uploadId" in query:
        return "UploadPartCopy" if source else "UploadPart"
    return "CopyObject" if source else "PutObject"


# The other services ---------------------------------------------------------------------------


def _lambda(request):
    parts = request.path.strip("/").split("/")
    if len(parts) == 4 and parts[1] == "functions" and parts[3] == "invocations":
        name = unquote(parts[2])
        arn = name if name.startswith("arn:") else _arn("lambda", f"function:{name}")
        return "Invoke", [Needed("lambda:InvokeFunction", arn)]
    raise Unknown(f"lambda {request.method} {request.path}")


def _arn(service, rest):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


GLUE_TABLE = {"GetPartition", "GetPartitions", "BatchGetPartition", "CreatePartition"}
GLUE_TABLE |= {"BatchCreatePartition", "UpdatePartition", "DeletePartition", "GetTableVersions"}
GLUE_CRAWLER = {"StartCrawler", "StopCrawler", "GetCrawler", "UpdateCrawler", "DeleteCrawler"}
GLUE_JOB = {"GetJob", "UpdateJob", "DeleteJob", "StartJobRun", "GetJobRun", "GetJobRuns"}
GLUE_JOB |= {"BatchStopJobRun"}
GLUE_TRIGGER = {"GetTrigger", "StartTrigger", "StopTrigger", "UpdateTrigger", "DeleteTrigger"}
GLUE_LISTS = {"GetCrawlers", "ListCrawlers", "GetCrawlerMetrics", "ListJobs", "GetJobs"}


def _glue(operation, parameters):
    def of_table(database, table):
        paths = ("catalog", f"database/{database}", f"table/{database}/{table}")
        return [Needed(f"glue:{operation}", _arn("glue", path)) for path in paths]

    def of(path):
        return [Needed(f"glue:{operation}", _arn("glue", path))]

    database = parameters.get("DatabaseName")
    if operation in ("GetTable", "DeleteTable"):
        return of_table(database, parameters["Name"])
    if operation in ("CreateTable", "UpdateTable"):
        return of_table(database, parameters["TableInput"]["Name"])
    if operation == "GetTables":
        return of_table(database, "*")
    if operation in GLUE_TABLE:
        return of_table(database, parameters["TableName"])
    if operation == "GetDatabase":
        return of("catalog") + of(f"database/{parameters['Name']}")
    if operation in GLUE_CRAWLER:
        return of(f"crawler/{parameters['Name']}")
    if operation in GLUE_JOB:
        return of(f"job/{parameters['JobName']}")
    if operation == "CreateJob":
        return of(f"job/{parameters['Name']}")
    if operation in GLUE_TRIGGER:
        return of(f"trigger/{parameters['Name']}")
    if operation in GLUE_LISTS:
        return [Needed(f"glue:{operation}", "*")]
    raise Unknown(f"glue:{operation}")


SQS_ACTIONS = {
    "SendMessage": "SendMessage",
    "SendMessageBatch": "SendMessage",
    "ReceiveMessage": "ReceiveMessage",
    "DeleteMessage": "DeleteMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibility": "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "GetQueueAttributes": "GetQueueAttributes",
    "SetQueueAttributes": "SetQueueAttributes",
    "GetQueueUrl": "GetQueueUrl",
    "PurgeQueue": "PurgeQueue",
}


def _sqs(operation, parameters):
    if operation == "ListQueues":
        return [Needed("sqs:ListQueues", "*")]
    if operation not in SQS_ACTIONS:
        raise Unknown(f"sqs:{operation}")
    name = parameters.get("QueueName") or parameters["QueueUrl"].rsplit("/", 1)[-1]
    return [Needed(f"sqs:{SQS_ACTIONS[operation]}", _arn("sqs", name))]


EVENTS_RULE = {"PutRule", "DescribeRule", "DeleteRule", "EnableRule", "DisableRule"}


def _events(operation, parameters):
    if operation == "PutEvents":
        names = {entry.get("EventBusName", "default") for entry in parameters["Entries"]}
        arns = [n if n.startswith("arn:") else _arn("events", f"event-bus/{n}") for n in names]
        return [Needed("events:PutEvents", arn) for arn in sorted(arns)]
    if operation == "ListRules":
        return [Needed("events:ListRules", "*")]
    if operation in EVENTS_RULE:
        return [Needed(f"events:{operation}", _arn("events", f"rule/{parameters['Name']}"))]
    if operation in ("PutTargets", "RemoveTargets", "ListTargetsByRule"):
        return [Needed(f"events:{operation}", _arn("events", f"rule/{parameters['Rule']}"))]
    raise Unknown(f"events:{operation}")


def _logs(operation, parameters):
    if operation in ("CreateLogGroup", "CreateLogStream", "PutLogEvents", "DescribeLogStreams"):
        group = parameters["logGroupName"]
        return [Needed(f"logs:{operation}", _arn("logs", f"log-group:{group}:*"))]
    raise Unknown(f"logs:{operation}")


def _sts(operation, parameters):
    if operation == "GetCallerIdentity":
        return []
    if operation == "AssumeRole":
        return [Needed("sts:AssumeRole", parameters["RoleArn"])]
    raise Unknown(f"sts:{operation}")


def _sns(operation, parameters):
    if operation == "Publish":
        return [Needed("sns:Publish", parameters["TopicArn"])]
    raise Unknown(f"sns:{operation}")


def _cloudwatch(operation, parameters):
    if operation == "PutMetricData":
        values = {"cloudwatch:namespace": parameters["Namespace"]}
        return [Needed("cloudwatch:PutMetricData", "*", values)]
    raise Unknown(f"cloudwatch:{operation}")


def _ssm(operation, parameters):
    if operation == "GetParameter":
        name = parameters["Name"].lstrip("/")
        return [Needed("ssm:GetParameter", _arn("ssm", f"parameter/{name}"))]
    raise Unknown(f"ssm:{operation}")


SERVICES = {
    "glue": _glue,
    "sqs": _sqs,
    "events": _events,
    "logs": _logs,
    "sts": _sts,
    "sns": _sns,
    "monitoring": _cloudwatch,
    "ssm": _ssm,
}
