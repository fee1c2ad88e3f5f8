"""IAM roles and policies, and KMS keys."""

from ...context import ACCOUNT, REGION
from .base import Handler, document, pick


class Role(Handler):
    """AWS::IAM::Role."""

    accepts = {
        "RoleName",
        "Path",
        "AssumeRolePolicyDocument",
        "Description",
        "ManagedPolicyArns",
        "MaxSessionDuration",
        "PermissionsBoundary",
        "Policies",
        "Tags",
    }
    replaces = {"RoleName", "Path"}

    def create(self, resource, properties):
        name = properties.get("RoleName") or resource.generated_name()
        role = self.call(
            "iam",
            "CreateRole",
            RoleName=name,
            AssumeRolePolicyDocument=document(properties["AssumeRolePolicyDocument"]),
            **pick(
                properties,
                "Path",
                "Description",
                "MaxSessionDuration",
                "PermissionsBoundary",
                "Tags",
            ),
        )["Role"]
        resource.physical_id = name
        resource.attributes = {"Arn": role["Arn"], "RoleId": role["RoleId"]}
        self._set_policies(name, {}, properties)

    def update(self, resource, old, properties):
        name = resource.physical_id
        self.call(
            "iam",
            "UpdateAssumeRolePolicy",
            RoleName=name,
            PolicyDocument=document(properties["AssumeRolePolicyDocument"]),
        )
        self._set_policies(name, old, properties)

    def delete(self, resource, properties):
        name = resource.physical_id
        self._set_policies(name, properties, {})
        self.call_if_there("iam", "DeleteRole", RoleName=name)

    def _set_policies(self, name, old, properties):
        inline = {p["PolicyName"]: p["PolicyDocument"] for p in properties.get("Policies", [])}
        for policy in old.get("Policies", []):
            if policy["PolicyName"] not in inline:
                self.call_if_there(
                    "iam", "DeleteRolePolicy", RoleName=name, PolicyName=policy["PolicyName"]
                )
        for policy_name, policy in inline.items():
            self.call(
                "iam",
                "PutRolePolicy",
                RoleName=name,
                PolicyName=policy_name,
                PolicyDocument=document(policy),
            )
        attached = properties.get("ManagedPolicyArns", [])
        for arn in old.get("ManagedPolicyArns", []):
            if arn not in attached:
                self.call_if_there("iam", "DetachRolePolicy", RoleName=name, PolicyArn=arn)
        for arn in attached:
            self.call("iam", "AttachRolePolicy", RoleName=name, PolicyArn=arn)


class Policy(Handler):
    """AWS::IAM::Policy: an inline policy of roles."""

    accepts = {"PolicyName", "PolicyDocument", "Roles"}

    def create(self, resource, properties):
        resource.physical_id = resource.generated_name()
        self._put(properties)

    def update(self, resource, old, properties):
        self.delete(resource, old)
        self._put(properties)

    def delete(self, resource, properties):
        for role in properties["Roles"]:
            self.call_if_there(
                "iam", "DeleteRolePolicy", RoleName=role, PolicyName=properties["PolicyName"]
            )

    def _put(self, properties):
        for role in properties["Roles"]:
            self.call(
                "iam",
                "PutRolePolicy",
                RoleName=role,
                PolicyName=properties["PolicyName"],
                PolicyDocument=document(properties["PolicyDocument"]),
            )


class ManagedPolicy(Handler):
    """AWS::IAM::ManagedPolicy."""

    accepts = {"ManagedPolicyName", "Path", "Description", "PolicyDocument", "Roles"}
    replaces = {"ManagedPolicyName", "Path", "Description", "PolicyDocument"}

    def create(self, resource, properties):
        name = properties.get("ManagedPolicyName") or resource.generated_name()
        arn = self.call(
            "iam",
            "CreatePolicy",
            PolicyName=name,
            PolicyDocument=document(properties["PolicyDocument"]),
            **pick(properties, "Path", "Description"),
        )["Policy"]["Arn"]
        resource.physical_id = arn
        resource.attributes = {"PolicyArn": arn}
        self._attach(arn, properties.get("Roles", []))

    def update(self, resource, old, properties):
        arn = resource.physical_id
        self._detach(arn, set(old.get("Roles", [])) - set(properties.get("Roles", [])))
        self._attach(arn, properties.get("Roles", []))

    def delete(self, resource, properties):
        self._detach(resource.physical_id, properties.get("Roles", []))
        self.call_if_there("iam", "DeletePolicy", PolicyArn=resource.physical_id)

    def _attach(self, arn, roles):
        for role in roles:
            self.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)

    def _detach(self, arn, roles):
        for role in roles:
            self.call_if_there("iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)


class Key(Handler):
    """AWS::KMS::Key; nothing is encrypted with it."""

    accepts = {
        "Description",
        "KeyPolicy",
        "EnableKeyRotation",
        "Enabled",
        "KeySpec",
        "KeyUsage",
        "PendingWindowInDays",
        "Tags",
    }
    replaces = {"KeySpec", "KeyUsage"}

    def create(self, resource, properties):
        policy = properties.get("KeyPolicy")
        key = self.call(
            "kms",
            "CreateKey",
            Policy=document(policy) if policy else None,
            **pick(properties, "Description", "KeySpec", "KeyUsage"),
        )["KeyMetadata"]
        resource.physical_id = key["KeyId"]
        resource.attributes = {"Arn": key["Arn"], "KeyId": key["KeyId"]}

    def update(self, resource, old, properties):
        if properties.get("KeyPolicy"):
            self.call(
                "kms",
                "PutKeyPolicy",
                KeyId=resource.physical_id,
                PolicyName="default",
                Policy=document(properties["KeyPolicy"]),
            )

    def delete(self, resource, properties):
        self.call_if_there(
            "kms", "ScheduleKeyDeletion", KeyId=resource.physical_id, PendingWindowInDays=7
        )


class Alias(Handler):
    """AWS::KMS::Alias."""

    accepts = {"AliasName", "TargetKeyId"}
    replaces = {"AliasName"}

    def create(self, resource, properties):
        self.call("kms", "CreateAlias", **properties)
        resource.physical_id = properties["AliasName"]
        resource.attributes = {"Arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:{resource.physical_id}"}

    def update(self, resource, old, properties):
        self.call("kms", "UpdateAlias", **properties)

    def delete(self, resource, properties):
        self.call_if_there("kms", "DeleteAlias", AliasName=resource.physical_id)


HANDLERS = {
    "AWS::IAM::Role": Role,
    "AWS::IAM::Policy": Policy,
    "AWS::IAM::ManagedPolicy": ManagedPolicy,
    "AWS::KMS::Key": Key,
    "AWS::KMS::Alias": Alias,
}
