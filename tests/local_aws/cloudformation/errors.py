"""The errors of the CloudFormation API and of stack operations."""


class ApiError(Exception):
    """An answer with an error code, as CloudFormation gives it."""

    def __init__(self, message, code="ValidationError"):
        super().__init__(message)
        self.code = code


class NotCreatedYet(Exception):
    """A reference to a resource that is still to be created."""


class ResourceFailed(Exception):
    """A resource could not be created, updated or deleted; the message is its status reason."""
