"""Which version of Salesforce's API to speak with an org that does not have ours. Pure."""

from __future__ import annotations

import re

API_VERSION = "66.0"
"""The one that all is written for, and asked in first."""


def nearest_version(told: object) -> str:
    """
    Of what an org lists under `/services/data`: the newest that is not newer than ours, else the oldest; else ours.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_versions.htm
    """
    listed = [one.get("version") for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    versions = sorted((one for one in listed if isinstance(one, str) and re.fullmatch(r"\d+\.\d", one)), key=float)
    older = [one for one in versions if float(one) <= float(API_VERSION)]
    return (older[-1:] or versions[:1] or [API_VERSION])[0]
