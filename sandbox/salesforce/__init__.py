"""A Salesforce org that lives on this machine: its OAuth, its REST API and its records."""

from sandbox.salesforce.web import Call, SalesforceSandbox

__all__ = ["Call", "SalesforceSandbox"]
