"""A local stand-in for a Salesforce org: OAuth, the REST API, SOQL and the records."""

from sandbox.salesforce.web import Call, SalesforceSandbox

__all__ = ["Call", "SalesforceSandbox"]
