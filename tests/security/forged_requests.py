"""What a client could send for everything that Slack can be told to send us: one deed for each id that is heard."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from slack_bolt.async_app import AsyncApp

from listeners import register_listeners
from listeners.ownership.unmatched_owners_view import block_of

KINDS = ("action", "view", "view_closed", "shortcut", "command", "options", "function")
ANYTHING = re.compile("")
"""What failures.py listens to, to say that nobody else does."""


class _Listening(AsyncApp):
    """Bolt, which does not tell afterwards what it was given listeners for."""

    def __init__(self) -> None:
        async def authorize() -> None:
            return None

        super().__init__(signing_secret="unused", authorize=authorize)
        self.heard: list[tuple[str, Any]] = []


def _noting(kind: str) -> Callable[..., Any]:
    def note(app: _Listening, constraint: Any, *rest: Any, **named: Any) -> Any:
        app.heard.append((kind, constraint))
        return getattr(AsyncApp, kind)(app, constraint, *rest, **named)

    return note


for _kind in KINDS:
    setattr(_Listening, _kind, _noting(_kind))


def heard() -> set[tuple[str, str]]:
    """Kind and pattern of all that has a listener of its own; a pattern with choices is one for each of them."""
    app = _Listening()
    register_listeners(app)
    return {
        (kind, pattern) for kind, constraint in app.heard if constraint != ANYTHING for pattern in _each(constraint)
    }


def _each(constraint: str | re.Pattern[str]) -> list[str]:
    if isinstance(constraint, str):
        return [f"^{re.escape(constraint)}$"]
    parts = re.split(r"\(([^()]*)\)", constraint.pattern)
    choices = [part.split("|") if number % 2 else [part] for number, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


@dataclass(frozen=True)
class Facts:
    """What an insider knows of the workspace that is attacked: its ids and names, as things stand now."""

    seen: Mapping[str, int]
    preferences: int
    delivery: int
    channel: str
    source: str
    sobject: str
    sender: str
    owner: str
    linked: str
    job_change: str
    pool: str
    mark: str
    colleague: str


@dataclass(frozen=True)
class Deed:
    """One thing to send. *where*: home, modal or message; *kept*: private_metadata; *entered*: by block_id."""

    kind: str
    name: str
    where: str = "modal"
    acted: Mapping[str, Any] = field(default_factory=dict)
    kept: Mapping[str, Any] = field(default_factory=dict)
    entered: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def option(value: str) -> dict[str, Any]:
    return {"selected_option": {"text": {"type": "plain_text", "text": value}, "value": value}}


def text(value: str | None) -> dict[str, Any]:
    return {"type": "plain_text_input", "value": value}


def deeds(facts: Facts) -> list[Deed]:
    """In an order in which none spoils the next."""
    listed = {"seen": facts.seen, "page": 0}
    home = {"version": facts.preferences}
    about = {"delivery": str(facts.delivery)}
    place = {"name": facts.source, "sobject": facts.sobject, "label": "Moves"}
    definition = json.dumps({"map": {"Name": "person.full_name"}})
    mapping = json.dumps({"map": {"mail": "person.emails"}, "set": {"signal": "contact_tracking"}})
    tried = {"source": text(facts.sender), "definition": text(mapping), "row": text('{"mail": "a@b.example"}')}
    rule = {"name": text("Mine"), "place": text("1"), "slot-0": option('{"source":"owner","of":"account"}')}
    return [
        Deed("action", "home_channel_gets", "home", option("everything"), home),
        Deed("action", "home_tell_dris", "home", option("no"), home),
        Deed("action", "home_choose_channel", "home", {"selected_conversation": facts.channel}, home),
        Deed("action", "home_check_channel", "home", {}, home),
        Deed("action", "home_make_key_signing", "home", {"value": "signing"}, home),
        Deed("action", "home_make_key_bearer", "home", {"value": "bearer"}, home),
        Deed("action", "home_how_to_send", "home", {}, home),
        Deed("action", "salesforce_connect", "home", {}, home),
        Deed("action", "salesforce_connect_link"),
        Deed("view", "salesforce_app", entered={"client_id": text("3MVG9evil"), "client_secret": text("evil")}),
        Deed("action", "salesforce_daily_calls", "home", option("1000"), home),
        Deed("action", "salesforce_sources", "home", {}, home),
        Deed("action", "salesforce_try_again", "home", {}, home),
        Deed("action", "source_choose", acted=option(facts.sobject)),
        Deed("action", "source_preview", kept=place, entered={"definition": text(definition), "begin": option("now")}),
        Deed("view", "source_start", kept=place, entered={"definition": text(definition), "begin": option("now")}),
        Deed("action", "source_pause", acted={"value": facts.source}),
        Deed("action", "source_go_on", acted={"value": facts.source}),
        Deed("action", "source_remove", acted={"value": facts.source}),
        Deed("action", "sender_mappings", "home", {}, home),
        Deed("action", "mapping_edit", acted={"value": facts.sender}),
        Deed("action", "mapping_preview", entered=tried),
        Deed("view", "mapping_save", entered=tried),
        Deed("action", "mapping_remove", acted={"value": facts.sender}),
        Deed("action", "ownership_open", "home", {}, home),
        Deed("action", "ownership_turn_1", acted={"value": "0"}, kept=listed),
        Deed("action", "ownership_rule_menu", acted=option("switch:0"), kept=listed),
        Deed("action", "ownership_add", kept=listed),
        Deed("view", "ownership_begin", entered={"preset": option("all")}),
        Deed("action", "ownership_slot", kept={"mark": facts.mark}, entered={"slot-0": option("a_person")}),
        Deed("view", "ownership_save_rule", kept={"mark": facts.mark}, entered=rule),
        Deed("action", "ownership_more", kept=listed),
        Deed("view", "ownership_settings", kept={"seen": facts.seen}, entered=_settings()),
        Deed("action", "ownership_new_named_pools", acted={"value": "pools"}, kept={"seen": facts.seen}),
        Deed(
            "action",
            "ownership_edit_named_pools",
            acted=option(f"ownership_delete_named:{facts.pool}"),
            kept={"seen": facts.seen},
        ),
        Deed(
            "view",
            "ownership_pool",
            kept={"seen": facts.seen},
            entered={"name": text("Theirs"), "others": text(facts.colleague)},
        ),
        Deed(
            "view",
            "ownership_mapping",
            kept={"seen": facts.seen},
            entered={"name": text("Theirs"), "table": text("a@b.example = c@d.example")},
        ),
        Deed("action", "ownership_publish", kept=listed),
        Deed("action", "ownership_history", kept=listed),
        Deed("action", "ownership_roll_back_1", acted={"value": "1"}, kept={"version": facts.seen["version"]}),
        Deed("action", "ownership_discard", kept=listed),
        Deed("action", "ownership_simulate", kept=listed),
        Deed("view", "ownership_try", entered={"email": text("ada@initech.example")}),
        Deed("action", "ownership_replay"),
        Deed("action", "ownership_people", kept=listed),
        Deed("action", "ownership_people_from_1", acted={"value": ""}, kept={"after": ""}),
        Deed(
            "action",
            "ownership_link",
            acted={"selected_user": facts.colleague, "block_id": block_of(facts.owner)},
            kept={"after": ""},
        ),
        Deed("action", "ownership_tell", acted={"value": facts.owner}, kept={"after": ""}),
        Deed("action", "ownership_forget", acted={"value": facts.owner}, kept={"after": ""}),
        Deed("action", "ownership_unlink", acted={"value": facts.owner}, kept={"after": ""}),
        Deed(
            "view", "ownership_matching", kept={"after": ""}, entered={"alias_domains": text("a.example = b.example")}
        ),
        Deed("action", "link_1", "message"),
        Deed("action", "delivery_why", "message", {"value": str(facts.delivery)}),
        Deed("action", "delivery_menu", "message", option(f"later:{facts.delivery}")),
        Deed("action", "delivery_later", "message", {"value": str(facts.delivery)}),
        Deed("action", "delivery_wrong_data", "message", {"value": str(facts.delivery)}),
        Deed("action", "delivery_mute", "message", {"value": str(facts.delivery)}),
        Deed("action", "delivery_hand_on", "message", {"value": str(facts.delivery)}),
        Deed("view", "mute_like_delivery", kept=about, entered=_choice(option("new_company"))),
        Deed("action", "delivery_unmute", acted={"value": f"new_company:{facts.delivery}"}),
        Deed("view", "report_delivery", kept=about, entered=_choice(option("wrong_person"))),
        Deed("view", "put_off_delivery", kept=about, entered=_choice(option("tomorrow"))),
        Deed("action", "delivery_take", "message", {"value": str(facts.delivery)}),
        Deed("view", "hand_on_delivery", kept=about, entered=_choice({"selected_user": facts.colleague})),
        *_of_home(facts, home),
        *_of_ones_own(facts),
        Deed("action", "salesforce_disconnect", "home", {}, home),
    ]


def _of_home(facts: Facts, home: Mapping[str, Any]) -> list[Deed]:
    """Behind admins' Home, and in messages to them."""
    pace = {"posts_per_minute": "60", "salesforce_patience_minutes": "60", "retention_days": "30"}
    return [
        *(Deed("action", f"home_{name}", "home", {}, home) for name in ("busiest", "mute_limits", "pace", "buried")),
        Deed("action", "home_signal_channels", "home", {}, home),
        Deed("action", "home_reminder_hours", "home", option("8"), home),
        Deed("action", "home_reminder_escalation", "home", option("channel"), home),
        Deed("view", "home_pace", kept=home, entered={name: option(value) for name, value in pace.items()}),
        Deed(
            "view", "home_mute_limits_saved", entered={"signals": {"selected_options": [_ticked("contact_tracking")]}}
        ),
        *(
            Deed("action", f"{what}{signal}", acted={"selected_conversation": facts.channel}, kept=home)
            for what in ("signal_channel_", "signal_default_")
            for signal in ("contact_tracking", "new_hires_promotions", "custom")
        ),
        Deed("action", "buried_more", acted={"value": "1:0"}),
        Deed("action", "buried_from_the_start"),
        Deed("action", "buried_again", acted={"value": facts.job_change}),
        Deed("action", "buried_all_again"),
        Deed("action", "notice_choose_channel", "message", {"selected_conversation": facts.channel}),
        Deed("action", "notice_check_channel", "message"),
    ]


def _of_ones_own(facts: Facts) -> list[Deed]:
    """How somebody is told themselves; each begins with `my_`."""
    hours = {"delivery": option("daily"), "weekday": option("1"), "digest_at": {"selected_time": "10:00"}}
    soon = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    away = {"first": {"selected_date": soon}, "delegate": {"selected_user": facts.colleague}}
    return [
        *(Deed("action", f"my_{name}", "home") for name in ("reading", "mutes", "away", "not_me", "lately")),
        Deed("view", "my_reading_saved", entered=hours),
        Deed("view", "my_mutes_saved", entered={"signals": {"selected_options": [_ticked("contact_tracking")]}}),
        Deed("view", "my_away_saved", entered=away),
        Deed("action", "my_back", "home"),
        Deed("action", "my_lately_older", acted={"value": "0"}),
        Deed("action", "my_lately_newer", acted={"value": "0"}),
        Deed("view", "my_not_me_saved", entered={"owner": option(facts.linked)}),
        Deed("action", "my_me_after_all", acted={"value": facts.linked}),
    ]


def _ticked(value: str) -> Mapping[str, Any]:
    return option(value)["selected_option"]


def _settings() -> dict[str, Mapping[str, Any]]:
    tests = {"customer": text("Account.Type = Customer"), "target": text("Account.Type = Target")}
    return tests | {"daily_cap": text("1")}


def _choice(chosen: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {"choice": chosen, "words": text("x")}
