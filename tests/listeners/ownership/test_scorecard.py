"""The scorecard of the rules: what is counted, which rules are ignored, and how an admin narrows one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection, select

from domain.job_change.model import TEST_SOURCE
from domain.rule_versions import EVERYTHING_ELSE, RuleFigures, RuleScore, RuleState
from store.messages import actions
from store.schema import deliveries
from tests.listeners.ownership.ownership_world import GLOBEX, AdminSession, publish, rule
from tests.listeners.salesforce.salesforce_world import SalesforceWorld, open_salesforce_world

CHAMPIONS = {"name": "Champions", "when": {"relationship": ["Champion"]}, "tell": [{"source": "sender"}]}
_numbers = count()
VIPS = {"name": "VIPs", "when": {"relationship": ["VIP"]}, "tell": [{"source": "sender"}]}


@pytest.fixture
async def acme(sqlite_url: str) -> AsyncIterator[SalesforceWorld]:
    async with open_salesforce_world(sqlite_url, has_app=False) as made:
        yield made


async def send(acme: SalesforceWorld, most: int, **fields: Any) -> None:
    """Deliver job changes of different people to Noor."""
    for number in range(most):
        person = {"full_name": f"Ada {number}", "emails": [f"ada-{next(_numbers)}@initech.example"]}
        job_change = {"source": "tests", "signal": "contact_tracking", "change_type": "new_hire", "person": person}
        job_change |= {"current": GLOBEX, "dri_email": acme.noor.email} | fields
        assert await acme.app.intake.accept(acme.team.id, job_change)
    acme.clock_offset += 10
    await acme.app.worker.drain()


def take(connection: Connection, acme: SalesforceWorld, most: int) -> None:
    """Noor takes the oldest job changes that she was sent."""
    oldest = select(deliveries.c.id).order_by(deliveries.c.id).limit(most)
    for delivery_id in connection.execute(oldest).scalars().all():
        delivery = actions.find(connection, acme.team.id, delivery_id)
        assert delivery is not None
        assert actions.take(connection, delivery, acme.noor.id, acme.now())


async def scores(acme: SalesforceWorld) -> dict[str, RuleScore]:
    return {score.name: score for score in (await acme.app.rulebook.scorecard(acme.team.id)).scores}


async def test_job_changes_are_counted_for_the_rule_that_chose_their_recipient(acme: SalesforceWorld) -> None:
    """Or for none, if the owners in Salesforce or the default channel decided. Tests are never counted."""
    await publish(acme, CHAMPIONS | {"deliver": {"to": "dri_and_channel", "channel": "C0SALES"}}, VIPS)
    await send(acme, 2, relationship="Champion")
    await send(acme, 1, relationship="Champion", source=TEST_SOURCE)
    await send(acme, 1, relationship="User", dri_email=None)  # nobody is found, and there is no default channel
    await send(acme, 1, relationship="User")

    found = await scores(acme)

    assert list(found) == ["Champions", "VIPs", "Everything else"]
    assert [score.figures[30].sent for score in found.values()] == [2, 0, 1]
    assert found["Everything else"].state is RuleState.EVERYTHING_ELSE
    assert found["Everything else"].key == EVERYTHING_ELSE


async def test_figures_survive_changes_of_the_rules(acme: SalesforceWorld, dana: AdminSession) -> None:
    """A renamed rule goes on with its figures. A deleted one is shown as long as it has any."""
    await publish(acme, CHAMPIONS, VIPS)
    await send(acme, 1, relationship="Champion")
    await send(acme, 1, relationship="VIP")
    await dana.open_rules()
    await dana.choose_in_rule_menu("edit", 0)
    await dana.submit(name="Fans")
    await dana.choose_in_rule_menu("delete", 1)
    assert "*Fans* (was “Champions”)" in await dana.act("ownership_publish")
    await dana.submit()
    await send(acme, 1, relationship="Champion")

    found = await scores(acme)

    assert {name: (score.state, score.figures[90].sent) for name, score in found.items()} == {
        "Fans": (RuleState.ON, 2),
        "Everything else": (RuleState.EVERYTHING_ELSE, 0),
        "VIPs": (RuleState.DELETED, 1),
    }
    acme.clock_offset += 91 * 24 * 3_600
    assert list(await scores(acme)) == ["Fans", "Everything else"]


async def test_an_ignored_rule_is_narrowed_and_its_effect_is_shown_before_it_is_published(
    acme: SalesforceWorld, dana: AdminSession
) -> None:
    """From the scorecard to the form of the rule, and on to the comparison on recent job changes."""
    colleague = {"tell": [{"source": "user", "user": acme.dana.id}]}
    await publish(acme, CHAMPIONS | colleague, rule("Others", when={"min_score": 99}))
    await send(acme, 10, relationship="Champion")
    await acme.app.database.run(take, acme, 4)
    await dana.open_rules()
    card = await dana.act("ownership_scorecard")
    assert "1 of 3 is mostly ignored" in card
    assert "30 days: 10 sent · *4 acted on* (40%) · median under a minute" in card

    assert "Less than half of this rule's messages" in await dana.act("ownership_narrow", "Champions")
    await dana.add_condition("min_score", "50")
    await dana.submit()
    review = dana.dialog_text()
    assert "*Changes since version 1*" in review
    assert "the draft would deliver 10 differently" in review

    await dana.submit()
    assert [entry.when.min_score for entry in (await dana.rule_book()).rules.rules] == [50.0, 99.0]
    assert (await scores(acme))["Champions"].figures[30].sent == 10


async def test_a_rule_is_not_judged_by_a_few_messages_nor_once_half_was_acted_on(
    acme: SalesforceWorld, dana: AdminSession
) -> None:
    """The scorecard opens from the statistics, too."""
    await publish(acme, CHAMPIONS)
    await send(acme, 9, relationship="Champion")
    assert not (await scores(acme))["Champions"].is_ignored
    await dana.open_rules()
    assert "*Too early to judge*: no rule has sent 10 messages yet." in await dana.act("ownership_scorecard")
    await send(acme, 1, relationship="Champion")
    assert (await scores(acme))["Champions"].is_ignored
    await acme.app.database.run(take, acme, 5)
    assert not (await scores(acme))["Champions"].is_ignored

    await dana.open_home()
    await acme.slack.act_in_home(dana.user.id, "home_busiest")
    await dana.wait_for_listeners()
    assert "No rule is mostly ignored" in await dana.act("ownership_scorecard")


async def test_a_long_scorecard_has_pages_and_begins_with_what_is_ignored(
    acme: SalesforceWorld, dana: AdminSession
) -> None:
    """Whatever the place of the ignored rule."""
    others = [rule(f"Other {number}", when={"min_score": 100 + number}) for number in range(25)]
    await publish(acme, *others, CHAMPIONS)
    await send(acme, 10, relationship="Champion")
    await dana.open_rules()

    first = await dana.act("ownership_scorecard")
    second = await dana.act("ownership_scores_next", "1")

    assert ("*26. Champions*" in first, "*1. Other 0*" in first, "*25. Other 24*" in first) == (True, True, False)
    assert ("*26. Champions*" in second, "*25. Other 24*" in second) == (False, True)
    assert "Rules 21 to 27 of 27" in second


async def test_rules_that_are_off_or_new_have_no_figures(acme: SalesforceWorld, dana: AdminSession) -> None:
    """With nothing to count, the dialog says when there will be."""
    await publish(acme, CHAMPIONS | {"enabled": False})
    await dana.open_rules()

    card = await dana.act("ownership_scorecard")

    assert "No messages in the last 90 days." in card
    assert "Champions" not in card
    champions = (await scores(acme))["Champions"]
    assert (champions.state, champions.figures) == (RuleState.OFF, {30: RuleFigures(), 90: RuleFigures()})
