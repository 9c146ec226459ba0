"""
Prints the permission set of the connected user, or the statements that it is made for.

    python -m ops.salesforce                    the permission set
    python -m ops.salesforce Account.SDR__c …   the same, with these custom fields that rules or imports use
    python -m ops.salesforce --write [FIELD …]  writes it to where `sf project deploy start` finds it
    python -m ops.salesforce --statements       every statement, for one person and for 200, one a line
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ops.salesforce.permission_set import permission_set
from ops.salesforce.statements import every_statement

FILE = Path(__file__).parent / "force-app/main/default/permissionsets/UserGems_Slack.permissionset-meta.xml"
_FIELD = re.compile(r"[A-Za-z]\w*\.[A-Za-z]\w*__c")


def main(arguments: list[str]) -> int:
    if arguments == ["--statements"]:
        sys.stdout.writelines(f"{statement}\n" for people in (1, 200) for statement in every_statement(people))
        return 0
    fields = [argument for argument in arguments if argument != "--write"]
    if wrong := [field for field in fields if not _FIELD.fullmatch(field)]:
        sys.stderr.write(f"Not a custom field such as Account.SDR__c: {', '.join(wrong)}\n{__doc__}")
        return 2
    xml = permission_set(fields)
    if "--write" in arguments:
        FILE.write_text(xml)
    else:
        sys.stdout.write(xml)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
