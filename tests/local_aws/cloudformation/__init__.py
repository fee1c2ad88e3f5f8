"""CloudFormation: templates, change sets and stacks that are created, updated and deleted.

moto's own creates resources only when somebody looks at them, skips the types that it does not
know, and never sends a custom resource its Update and Delete. Here is a small engine in its place.
"""
