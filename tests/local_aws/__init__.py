"""A local stand-in for the parts of AWS that the project's stack uses.

`python -m local_aws` serves it on one port; `LocalAws` starts it from a test. Stacks are deployed
with the ordinary tools, functions are the real `bootstrap` programs, and IAM is enforced.
"""

from .client import LocalAws
from .fault_proxy import FaultProxy

__all__ = ["FaultProxy", "LocalAws"]
