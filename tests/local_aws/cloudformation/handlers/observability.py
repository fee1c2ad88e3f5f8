"""Log groups, metric filters, alarms and dashboards; and what only has a physical id."""

from ...context import ACCOUNT, REGION
from .base import Handler, pick, tag_map


class LogGroup(Handler):
    """AWS::Logs::LogGroup."""

    accepts = {"LogGroupName", "RetentionInDays", "KmsKeyId", "LogGroupClass", "Tags"}
    replaces = {"LogGroupName", "LogGroupClass"}

    def create(self, resource, properties):
        name = properties.get("LogGroupName") or resource.generated_name()
        self.call(
            "logs",
            "CreateLogGroup",
            logGroupName=name,
            kmsKeyId=properties.get("KmsKeyId"),
            tags=tag_map(properties),
        )
        resource.physical_id = name
        resource.attributes = {"Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"}
        self._retain(name, {}, properties)

    def update(self, resource, old, properties):
        self._retain(resource.physical_id, old, properties)

    def delete(self, resource, properties):
        self.call_if_there("logs", "DeleteLogGroup", logGroupName=resource.physical_id)

    def _retain(self, name, old, properties):
        days = properties.get("RetentionInDays")
        if days is not None:
            self.call("logs", "PutRetentionPolicy", logGroupName=name, retentionInDays=days)
        elif "RetentionInDays" in old:
            self.call("logs", "DeleteRetentionPolicy", logGroupName=name)


class MetricFilter(Handler):
    """AWS::Logs::MetricFilter."""

    accepts = {"FilterName", "LogGroupName", "FilterPattern", "MetricTransformations"}
    replaces = {"FilterName", "LogGroupName"}

    def create(self, resource, properties):
        name = properties.get("FilterName") or resource.generated_name()
        self._put(name, properties)
        resource.physical_id = name

    def update(self, resource, old, properties):
        self._put(resource.physical_id, properties)

    def delete(self, resource, properties):
        self.call_if_there(
            "logs",
            "DeleteMetricFilter",
            filterName=resource.physical_id,
            logGroupName=properties["LogGroupName"],
        )

    def _put(self, name, properties):
        self.call(
            "logs",
            "PutMetricFilter",
            filterName=name,
            logGroupName=properties["LogGroupName"],
            filterPattern=properties["FilterPattern"],
            metricTransformations=[
                {key[0].lower() + key[1:]: value for key, value in item.items()}
                for item in properties["MetricTransformations"]
            ],
        )


class Alarm(Handler):
    """AWS::CloudWatch::Alarm; it never changes its state by itself."""

    accepts = {
        "AlarmName",
        "AlarmDescription",
        "ActionsEnabled",
        "AlarmActions",
        "OKActions",
        "InsufficientDataActions",
        "ComparisonOperator",
        "DatapointsToAlarm",
        "Dimensions",
        "EvaluationPeriods",
        "ExtendedStatistic",
        "MetricName",
        "Metrics",
        "Namespace",
        "Period",
        "Statistic",
        "Threshold",
        "TreatMissingData",
        "Unit",
        "Tags",
    }
    replaces = {"AlarmName"}

    def create(self, resource, properties):
        name = properties.get("AlarmName") or resource.generated_name(255)
        self._put(name, properties)
        resource.physical_id = name
        resource.attributes = {"Arn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"}

    def update(self, resource, old, properties):
        self._put(resource.physical_id, properties)

    def delete(self, resource, properties):
        self.call_if_there("cloudwatch", "DeleteAlarms", AlarmNames=[resource.physical_id])

    def _put(self, name, properties):
        self.call("cloudwatch", "PutMetricAlarm", **{**properties, "AlarmName": name})


class CompositeAlarm(Handler):
    """AWS::CloudWatch::CompositeAlarm; moto has none, so only the stack knows of it."""

    accepts = {
        "AlarmName",
        "AlarmDescription",
        "AlarmRule",
        "ActionsEnabled",
        "AlarmActions",
        "OKActions",
        "InsufficientDataActions",
        "Tags",
    }
    replaces = {"AlarmName"}

    def create(self, resource, properties):
        name = properties.get("AlarmName") or resource.generated_name(255)
        resource.physical_id = name
        resource.attributes = {"Arn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"}

    def update(self, resource, old, properties):
        """There is nothing that holds the properties."""

    def delete(self, resource, properties):
        """There is nothing to delete."""


class Dashboard(Handler):
    """AWS::CloudWatch::Dashboard."""

    accepts = {"DashboardName", "DashboardBody"}
    replaces = {"DashboardName"}

    def create(self, resource, properties):
        name = properties.get("DashboardName") or resource.generated_name(255)
        self._put(name, properties)
        resource.physical_id = name

    def update(self, resource, old, properties):
        self._put(resource.physical_id, properties)

    def delete(self, resource, properties):
        names = [resource.physical_id]
        self.call_if_there("cloudwatch", "DeleteDashboards", DashboardNames=names)

    def _put(self, name, properties):
        self.call(
            "cloudwatch", "PutDashboard", DashboardName=name, **pick(properties, "DashboardBody")
        )


class WaitConditionHandle(Handler):
    """AWS::CloudFormation::WaitConditionHandle: a URL, and nothing else."""

    def create(self, resource, properties):
        resource.physical_id = f"{self.context.endpoint}/{resource.generated_name()}"

    def delete(self, resource, properties):
        """There is nothing to delete."""


HANDLERS = {
    "AWS::Logs::LogGroup": LogGroup,
    "AWS::Logs::MetricFilter": MetricFilter,
    "AWS::CloudWatch::Alarm": Alarm,
    "AWS::CloudWatch::CompositeAlarm": CompositeAlarm,
    "AWS::CloudWatch::Dashboard": Dashboard,
    "AWS::CloudFormation::WaitConditionHandle": WaitConditionHandle,
}
