"""Runs Lambda functions: real `bootstrap` programs out of the uploaded packages.

moto keeps the functions' configuration; here are the execution environments, the asynchronous
invocations with their retries, and the functions' logs.
"""

import hashlib
import io
import json
import logging
import queue
import signal
import threading
import time
import uuid
import zipfile
from dataclasses import dataclass
from datetime import datetime, timezone

import moto.awslambda.models as moto_lambda
from moto.awslambda.utils import get_backend

from . import processes
from .context import ACCOUNT, REGION
from .runtime_api import RuntimeApi

log = logging.getLogger("local_aws.lambda")

INIT_SECONDS = 10
RETRY_SECONDS = (0.3, 0.6)


@dataclass
class Outcome:
    """What an invocation came to."""

    body: bytes
    failed: bool


def failure(kind, message):
    body = json.dumps({"errorType": kind, "errorMessage": message}).encode()
    return Outcome(body, True)


def find(name_or_arn):
    """moto's record of a function; raises moto's own error where there is none."""
    return get_backend(ACCOUNT, REGION).get_function(name_or_arn)


class Environment:
    """An execution environment: one process, warm after its first invocation."""

    def __init__(self, function, functions):
        self.function = function
        self.functions = functions
        self.identity = identity(function)
        self.api = RuntimeApi(function.function_arn)
        self.process = None
        self.busy = False

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def invoke(self, payload, timeout):
        """Runs one event to its end, its time limit or the end of the process."""
        request_id = str(uuid.uuid4())
        logs = self.functions.logs(self.function)
        warm = self.alive
        if not warm:
            self._start()
        outcome = self._wait_ready(request_id)
        if warm and not self.alive:
            self._start()
            outcome = self._wait_ready(request_id)
        begun = time.time()
        logs.platform("start", requestId=request_id, version="$LATEST")
        if outcome is None:
            self.api.send(request_id, payload, begun + timeout)
            outcome = self._wait(request_id, begun + timeout, timeout)
        milliseconds = (time.time() - begun) * 1000
        status = "error" if outcome.failed else "success"
        logs.platform("report", requestId=request_id, status=status, durationMs=milliseconds)
        if outcome.failed:
            log.info("%s failed: %s", self.function.function_name, outcome.body[:500])
        return outcome

    def _start(self):
        if self.process is not None:
            # A handler may still wait for an event in the name of the process that has gone.
            self.api.close()
            self.api = RuntimeApi(self.function.function_arn)
        folder = self.functions.unpack(self.function)
        output = open(self.functions.logs(self.function).path, "ab")  # noqa: SIM115
        with output:
            self.process = processes.start(
                [str(folder / "bootstrap")],
                cwd=folder,
                env=self.functions.variables(self.function, folder, self.api.address),
                stdout=output,
                stderr=output,
            )

    def _wait_ready(self, request_id):
        """Waits for the process to ask for an event; gives the failure where it does not.

        Asking ends the initialisation, whose time is not part of the invocation's, as on AWS.
        """
        end = time.time() + INIT_SECONDS
        while not self.api.ready.wait(0.02):
            if not self.api.answers.empty():
                _, body, _ = self.api.answers.get()
                self.stop()
                return Outcome(body, True)
            if not self.alive:
                return self._exited(request_id)
            if time.time() > end:
                self.stop()
                return failure(
                    "Sandbox.Timedout",
                    f"RequestId: {request_id} Error: Task timed out in its initialisation",
                )
        return None

    def _wait(self, request_id, end, timeout):
        while True:
            try:
                answered, body, failed = self.api.answers.get(timeout=0.02)
            except queue.Empty:
                if not self.alive:
                    return self._exited(request_id)
                if time.time() > end:
                    return self._timed_out(request_id, timeout)
                continue
            if answered == request_id:
                return Outcome(body, failed)

    def _exited(self, request_id):
        code = self.process.wait()
        reason = f"exit status {code}"
        if code < 0:
            reason = f"signal: {signal.strsignal(-code)}".lower()
        message = f"RequestId: {request_id} Error: Runtime exited with error: {reason}"
        self.functions.logs(self.function).text(message)
        return failure("Runtime.ExitError", message)

    def _timed_out(self, request_id, timeout):
        self.functions.logs(self.function).text(
            f"{request_id} Task timed out after {timeout:.2f} seconds"
        )
        self.stop()
        message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
        return failure("Sandbox.Timedout", message)

    def stop(self):
        processes.kill(self.process)

    def retire(self):
        """Ends the environment for good: its pool makes a new one."""
        self.stop()
        self.functions.forget(self)
        threading.Thread(target=self.api.close, daemon=True).start()


def identity(function):
    """Changes whenever the function's processes have to be replaced by new ones."""
    return json.dumps(
        [
            function.code_sha_256,
            function.role,
            function.environment_vars,
            function.memory_size,
            function.logging_config,
        ],
        sort_keys=True,
    )


class Logs:
    """What a function printed, in a file, between the lines that Lambda itself writes."""

    def __init__(self, path, json_format):
        self.path = path
        self.json_format = json_format
        path.touch()

    def platform(self, kind, **record):
        if self.json_format:
            moment = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            line = {"time": moment, "type": f"platform.{kind}", "record": record}
            self._write(json.dumps(line))
        else:
            values = "\t".join(f"{name}: {value}" for name, value in record.items())
            self._write(f"{kind.upper()} {values}")

    def text(self, message):
        self._write(json.dumps({"message": message}) if self.json_format else message)

    def _write(self, line):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


class Functions:
    """The execution environments of every function."""

    def __init__(self, context, access):
        self.context = context
        self.access = access
        self.condition = threading.Condition()
        self.pools = {}
        self.deliver = None
        self.pending = 0

    def install(self):
        """Makes moto run functions here."""
        _patch_moto(self)

    def logs(self, function):
        folder = self.context.settings.data / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        json_format = (function.logging_config or {}).get("LogFormat") == "JSON"
        return Logs(folder / f"{function.function_name}.log", json_format)

    def unpack(self, function):
        """The function's package in a folder of its own, once for each version of it."""
        digest = hashlib.sha256(function.code_bytes).hexdigest()[:16]
        folder = self.context.settings.data / "code" / f"{function.function_name}-{digest}"
        with self.context.lock:
            if not folder.exists():
                with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as package:
                    package.extractall(folder)
                bootstrap = folder / "bootstrap"
                if bootstrap.exists():
                    bootstrap.chmod(0o755)
        return folder

    def variables(self, function, folder, runtime_api):
        """The environment variables that Lambda sets, then the function's own."""
        key, secret, token = self.access.credentials_of(function.role, function.function_name)
        group = (function.logging_config or {}).get("LogGroup") or function.logs_group_name
        settings = self.context.settings
        variables = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "LAMBDA_TASK_ROOT": str(folder),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "_HANDLER": function.handler or "bootstrap",
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": group,
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now():%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}",
            "AWS_LAMBDA_LOG_FORMAT": (function.logging_config or {}).get("LogFormat", "Text"),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_SESSION_TOKEN": token,
            "AWS_ENDPOINT_URL": self.context.endpoint,
        }
        if level := (function.logging_config or {}).get("ApplicationLogLevel"):
            variables["AWS_LAMBDA_LOG_LEVEL"] = level
        if settings.functions_s3_endpoint:
            variables["AWS_ENDPOINT_URL_S3"] = settings.functions_s3_endpoint
        variables.update({k: str(v) for k, v in (function.environment_vars or {}).items()})
        return variables

    def timeout(self, function):
        timeout = float(function.timeout or 3)
        return min(timeout, self.context.settings.max_timeout or timeout)

    def invoke(self, function, payload):
        """Invokes a function and waits for its answer."""
        environment = self._take(function)
        try:
            return environment.invoke(payload, self.timeout(function))
        finally:
            self._give_back(environment)

    def _take(self, function):
        """A free environment, a new one, or when the function is at its limit, the next free."""
        limit = function.reserved_concurrency or self.context.settings.max_concurrency
        wanted = identity(function)
        with self.condition:
            while True:
                pool = self.pools.setdefault(function.function_arn, [])
                idle = [e for e in pool if not e.busy]
                environment = next((e for e in idle if e.identity == wanted), None)
                if environment is None and len(pool) < int(limit):
                    environment = Environment(function, self)
                    pool.append(environment)
                    self._check_logging(function)
                if environment is not None:
                    environment.busy = True
                    environment.function = function
                    return environment
                if idle:
                    idle[0].retire()
                    continue
                self.condition.wait(1)

    def _give_back(self, environment):
        with self.condition:
            environment.busy = False
            if not environment.alive or environment.identity != identity(environment.function):
                environment.retire()
            self.condition.notify_all()

    def _check_logging(self, function):
        """Lambda writes the logs in the name of the function's role."""
        group = (function.logging_config or {}).get("LogGroup") or function.logs_group_name
        arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:local"
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            self.access.check(function.role, action, arn, operation="Lambda writes logs")

    def forget(self, environment):
        with self.condition:
            pool = self.pools.get(environment.function.function_arn, [])
            if environment in pool:
                pool.remove(environment)
            self.condition.notify_all()

    def stop(self, function_arn=None):
        """Ends the processes of one function, or of all."""
        with self.condition:
            arns = [function_arn] if function_arn else list(self.pools)
            environments = [e for arn in arns for e in self.pools.get(arn, [])]
        for environment in environments:
            environment.stop()
            if not environment.busy:
                environment.retire()

    def invoke_later(self, function, payload):
        """An asynchronous invocation: twice retried after an error, then sent where failures go."""
        with self.condition:
            self.pending += 1
        threading.Thread(target=self._run_later, args=(function, payload), daemon=True).start()

    def _run_later(self, function, payload):
        try:
            config = self._event_invoke_config(function)
            attempts = 1 + int(config.get("MaximumRetryAttempts", len(RETRY_SECONDS)))
            for attempt in range(attempts):
                outcome = self.invoke(function, payload)
                if not outcome.failed:
                    return
                if attempt + 1 < attempts:
                    time.sleep(RETRY_SECONDS[attempt])
            self._report_failure(function, config, payload, outcome, attempts)
        except Exception:
            log.exception("asynchronous invocation of %s", function.function_name)
        finally:
            with self.condition:
                self.pending -= 1

    def _event_invoke_config(self, function):
        try:
            return get_backend(ACCOUNT, REGION).get_function_event_invoke_config(
                function.function_name
            )
        except Exception:
            return {}

    def _report_failure(self, function, config, payload, outcome, attempts):
        """Sends an event that failed for good to the function's destination and dead letters."""
        log.warning("%s failed %s times", function.function_name, attempts)
        destination = (config.get("DestinationConfig") or {}).get("OnFailure") or {}
        if arn := destination.get("Destination"):
            record = {
                "version": "1.0",
                "timestamp": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
                "requestContext": {
                    "requestId": str(uuid.uuid4()),
                    "functionArn": f"{function.function_arn}:$LATEST",
                    "condition": "RetriesExhausted",
                    "approximateInvokeCount": attempts,
                },
                "requestPayload": json.loads(payload),
                "responseContext": {
                    "statusCode": 200,
                    "executedVersion": "$LATEST",
                    "functionError": "Unhandled",
                },
                "responsePayload": json.loads(outcome.body or b"null"),
            }
            self._send(function, arn, json.dumps(record))
        if arn := (function.dead_letter_config or {}).get("TargetArn"):
            self._send(function, arn, payload.decode())

    def _send(self, function, arn, body):
        actions = {
            "sqs": "sqs:SendMessage",
            "sns": "sns:Publish",
            "lambda": "lambda:InvokeFunction",
        }
        action = actions.get(arn.split(":")[2])
        if action is None:
            raise ValueError(f"{arn} as the destination of failures is not known to local_aws")
        if self.access.check(function.role, action, arn, operation="Lambda sends a failed event"):
            self.deliver(arn, body)


def _patch_moto(functions):
    """Puts the functions of this file in the place of moto's, which would need Docker."""
    model, backend = moto_lambda.LambdaFunction, moto_lambda.LambdaBackend
    old_init, old_configuration = model.__init__, model.get_configuration
    old_update, old_delete = model.update_configuration, backend.delete_function

    def __init__(self, account_id, spec, region, version=1):
        self.logging_config = spec.get("LoggingConfig")
        self.dead_letter_config = spec.get("DeadLetterConfig")
        old_init(self, account_id, spec, region, version)

    def get_configuration(self, on_create=False):
        configuration = old_configuration(self, on_create)
        configuration["LoggingConfig"] = {
            "LogFormat": "Text",
            "LogGroup": self.logs_group_name,
            **(self.logging_config or {}),
        }
        if self.dead_letter_config:
            configuration["DeadLetterConfig"] = self.dead_letter_config
        return configuration

    def update_configuration(self, config_updates):
        if "LoggingConfig" in config_updates:
            self.logging_config = config_updates["LoggingConfig"]
        if "DeadLetterConfig" in config_updates:
            self.dead_letter_config = config_updates["DeadLetterConfig"]
        return old_update(self, config_updates)

    def invoke(self, body, request_headers, response_headers):
        payload = body.encode() if isinstance(body, str) else body
        payload = payload or b"{}"
        kind = request_headers.get("x-amz-invocation-type", "RequestResponse")
        if kind == "Event":
            functions.invoke_later(self, payload)
            return ""
        outcome = functions.invoke(self, payload)
        if outcome.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        return outcome.body

    def delete_function(self, function_name, qualifier=None):
        function = self.get_function(function_name, qualifier)
        old_delete(self, function_name, qualifier)
        functions.stop(function.function_arn)

    model.__init__ = __init__
    model.get_configuration = get_configuration
    model.update_configuration = update_configuration
    model.invoke = invoke
    backend.delete_function = delete_function
