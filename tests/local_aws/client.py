"""Starts the stand-in from a test, as a process of its own, and speaks to it."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from .context import ADMIN_KEY, ADMIN_SECRET, REGION, make_client

START_SECONDS = 60


class LocalAws:
    """The stand-in, for as long as the `with` lasts.

    The options are those of the command line: crawler, crawl_seconds, max_timeout,
    visibility_seconds, functions_s3_endpoint, max_concurrency, data, port, verbose.
    """

    def __init__(self, log=None, **options):
        self.options = options
        self.log = log
        self.process = None
        self.endpoint = None
        self._clients = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts it and waits until it serves."""
        command = [sys.executable, "-m", "local_aws", "--parent", str(os.getpid())]
        for name, value in self.options.items():
            option = "--" + name.replace("_", "-")
            if value is True:
                command.append(option)
            elif value is not None:
                command += [option, str(value)]
        tests = str(Path(__file__).resolve().parent.parent)
        paths = [tests, os.environ.get("PYTHONPATH", "")]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        output = open(self.log, "ab") if self.log else None  # noqa: SIM115
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=output, text=True
        )
        if output:
            output.close()
        # The line comes when the port is open, or the process has ended and the line is empty.
        killer = threading.Timer(START_SECONDS, self.process.kill)
        killer.start()
        self.endpoint = self.process.stdout.readline().strip()
        killer.cancel()
        if not self.endpoint:
            raise RuntimeError(f"local_aws did not start: status {self.process.wait()}")

    def stop(self):
        """Ends the process, and with it those of the functions."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def client(self, service, **config):
        """A boto3 client with full rights; `config` are botocore's client options."""
        key = (service, repr(config))
        if key not in self._clients:
            config.setdefault("read_timeout", 300)
            self._clients[key] = make_client(service, self.endpoint, **config)
        return self._clients[key]

    @property
    def environment(self):
        """The environment variables with which command-line tools use the stand-in."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ADMIN_KEY,
            "AWS_SECRET_ACCESS_KEY": ADMIN_SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "SAM_CLI_TELEMETRY": "0",
        }

    # Looking behind the scenes

    def calls(self, role=None, action=None):
        """The recorded actions; `role` and `action` are parts of names."""
        return [
            call
            for call in self._get("calls")
            if (role or "") in call["role"] and (action or "") in call["action"]
        ]

    def denied(self, role=None):
        """The recorded actions that were refused."""
        return [call for call in self.calls(role) if not call["allowed"]]

    def forget_calls(self):
        self._post("calls/forget")

    def unused(self, role):
        """The actions of a role's policies that nothing has needed."""
        return self._get(f"unused/{role}")

    def logs(self, function):
        """What a function printed, with the lines of Lambda itself."""
        return self._get(f"logs/{function}", text=True)

    def responses(self):
        """The requests to the response URLs of custom resources: method and status."""
        return self._get("responses")

    def wait_for_invocations(self, seconds=60):
        """Waits until no asynchronous invocation is under way, retries included."""
        wait_until(lambda: self._get("status")["pending"] == 0, seconds, "invocations under way")

    # Making things go wrong

    def fail_next_crawl(self, message):
        self._post("faults", crawl_failure=message)

    def next_crawl_makes(self, *tables):
        """The next crawl makes tables of these names, all of the crawler's first target."""
        self._post("faults", crawl_tables=list(tables))

    def refuse_responses(self, times):
        """The endpoint of response URLs answers 503 to so many requests."""
        self._post("faults", response_refusals=times)

    def set(self, **settings):
        """Changes crawl_seconds, max_timeout, visibility_seconds, functions_s3_endpoint or
        max_concurrency; another S3 endpoint ends the functions' processes."""
        self._post("settings", **settings)

    def stop_functions(self):
        """Ends the processes of all functions: the next invocations are cold starts."""
        self._post("functions/stop")

    # HTTP

    def _get(self, path, text=False):
        with urllib.request.urlopen(f"{self.endpoint}/_local/{path}", timeout=60) as answer:
            body = answer.read().decode("utf-8", "replace")
        return body if text else json.loads(body)

    def _post(self, path, **body):
        request = urllib.request.Request(
            f"{self.endpoint}/_local/{path}", data=json.dumps(body).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


def wait_until(condition, seconds=60, what="the condition"):
    """Waits for a condition to be true and gives its value; fails when it takes too long."""
    end = time.time() + seconds
    while not (value := condition()):
        if time.time() > end:
            raise TimeoutError(f"after {seconds} s: {what}")
        time.sleep(0.05)
    return value
