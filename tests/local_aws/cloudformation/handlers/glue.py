"""Glue: databases, crawlers, jobs, triggers and security configurations."""

import json

import botocore.session
import moto.glue.models as moto_glue

from ...context import ACCOUNT, REGION
from ..errors import ResourceFailed
from .base import Handler, coerce, pick

MODEL = botocore.session.get_session().get_service_model("glue")


def backend():
    return moto_glue.glue_backends[ACCOUNT][REGION]


def set_fields(record, operation, names, properties):
    """Updates one of moto's records, for which moto has no API; `names` are of its fields."""
    shape = MODEL.operation_model(operation).input_shape
    for prop, field in names.items():
        value = properties.get(prop)
        setattr(record, field, coerce(shape.members[prop], value, prop) if value else value)


class Database(Handler):
    """AWS::Glue::Database."""

    accepts = {"CatalogId", "DatabaseInput"}
    replaces = {"CatalogId"}

    def create(self, resource, properties):
        name = self._name(resource, properties)
        self._call("CreateDatabase", name, properties)
        resource.physical_id = name

    def must_replace(self, old, properties):
        names = [item["DatabaseInput"].get("Name") for item in (old, properties)]
        return names[0] != names[1] or super().must_replace(old, properties)

    def update(self, resource, old, properties):
        self._call("UpdateDatabase", resource.physical_id, properties, Name=resource.physical_id)

    def delete(self, resource, properties):
        self.call_if_there("glue", "DeleteDatabase", Name=resource.physical_id)

    def _name(self, resource, properties):
        return properties["DatabaseInput"].get("Name") or resource.generated_name(lower=True)

    def _call(self, operation, name, properties, **parameters):
        wanted = {**properties["DatabaseInput"], "Name": name}
        self.call("glue", operation, DatabaseInput=wanted, **parameters)


CRAWLER_FIELDS = {
    "Role": "role",
    "DatabaseName": "database_name",
    "Description": "description",
    "Targets": "targets",
    "Classifiers": "classifiers",
    "TablePrefix": "table_prefix",
    "SchemaChangePolicy": "schema_change_policy",
    "RecrawlPolicy": "recrawl_policy",
    "Configuration": "configuration",
    "CrawlerSecurityConfiguration": "crawler_security_configuration",
}


class Crawler(Handler):
    """AWS::Glue::Crawler. A schedule is kept, and starts nothing."""

    accepts = {*CRAWLER_FIELDS, "Name", "Schedule", "Tags"}
    replaces = {"Name"}

    def create(self, resource, properties):
        name = properties.get("Name") or resource.generated_name()
        if isinstance(properties.get("Configuration"), dict):
            raise ResourceFailed("Configuration must be a string of JSON")
        if properties.get("Configuration"):
            json.loads(properties["Configuration"])
        self.call(
            "glue",
            "CreateCrawler",
            Name=name,
            Schedule=self._schedule(properties),
            **pick(properties, *CRAWLER_FIELDS, "Tags"),
        )
        resource.physical_id = name

    def update(self, resource, old, properties):
        crawler = backend().get_crawler(resource.physical_id)
        self._refuse_running(crawler)
        set_fields(crawler, "CreateCrawler", CRAWLER_FIELDS, properties)
        crawler.schedule = self._schedule(properties)
        crawler.version += 1

    def delete(self, resource, properties):
        crawler = backend().crawlers.get(resource.physical_id)
        if crawler is not None:
            self._refuse_running(crawler)
            self.call("glue", "DeleteCrawler", Name=resource.physical_id)

    def _schedule(self, properties):
        return (properties.get("Schedule") or {}).get("ScheduleExpression")

    def _refuse_running(self, crawler):
        if crawler.status != "READY":
            raise ResourceFailed(
                f"Crawler {crawler.name} is running (Service: Glue, Status Code: 400, Error Code: "
                "CrawlerRunningException)"
            )


JOB_FIELDS = {
    "Role": "role",
    "Command": "command",
    "Description": "description",
    "LogUri": "log_uri",
    "ExecutionProperty": "execution_property",
    "DefaultArguments": "default_arguments",
    "NonOverridableArguments": "non_overridable_arguments",
    "Connections": "connections",
    "MaxRetries": "max_retries",
    "AllocatedCapacity": "allocated_capacity",
    "Timeout": "timeout",
    "MaxCapacity": "max_capacity",
    "SecurityConfiguration": "security_configuration",
    "NotificationProperty": "notification_property",
    "GlueVersion": "glue_version",
    "NumberOfWorkers": "number_of_workers",
    "WorkerType": "worker_type",
    "ExecutionClass": "execution_class",
}


class Job(Handler):
    """AWS::Glue::Job."""

    accepts = {*JOB_FIELDS, "Name", "Tags", "JobMode", "MaintenanceWindow", "JobRunQueuingEnabled"}
    replaces = {"Name"}

    def create(self, resource, properties):
        name = properties.get("Name") or resource.generated_name()
        self.call("glue", "CreateJob", Name=name, **pick(properties, *JOB_FIELDS, "Tags"))
        resource.physical_id = name

    def update(self, resource, old, properties):
        job = backend().jobs[resource.physical_id]
        set_fields(job, "CreateJob", JOB_FIELDS, properties)
        job.execution_property = job.execution_property or {}
        job.default_arguments = job.default_arguments or {}
        job.execution_class = job.execution_class or "STANDARD"

    def delete(self, resource, properties):
        self.call_if_there("glue", "DeleteJob", JobName=resource.physical_id)


class Trigger(Handler):
    """AWS::Glue::Trigger; it starts nothing by itself."""

    accepts = {
        "Name",
        "Type",
        "Description",
        "Schedule",
        "Actions",
        "Predicate",
        "StartOnCreation",
        "WorkflowName",
        "EventBatchingCondition",
        "Tags",
    }
    replaces = {"Name", "Type", "WorkflowName"}

    def create(self, resource, properties):
        name = properties.get("Name") or resource.generated_name()
        self._put(name, properties)
        resource.physical_id = name

    def update(self, resource, old, properties):
        self.delete(resource, old)
        self._put(resource.physical_id, properties)

    def delete(self, resource, properties):
        self.call_if_there("glue", "DeleteTrigger", Name=resource.physical_id)

    def _put(self, name, properties):
        self.call("glue", "CreateTrigger", **{**properties, "Name": name})


class SecurityConfiguration(Handler):
    """AWS::Glue::SecurityConfiguration."""

    accepts = {"Name", "EncryptionConfiguration"}
    replaces = accepts

    def create(self, resource, properties):
        name = properties.get("Name") or resource.generated_name()
        encryption = dict(properties["EncryptionConfiguration"])
        if "S3Encryptions" in encryption:
            encryption["S3Encryption"] = encryption.pop("S3Encryptions")
        self.call(
            "glue", "CreateSecurityConfiguration", Name=name, EncryptionConfiguration=encryption
        )
        resource.physical_id = name

    def delete(self, resource, properties):
        name = resource.physical_id
        self.call_if_there("glue", "DeleteSecurityConfiguration", Name=name)


HANDLERS = {
    "AWS::Glue::Database": Database,
    "AWS::Glue::Crawler": Crawler,
    "AWS::Glue::Job": Job,
    "AWS::Glue::Trigger": Trigger,
    "AWS::Glue::SecurityConfiguration": SecurityConfiguration,
}
