"""One forged request for every id that the app listens to, as a modified Slack client could send it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from slack_bolt.async_app import AsyncApp

from listeners.ownership.unmatched_owners_view import block_of
from listeners.registering import register_listeners
from store.database import Database

KINDS = ("action", "view", "view_closed", "shortcut", "command", "options", "function")
ANYTHING = re.compile("")
"""The catch-all listeners of failures.py."""

EVIL = "https://evil.example/"


class _RecordingApp(AsyncApp):
    """A Bolt app that records which ids it has listeners for."""

    def __init__(self) -> None:
        async def authorize() -> None:
            return None

        super().__init__(signing_secret="unused", authorize=authorize)
        self.registered: list[tuple[str, Any]] = []


def _recording(kind: str) -> Callable[..., Any]:
    def record(app: _RecordingApp, constraint: Any, *rest: Any, **named: Any) -> Any:
        app.registered.append((kind, constraint))
        return getattr(AsyncApp, kind)(app, constraint, *rest, **named)

    return record


for _kind in KINDS:
    setattr(_RecordingApp, _kind, _recording(_kind))


def registered_ids() -> set[tuple[str, str]]:
    """The kind and pattern of every listener. A pattern with choices counts once for each choice."""
    app = _RecordingApp()
    register_listeners(app, Database("sqlite://"), lambda: 0)
    return {
        (kind, pattern)
        for kind, constraint in app.registered
        if constraint != ANYTHING
        for pattern in _alternatives(constraint)
    }


def _alternatives(constraint: str | re.Pattern[str]) -> list[str]:
    if isinstance(constraint, str):
        return [f"^{re.escape(constraint)}$"]
    parts = re.split(r"\(([^()]*)\)", constraint.pattern)
    choices = [part.split("|") if number % 2 else [part] for number, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


@dataclass(frozen=True)
class KnownIds:
    """The current ids and names that an insider of the attacked workspace knows."""

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
class ForgedRequest:
    """`surface` is home, modal or message. `metadata` becomes private_metadata. `values` are keyed by block_id."""

    kind: str
    name: str
    surface: str = "modal"
    action: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def option(value: str) -> dict[str, Any]:
    return {"selected_option": {"text": {"type": "plain_text", "text": value}, "value": value}}


def _chosen(value: str) -> dict[str, Any]:
    return {"selected_options": list(option(value).values())}


def text(value: str | None) -> dict[str, Any]:
    return {"type": "plain_text_input", "value": value}


def _mapping_inputs() -> list[tuple[str, Mapping[str, Any]]]:
    """The elements of the dialog of a field mapping that show it again, each with what was done with it."""
    return [
        ("mapping_add_row", {}),
        ("mapping_add_fixed", {}),
        ("mapping_add_path", option("mail")),
        ("mapping_remove_row", {"value": "0"}),
        ("mapping_field", option("person.emails")),
        ("mapping_text", text("mail")),
        ("mapping_as_json", {}),
        ("mapping_as_rows", {}),
    ]


def _rule_inputs() -> list[tuple[str, Mapping[str, Any]]]:
    """The elements of the dialog of a rule that show it again, each with what was done with it."""
    return [
        ("ownership_condition_field", option("title")),
        ("ownership_condition_operator_title", option("title_lacks")),
        ("ownership_condition_value", text("Champion")),
        ("ownership_condition_remove", {"value": "0"}),
        ("ownership_slot", option("a_person")),
        ("ownership_rule_input", option("nobody")),
        ("ownership_add_condition", {}),
        ("ownership_add_source", {}),
        ("ownership_add_informed", {}),
    ]


def forged_requests(ids: KnownIds) -> list[ForgedRequest]:
    """In an order in which no request prevents the next from working."""
    listed = {"seen": ids.seen, "page": 0}
    home = {"version": ids.preferences}
    about = {"delivery": str(ids.delivery)}
    place = {"name": ids.source, "sobject": ids.sobject, "label": "Moves"}
    definition = json.dumps({"map": {"Name": "person.full_name"}})
    mapping = json.dumps({"map": {"mail": "person.emails"}, "set": {"signal": "contact_tracking"}})
    tried = {"source": text(ids.sender), "definition": text(mapping), "row": text('{"mail": "a@b.example"}')}
    rows = {"source": text(ids.sender), "path-0": text("mail"), "row-0": option("person.emails")}
    rule = {"name": text("Mine"), "place": text("1"), "slot-0": option('{"source":"owner","of":"account"}')}
    rule["any"] = _chosen("yes")
    marked = {"mark": ids.mark, "next": 1}
    return [
        ForgedRequest("action", "home_channel_gets", "home", option("everything"), home),
        ForgedRequest("action", "home_tell_dris", "home", option("no"), home),
        ForgedRequest("action", "home_choose_channel", "home", {"selected_conversation": ids.channel}, home),
        ForgedRequest("action", "home_check_channel", "home", {}, home),
        ForgedRequest("action", "home_make_key_signing", "home", {"value": "signing"}, home),
        ForgedRequest("action", "home_make_key_bearer", "home", {"value": "bearer"}, home),
        ForgedRequest("action", "home_revoke_keys_signing", "home", {"value": "signing"}, home),
        ForgedRequest("action", "home_revoke_keys_bearer", "home", {"value": "bearer"}, home),
        ForgedRequest("action", "home_how_to_send", "home", {}, home),
        ForgedRequest("action", "home_send_test", "home", {}, home),
        ForgedRequest("action", "home_keep_default_owners", "home", {}, home),
        ForgedRequest("action", "salesforce_connect", "home", {}, home),
        ForgedRequest("action", "salesforce_connect_link"),
        ForgedRequest("view", "salesforce_app", values={"client_id": text("3MVG9evil"), "client_secret": text("evil")}),
        ForgedRequest("action", "salesforce_sources", "home", {}, home),
        ForgedRequest("action", "salesforce_try_again", "home", {}, home),
        ForgedRequest("action", "source_choose", action=option(ids.sobject)),
        ForgedRequest(
            "action", "source_preview", metadata=place, values={"definition": text(definition), "begin": option("now")}
        ),
        ForgedRequest(
            "view", "source_start", metadata=place, values={"definition": text(definition), "begin": option("now")}
        ),
        ForgedRequest("action", "source_pause", action={"value": ids.source}),
        ForgedRequest("action", "source_go_on", action={"value": ids.source}),
        ForgedRequest("action", "source_remove", action={"value": ids.source}),
        ForgedRequest("action", "sender_mappings", "home", {}, home),
        ForgedRequest("action", "salesforce_person_keys", "home", {}, home),
        ForgedRequest("action", "person_keys_add", values={"person_keys": text("Contact.Email = email")}),
        ForgedRequest("view", "person_keys_save", values={"person_keys": text("Contact.Email = email")}),
        ForgedRequest("action", "home_senders", "home", {}, home),
        ForgedRequest("action", "sender_add"),
        ForgedRequest("action", "sender_do", action=option("rotate:clay")),
        ForgedRequest("view", "sender_revoke", metadata={"name": "clay"}),
        ForgedRequest("action", "sender_merge", action=option("no")),
        ForgedRequest("action", "sender_send_again", action={"value": "1:clay"}),
        ForgedRequest("view", "sender_add_save", values={"product": option("clay"), "name": text(None)}),
        ForgedRequest("action", "mapping_edit", action={"value": ids.sender}),
        ForgedRequest("action", "mapping_preview", values=tried),
        *(ForgedRequest("action", name, action=action, values=rows) for name, action in _mapping_inputs()),
        ForgedRequest("view", "mapping_save", values=tried),
        ForgedRequest("action", "mapping_remove", action={"value": ids.sender}),
        ForgedRequest("action", "ownership_open", "home", {}, home),
        ForgedRequest("action", "ownership_turn_1", action={"value": "0"}, metadata=listed),
        ForgedRequest("action", "ownership_rule_menu", action=option("switch:0"), metadata=listed),
        ForgedRequest("action", "ownership_add", metadata=listed),
        ForgedRequest("action", "ownership_start", action={"value": "all"}),
        *(
            ForgedRequest("action", name, action=action, metadata=marked, values=rule)
            for name, action in _rule_inputs()
        ),
        ForgedRequest("view", "ownership_save_rule", metadata=marked, values=rule),
        ForgedRequest("action", "ownership_more", metadata=listed),
        ForgedRequest("view", "ownership_settings", metadata={"seen": ids.seen}, values=_settings()),
        ForgedRequest("action", "ownership_new_named_pools", action={"value": "pools"}, metadata={"seen": ids.seen}),
        ForgedRequest(
            "action",
            "ownership_edit_named_pools",
            action=option(f"ownership_delete_named:{ids.pool}"),
            metadata={"seen": ids.seen},
        ),
        ForgedRequest(
            "view",
            "ownership_pool",
            metadata={"seen": ids.seen},
            values={"name": text("Theirs"), "others": text(ids.colleague)},
        ),
        ForgedRequest(
            "view",
            "ownership_mapping",
            metadata={"seen": ids.seen},
            values={"name": text("Theirs"), "table": text("a@b.example = c@d.example")},
        ),
        ForgedRequest("action", "ownership_publish", metadata=listed),
        ForgedRequest("view", "ownership_publish_draft", metadata=listed),
        ForgedRequest("action", "ownership_history", metadata=listed),
        ForgedRequest(
            "action", "ownership_version_1", action={"value": "1"}, metadata={"version": ids.seen["version"]}
        ),
        ForgedRequest(
            "action", "ownership_roll_back_1", action={"value": "1"}, metadata={"version": ids.seen["version"]}
        ),
        ForgedRequest("action", "ownership_discard", metadata=listed),
        ForgedRequest("action", "ownership_simulate", metadata=listed),
        ForgedRequest("action", "ownership_scorecard", metadata=listed),
        ForgedRequest("action", "ownership_scores_next", action={"value": "1"}),
        ForgedRequest("action", "ownership_narrow", action={"value": "Ours"}),
        ForgedRequest("view", "ownership_try", values={"email": text("ada@initech.example")}),
        ForgedRequest("action", "ownership_replay"),
        ForgedRequest("action", "ownership_people", metadata=listed),
        ForgedRequest("action", "ownership_people_from_1", action={"value": ""}, metadata={"after": ""}),
        ForgedRequest(
            "action",
            "ownership_link",
            action={"selected_user": ids.colleague, "block_id": block_of(ids.owner)},
            metadata={"after": ""},
        ),
        ForgedRequest("action", "ownership_tell", action={"value": ids.owner}, metadata={"after": ""}),
        ForgedRequest("action", "ownership_forget", action={"value": ids.owner}, metadata={"after": ""}),
        ForgedRequest("action", "ownership_unlink", action={"value": ids.owner}, metadata={"after": ""}),
        ForgedRequest(
            "view",
            "ownership_matching",
            metadata={"after": ""},
            values={"alias_domains": text("a.example = b.example")},
        ),
        ForgedRequest("action", "link_1", "message"),
        ForgedRequest("action", "delivery_why", "message", {"value": str(ids.delivery)}),
        ForgedRequest("action", "delivery_menu", "message", option(f"later:{ids.delivery}")),
        ForgedRequest("action", "delivery_later", "message", {"value": str(ids.delivery)}),
        ForgedRequest("action", "delivery_wrong_data", "message", {"value": str(ids.delivery)}),
        ForgedRequest("action", "delivery_mute", "message", {"value": str(ids.delivery)}),
        ForgedRequest("action", "delivery_hand_on", "message", {"value": str(ids.delivery)}),
        ForgedRequest("view", "mute_like_delivery", metadata=about, values=_choice(option("new_company"))),
        ForgedRequest("action", "delivery_unmute", action={"value": "new_company"}, metadata=about),
        ForgedRequest("view", "report_delivery", metadata=about, values=_choice(option("wrong_person"))),
        ForgedRequest("view", "put_off_delivery", metadata=about, values=_choice(option("tomorrow"))),
        *(
            ForgedRequest("action", f"delivery_{kind}", "message", {"value": str(ids.delivery)})
            for kind in ("take", "done", "not_relevant", "reopen")
        ),
        ForgedRequest("view", "hand_on_delivery", metadata=about, values=_choice({"selected_user": ids.colleague})),
        *_admin_requests(ids, home),
        ForgedRequest("action", "home_card_buttons", "home", {}, home),
        ForgedRequest("view", "home_card_buttons", metadata=home, values={"label_0": text("x"), "url_0": text(EVIL)}),
        ForgedRequest("action", "home_webhook", "home", {}, home),
        ForgedRequest("action", "webhook_test"),
        ForgedRequest("view", "home_webhook", values={"url": text(EVIL), "events": _chosen("1")}),
        ForgedRequest("action", "webhook_remove"),
        *_member_requests(ids),
        ForgedRequest("action", "salesforce_disconnect", "home", {}, home),
    ]


def _admin_requests(ids: KnownIds, home: Mapping[str, Any]) -> list[ForgedRequest]:
    """Requests of the admins' Home, and of messages to admins."""
    pace = {"posts_per_minute": "60", "salesforce_patience_minutes": "60", "retention_days": "30"}
    return [
        *(
            ForgedRequest("action", f"home_{name}", "home", {}, home)
            for name in ("busiest", "mute_limits", "pace", "buried")
        ),
        ForgedRequest("action", "home_signal_channels", "home", {}, home),
        ForgedRequest("action", "home_reminder_hours", "home", option("8"), home),
        ForgedRequest("action", "home_reminder_escalation", "home", option("channel"), home),
        ForgedRequest("view", "home_pace", metadata=home, values={name: option(value) for name, value in pace.items()}),
        ForgedRequest(
            "view", "home_mute_limits_saved", values={"signals": {"selected_options": [_ticked("contact_tracking")]}}
        ),
        *(
            ForgedRequest("action", f"{what}{signal}", action={"selected_conversation": ids.channel}, metadata=home)
            for what in ("signal_channel_", "signal_default_")
            for signal in ("contact_tracking", "new_hires_promotions", "custom")
        ),
        ForgedRequest("action", "buried_more", action={"value": "1:0"}),
        ForgedRequest("action", "buried_from_the_start"),
        ForgedRequest("action", "buried_again", action={"value": ids.job_change}),
        ForgedRequest("action", "buried_all_again"),
        ForgedRequest("action", "notice_choose_channel", "message", {"selected_conversation": ids.channel}),
        ForgedRequest("action", "notice_check_channel", "message"),
    ]


def _member_requests(ids: KnownIds) -> list[ForgedRequest]:
    """Requests of a member's own preferences; their names begin with `my_`."""
    hours = {"delivery": option("daily"), "weekday": option("1"), "digest_at": {"selected_time": "10:00"}}
    soon = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    away = {"first": {"selected_date": soon}, "delegate": {"selected_user": ids.colleague}}
    return [
        *(ForgedRequest("action", f"my_{name}", "home") for name in ("reading", "mutes", "away", "not_me")),
        ForgedRequest("view", "my_reading_saved", values=hours),
        ForgedRequest(
            "view", "my_mutes_saved", values={"signals": {"selected_options": [_ticked("contact_tracking")]}}
        ),
        ForgedRequest("view", "my_away_saved", values=away),
        ForgedRequest("action", "my_back", "home"),
        ForgedRequest("action", "assigned_filter", "home", option("done"), {"version": 0}),
        ForgedRequest("action", "assigned_older", "home", {"value": "5"}, {"version": 0}),
        ForgedRequest("action", "assigned_newer", "home", {"value": "0"}, {"version": 0}),
        ForgedRequest("view", "my_not_me_saved", values={"owner": option(ids.linked)}),
        ForgedRequest("action", "my_me_after_all", action={"value": ids.linked}),
    ]


def _ticked(value: str) -> Mapping[str, Any]:
    return option(value)["selected_option"]


def _settings() -> dict[str, Mapping[str, Any]]:
    tests = {"customer": text("Account.Type = Customer"), "target": text("Account.Type = Target")}
    return tests | {"daily_cap": text("1")}


def _choice(chosen: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {"choice": chosen, "words": text("x")}
