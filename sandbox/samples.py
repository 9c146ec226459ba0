"""A sample company with its Slack workspace and Salesforce org, the job changes it hears of, and who should be told.

All of these people are made up.
"""

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
            "name": "Somebody leaves a customer",
            "when": {"side": "past", "change_type": ["departure"], "segment": ["customer"]},
            "tell": [{"source": "team", "of": "account", "role": "Customer Success Manager"}],
        },
        {
            "name": "A promotion where a deal is open",
            "when": {"side": "current", "change_type": ["promotion"], "segment": ["open_opportunity"]},
            "tell": [{"source": "opportunity_owner", "which": "open"}],
        },
    ]
}
"""What Acme's revenue operations decided, in the form of docs/ownership.md."""


@dataclass(frozen=True)
class Company:
    """The company, and who installs the app there."""

    team: Team
    admin: User


@dataclass(frozen=True)
class Sample:
    """A job change as a sender posts it; `reader`, a person or the default channel, should be told, with `why`.

    `is_repeat`: it was sent before, so that nobody should be told again.
    """

    about: str
    body: Json
    reader: str
    why: str
    is_repeat: bool = False


def build_company(slack: SlackSandbox, salesforce: SalesforceSandbox) -> Company:
    """Acme: Alma runs Slack; Dana and Kim own records, and so do some who cannot be told."""
    team = slack.add_team("Acme")
    admin = slack.add_user(team, "Alma Young", "alma@acme.example", is_admin=True, title="Revenue Operations")
    dana = slack.add_user(team, "Dana Reyes", "dana@acme.example", title="Account Executive")
    kim = slack.add_user(team, "Kim Lee", "kim@acme.example", title="Customer Success")
    slack.add_user(team, "Sue Park", "sue@acme.example", title="Sales Development")
    slack.add_user(team, "Sam Okafor", "sam@acme.example", deleted=True)
    everybody = [admin.id, dana.id, kim.id]
    for name in ("general", DEFAULT_CHANNEL, "wins"):
        slack.add_channel(team, name, members=everybody)
    _fill(salesforce)
    return Company(team, admin)


def _fill(org: SalesforceSandbox) -> None:
    org.add("Organization", Name="Acme", OrganizationType="Enterprise Edition", IsSandbox=True)
    dana, kim, sam = _user(org, "Dana Reyes"), _user(org, "Kim Lee"), _user(org, "Sam Okafor")
    ivan, noor = _user(org, "Ivan Petrov", IsActive=False), _user(org, "Noor Haddad")
    initech = org.add("Account", Name="Initech", Website="https://initech.example", OwnerId=kim)
    hooli = org.add("Account", Name="Hooli", Website="https://hooli.example", OwnerId=kim)
    globex = org.add("Account", Name="Globex", Website="https://globex.example", OwnerId=dana)
    _person(org, "Contact", "Ada Smith", "ada@initech.example", OwnerId=dana, AccountId=initech)
    _person(org, "Contact", "Ben Ortiz", "ben@hooli.example", OwnerId=ivan, AccountId=hooli)
    _person(org, "Contact", "Chloe Martin", "chloe@globex.example", OwnerId=dana, AccountId=globex)
    _person(org, "Contact", "Deepak Rao", "deepak@initech.example", OwnerId=kim, AccountId=initech)
    queue = org.add("Group", Name="Inbound leads")
    _person(org, "Lead", "Finn Walsh", "finn@umbrella.example", OwnerId=queue, Company="Umbrella")
    _person(org, "Contact", "Grace Obi", "grace@vandelay.example", OwnerId=ivan)
    _person(org, "Contact", "Hugo Silva", "hugo@stark.example", OwnerId=noor)
    _person(org, "Contact", "Iris Novak", "iris@wayne.example", OwnerId=sam)
    _fill_for_rules(org, dana, kim)


def _fill_for_rules(org: SalesforceSandbox, dana: str, kim: str) -> None:
    """A target with an SDR, a customer with a success manager, and an account with a deal in the making."""
    sdr = Field("SDR__c", "reference", ("User",), "SDR__r", label="SDR")
    org.org.add_field("Account", sdr)
    org.add(
        "Account",
        Name="Tyrell",
        Website="https://tyrell.example",
        Type="Target",
        OwnerId=dana,
        SDR__c=_user(org, "Sue Park"),
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
    _person(org, "Contact", "Milo Stone", "milo@wonka.example", OwnerId=dana, AccountId=wonka)
    _person(org, "Contact", "Nina Berg", "nina@cyberdyne.example", OwnerId=dana, AccountId=cyberdyne)


def _user(org: SalesforceSandbox, name: str, **fields: bool) -> str:
    first, last = name.split()
    return org.add("User", FirstName=first, LastName=last, Email=f"{first.lower()}@acme.example", **fields)


def _person(org: SalesforceSandbox, sobject: str, name: str, email: str, **fields: str) -> None:
    first, last = name.split()
    org.add(sobject, FirstName=first, LastName=last, Email=email, **fields)


def samples(today: date) -> Sequence[Sample]:
    """In the order in which they are sent; they happened in the weeks before `today`."""
    dana, kim, channel = "Dana Reyes", "Kim Lee", f"#{DEFAULT_CHANNEL}"
    sent = [
        _joined("Ada Smith", "initech", "VP Sales", "Globex", "CRO", dana, "You own Ada Smith in Salesforce."),
        _joined("Eva Lund", "soylent", "CFO", "Initech", "CFO", channel, "no contact or lead in Salesforce"),
        _joined("Ben Ortiz", "hooli", "Head of IT", "Umbrella", "CIO", kim, "You own Hooli in Salesforce"),
        _joined("Finn Walsh", "umbrella", "Buyer", "Hooli", "Head Buyer", channel, "Inbound leads, is a queue"),
        _promoted("Chloe Martin", "globex", "Director of IT", "Globex", "COO", dana, "You own Chloe Martin"),
        _joined("Grace Obi", "vandelay", "CMO", "Globex", "CMO", channel, "Ivan Petrov, is inactive in Salesforce"),
        _left("Deepak Rao", "initech", "Head of Data", kim, "You own Deepak Rao in Salesforce."),
        _joined("Hugo Silva", "stark", "CTO", "Hooli", "CTO", channel, "Noor Haddad, is not in Slack"),
        _joined("Lena Fox", "wayne", "CISO", "Tyrell", "CISO", "Sue Park", "Tyrell"),
        _left("Milo Stone", "wonka", "COO", kim, "Wonka"),
        _promoted("Nina Berg", "cyberdyne", "IT Manager", "Cyberdyne", "CIO", kim, "Cyberdyne"),
        _joined("Iris Novak", "wayne", "COO", "Umbrella", "CEO", channel, "Sam Okafor, is"),
    ]
    for number, sample in enumerate(sent, 1):
        sample.body["source_event_id"] = f"sample-{number}"
        sample.body["occurred_on"] = (today - timedelta(days=2 * number)).isoformat()
    first = sent[0]
    return [*sent, Sample(f"{first.about}, sent once more", first.body, first.reader, first.why, is_repeat=True)]


def _joined(who: str, left: str, was: str, company: str, title: str, reader: str, why: str) -> Sample:
    body = _body(who, left, was, "contact_tracking", "new_company") | {"current": _job(title, company)}
    body |= {"relationship": "Champion", "persona": "Economic buyer"}
    return Sample(f"{who} joined {company} as {title}", body, reader, why)


def _promoted(who: str, left: str, was: str, company: str, title: str, reader: str, why: str) -> Sample:
    body = _body(who, left, was, "new_hires_promotions", "promotion") | {"current": _job(title, company)}
    return Sample(f"{who} was promoted to {title} at {company}", body, reader, why)


def _left(who: str, left: str, was: str, reader: str, why: str) -> Sample:
    return Sample(f"{who} left {left.title()}", _body(who, left, was, "contact_tracking", "departure"), reader, why)


def _body(who: str, company: str, title: str, signal: str, change_type: str) -> Json:
    first = who.partition(" ")[0].lower()
    return {
        "source": "sample-sender",
        "signal": signal,
        "change_type": change_type,
        "person": {
            "full_name": who,
            "emails": [f"{first}@{company}.example"],
            "linkedin_url": f"https://www.linkedin.com/in/sample-{first}",
        },
        "previous": _job(title, company.title()),
    }


def _job(title: str, company: str) -> Json:
    return {"title": title, "company": {"name": company, "domain": f"{company.lower()}.example"}}
