"""S3 buckets and their policies."""

from botocore.exceptions import ClientError

from ...context import REGION
from ..errors import ResourceFailed
from .base import Handler, document, pick


class Bucket(Handler):
    """AWS::S3::Bucket. Lifecycle, logging and CORS are accepted and have no effect."""

    accepts = {
        "BucketName",
        "VersioningConfiguration",
        "BucketEncryption",
        "PublicAccessBlockConfiguration",
        "OwnershipControls",
        "NotificationConfiguration",
        "LifecycleConfiguration",
        "LoggingConfiguration",
        "CorsConfiguration",
        "Tags",
    }
    replaces = {"BucketName"}

    def create(self, resource, properties):
        name = properties.get("BucketName") or resource.generated_name(63, lower=True)
        if self._exists(name):
            raise ResourceFailed(f"{name} already exists")
        self.call("s3", "CreateBucket", Bucket=name)
        resource.physical_id = name
        resource.attributes = {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{REGION}.amazonaws.com",
            "DualStackDomainName": f"{name}.s3.dualstack.{REGION}.amazonaws.com",
            "WebsiteURL": f"http://{name}.s3-website-{REGION}.amazonaws.com",
        }
        self._configure(name, {}, properties)

    def _exists(self, name):
        try:
            self.context.client("s3").head_bucket(Bucket=name)
        except ClientError:
            return False
        return True

    def update(self, resource, old, properties):
        self._configure(resource.physical_id, old, properties)

    def delete(self, resource, properties):
        name = resource.physical_id
        if not self._exists(name):
            return
        versions = self.call("s3", "ListObjectVersions", Bucket=name, MaxKeys=1)
        if versions.get("Versions") or versions.get("DeleteMarkers"):
            raise ResourceFailed(
                "The bucket you tried to delete is not empty (Service: S3, Status Code: 409)"
            )
        self.call_if_there("s3", "DeleteBucket", Bucket=name)

    def _configure(self, name, old, properties):
        """Sends each part of the configuration that changed."""
        for prop, configure in CONFIGURE.items():
            if old.get(prop) != properties.get(prop):
                configure(self, name, properties.get(prop))

    def _versioning(self, name, value):
        status = (value or {}).get("Status", "Suspended")
        configuration = {"Status": status}
        self.call("s3", "PutBucketVersioning", Bucket=name, VersioningConfiguration=configuration)

    def _encryption(self, name, value):
        if value is None:
            self.call("s3", "DeleteBucketEncryption", Bucket=name)
            return
        rules = []
        for rule in value["ServerSideEncryptionConfiguration"]:
            default = dict(rule.get("ServerSideEncryptionByDefault", {}))
            api = {"ApplyServerSideEncryptionByDefault": default}
            rules.append({**api, **pick(rule, "BucketKeyEnabled")})
        self.call(
            "s3",
            "PutBucketEncryption",
            Bucket=name,
            ServerSideEncryptionConfiguration={"Rules": rules},
        )

    def _public_access(self, name, value):
        if value is None:
            self.call("s3", "DeletePublicAccessBlock", Bucket=name)
        else:
            self.call(
                "s3", "PutPublicAccessBlock", Bucket=name, PublicAccessBlockConfiguration=value
            )

    def _ownership(self, name, value):
        if value is None:
            self.call("s3", "DeleteBucketOwnershipControls", Bucket=name)
        else:
            self.call("s3", "PutBucketOwnershipControls", Bucket=name, OwnershipControls=value)

    def _notifications(self, name, value):
        value = value or {}
        configuration = {}
        for prop, target, api, arn in (
            ("QueueConfigurations", "Queue", "QueueConfigurations", "QueueArn"),
            ("TopicConfigurations", "Topic", "TopicConfigurations", "TopicArn"),
            (
                "LambdaConfigurations",
                "Function",
                "LambdaFunctionConfigurations",
                "LambdaFunctionArn",
            ),
        ):
            if value.get(prop):
                configuration[api] = [
                    {arn: item[target], "Events": [item["Event"]], **_key_filter(item)}
                    for item in value[prop]
                ]
        bridge = value.get("EventBridgeConfiguration")
        if bridge is not None and str(bridge.get("EventBridgeEnabled", True)).lower() == "true":
            configuration["EventBridgeConfiguration"] = {}
        self.call(
            "s3",
            "PutBucketNotificationConfiguration",
            Bucket=name,
            NotificationConfiguration=configuration,
        )

    def _tags(self, name, value):
        if value:
            self.call("s3", "PutBucketTagging", Bucket=name, Tagging={"TagSet": value})
        else:
            self.call("s3", "DeleteBucketTagging", Bucket=name)


CONFIGURE = {
    "VersioningConfiguration": Bucket._versioning,
    "BucketEncryption": Bucket._encryption,
    "PublicAccessBlockConfiguration": Bucket._public_access,
    "OwnershipControls": Bucket._ownership,
    "NotificationConfiguration": Bucket._notifications,
    "Tags": Bucket._tags,
}


def _key_filter(item):
    rules = (item.get("Filter") or {}).get("S3Key", {}).get("Rules")
    return {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}


class BucketPolicy(Handler):
    """AWS::S3::BucketPolicy, without the denials that have a condition.

    moto takes no notice of conditions: a denial of all that is not TLS would shut everybody out.
    """

    accepts = {"Bucket", "PolicyDocument"}
    replaces = {"Bucket"}

    def create(self, resource, properties):
        self._put(properties)
        resource.physical_id = properties["Bucket"]

    def update(self, resource, old, properties):
        self._put(properties)

    def delete(self, resource, properties):
        self.call_if_there("s3", "DeleteBucketPolicy", Bucket=properties["Bucket"])

    def _put(self, properties):
        policy = dict(properties["PolicyDocument"])
        policy["Statement"] = [
            statement
            for statement in policy["Statement"]
            if not (statement["Effect"] == "Deny" and statement.get("Condition"))
        ]
        if policy["Statement"]:
            self.call("s3", "PutBucketPolicy", Bucket=properties["Bucket"], Policy=document(policy))


HANDLERS = {"AWS::S3::Bucket": Bucket, "AWS::S3::BucketPolicy": BucketPolicy}
