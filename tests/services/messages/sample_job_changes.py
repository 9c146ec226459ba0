"""Sample job changes by name, as senders send them."""

from domain.job_change.model import JobChange

Raw = dict[str, object]


def raw_job_change(**changes: object) -> Raw:
    """Ada Smith joins Globex. Every field is set; `changes` override them."""
    return {
        "signal": "contact_tracking",
        "change_type": "new_company",
        "occurred_on": "2026-11-01",
        "person": {
            "full_name": "Ada Smith",
            "linkedin_url": "https://www.linkedin.com/in/ada",
            "emails": ["ada@globex.com"],
        },
        "previous": {"title": "VP Sales", "company": {"name": "Initech", "domain": "initech.com"}},
        "current": {"title": "CRO", "company": {"name": "Globex", "domain": "globex.com"}},
        "relationship": "Champion",
        "persona": "Economic buyer",
        "score": 87,
        "links": {"source_url": "https://app.usergems.example/changes/123"},
        **changes,
    }


def job_change(**changes: object) -> JobChange:
    return JobChange.parse(raw_job_change(**changes))


def named(name: str, **changes: object) -> JobChange:
    return job_change(person={"full_name": name, "emails": ["ada@globex.com"]}, **changes)


def at(company: str, title: str | None = None) -> Raw:
    return {"title": title, "company": {"name": company}}


HOSTILE = "<!channel> *bold* <@U1> & :fire: `x` <https://evil.example|y>"

SAMPLES: dict[str, JobChange] = {
    "new company": job_change(),
    "new company, required fields only": job_change(
        person={"full_name": "Ada Smith", "emails": ["ada@globex.com"]},
        previous={},
        current=at("Globex"),
        occurred_on=None,
        relationship=None,
        persona=None,
        score=None,
        links={},
    ),
    "new company, known by its domain": job_change(current={"title": "CRO", "company": {"domain": "globex.com"}}),
    "new company, known by its Salesforce id": job_change(
        current={"title": "CRO", "company": {"salesforce_id": "001000000000001AAA"}}
    ),
    "new company, no titles": job_change(previous=at("Initech"), current=at("Globex")),
    "new hire": job_change(signal="new_hires_promotions", change_type="new_hire"),
    "new hire, no title": job_change(change_type="new_hire", current=at("Globex"), previous={}),
    "promotion": job_change(
        signal="new_hires_promotions", change_type="promotion", previous=at("Globex", "VP Sales"), score=92.5
    ),
    "promotion, no title": job_change(change_type="promotion", current=at("Globex"), previous={}),
    "lateral": job_change(change_type="lateral", current=at("Initech", "VP Partnerships")),
    "lateral, no title": job_change(change_type="lateral", current=at("Initech")),
    "departure": job_change(change_type="departure", current={}),
    "departure, next job known": job_change(change_type="departure"),
    "departure, no title, no date": job_change(
        change_type="departure", current={}, previous=at("Initech"), occurred_on=None
    ),
    "additional role": job_change(change_type="additional_role", current=at("Globex", "Board member")),
    "additional role, no title": job_change(change_type="additional_role", current=at("Globex")),
    "markup in a name": named("*Ada* <!channel> & <https://evil.example|_Smith_>", relationship="`Champion`"),
    "words with formatting characters inside": job_change(current=at("E*TRADE", "snake_case ~ lead")),
    "emoji and an emoji code": named("Ada 🚀 Smith :fire:"),
    "right to left": named("עדה כהן", current=at("شركة جلوبكس", "CRO")),
    "very long": named("Ada " * 100, current=at("Globex " * 60, "Chief " * 60), relationship="Champion " * 40),
    "a profile outside LinkedIn": job_change(
        person={"full_name": "Ada Smith", "linkedin_url": "https://linkedin.com.example/in/ada"}
    ),
    "departure, next company known by its domain": job_change(
        change_type="departure", current={"company": {"domain": "globex.com"}}
    ),
    "new hire, previous company known": job_change(
        signal="new_hires_promotions", change_type="new_hire", previous=at("Initech", "Buyer")
    ),
    "custom signal": job_change(signal="custom", custom={"segment": "Enterprise"}),
    "a lead's promotion, low score": job_change(
        signal="new_hires_promotions", change_type="promotion", previous=at("Globex", "Buyer"), score=3, persona=None
    ),
    "markup in every field": job_change(
        person={"full_name": HOSTILE, "emails": ["ada@globex.com"]},
        previous=at(HOSTILE, HOSTILE),
        current=at(HOSTILE, HOSTILE),
        relationship=HOSTILE,
        persona=HOSTILE,
        links={"source_url": "https://evil.example/!channel&amp;x"},
    ),
    "right to left in every field": job_change(
        person={"full_name": "נועה לוי", "emails": ["noa@globex.com"]},
        previous=at("חברה ישנה", "מנהלת"),
        current=at("شركة جلوبكس", "مديرة"),
        relationship="אלופה",
        persona="קונה",
    ),
    "emoji in every field": job_change(
        person={"full_name": "🧑‍🚀 Ada", "emails": ["ada@globex.com"]},
        previous=at("Initech 🖨️", "🪑"),
        current=at("🌍 Globex", "👑 CRO"),
        relationship="🏆",
        persona="💰",
    ),
    "very long in every field": job_change(
        change_type="departure",
        person={"full_name": "Maximiliana " * 40, "emails": ["max@globex.com"]},
        previous=at("Verwaltungsgesellschaft " * 20, "Geschäftsführerin " * 20),
        current=at("Beteiligungsgesellschaft " * 20, "Vorstandsvorsitzende " * 20),
        relationship="Champion " * 40,
        persona="Buyer " * 40,
    ),
}
