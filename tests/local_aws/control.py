"""The HTTP API with which tests look behind the scenes and make things go wrong.

GET  /_local/status                 {"pending": n}: asynchronous invocations that are under way
GET  /_local/calls                  the actions that roles needed, allowed and denied
POST /_local/calls/forget
GET  /_local/unused/ROLE            the actions of a role's policies that nothing has needed
GET  /_local/logs/FUNCTION          what a function printed
GET  /_local/responses              the requests to response URLs: method and status
POST /_local/faults                 {"crawl_failure": TEXT} | {"crawl_tables": [NAME, ...]}
                                    | {"response_refusals": N}
POST /_local/settings               {"crawl_seconds" | "max_timeout" | "visibility_seconds"
                                    | "functions_s3_endpoint" | "max_concurrency": VALUE}
POST /_local/functions/stop         ends all idle and busy processes of functions
POST /_local/stop
"""

import json
import os
import signal
import threading

PATH = "/_local/"
SETTINGS = {
    "crawl_seconds",
    "max_timeout",
    "visibility_seconds",
    "functions_s3_endpoint",
    "max_concurrency",
}


class Control:
    """Answers the requests that the module's description lists."""

    def __init__(self, server):
        self.server = server

    def serve(self, environ):
        path = environ["PATH_INFO"].removeprefix(PATH)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = json.loads(environ["wsgi.input"].read(length) or b"{}")
        name, _, argument = path.partition("/")
        method = ROUTES.get((environ["REQUEST_METHOD"], name))
        try:
            if method is None:
                raise ValueError(f"{environ['REQUEST_METHOD']} {path} is not known")
            result = method(self, argument, body)
        except ValueError as error:
            return 400, {"Content-Type": "text/plain"}, str(error).encode()
        if isinstance(result, bytes):
            return 200, {"Content-Type": "text/plain; charset=utf-8"}, result
        return 200, {"Content-Type": "application/json"}, json.dumps(result, default=str).encode()

    def status(self, _argument, _body):
        return {"pending": self.server.functions.pending, "endpoint": self.server.context.endpoint}

    def calls(self, _argument, _body):
        return self.server.access.recorded()

    def forget_calls(self, argument, _body):
        if argument != "forget":
            raise ValueError("only calls/forget is known")
        self.server.access.forget()
        return {}

    def unused(self, role, _body):
        return self.server.access.unused(role)

    def logs(self, function, _body):
        file = self.server.context.settings.data / "logs" / f"{function}.log"
        return file.read_bytes() if file.exists() else b""

    def responses(self, _argument, _body):
        return self.server.responses.log

    def faults(self, _argument, body):
        faults = self.server.context.faults
        for name, value in body.items():
            if name == "crawl_failure":
                faults.crawl_failures.append(value)
            elif name == "crawl_tables":
                faults.crawl_tables.append(value)
            elif name == "response_refusals":
                faults.response_refusals = int(value)
            else:
                raise ValueError(f"the fault {name} is not known")
        return {}

    def settings(self, _argument, body):
        for name, value in body.items():
            if name not in SETTINGS:
                raise ValueError(f"the setting {name} is not known")
            setattr(self.server.context.settings, name, value)
        if "functions_s3_endpoint" in body:
            # It is in the environment of the processes.
            self.server.functions.stop()
        return {}

    def functions(self, argument, _body):
        if argument != "stop":
            raise ValueError("only functions/stop is known")
        self.server.functions.stop()
        return {}

    def stop(self, _argument, _body):
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return {}


ROUTES = {
    ("GET", "status"): Control.status,
    ("GET", "calls"): Control.calls,
    ("POST", "calls"): Control.forget_calls,
    ("GET", "unused"): Control.unused,
    ("GET", "logs"): Control.logs,
    ("GET", "responses"): Control.responses,
    ("POST", "faults"): Control.faults,
    ("POST", "settings"): Control.settings,
    ("POST", "functions"): Control.functions,
    ("POST", "stop"): Control.stop,
}
