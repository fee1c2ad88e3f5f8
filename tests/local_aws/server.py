"""Puts the parts together and serves them all on one port."""

import importlib
import logging
import os
from http import HTTPStatus

from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from .access_control import Access, credential
from .cloudformation import custom_resources
from .cloudformation.api import CloudFormation
from .cloudformation.handlers import Handlers
from .context import ADMIN_KEY, ADMIN_SECRET, REGION, Context
from .control import PATH as CONTROL_PATH
from .control import Control
from .crawler import Crawlers
from .delivery import Delivery
from .event_bridge import EventBridge
from .event_source import EventSources
from .lambda_functions import Functions
from .s3_events import S3Events

log = logging.getLogger("local_aws")

# moto fills in its registry of backends as they are imported, which is not safe between threads.
SERVICES = (
    "awslambda",
    "cloudwatch",
    "events",
    "glue",
    "iam",
    "kms",
    "logs",
    "s3",
    "sns",
    "sqs",
    "ssm",
    "sts",
)


class Server:
    """The stand-in: a WSGI application and what runs behind it."""

    def __init__(self, settings):
        # The AWS managed policies are loaded, for roles that name them.
        os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
        os.environ["AWS_ACCESS_KEY_ID"] = ADMIN_KEY
        os.environ["AWS_SECRET_ACCESS_KEY"] = ADMIN_SECRET
        os.environ["AWS_DEFAULT_REGION"] = REGION
        for service in SERVICES:
            importlib.import_module(f"moto.{service}.models")
        self.http = make_server(
            settings.host, settings.port, self, threaded=True, request_handler=MotoRequestHandler
        )
        settings.port = self.http.server_port
        self.context = Context(settings)
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.access = Access(self.context)
        self.functions = Functions(self.context, self.access)
        delivery = Delivery(self.context, self.access, self.functions)
        self.functions.deliver = delivery
        bridge = EventBridge(self.context, delivery)
        for part in (
            self.functions,
            bridge,
            S3Events(delivery, bridge),
            EventSources(self.context, self.access, self.functions),
            Crawlers(self.context, self.access, bridge),
        ):
            part.install()
        self.responses = custom_resources.Responses(self.context)
        handlers = Handlers(self.context, self.responses)
        self.cloudformation = CloudFormation(self.context, handlers)
        self.control = Control(self)

    def serve(self):
        self.http.serve_forever()

    def stop(self):
        self.functions.stop()

    def __call__(self, environ, start_response):
        try:
            answer = self._answer(environ)
        except Exception as error:
            log.exception("%s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            answer = 500, {"Content-Type": "text/plain"}, repr(error).encode()
        if answer is None:
            return self.moto(environ, start_response)
        status, headers, body = answer
        headers = {**headers, "Content-Length": str(len(body))}
        start_response(f"{status} {HTTPStatus(status).phrase}", list(headers.items()))
        return [body]

    def _answer(self, environ):
        """The answer of a part that is not moto's, or None."""
        path = environ["PATH_INFO"]
        if path.startswith(CONTROL_PATH):
            return self.control.serve(environ)
        if path.startswith(custom_resources.PATH):
            return self.responses.serve(environ)
        refusal = self.access.refuse(environ)
        if refusal is not None:
            return refusal
        if credential(environ)[1] == "cloudformation":
            return self.cloudformation.serve(environ)
        return None
