"""Resolves a template's intrinsic functions, conditions and rules."""

import base64
import re

from .errors import ApiError, NotCreatedYet, ResourceFailed

NO_VALUE = object()
SUBSTITUTE = re.compile(r"\$\{([^!}][^}]*)\}")


class Resolver:
    """Resolves values with the parameters of a stack and the resources it has so far."""

    def __init__(self, template, values, pseudo, resources):
        self.template = template
        self.values = values
        self.pseudo = pseudo
        self.resources = resources
        self._conditions = {}

    # Values

    def resolve(self, value):
        """A value with its functions replaced; properties without a value are left out."""
        if isinstance(value, dict):
            if len(value) == 1:
                name, argument = next(iter(value.items()))
                if name == "Ref":
                    return self._ref(argument)
                if name.startswith("Fn::"):
                    return self._function(name, argument)
            resolved = {key: self.resolve(item) for key, item in value.items()}
            return {key: item for key, item in resolved.items() if item is not NO_VALUE}
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if isinstance(value, str) and "{{resolve:" in value:
            raise ApiError(f"The dynamic reference {value} is not known to local_aws")
        return value

    def _ref(self, name):
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.values:
            kind = self.template["Parameters"][name].get("Type")
            value = self.values[name]
            return [v.strip() for v in value.split(",")] if kind == "CommaDelimitedList" else value
        return self._resource(name).physical_id

    def _resource(self, name):
        if name not in self.template["Resources"]:
            raise ApiError(
                f"Template format error: Unresolved resource dependencies [{name}] in the "
                "Resources block of the template"
            )
        resource = self.resources.get(name)
        if resource is None or resource.physical_id is None:
            raise NotCreatedYet(name)
        return resource

    def _function(self, name, argument):
        method = FUNCTIONS.get(name)
        if method is None:
            raise ApiError(f"Template error: {name} is not known to local_aws")
        return method(self, argument)

    def _get_att(self, argument):
        if isinstance(argument, str):
            argument = argument.split(".", 1)
        name, attribute = argument[0], self.resolve(argument[1])
        return self._attribute(name, attribute)

    def _attribute(self, name, attribute):
        resource = self._resource(name)
        if attribute in resource.attributes:
            return resource.attributes[attribute]
        if resource.is_custom:
            raise ResourceFailed(
                "CustomResource attribute error: Vendor response doesn't contain "
                f"{attribute} attribute in object {resource.physical_id}"
            )
        raise ApiError(
            f"Template error: resource {name} does not support attribute type {attribute} "
            "in Fn::GetAtt"
        )

    def _sub(self, argument):
        text, names = (argument, {}) if isinstance(argument, str) else argument
        names = self.resolve(names)

        def replace(match):
            name = match.group(1).strip()
            if name in names:
                value = names[name]
            elif "." in name:
                value = self._attribute(*name.split(".", 1))
            else:
                value = self._ref(name)
            return as_text(value)

        return SUBSTITUTE.sub(replace, text).replace("${!", "${")

    def _join(self, argument):
        separator, items = argument
        return separator.join(as_text(item) for item in self.resolve(items))

    def _split(self, argument):
        separator, text = argument
        return self.resolve(text).split(separator)

    def _select(self, argument):
        index, items = self.resolve(argument)
        return items[int(index)]

    def _find_in_map(self, argument):
        name, first, second = self.resolve(argument[:3])
        try:
            return self.resolve(self.template["Mappings"][name][first][as_text(second)])
        except KeyError as error:
            if len(argument) > 3 and "DefaultValue" in argument[3]:
                return self.resolve(argument[3]["DefaultValue"])
            raise ApiError(
                f"Template error: Unable to get mapping for {name}::{first}::{second}"
            ) from error

    def _base64(self, argument):
        return base64.b64encode(self.resolve(argument).encode()).decode()

    # Conditions

    def _if(self, argument):
        name, yes, no = argument
        return self.resolve(yes if self.condition(name) else no)

    def condition(self, name):
        """Whether a named condition holds."""
        if name not in self._conditions:
            conditions = self.template.get("Conditions") or {}
            if name not in conditions:
                raise ApiError(f"Template error: unresolved condition {name}")
            self._conditions[name] = self.test(conditions[name])
        return self._conditions[name]

    def test(self, expression):
        """Whether the expression of a condition or of a rule's assertion holds."""
        if isinstance(expression, dict) and len(expression) == 1:
            name, argument = next(iter(expression.items()))
            if name == "Condition":
                return self.condition(argument)
            if name in TESTS:
                return TESTS[name](self, argument)
        return as_text(self.resolve(expression)) == "true"

    def _equals(self, argument):
        left, right = self.resolve(argument)
        return as_text(left) == as_text(right)

    def _contains(self, argument):
        items, item = self.resolve(argument)
        return as_text(item) in [as_text(found) for found in items]

    def _each_member_in(self, argument):
        items, allowed = self.resolve(argument)
        return set(map(as_text, items)) <= set(map(as_text, allowed))

    def _each_member_equals(self, argument):
        items, item = self.resolve(argument)
        return all(as_text(found) == as_text(item) for found in items)

    def check_rules(self):
        """Raises where an assertion of the template's rules does not hold."""
        failed = []
        for rule in (self.template.get("Rules") or {}).values():
            if "RuleCondition" in rule and not self.test(rule["RuleCondition"]):
                continue
            for assertion in rule.get("Assertions", []):
                if not self.test(assertion["Assert"]):
                    failed.append(assertion.get("AssertDescription", "an assertion failed"))
        if failed:
            raise ApiError("Template validation error: " + "; ".join(failed))

    # Dependencies

    def is_active(self, item):
        """Whether a resource's or an output's condition holds, or it has none."""
        return "Condition" not in item or self.condition(item["Condition"])

    def references(self, value):
        """The resources that a value refers to; only the branch of an Fn::If that is taken."""
        if isinstance(value, list):
            return set().union(*map(self.references, value)) if value else set()
        if not isinstance(value, dict):
            return set()
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref":
                return {argument} & set(self.template["Resources"])
            if name == "Fn::GetAtt":
                target = argument.split(".")[0] if isinstance(argument, str) else argument[0]
                return {target}
            if name == "Fn::Sub":
                return self._sub_references(argument)
            if name == "Fn::If":
                return self.references(argument[1 if self.condition(argument[0]) else 2])
        return set().union(set(), *map(self.references, value.values()))

    def _sub_references(self, argument):
        text, names = (argument, {}) if isinstance(argument, str) else argument
        found = {name.strip().split(".")[0] for name in SUBSTITUTE.findall(text)} - set(names)
        return (found & set(self.template["Resources"])) | self.references(names)


def as_text(value):
    """A scalar as CloudFormation writes it into text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


FUNCTIONS = {
    "Fn::GetAtt": Resolver._get_att,
    "Fn::Sub": Resolver._sub,
    "Fn::Join": Resolver._join,
    "Fn::Split": Resolver._split,
    "Fn::Select": Resolver._select,
    "Fn::FindInMap": Resolver._find_in_map,
    "Fn::Base64": Resolver._base64,
    "Fn::If": Resolver._if,
}
TESTS = {
    "Fn::Equals": Resolver._equals,
    "Fn::Not": lambda self, argument: not self.test(argument[0]),
    "Fn::And": lambda self, argument: all(self.test(item) for item in argument),
    "Fn::Or": lambda self, argument: any(self.test(item) for item in argument),
    "Fn::Contains": Resolver._contains,
    "Fn::EachMemberIn": Resolver._each_member_in,
    "Fn::EachMemberEquals": Resolver._each_member_equals,
}
