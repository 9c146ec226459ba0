"""The sample company: its Slack workspace, Salesforce org, ownership rules and job changes. All people are made up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sandbox.salesforce import SalesforceSandbox
from sandbox.salesforce.schema import Field
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Team, User

Json = dict[str, Any]

DEFAULT_CHANNEL = "job-changes"

RULES: Json = {
    "rules": [
        {
            "name": "Champions at target accounts",
            "when": {"side": "current", "relationship": ["Champion"], "segment": ["target"]},
            "tell": [{"source": "field", "field": "Account.SDR__c"}, {"source": "owner", "of": "account"}],
        },
        {
            "name": "Departures from customers",
            "when": {"side": "past", "change_type": ["departure"], "segment": ["customer"]},
            "tell": [{"source": "team", "of": "account", "role": "Customer Success Manager"}],
        },
        {
            "name": "Promotions with an open opportunity",
            "when": {"side": "current", "change_type": ["promotion"], "segment": ["open_opportunity"]},
            "tell": [{"source": "opportunity_owner", "which": "open"}],
        },
    ]
}
"""Acme's ownership rules, in the format of docs/ownership.md."""


@dataclass(frozen=True)
class Company:
    """The company's Slack workspace, and the admin who installs the app there."""

    team: Team
    admin: User


@dataclass(frozen=True)
class Sample:
    """A job change as a source posts it, and the delivery that is expected.

    `recipient` is a person's name or `#channel`. `why` is the ownership source that chooses the recipient, such as
    "contact owner", or part of the reason why no DRI is found. `is_duplicate` means that it was already sent.
    """

    summary: str
    body: Json
    recipient: str
    why: str
    is_duplicate: bool = False


def build_company(slack: SlackSandbox, salesforce: SalesforceSandbox) -> Company:
    """Fill both sandboxes with Acme: Dana and Kim own records, and so do owners who cannot be notified."""
    team = slack.add_team("Acme")
    admin = slack.add_user(
        team, "Alma Young", "alma@acme.example", is_admin=True, title="Revenue Operations", tz="Europe/London"
    )
    dana = slack.add_user(team, "Dana Reyes", "dana@acme.example", title="Account Executive")
    kim = slack.add_user(team, "Kim Lee", "kim@acme.example", title="Customer Success", tz="America/Los_Angeles")
    slack.add_user(team, "Sue Park", "sue@acme.example", title="Sales Development", tz="Asia/Singapore")
    slack.add_user(team, "Sam Okafor", "sam@acme.example", deleted=True)
    members = [admin.id, dana.id, kim.id]
    for name in ("general", DEFAULT_CHANNEL, "wins"):
        slack.add_channel(team, name, members=members)
    _add_records(salesforce)
    return Company(team, admin)


def _add_records(org: SalesforceSandbox) -> None:
    org.add("Organization", Name="Acme", OrganizationType="Enterprise Edition")
    dana, kim, sam = _add_owner(org, "Dana Reyes"), _add_owner(org, "Kim Lee"), _add_owner(org, "Sam Okafor")
    ivan, noor = _add_owner(org, "Ivan Petrov", IsActive=False), _add_owner(org, "Noor Haddad")
    initech = org.add("Account", Name="Initech", Website="https://initech.example", OwnerId=kim)
    hooli = org.add("Account", Name="Hooli", Website="https://hooli.example", OwnerId=kim)
    globex = org.add("Account", Name="Globex", Website="https://globex.example", OwnerId=dana)
    _add_person(org, "Contact", "Ada Smith", "ada@initech.example", OwnerId=dana, AccountId=initech)
    _add_person(org, "Contact", "Ben Ortiz", "ben@hooli.example", OwnerId=ivan, AccountId=hooli)
    _add_person(org, "Contact", "Chloe Martin", "chloe@globex.example", OwnerId=dana, AccountId=globex)
    _add_person(org, "Contact", "Deepak Rao", "deepak@initech.example", OwnerId=kim, AccountId=initech)
    queue = org.add("Group", Name="Inbound leads")
    _add_person(org, "Lead", "Finn Walsh", "finn@umbrella.example", OwnerId=queue, Company="Umbrella")
    _add_person(org, "Contact", "Grace Obi", "grace@vandelay.example", OwnerId=ivan)
    _add_person(org, "Contact", "Hugo Silva", "hugo@stark.example", OwnerId=noor)
    _add_person(org, "Contact", "Iris Novak", "iris@wayne.example", OwnerId=sam)
    _add_records_for_rules(org, dana, kim)
    org.org.become_sandbox()


def _add_records_for_rules(org: SalesforceSandbox, dana: str, kim: str) -> None:
    """A target account with an SDR, a customer with a success manager, and an account with an open opportunity."""
    sdr = Field("SDR__c", "reference", ("User",), "SDR__r", label="SDR")
    org.org.add_field("Account", sdr)
    org.add(
        "Account",
        Name="Tyrell",
        Website="https://tyrell.example",
        Type="Target",
        OwnerId=dana,
        SDR__c=_add_owner(org, "Sue Park"),
    )
    wonka = org.add("Account", Name="Wonka", Website="https://wonka.example", Type="Customer", OwnerId=dana)
    org.add("AccountTeamMember", AccountId=wonka, UserId=kim, TeamMemberRole="Customer Success Manager")
    cyberdyne = org.add("Account", Name="Cyberdyne", Website="https://cyberdyne.example", OwnerId=dana)
    org.add(
        "Opportunity",
        Name="Cyberdyne renewal",
        AccountId=cyberdyne,
        OwnerId=kim,
        StageName="Negotiation",
        CloseDate="2026-12-31",
        IsClosed=False,
        IsWon=False,
    )
    _add_person(org, "Contact", "Milo Stone", "milo@wonka.example", OwnerId=dana, AccountId=wonka)
    _add_person(org, "Contact", "Nina Berg", "nina@cyberdyne.example", OwnerId=dana, AccountId=cyberdyne)


def _add_owner(org: SalesforceSandbox, name: str, **fields: bool) -> str:
    first, last = name.split()
    return org.add("User", FirstName=first, LastName=last, Email=f"{first.lower()}@acme.example", **fields)


def _add_person(org: SalesforceSandbox, sobject: str, name: str, email: str, **fields: str) -> None:
    first, last = name.split()
    org.add(sobject, FirstName=first, LastName=last, Email=email, **fields)


def samples(today: date) -> Sequence[Sample]:
    """The job changes, in sending order; they happened in the weeks before `today`."""
    dana, kim, sue, channel = "Dana Reyes", "Kim Lee", "Sue Park", f"#{DEFAULT_CHANNEL}"
    unique = [
        _new_company("Ada Smith", "initech", "VP Sales", "Globex", "CRO", dana, "contact owner"),
        _new_company("Eva Lund", "soylent", "CFO", "Initech", "CFO", channel, "no contact or lead"),
        _new_company("Ben Ortiz", "hooli", "Head of IT", "Umbrella", "CIO", kim, "account owner"),
        _new_company("Finn Walsh", "umbrella", "Buyer", "Hooli", "Head Buyer", channel, "queue"),
        _promotion("Chloe Martin", "globex", "Director of IT", "Globex", "COO", dana, "contact owner"),
        _new_company("Grace Obi", "vandelay", "CMO", "Globex", "CMO", channel, "inactive in Salesforce"),
        _departure("Deepak Rao", "initech", "Head of Data", kim, "contact owner"),
        _new_company("Hugo Silva", "stark", "CTO", "Hooli", "CTO", channel, "Noor Haddad"),
        _new_company("Lena Fox", "wayne", "CISO", "Tyrell", "CISO", sue, "SDR"),
        _departure("Milo Stone", "wonka", "COO", kim, "Customer Success Manager"),
        _promotion("Nina Berg", "cyberdyne", "IT Manager", "Cyberdyne", "CIO", kim, "open opportunity owner"),
        _new_company("Iris Novak", "wayne", "COO", "Umbrella", "CEO", channel, "Sam Okafor"),
    ]
    for number, sample in enumerate(unique, 1):
        sample.body["source_event_id"] = f"sample-{number}"
        sample.body["occurred_on"] = (today - timedelta(days=2 * number)).isoformat()
    first = unique[0]
    return [*unique, Sample(first.summary, first.body, first.recipient, first.why, is_duplicate=True)]


def _new_company(
    name: str, old_company: str, old_title: str, company: str, title: str, recipient: str, why: str
) -> Sample:
    body = _body(name, old_company, old_title, "contact_tracking", "new_company") | {"current": _job(title, company)}
    body |= {"relationship": "Champion", "persona": "Economic buyer"}
    return Sample(f"{name} joined {company} as {title}", body, recipient, why)


def _promotion(
    name: str, old_company: str, old_title: str, company: str, title: str, recipient: str, why: str
) -> Sample:
    body = _body(name, old_company, old_title, "new_hires_promotions", "promotion") | {"current": _job(title, company)}
    return Sample(f"{name} was promoted to {title} at {company}", body, recipient, why)


def _departure(name: str, company: str, title: str, recipient: str, why: str) -> Sample:
    body = _body(name, company, title, "contact_tracking", "departure")
    return Sample(f"{name} left {company.title()}", body, recipient, why)


def _body(name: str, company: str, title: str, signal: str, change_type: str) -> Json:
    first_name = name.partition(" ")[0].lower()
    return {
        "source": "sample-sender",
        "signal": signal,
        "change_type": change_type,
        "person": {
            "full_name": name,
            "emails": [f"{first_name}@{company}.example"],
            "linkedin_url": f"https://www.linkedin.com/in/sample-{first_name}",
        },
        "previous": _job(title, company.title()),
    }


def _job(title: str, company: str) -> Json:
    return {"title": title, "company": {"name": company, "domain": f"{company.lower()}.example"}}
