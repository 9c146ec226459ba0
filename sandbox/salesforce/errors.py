"""The errors of the REST API and of OAuth."""

import re
from dataclasses import dataclass, replace


@dataclass(eq=False)
class SalesforceError(Exception):
    """An error of the REST API, which answers with a JSON list of one error.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
    """

    status: int
    error_code: str
    message: str
    fields: tuple[str, ...] = ()

    def body(self) -> list[dict[str, object]]:
        error: dict[str, object] = {"message": self.message, "errorCode": self.error_code}
        if self.fields:
            error["fields"] = list(self.fields)
        return [error]

    def located(self, soql: str) -> "SalesforceError":
        """The error with the part of the query that it is about, which may quote values."""
        name = re.match(r"\nERROR at Row:1:Column:1\n[^']*'([^']+)'", self.message)
        if name is None:
            return self
        at = max(0, soql.find(name[1]))
        start = max(0, at - 20)
        place = f"\n{soql[start : at + 60]}\n{' ' * (at - start)}^\nERROR at Row:1:Column:{at + 1}\n"
        return replace(self, message=place + self.message.removeprefix("\nERROR at Row:1:Column:1\n"))


DAILY_LIMIT = "TotalRequests Limit exceeded."
CONCURRENT_LIMIT = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
"""Both have the error code REQUEST_LIMIT_EXCEEDED: https://github.com/salesforcecli/cli/issues/2180"""


def limit_exceeded(message: str) -> SalesforceError:
    return SalesforceError(403, "REQUEST_LIMIT_EXCEEDED", message)


def query_timeout() -> SalesforceError:
    return SalesforceError(400, "QUERY_TIMEOUT", "Your query request was running for too long.")


def not_usable(field: str, use: str) -> SalesforceError:
    """The field cannot be `filtered` or `sorted`."""
    return SalesforceError(
        400, "INVALID_FIELD", f"\nERROR at Row:1:Column:1\nfield '{field}' can not be {use} in a query call"
    )


def malformed_id(record_id: str) -> SalesforceError:
    return SalesforceError(
        400, "INVALID_QUERY_FILTER_OPERATOR", f"\nERROR at Row:1:Column:1\ninvalid ID field: {record_id}"
    )


def malformed_query(message: str) -> SalesforceError:
    return SalesforceError(400, "MALFORMED_QUERY", message)


def no_such_field(name: str, entity: str) -> SalesforceError:
    return SalesforceError(
        400,
        "INVALID_FIELD",
        f"\nERROR at Row:1:Column:1\nNo such column '{name}' on entity '{entity}'. If you are attempting to use a "
        "custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the "
        "describe call for the appropriate names.",
    )


def no_such_type(name: str) -> SalesforceError:
    return SalesforceError(
        400,
        "INVALID_TYPE",
        f"\nERROR at Row:1:Column:1\nsObject type '{name}' is not supported. If you are attempting to use a custom "
        "object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call "
        "for the appropriate names.",
    )


def not_found(message: str = "The requested resource does not exist") -> SalesforceError:
    return SalesforceError(404, "NOT_FOUND", message)


@dataclass(eq=False)
class OAuthError(Exception):
    """An error of the authorization and token endpoints.

    https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_flow_errors.htm
    """

    error: str
    description: str
    status: int = 400
