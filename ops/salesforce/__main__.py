"""Prints the permission set of the connected user, or the statements that it is made for."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

from ops.salesforce.permission_set import permission_set
from ops.salesforce.statements import every_statement

FILE = Path(__file__).parent / "force-app/main/default/permissionsets/UserGems_Slack.permissionset-meta.xml"
_FIELD = re.compile(r"[A-Za-z]\w*\.[A-Za-z]\w*__c")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Raises SystemExit for --help and invalid arguments."""
    parser = ArgumentParser("python -m ops.salesforce", description=__doc__)
    parser.add_argument(
        "fields", nargs="*", type=_field, metavar="FIELD", help="a custom field that rules or imports use"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="write it to where `sf project deploy start` finds it")
    what.add_argument(
        "--statements", action="store_true", help="every statement, for one person and for 200, one a line"
    )
    options = parser.parse_args(arguments)
    if options.statements:
        sys.stdout.writelines(f"{statement}\n" for people in (1, 200) for statement in every_statement(people))
    elif options.write:
        FILE.write_text(permission_set(options.fields))
    else:
        sys.stdout.write(permission_set(options.fields))


def _field(text: str) -> str:
    if not _FIELD.fullmatch(text):
        raise ArgumentTypeError(f"{text} is not a custom field such as Account.SDR__c")
    return text


if __name__ == "__main__":
    main()
