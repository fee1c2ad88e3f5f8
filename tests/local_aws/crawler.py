"""Glue crawlers that end and make tables.

moto's crawlers stay RUNNING for ever. Here a program is given the objects under a crawler's target
and says what table they are; without one, a crawler fails.
"""

import contextlib
import json
import logging
import re
import subprocess
import tempfile
import threading
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path

import moto.glue.models as moto_glue
from moto.glue.exceptions import CrawlerNotRunningException, CrawlerRunningException

from .context import ACCOUNT, REGION
from .iam_actions import Needed

log = logging.getLogger("local_aws.crawler")

STOPPING_SECONDS = 0.3


class CrawlError(Exception):
    """What LastCrawl.ErrorMessage will say."""


class Crawlers:
    """Takes the place of moto's crawls."""

    def __init__(self, context, access, bus):
        self.context = context
        self.access = access
        self.bus = bus

    def install(self):
        crawlers = self
        model = moto_glue.FakeCrawler
        old_as_dict = model.as_dict

        def start_crawler(self):
            with crawlers.context.lock:
                if self.status != "READY":
                    raise CrawlerRunningException(
                        f"Crawler with name {self.name} has already started"
                    )
                self.crawl_state = "RUNNING"
            threading.Thread(target=crawlers.crawl, args=(self,), daemon=True).start()

        def stop_crawler(self):
            if self.status != "RUNNING":
                raise CrawlerNotRunningException(f"Crawler with name {self.name} isn't running")
            self.crawl_state = "STOPPING"

        def as_dict(self):
            described = old_as_dict(self)
            if getattr(self, "last_crawl", None):
                described["LastCrawl"] = self.last_crawl
            return described

        model.start_crawler = start_crawler
        model.stop_crawler = stop_crawler
        model.as_dict = as_dict
        model.status = property(lambda self: getattr(self, "crawl_state", "READY"))

    def crawl(self, crawler):
        """One crawl, from its start to READY."""
        begun = datetime.now(timezone.utc)
        self._tell(crawler, "Started")
        counts, message = {"created": 0, "updated": 0}, None
        try:
            self._pass_time(crawler)
            for name, target in self._targets(crawler):
                self._crawl_target(crawler, name, target, counts)
        except CrawlError as error:
            message = str(error)
        except Exception as error:
            log.exception("crawler %s", crawler.name)
            message = f"Internal Service Exception: {error}"
        stopped = crawler.crawl_state == "STOPPING"
        crawler.crawl_state = "STOPPING"
        time.sleep(min(STOPPING_SECONDS, self.context.settings.crawl_seconds))
        status = "FAILED" if message else "CANCELLED" if stopped else "SUCCEEDED"
        crawler.last_crawl = {
            "Status": status,
            "LogGroup": "/aws-glue/crawlers",
            "LogStream": crawler.name,
            "MessagePrefix": str(uuid.uuid4()),
            "StartTime": begun,
        }
        if message:
            crawler.last_crawl["ErrorMessage"] = message
        crawler.crawl_state = "READY"
        self._tell(crawler, "Failed" if message else "Succeeded", counts, message)

    def _pass_time(self, crawler):
        end = time.time() + self.context.settings.crawl_seconds
        while time.time() < end and crawler.crawl_state == "RUNNING":
            time.sleep(0.02)
        faults = self.context.faults
        if faults.crawl_failures:
            raise CrawlError(faults.crawl_failures.pop(0))

    def _targets(self, crawler):
        """The targets and the names of their tables, which a test may have chosen."""
        paths = [target["Path"] for target in crawler.targets.get("S3Targets", [])]
        faults = self.context.faults
        if faults.crawl_tables:
            return [(name, paths[0]) for name in faults.crawl_tables.pop(0)]
        return [(table_name(crawler.table_prefix, path), path) for path in paths]

    def _crawl_target(self, crawler, name, path, counts):
        bucket, _, prefix = path.removeprefix("s3://").partition("/")
        prefix = prefix.rstrip("/") + "/" if prefix.strip("/") else ""
        self._check_role(crawler, *_s3_actions(bucket, prefix))
        with tempfile.TemporaryDirectory(dir=self.context.settings.data) as folder:
            keys = self._download(bucket, prefix, Path(folder))
            if not keys:
                return
            table = self._describe(Path(folder), name)
        location = f"s3://{bucket}/{prefix}"
        table = _as_crawled(table, name, location, crawler.name)
        self._check_role(crawler, *_glue_actions(crawler.database_name, name))
        counts[self._store(crawler.database_name, table)] += 1
        self._store_partitions(crawler.database_name, table, location, keys)

    def _check_role(self, crawler, *needed):
        role = crawler.role.split("/")[-1]
        for need in needed:
            if not self.access.check(
                role, need.action, need.resource, operation="a crawl", values=need.values
            ):
                raise CrawlError(
                    f"Insufficient permission(s): the role {role} may not {need.action} on "
                    f"{need.resource}"
                )

    def _download(self, bucket, prefix, folder):
        """The objects under a prefix as files; gives their paths below it."""
        s3 = self.context.client("s3")
        keys = []
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for found in page.get("Contents", []):
                path = found["Key"].removeprefix(prefix)
                if not path or path.endswith("/") or found["Size"] == 0:
                    continue
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(bucket, found["Key"], str(file))
                keys.append(path)
        return keys

    def _describe(self, folder, name):
        program = self.context.settings.crawler
        if not program:
            raise CrawlError("local_aws was started without --crawler, so no table can be made")
        command = [program, "crawl", folder, "--json", "--parameter-overrides", f"TableName={name}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise CrawlError(f"Internal Service Exception: {done.stderr.strip()}")
        return json.loads(done.stdout)["Table"]

    def _store(self, database, table):
        glue = self.context.client("glue")
        try:
            glue.create_table(DatabaseName=database, TableInput=table)
            return "created"
        except glue.exceptions.AlreadyExistsException:
            glue.update_table(DatabaseName=database, TableInput=table)
            return "updated"

    def _store_partitions(self, database, table, location, keys):
        depth = len(table.get("PartitionKeys", []))
        if not depth:
            return
        glue = self.context.client("glue")
        folders = sorted({tuple(key.split("/")[:-1]) for key in keys})
        for folder in folders:
            if len(folder) != depth:
                continue
            values = [part.partition("=")[2] if "=" in part else part for part in folder]
            storage = {**table["StorageDescriptor"], "Location": location + "/".join(folder) + "/"}
            partition = {
                "Values": values,
                "StorageDescriptor": storage,
                "Parameters": table["Parameters"],
            }
            with contextlib.suppress(glue.exceptions.AlreadyExistsException):
                glue.create_partition(
                    DatabaseName=database, TableName=table["Name"], PartitionInput=partition
                )

    def _tell(self, crawler, state, counts=None, message=None):
        """Glue's events; see the list of them in the Glue and EventBridge guides."""
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        detail = {"accountId": ACCOUNT, "crawlerName": crawler.name, "state": state}
        if state == "Started":
            detail |= {"startTime": now, "message": "Crawler Started"}
        elif state == "Failed":
            detail |= {"errorMessage": message, "message": "Crawler Failed"}
        else:
            detail |= {
                "tablesCreated": str(counts["created"]),
                "tablesUpdated": str(counts["updated"]),
                "tablesDeleted": "0",
                "partitionsCreated": "0",
                "partitionsUpdated": "0",
                "partitionsDeleted": "0",
                "warningMessage": "N/A",
                "cloudWatchLogLink": "https://console.aws.amazon.com/cloudwatch/home?region="
                f"{REGION}#logEventViewer:group=/aws-glue/crawlers;stream={crawler.name}",
                "message": "Crawler Succeeded",
                "runningTime (sec)": str(int(self.context.settings.crawl_seconds)),
                "completionDate": now,
            }
        self.bus.publish(
            {"source": "aws.glue", "detail-type": "Glue Crawler State Change", "detail": detail}
        )


def _s3_actions(bucket, prefix):
    yield Needed("s3:ListBucket", f"arn:aws:s3:::{bucket}", {"s3:prefix": prefix})
    yield Needed("s3:GetObject", f"arn:aws:s3:::{bucket}/{prefix}object")


def _glue_actions(database, table):
    catalogue = f"arn:aws:glue:{REGION}:{ACCOUNT}"
    paths = ("catalog", f"database/{database}", f"table/{database}/{table}")
    for action, depth in (
        ("GetDatabase", 2),
        ("GetTable", 3),
        ("CreateTable", 3),
        ("UpdateTable", 3),
    ):
        for path in paths[:depth]:
            yield Needed(f"glue:{action}", f"{catalogue}:{path}")


def table_name(prefix, path):
    """The name that a crawler gives the table of a target."""
    last = path.rstrip("/").split("/")[-1].lower()
    return (prefix or "") + re.sub(r"[^a-z0-9_]", "_", last)


def _as_crawled(table, name, location, crawler):
    """The program's table, as the catalogue would hold it after a crawl."""
    table = {key: value for key, value in table.items() if key != "DatabaseName"}
    parameters = {
        **table.get("Parameters", {}),
        "CrawlerSchemaDeserializerVersion": "1.0",
        "CrawlerSchemaSerializerVersion": "1.0",
        "UPDATED_BY_CRAWLER": crawler,
    }
    storage = {**table["StorageDescriptor"], "Location": location}
    storage["Parameters"] = {**storage.get("Parameters", {}), **parameters}
    return {
        **table,
        "Name": name,
        "Owner": "owner",
        "Retention": 0,
        "StorageDescriptor": storage,
        "Parameters": parameters,
    }
