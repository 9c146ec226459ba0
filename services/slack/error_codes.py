"""What each error code of Slack means for the app: the codes of every method, and those of single methods. Pure.

The codes of a method are listed at https://docs.slack.dev/reference/methods/METHOD#errors. Codes that Slack returns
without listing them are here too. A code that is not here is unknown, and fails one delivery at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Meaning(StrEnum):
    """What the app does about a code."""

    RETRY = "was not performed, and is tried again"
    IN_DOUBT = "may have been performed: the app checks before it tries again"
    WAIT = "Slack asks to wait"
    MOVING = "the workspace is being moved into an organization, which takes hours to days"
    EXPIRED = "the token has expired and could not be renewed, which an admin can fix"
    ABSENT = "what the call names does not exist"
    DESTINATION = "fails this destination"
    MESSAGE = "fails this message as it is rendered"
    CALL = "fails this call until a person changes something"
    GONE = "the workspace is gone, if a second call confirms it"
    BUG = "our bug: the call can never work"


@dataclass(frozen=True)
class ErrorCode:
    """`text` is for people and completes "it failed: ...". It is empty where the code itself is shown."""

    meaning: Meaning
    text: str = ""


def _codes(meaning: Meaning, *codes: str, text: str = "") -> dict[str, ErrorCode]:
    return dict.fromkeys(codes, ErrorCode(meaning, text))


def _texts(meaning: Meaning, **texts: str) -> dict[str, ErrorCode]:
    return {code: ErrorCode(meaning, text) for code, text in texts.items()}


_REINSTALL = "Install the app again."
_APPROVE = "Ask a workspace owner to approve the app."
_REJECTED = "Slack does not accept the app's token"
_CREDENTIALS = "Slack does not accept this server's credentials. Check SLACK_CLIENT_ID and SLACK_CLIENT_SECRET."
_CODE_EXPIRED = "This installation link was already used or has expired."
_NO_USER_GROUPS = "the workspace's plan has no user groups"
_NOT_FOUND = "Slack cannot find it, or it is private and the app was not invited"

COMMON: dict[str, ErrorCode] = {
    **_codes(Meaning.WAIT, "ratelimited", "rate_limited"),
    **_codes(Meaning.MOVING, "team_added_to_org", "org_login_required"),
    # Of most of these, Slack says that "some aspect of the operation" may have succeeded.
    **_codes(Meaning.IN_DOUBT, "internal_error", "fatal_error", "service_unavailable", "request_timeout"),
    **{
        code: ErrorCode(Meaning.GONE, text)
        for code, text in (
            ("account_inactive", "the app was removed from the workspace"),
            ("token_revoked", "the app's token was revoked"),
            # "or the request originates from an IP address disallowed from making the request"
            ("invalid_auth", _REJECTED),
            ("not_authed", _REJECTED),
        )
    },
    **_texts(Meaning.EXPIRED, token_expired="the app's Slack token has expired"),  # noqa: S106
    **_texts(Meaning.DESTINATION, team_access_not_granted="the app was not added to that workspace"),
    **_texts(
        Meaning.CALL,
        not_allowed_token_type=f"Slack does not accept this kind of token. {_REINSTALL}",
        accesslimited=f"Slack restricts the app's access. {_APPROVE}",
        access_denied=f"Slack denied the app access. {_APPROVE}",
        ekm_access_denied="Your organization's key management (EKM) blocks posting. Ask its admins to allow the app.",
        no_permission=f"The app is missing a permission. {_REINSTALL}",
        missing_scope=f"The app is missing a permission. {_REINSTALL}",
        enterprise_is_restricted="Your organization does not allow this app. Ask its admins to approve it.",
        two_factor_setup_required="Slack requires two-factor authentication for this account. Ask a workspace owner.",
    ),
    **_codes(Meaning.BUG, "deprecated_endpoint", "method_deprecated", "unknown_method", "invalid_arg_name"),
    **_codes(Meaning.BUG, "invalid_array_arg", "invalid_charset", "invalid_form_data", "invalid_post_type"),
    **_codes(Meaning.BUG, "missing_post_type", "missing_argument", "invalid_arguments"),
}
"""Codes that every method can return: https://docs.slack.dev/reference/methods/auth.test#errors"""

_CHAT: dict[str, ErrorCode] = {
    **_codes(Meaning.WAIT, "message_limit_exceeded"),
    **_texts(
        Meaning.DESTINATION,
        channel_not_found=_NOT_FOUND,
        team_not_found="Slack cannot find its workspace",
        is_archived="the channel is archived",
        not_in_channel="the app is not in that channel",
    ),
    **_codes(Meaning.MESSAGE, "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"),
    **_codes(Meaning.MESSAGE, "no_text", "invalid_attachments", "too_many_attachments", "invalid_arguments"),
    **_codes(Meaning.MESSAGE, "attachment_payload_limit_exceeded", "markdown_text_conflict", "too_many_contact_cards"),
    **_codes(Meaning.MESSAGE, "invalid_metadata_format", "invalid_metadata_schema", "metadata_too_large"),
    **_codes(Meaning.MESSAGE, "metadata_must_be_sent_from_app"),
    # The app sends no files, drafts, broadcasts or streams, and never as a user.
    **_codes(Meaning.BUG, "as_user_not_supported", "missing_file_data", "slack_connect_canvas_sharing_blocked"),
    **_codes(Meaning.BUG, "slack_connect_file_link_sharing_blocked", "slack_connect_lists_sharing_blocked"),
}
_CONVERSATION = _texts(
    Meaning.DESTINATION,
    channel_not_found=_NOT_FOUND,
    channel_is_limited_access="the app has no access to this Salesforce channel",
    not_in_channel="the app is not in that channel",
)
# Pages start again: a cursor is valid for a while only.
_PAGES = {**_codes(Meaning.RETRY, "invalid_cursor"), **_codes(Meaning.BUG, "invalid_limit", "limit_required")}
_VIEW = {
    **_codes(Meaning.BUG, "duplicate_external_id", "view_too_large"),
    **_texts(Meaning.CALL, not_found="the dialog is no longer open", push_limit_reached="too many dialogs are open"),
    **_texts(
        Meaning.CALL,
        expired_trigger_id="the three seconds that Slack waits for a dialog had passed",
        exchanged_trigger_id="the dialog was opened already",
        invalid_trigger_id="Slack does not know this interaction",
    ),
    **_codes(Meaning.RETRY, "hash_conflict"),
}
BY_METHOD: dict[str, dict[str, ErrorCode]] = {
    "auth.test": {},
    "auth.teams.list": _PAGES,
    "oauth.v2.access": {
        **_codes(Meaning.CALL, "invalid_client_id", "bad_client_secret", text=_CREDENTIALS),
        **_codes(Meaning.CALL, "invalid_code", "code_already_used", "code_expired", text=_CODE_EXPIRED),
        **_texts(
            Meaning.CALL,
            bad_redirect_uri="Slack does not accept this server's address. Add it to the app's redirect URLs.",
            cannot_install_an_org_installed_app="Your organization has installed the app. Ask its admins to add it"
            " to this workspace.",
            invalid_refresh_token=f"Slack does not accept the app's refresh token. {_REINSTALL}",
            user_email_unverified="Slack needs you to confirm your email address first.",
            preview_feature_not_available="Slack does not offer this feature to the workspace yet.",
        ),
        **_codes(Meaning.BUG, "invalid_grant_type", "invalid_code_verifier", "pkce_not_allowed", "no_scopes"),
        **_codes(Meaning.BUG, "oauth_authorization_url_mismatch"),
    },
    "apps.connections.open": {
        **_texts(
            Meaning.CALL,
            forbidden_team="Socket Mode is off for the app.",
            token_expired="the app-level token has expired",  # noqa: S106
        ),
        **_codes(Meaning.BUG, "insecure_request", "missing_args"),
    },
    "bots.info": {
        **_codes(Meaning.ABSENT, "bot_not_found", "bots_not_found"),
        **_texts(Meaning.CALL, team_not_found="Slack cannot find the workspace"),
    },
    "chat.postMessage": {
        **_CHAT,
        **_texts(
            Meaning.DESTINATION,
            restricted_action="only some people may post there",
            restricted_action_read_only_channel="the channel is read-only for apps",
            restricted_action_thread_only_channel="the channel allows only replies in threads",
            restricted_action_non_threadable_channel="the channel does not allow this kind of message",
            restricted_action_thread_locked="the thread is locked",
            cannot_reply_to_message="the message does not allow replies",
            user_disabled="the person's account is deactivated",
            user_not_found="Slack does not know this person",
            user_not_visible="the app cannot see this person",
            cannot_dm_bot="Slack does not allow direct messages to bots",
        ),
        **_texts(
            Meaning.CALL,
            messages_tab_disabled="The app's Messages tab is off. Turn it on under App Home at"
            " https://api.slack.com/apps.",
        ),
        # These refer to an earlier call with the same client_msg_id.
        **_codes(Meaning.IN_DOUBT, "duplicate_message_not_found", "duplicate_channel_not_found"),
        **_codes(Meaning.BUG, "draft_already_deleted", "draft_already_sent", "draft_has_conflict", "draft_not_found"),
    },
    "chat.update": {
        **_CHAT,
        **_texts(
            Meaning.CALL,
            message_not_found="the message no longer exists",
            cant_update_message="the message cannot be changed",
            edit_window_closed="the message is too old to change",
            is_inactive="the channel is archived or was deleted",
            block_mismatch="the message cannot be changed",
        ),
        **_codes(Meaning.RETRY, "external_channel_migrating", "streaming_state_conflict", "update_failed"),
        **_codes(Meaning.BUG, "blocked_file_type", "cant_broadcast_message", "no_dual_broadcast_content_update"),
        **_codes(Meaning.BUG, "file_deleted", "file_is_deleted", "file_not_found", "file_share_limit_reached"),
        **_codes(Meaning.BUG, "max_file_sharing_exceeded", "posting_to_channel_denied", "unable_to_share_files"),
        **_codes(Meaning.BUG, "slack_connect_blocked_file_type", "slack_connect_clip_sharing_blocked"),
        **_codes(Meaning.BUG, "slack_connect_file_upload_sharing_blocked"),
    },
    "chat.getPermalink": _codes(Meaning.ABSENT, "channel_not_found", "message_not_found"),
    "conversations.history": {
        **_CONVERSATION,
        **_PAGES,
        **_codes(Meaning.BUG, "invalid_metadata_filter_keys", "invalid_ts_latest", "invalid_ts_oldest"),
    },
    "conversations.replies": {
        **_CONVERSATION,
        **_PAGES,
        **_codes(Meaning.BUG, "invalid_metadata_filter_keys", "invalid_ts_latest", "invalid_ts_oldest"),
        **_texts(Meaning.CALL, thread_not_found="the message no longer exists"),
    },
    "conversations.info": {**_CONVERSATION, **_codes(Meaning.ABSENT, "channel_not_found")},
    "conversations.list": {
        **_PAGES,
        **_codes(
            Meaning.CALL,
            *("invalid_types", "method_not_supported_for_channel_type", "missing_argument", "unknown_method"),
            text="Slack does not list the channels.",
        ),
    },
    "conversations.members": {
        **_CONVERSATION,
        **_PAGES,
        **_codes(Meaning.RETRY, "fetch_members_failed"),
        **_codes(Meaning.BUG, "method_not_supported_for_channel_type"),
    },
    "usergroups.list": {
        **_PAGES,
        **_texts(Meaning.CALL, plan_upgrade_required=_NO_USER_GROUPS, invalid_team="Slack cannot find the workspace"),
        **_texts(Meaning.CALL, users_not_found="Slack cannot find the members of a user group"),
    },
    "usergroups.users.list": {
        **_PAGES,
        **_codes(Meaning.ABSENT, "no_such_subteam", "subteam_not_found"),
        **_texts(Meaning.CALL, plan_upgrade_required=_NO_USER_GROUPS),
    },
    "users.info": {
        **_codes(Meaning.ABSENT, "user_not_found", "users_not_found", "user_not_visible"),
        **_codes(Meaning.BUG, "too_many_users"),
    },
    "users.list": _PAGES,
    "users.lookupByEmail": _codes(
        Meaning.ABSENT,
        *("users_not_found", "user_not_found", "invalid_email", "invalid_arguments", "user_not_visible"),
    ),
    "views.open": _VIEW,
    "views.push": _VIEW,
    "views.update": _VIEW,
    "views.publish": {
        **_VIEW,
        **_texts(
            Meaning.CALL,
            not_enabled="The app's Home tab is off. Turn it on under App Home at https://api.slack.com/apps.",
        ),
        **_codes(Meaning.BUG, "missing_profile_id", "not_implemented"),
    },
}
"""Codes of single methods, which precede those of every method. Every method that the app calls is in it."""


def known_error(method: str, code: str) -> ErrorCode | None:
    """Return what a code of this method means, or None if Slack has added it since."""
    return BY_METHOD.get(method, {}).get(code) or COMMON.get(code)
