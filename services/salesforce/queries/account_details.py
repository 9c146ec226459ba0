"""Details of accounts and contacts, from the rows of Salesforce's answers: opportunities, teams, parents. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from services.salesforce.queries.rows import OPPORTUNITIES, Row, account_of, opportunity_of, part_of, person_of, text_of
from services.salesforce.records import Account, Contact, OpenChoice, Opportunity, PersonRecords, SalesforceUser


def with_account_details(records: PersonRecords, details: AccountDetails) -> PersonRecords:
    """Return the records with opportunities and teams added to their accounts."""
    return replace(
        records,
        contact=details.of_contact(records.contact),
        contacts=tuple(filter(None, (details.of_contact(contact) for contact in records.contacts))),
        past_contact=details.of_contact(records.past_contact),
        past_account=details.of_account(records.past_account),
        current_account=details.of_account(records.current_account),
    )


@dataclass(frozen=True)
class AccountDetails:
    """
    Opportunities and teams by the first 15 characters of the account's id.

    `open_by_contact` has the open opportunity of each contact. `topmost` has the id of the account at the top of each
    account's hierarchy, and `ultimate` that account.
    """

    opportunities: Mapping[str, Mapping[str, Opportunity]]
    teams: Mapping[str, Mapping[str, tuple[SalesforceUser, ...]]]
    open_by_contact: Mapping[str, Opportunity]
    topmost: Mapping[str, str]
    ultimate: Mapping[str, Account] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, answers: Mapping[str, Iterable[Row]], open_choice: OpenChoice = "newest") -> AccountDetails:
        """Parse the rows of `account_queries`, by the kind of their query."""
        opportunities: dict[str, dict[str, Opportunity]] = defaultdict(dict)
        for kind in OPPORTUNITIES:
            for row in answers.get(kind, ()):
                child = next(_children(row), None)
                if child is not None:
                    opportunity = opportunity_of(child)
                    opportunities[(text_of(row, "Id") or "")[:15]][kind] = opportunity
        topmost = {(text_of(row, "Id") or "")[:15]: _topmost_of(row) for row in answers.get("Parents", ())}
        return cls(
            opportunities,
            _teams(answers.get("AccountTeamMember", ()), "AccountId"),
            _open_by_contact(answers.get("OpportunityContactRole", ()), open_choice),
            {key: parent for key, parent in topmost.items() if parent},
        )

    @property
    def opportunity_ids(self) -> set[str]:
        by_account = {deal.id for deals in self.opportunities.values() for deal in deals.values()}
        return by_account | {deal.id for deal in self.open_by_contact.values()}

    def with_chosen(self, answers: Mapping[str, Iterable[Row]]) -> AccountDetails:
        """Add the rows of `chosen_queries`."""
        teams = _teams(answers.get("OpportunityTeamMember", ()), "OpportunityId")

        def with_team(deal: Opportunity) -> Opportunity:
            return replace(deal, team=teams.get(deal.id[:15], {}))

        accounts = [account_of(row) for row in answers.get("Ultimate", ())]
        return replace(
            self,
            opportunities={
                key: {kind: with_team(deal) for kind, deal in deals.items()}
                for key, deals in self.opportunities.items()
            },
            open_by_contact={key: with_team(deal) for key, deal in self.open_by_contact.items()},
            ultimate={account.id[:15]: account for account in accounts},
        )

    def of_account(self, account: Account | None) -> Account | None:
        """Return the account with the opportunities and teams that were queried."""
        if account is None:
            return None
        key = account.id[:15]
        deals = self.opportunities.get(key, {})
        return replace(
            account,
            open=deals.get("open"),
            last_won=deals.get("last_won"),
            last_lost=deals.get("last_lost"),
            team=self.teams.get(key, {}),
            ultimate=self.ultimate.get(self.topmost.get(key, "")[:15]),
        )

    def of_contact(self, contact: Contact | None) -> Contact | None:
        if contact is None:
            return None
        deal = self.open_by_contact.get(contact.id[:15])
        return replace(contact, account=self.of_account(contact.account), open=deal)


def _topmost_of(row: Row) -> str | None:
    """The id at the top of the hierarchy, as far up as a query reaches. None if the account has no parent."""
    topmost: str | None = None
    level: Row | None = row
    while level is not None and (parent := text_of(level, "ParentId")):
        topmost, level = parent, part_of(level, "Parent")
    return topmost


def _open_by_contact(rows: Iterable[Row], choice: OpenChoice) -> dict[str, Opportunity]:
    """The open opportunity of each contact that has any: the one that the workspace has chosen to use."""
    by_contact: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        contact_id, deal = text_of(row, "ContactId"), part_of(row, "Opportunity")
        if contact_id and deal:
            by_contact[contact_id[:15]].append(deal)
    return {contact_id: opportunity_of(_first(deals, choice)) for contact_id, deals in by_contact.items()}


def _first(deals: list[Row], choice: OpenChoice) -> Row:
    if choice == "next_to_close":
        return min(deals, key=lambda deal: text_of(deal, "CloseDate") or "9999")
    newest_first = sorted(deals, key=lambda deal: text_of(deal, "CreatedDate") or "", reverse=True)
    if choice == "newest":
        return newest_first[0]
    return max(newest_first, key=lambda deal: amount if isinstance(amount := deal.get("Amount"), int | float) else -1.0)


def _teams(rows: Iterable[Row], id_field: str) -> dict[str, dict[str, tuple[SalesforceUser, ...]]]:
    """Return members by the id in `id_field` and by their role in lower case, those added first at the front."""
    teams: dict[str, dict[str, tuple[SalesforceUser, ...]]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: text_of(row, "CreatedDate") or ""):
        record_id, user_id, role = text_of(row, id_field), text_of(row, "UserId"), text_of(row, "TeamMemberRole")
        user = part_of(row, "User")
        if record_id and user_id and role and user:
            members = teams[record_id[:15]]
            members[role.casefold()] = (*members.get(role.casefold(), ()), person_of(user_id, user))
    return teams


def _children(row: Row) -> Iterator[Row]:
    children = part_of(row, "Opportunities")
    records = children.get("records") if children else None
    yield from (child for child in records if isinstance(child, dict)) if isinstance(records, list) else ()
