"""What happens to a submitted modal, according to the app's response."""

from dataclasses import dataclass, field

from sandbox.slack.block_kit.blocks import check_view
from sandbox.slack.block_kit.inputs import values_of
from sandbox.slack.block_kit.parts import with_ids
from sandbox.slack.outgoing.app_client import Reply
from sandbox.slack.outgoing.payloads import Actor
from sandbox.slack.state import Json, View
from sandbox.slack.world import World


@dataclass
class Submission:
    """The result of a submission.

    `errors` are shown beside the fields, by block_id. `reply` is None when a required field was empty, so that Slack
    did not send the submission. `problem` is set when the app gave no valid response: the modal stays open, and Slack
    shows "We had some trouble connecting".
    """

    reply: Reply | None
    errors: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def ok(self) -> bool:
        return not self.errors and not self.problem


def missing_fields(view: View) -> dict[str, str]:
    """Errors of the required input blocks that are empty, by block_id."""
    values = values_of(view.blocks, view.input_states)
    missing = {}
    for block in view.blocks:
        if block["type"] != "input" or block.get("optional"):
            continue
        states: dict[str, Json] = values.get(block["block_id"], {})
        if not any(value for state in states.values() for name, value in state.items() if name != "type"):
            missing[block["block_id"]] = "Please complete this required field."
    return missing


def apply_response(world: World, actor: Actor, view: View, reply: Reply) -> Submission:
    """https://docs.slack.dev/surfaces/modals#response_actions"""
    if reply.status != 200:
        return Submission(reply, problem=reply.problem or f"http_{reply.status}")
    stack = world.modals.get(actor.user.id, [])
    response = reply.json
    kind = response.get("response_action")
    world.touch()
    if kind == "errors":
        return _errors(view, reply, response.get("errors"))
    if kind == "clear":
        stack.clear()
    elif kind in ("update", "push"):
        return _show_next_view(world, actor, view, reply, response)
    elif kind is None and not reply.body.strip():
        # An empty 200 closes this view and shows the one below. The app may already have closed it.
        if view in stack:
            stack.remove(view)
    else:
        return Submission(reply, problem=f"not a response to a submission: {reply.body[:100]!r}")
    return Submission(reply)


def _errors(view: View, reply: Reply, errors: object) -> Submission:
    input_ids = {block["block_id"] for block in view.blocks if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not input_ids.issuperset(errors):
        return Submission(
            reply, problem=f"the keys of errors must be the block_id of an input block, one of {input_ids}"
        )
    return Submission(reply, {name: str(text) for name, text in errors.items()})


def _show_next_view(world: World, actor: Actor, view: View, reply: Reply, response: Json) -> Submission:
    definition = response.get("view")
    errors = check_view(definition, "modal")
    if not errors and isinstance(definition, dict):
        errors = world.hidden_choices(definition["blocks"], actor.user.id)
    if errors or not isinstance(definition, dict):
        return Submission(reply, problem="; ".join(errors))
    definition = {**definition, "blocks": with_ids(definition["blocks"])}
    stack = world.modals.setdefault(actor.user.id, [])
    if response["response_action"] == "update":
        view.definition, view.hash = definition, world.new_hash()
    elif len(stack) >= 3:
        return Submission(reply, problem="push_limit_reached")
    else:
        pushed = world.new_view(actor.token, actor.user, definition)
        pushed.root_view_id, pushed.previous_view_id = view.root_view_id, view.id
        stack.append(pushed)
    return Submission(reply)
