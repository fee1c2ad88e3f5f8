"""The resource types that stacks may have; one module for each group of services."""

from ..custom_resources import CustomResource
from ..stack import CUSTOM_TYPE
from . import functions, glue, identity, messaging, observability, storage

MODULES = (functions, glue, identity, messaging, observability, storage)


class Handlers:
    """Finds the handler of a resource type."""

    def __init__(self, context, responses):
        self._handlers = {
            kind: handler(context)
            for module in MODULES
            for kind, handler in module.HANDLERS.items()
        }
        self._custom = CustomResource(context, responses)

    def knows(self, kind):
        return kind == CUSTOM_TYPE or kind.startswith("Custom::") or kind in self._handlers

    def of(self, kind):
        return self._handlers.get(kind, self._custom)
