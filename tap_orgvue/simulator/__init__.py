"""A small Orgvue over real HTTP, to try the tap on without a tenant, and to test it against."""

from tap_orgvue.simulator.dataset import Dataset, Property
from tap_orgvue.simulator.demo import demo_tenant
from tap_orgvue.simulator.drafts import Draft, many_actions
from tap_orgvue.simulator.messages import Request
from tap_orgvue.simulator.orgvue import Orgvue
from tap_orgvue.simulator.tenant import Tenant

__all__ = [
    "Dataset",
    "Draft",
    "Orgvue",
    "Property",
    "Request",
    "Tenant",
    "demo_tenant",
    "many_actions",
]
