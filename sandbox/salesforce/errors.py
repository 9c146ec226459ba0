"""The errors of the REST API and of OAuth."""

from dataclasses import dataclass


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
