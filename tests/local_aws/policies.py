"""Evaluates IAM policy documents: statements, wildcards and the conditions that are in use.

What is not known here (an operator, a condition key) never matches, so that it is noticed.
"""

import json
import logging
import re
from dataclasses import dataclass, field
from functools import lru_cache

log = logging.getLogger("local_aws.policies")

# Keys that a request may lack; a key that is neither here nor in the request is a mistake.
KNOWN_KEYS = {
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:resourceaccount",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:securetransport",
    "aws:requestedregion",
    "s3:prefix",
    "s3:delimiter",
    "s3:max-keys",
    "s3:resourceaccount",
    "cloudwatch:namespace",
}


@dataclass(frozen=True)
class Match:
    """A statement that speaks of a request, and its action pattern that does."""

    policy: str
    index: int
    sid: str
    action: str
    effect: str


@dataclass
class Decision:
    """Whether a request is allowed, and why."""

    allowed: bool
    matches: list = field(default_factory=list)
    reason: str = ""


@lru_cache(maxsize=4096)
def _pattern(text, ignore_case):
    expression = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in text)
    return re.compile(expression, re.IGNORECASE | re.DOTALL if ignore_case else re.DOTALL)


def like(value, pattern, ignore_case=False):
    """Whether a value matches a pattern with `*` and `?`."""
    return _pattern(pattern, ignore_case).fullmatch(value) is not None


def listed(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def evaluate(policies, action, resource, values):
    """Decides on a request; `policies` are pairs of a name and a document."""
    matches = [
        match
        for name, document in policies
        for match in _matches(name, document, action, resource, values)
    ]
    denials = [match for match in matches if match.effect == "Deny"]
    if denials:
        return Decision(False, denials, "an explicit deny")
    if not matches:
        return Decision(False, [], "no identity-based policy allows it")
    return Decision(True, matches)


def statements(document):
    if isinstance(document, str):
        document = json.loads(document)
    return listed(document["Statement"])


def _matches(name, document, action, resource, values):
    for index, statement in enumerate(statements(document)):
        found = next(
            (p for p in listed(statement.get("Action")) if like(action, p, ignore_case=True)), None
        )
        if "NotAction" in statement or "NotResource" in statement:
            log.error("%s: NotAction and NotResource are not known to local_aws", name)
            continue
        if found is None:
            continue
        if not any(like(resource, pattern) for pattern in listed(statement.get("Resource"))):
            continue
        if conditions_hold(statement.get("Condition") or {}, values):
            sid = statement.get("Sid", "")
            yield Match(name, index, sid, found, statement.get("Effect", ""))


def service_is_allowed(document, service, action, resource, values):
    """Whether a resource's own policy lets an AWS service use it."""
    for statement in statements(document):
        principal = statement.get("Principal")
        services = listed(principal.get("Service")) if isinstance(principal, dict) else []
        anyone = principal == "*" or (isinstance(principal, dict) and principal.get("AWS") == "*")
        if not anyone and service not in services:
            continue
        if statement.get("Effect") != "Allow":
            continue
        if not any(like(action, p, ignore_case=True) for p in listed(statement.get("Action"))):
            continue
        if not any(like(resource, p) for p in listed(statement.get("Resource"))):
            continue
        if conditions_hold(statement.get("Condition") or {}, values):
            return True
    return False


def conditions_hold(conditions, values):
    values = {name.lower(): value for name, value in values.items()}
    return all(
        _holds(operator, key, listed(expected), values)
        for operator, keys in conditions.items()
        for key, expected in keys.items()
    )


def _holds(operator, key, expected, values):
    if key.lower() not in values and key.lower() not in KNOWN_KEYS:
        log.error("the condition key %s is not known to local_aws: taken as not met", key)
        return False
    expected = [_text(value) for value in expected]
    actual = values.get(key.lower())
    if operator == "Null":
        return (actual is None) == (expected == ["true"])
    if operator.endswith("IfExists"):
        if actual is None:
            return True
        operator = operator.removesuffix("IfExists")
    negated = "Not" in operator
    test = TESTS.get(operator.replace("Not", ""))
    if test is None:
        log.error("the condition operator %s is not known to local_aws: taken as not met", operator)
        return False
    if actual is None:
        return negated
    return negated != any(test(_text(actual), value) for value in expected)


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


TESTS = {
    "StringEquals": lambda actual, value: actual == value,
    "StringEqualsIgnoreCase": lambda actual, value: actual.lower() == value.lower(),
    "StringLike": like,
    "ArnEquals": like,
    "ArnLike": like,
    "Bool": lambda actual, value: actual.lower() == value.lower(),
}
