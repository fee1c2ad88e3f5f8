"""Creates, updates, rolls back and deletes stacks, one resource after the other."""

import copy
import logging
import threading
from dataclasses import dataclass, field

from .errors import ApiError, NotCreatedYet, ResourceFailed
from .intrinsics import Resolver, as_text
from .stack import Resource, now
from .template import pseudo_parameters

log = logging.getLogger("local_aws.cloudformation")


@dataclass
class Desired:
    """What a stack is to become."""

    text: str
    template: dict
    values: dict
    tags: list
    capabilities: list


@dataclass
class Journal:
    """What an update did, for its cleanup or for its rollback."""

    updated: dict = field(default_factory=dict)  # logical id -> its properties from before
    created: list = field(default_factory=list)
    replaced: dict = field(default_factory=dict)  # logical id -> the resource from before
    leftovers: list = field(default_factory=list)  # resources that only the cleanup deletes


class Engine:
    """Runs the operations; `handlers` know how the resources of each type are made."""

    def __init__(self, handlers):
        self.handlers = handlers

    def start(self, operation, *arguments):
        """Runs an operation in the background, as CloudFormation does."""

        def run():
            try:
                operation(*arguments)
            except Exception:
                log.exception("stack operation")

        threading.Thread(target=run, daemon=True).start()

    # Plans

    def resolver(self, stack, desired):
        return Resolver(desired.template, desired.values, pseudo_parameters(stack), stack.resources)

    def validate(self, stack, desired):
        """Raises for what CloudFormation refuses before it touches anything."""
        resolver = self.resolver(stack, desired)
        resolver.check_rules()
        resources = desired.template["Resources"]
        unknown = {r.get("Type") for r in resources.values() if not self.handlers.knows(r["Type"])}
        if unknown:
            raise ApiError(
                "Template format error: Unrecognized resource types: "
                f"[{', '.join(sorted(unknown))}] (local_aws has no handler for them)"
            )
        self.order(stack, desired)
        for name, definition in self.active(stack, desired).items():
            self._preview(resolver, name, definition)
        for output in (desired.template.get("Outputs") or {}).values():
            if resolver.is_active(output):
                self._try_resolve(resolver, output["Value"])

    def _preview(self, resolver, name, definition):
        handler = self.handlers.of(definition["Type"])
        handler.check_names(name, definition.get("Properties") or {})
        self._try_resolve(resolver, definition.get("Properties") or {})

    def _try_resolve(self, resolver, value):
        try:
            return resolver.resolve(value)
        except (NotCreatedYet, ResourceFailed):
            return None

    def active(self, stack, desired):
        """The resources whose conditions hold."""
        resolver = self.resolver(stack, desired)
        return {
            name: definition
            for name, definition in desired.template["Resources"].items()
            if resolver.is_active(definition)
        }

    def order(self, stack, desired):
        """The names of the resources, each after all that it depends on, and what those are."""
        resolver = self.resolver(stack, desired)
        active = self.active(stack, desired)
        depends = {}
        for name, definition in active.items():
            explicit = definition.get("DependsOn") or []
            explicit = [explicit] if isinstance(explicit, str) else explicit
            found = resolver.references(definition.get("Properties") or {}) | set(explicit)
            unknown = found - set(desired.template["Resources"])
            if unknown:
                raise ApiError(
                    "Template format error: Unresolved resource dependencies "
                    f"[{', '.join(sorted(unknown))}] in the Resources block of the template"
                )
            missing = (found - set(explicit)) - set(active)
            if missing:
                raise ApiError(
                    "Template format error: Unresolved resource dependencies "
                    f"[{', '.join(sorted(missing))}]: their condition does not hold"
                )
            depends[name] = sorted(found & set(active))
        return sort(depends), depends

    def changes(self, stack, desired):
        """What an update would do to each resource, as a change set lists it."""
        resolver = self.resolver(stack, desired)
        active = self.active(stack, desired)
        order, depends = self.order(stack, desired)
        changes, uncertain = [], set()
        for name in order:
            definition, resource = active[name], stack.resources.get(name)
            if resource is None:
                uncertain.add(name)
                changes.append(_change("Add", name, definition["Type"], None, None))
                continue
            properties = self._try_resolve(resolver, definition.get("Properties") or {})
            same = properties == resource.properties and definition["Type"] == resource.type
            if same and not uncertain & set(depends[name]):
                if definition.get("Metadata") != resource.definition.get("Metadata"):
                    changes.append(_change("Modify", name, resource.type, resource, "False"))
                continue
            uncertain.add(name)
            replaced = "Conditional"
            if properties is not None:
                handler = self.handlers.of(resource.type)
                replaced = str(handler.must_replace(resource.properties, properties))
            changes.append(_change("Modify", name, resource.type, resource, replaced))
        for name, resource in stack.resources.items():
            if name not in active:
                changes.append(_change("Remove", name, resource.type, resource, None))
        return changes

    def is_same(self, stack, desired):
        """Whether there is nothing to do for an update, not even for its outputs."""
        if self.changes(stack, desired):
            return False
        return self._outputs(stack, desired) == stack.outputs

    def _outputs(self, stack, desired):
        resolver = self.resolver(stack, desired)
        outputs = []
        for name, output in (desired.template.get("Outputs") or {}).items():
            if not resolver.is_active(output):
                continue
            described = {
                "OutputKey": name,
                "OutputValue": as_text(resolver.resolve(output["Value"])),
            }
            if output.get("Description"):
                described["Description"] = output["Description"]
            if export := output.get("Export"):
                described["ExportName"] = resolver.resolve(export["Name"])
            outputs.append(described)
        return outputs

    # Create

    def create(self, stack, desired, on_failure="ROLLBACK"):
        stack.set_status("CREATE_IN_PROGRESS", "User Initiated")
        order, depends = self.order(stack, desired)
        self._adopt(stack, desired)
        journal = Journal()
        try:
            for name in order:
                self._make(stack, desired, name, depends[name], journal)
            stack.outputs = self._outputs(stack, desired)
        except (ResourceFailed, ApiError) as error:
            self._fail_create(stack, error, on_failure)
            return
        stack.set_status("CREATE_COMPLETE")

    def _fail_create(self, stack, error, on_failure):
        reason = f"{error}"
        if on_failure == "DO_NOTHING":
            stack.set_status("CREATE_FAILED", reason)
            return
        kind = "ROLLBACK" if on_failure == "ROLLBACK" else "DELETE"
        stack.set_status(f"{kind}_IN_PROGRESS", f"{reason}. Rollback requested by user.")
        failed = self._delete_resources(stack, list(stack.resources.values()), on_create=True)
        stack.set_status(f"{kind}_FAILED" if failed else f"{kind}_COMPLETE", failed)
        if kind == "DELETE" and not failed:
            stack.deleted = now()

    def _make(self, stack, desired, name, depends, journal):
        """Creates one resource; it is in the stack even where that fails, to be deleted."""
        definition = desired.template["Resources"][name]
        resource = Resource(stack, name, definition["Type"], definition, depends_on=depends)
        if name in stack.resources:
            journal.replaced[name] = stack.resources[name]
        stack.resources[name] = resource
        journal.created.append(resource)
        stack.resource_status(resource, "CREATE_IN_PROGRESS")
        with _failing(stack, resource, "CREATE_FAILED", "create"):
            resource.properties = self._resolve(stack, desired, definition)
            self.handlers.of(resource.type).create(resource, resource.properties)
        stack.resource_status(resource, "CREATE_COMPLETE")

    def _resolve(self, stack, desired, definition):
        return self.resolver(stack, desired).resolve(definition.get("Properties") or {})

    def _adopt(self, stack, desired):
        stack.text = desired.text
        stack.template = desired.template
        stack.values = desired.values
        stack.tags = desired.tags
        stack.capabilities = desired.capabilities
        stack.description = desired.template.get("Description")

    # Update

    def update(self, stack, desired):
        before = Desired(stack.text, stack.template, stack.values, stack.tags, stack.capabilities)
        stack.updated = now()
        stack.set_status("UPDATE_IN_PROGRESS", "User Initiated")
        order, depends = self.order(stack, desired)
        journal = Journal()
        try:
            for name in order:
                self._converge(stack, desired, name, depends[name], journal)
            outputs = self._outputs(stack, desired)
        except (ResourceFailed, ApiError) as error:
            self._roll_back(stack, before, journal, str(error))
            return
        self._adopt(stack, desired)
        stack.outputs = outputs
        stack.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        removed = [r for name, r in stack.resources.items() if name not in depends]
        self._delete_resources(stack, [*journal.leftovers, *journal.replaced.values(), *removed])
        stack.set_status("UPDATE_COMPLETE")

    def _converge(self, stack, desired, name, depends, journal):
        """Makes one resource what the template says."""
        definition = desired.template["Resources"][name]
        resource = stack.resources.get(name)
        if resource is None or resource.type != definition["Type"]:
            self._make(stack, desired, name, depends, journal)
            return
        with _failing(stack, resource, "UPDATE_FAILED", "update"):
            properties = self._resolve(stack, desired, definition)
        resource.definition = definition
        resource.depends_on = depends
        if properties == resource.properties:
            return
        if self.handlers.of(resource.type).must_replace(resource.properties, properties):
            self._make(stack, desired, name, depends, journal)
            return
        journal.updated[name] = resource.properties
        self._update(stack, resource, properties, journal)

    def _update(self, stack, resource, properties, journal):
        """Updates a resource in place; a custom resource may turn out to have been replaced."""
        old = copy.copy(resource)
        resource.properties = properties
        stack.resource_status(resource, "UPDATE_IN_PROGRESS")
        with _failing(stack, resource, "UPDATE_FAILED", "update"):
            self.handlers.of(resource.type).update(resource, old.properties, properties)
        if resource.physical_id != old.physical_id:
            journal.leftovers.append(old)
        stack.resource_status(resource, "UPDATE_COMPLETE")

    def _roll_back(self, stack, before, journal, reason):
        """Brings a stack back to its old template, whose properties are sent once more.

        The failed resource is among those that get them, which is how AWS does it.
        """
        stack.set_status("UPDATE_ROLLBACK_IN_PROGRESS", reason)
        for resource in journal.created:
            stack.resources.pop(resource.logical_id, None)
        stack.resources.update(journal.replaced)
        order, depends = self.order(stack, before)
        for name in order:
            resource = stack.resources[name]
            resource.definition = before.template["Resources"][name]
            resource.depends_on = depends[name]
        try:
            for name in order:
                if name in journal.updated:
                    self._update(stack, stack.resources[name], journal.updated[name], journal)
        except ResourceFailed as error:
            stack.set_status("UPDATE_ROLLBACK_FAILED", str(error))
            return
        stack.set_status("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        kept = {(r.type, r.physical_id) for r in stack.resources.values()}
        leftovers = [r for r in journal.leftovers if (r.type, r.physical_id) not in kept]
        self._delete_resources(stack, [*leftovers, *journal.created], on_create=True)
        stack.set_status("UPDATE_ROLLBACK_COMPLETE")

    # Delete

    def delete(self, stack, retain=()):
        stack.set_status("DELETE_IN_PROGRESS", "User Initiated")
        for name in retain:
            resource = stack.resources.pop(name, None)
            if resource is not None:
                stack.resource_status(resource, "DELETE_SKIPPED")
        failed = self._delete_resources(stack, list(stack.resources.values()))
        if failed:
            stack.set_status("DELETE_FAILED", failed)
            return
        stack.deleted = now()
        stack.set_status("DELETE_COMPLETE")

    def _delete_resources(self, stack, resources, on_create=False):
        """Deletes resources in reverse order; gives the reason where some could not be deleted.

        What a resource that stays depends on stays as well.
        """
        names = {r.logical_id for r in resources}
        depends = {name: set() for name in names}
        for resource in resources:
            depends[resource.logical_id] |= set(resource.depends_on) & names
        order = sort({name: sorted(others) for name, others in depends.items()})
        position = {name: index for index, name in enumerate(order)}
        failed, needed = [], set()
        for resource in sorted(resources, key=lambda r: -position[r.logical_id]):
            if resource.logical_id in needed:
                needed |= set(resource.depends_on)
                continue
            try:
                self._delete(stack, resource, on_create)
            except ResourceFailed:
                failed.append(resource.logical_id)
                needed |= set(resource.depends_on)
        if not failed:
            return None
        return f"The following resource(s) failed to delete: [{', '.join(failed)}]. "

    def _delete(self, stack, resource, on_create):
        policy = resource.definition.get("DeletionPolicy", "Delete")
        if policy == "Retain" or (policy == "RetainExceptOnCreate" and not on_create):
            stack.resource_status(resource, "DELETE_SKIPPED")
        else:
            stack.resource_status(resource, "DELETE_IN_PROGRESS")
            if resource.physical_id is not None:
                with _failing(stack, resource, "DELETE_FAILED", "delete"):
                    self.handlers.of(resource.type).delete(resource, resource.properties)
            stack.resource_status(resource, "DELETE_COMPLETE")
        # One that was replaced has a successor under its name, which stays.
        if stack.resources.get(resource.logical_id) is resource:
            del stack.resources[resource.logical_id]


class _failing:
    """Turns whatever goes wrong with a resource into its status, its reason and ResourceFailed."""

    def __init__(self, stack, resource, status, verb):
        self.stack, self.resource, self.status, self.verb = stack, resource, status, verb

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _traceback):
        if error is None or not isinstance(error, Exception):
            return
        log.info("%s %s: %s", self.resource.logical_id, self.status, error)
        if not isinstance(error, (ResourceFailed, ApiError)):
            log.debug("cause", exc_info=error)
        self.stack.resource_status(self.resource, self.status, str(error) or repr(error))
        raise ResourceFailed(
            f"The following resource(s) failed to {self.verb}: [{self.resource.logical_id}]"
        ) from error


def sort(depends):
    """A topological order of names that keeps the order given where it can."""
    done, result, path = set(), [], []

    def visit(name):
        if name in done:
            return
        if name in path:
            circle = ", ".join(path[path.index(name) :])
            raise ApiError(f"Circular dependency between resources: [{circle}]")
        path.append(name)
        for other in depends[name]:
            visit(other)
        path.pop()
        done.add(name)
        result.append(name)

    for name in depends:
        visit(name)
    return result


def _change(action, name, kind, resource, replacement):
    change = {
        "Action": action,
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Scope": ["Properties"] if action == "Modify" else [],
        "Details": [],
    }
    if resource is not None:
        change["PhysicalResourceId"] = resource.physical_id
    if replacement is not None:
        change["Replacement"] = replacement
    return {"Type": "Resource", "ResourceChange": change}
