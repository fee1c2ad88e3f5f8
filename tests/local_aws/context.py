"""What the parts of the stand-in share: its settings, its address, and clients with full rights."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from botocore.config import Config

ACCOUNT = "123456789012"
REGION = "us-east-1"
PARTITION = "aws"
ADMIN_KEY = "test"
ADMIN_SECRET = "test"


@dataclass
class Settings:
    """What the command line says."""

    data: Path
    port: int = 0
    host: str = "127.0.0.1"
    crawl_seconds: float = 1.0
    crawler: str | None = None
    max_timeout: float | None = None
    visibility_seconds: float | None = None
    functions_s3_endpoint: str | None = None
    max_concurrency: int = 10
    parent: int | None = None


@dataclass
class Faults:
    """What a test made go wrong; each is used up by what it makes fail."""

    crawl_failures: list[str] = field(default_factory=list)
    crawl_tables: list[list[str]] = field(default_factory=list)
    response_refusals: int = 0


class Context:
    """The settings, the faults and the clients; one for the whole process."""

    def __init__(self, settings):
        self.settings = settings
        self.faults = Faults()
        self.lock = threading.RLock()
        self._clients = {}

    @property
    def endpoint(self):
        return f"http://{self.settings.host}:{self.settings.port}"

    def client(self, service):
        """A boto3 client of the administrator, whom access control lets pass."""
        with self.lock:
            if service not in self._clients:
                self._clients[service] = make_client(service, self.endpoint)
            return self._clients[service]


def make_client(service, endpoint, key=ADMIN_KEY, secret=ADMIN_SECRET, token=None, **config):
    """A boto3 client of the stand-in; parallel requests are common, hence the large pool."""
    config.setdefault("max_pool_connections", 50)
    config.setdefault("retries", {"max_attempts": 0})
    # A session of its own, because making clients of a shared one is not safe between threads.
    session = boto3.Session(
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        region_name=REGION,
    )
    return session.client(service, endpoint_url=endpoint, config=Config(**config))
