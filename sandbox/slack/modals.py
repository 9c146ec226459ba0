"""What a submitted modal does next, as the app's answer says."""

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
    """How a submission ended.

    `errors` are what the person reads beside the fields, by block_id. `reply` is None when Slack did not send it at
    all, since something needed was empty. `problem` is set when the app's answer was none or not acceptable: the modal
    stays, and the person reads that there was some trouble connecting.
    """

    reply: Reply | None
    errors: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def ok(self) -> bool:
        return not self.errors and not self.problem


def missing_fields(view: View) -> dict[str, str]:
    """Input blocks that are not optional and stand empty."""
    values = values_of(view.blocks, view.input_states)
    missing = {}
    for block in view.blocks:
        if block["type"] != "input" or block.get("optional"):
            continue
        states: dict[str, Json] = values.get(block["block_id"], {})
        if not any(value for state in states.values() for name, value in state.items() if name != "type"):
            missing[block["block_id"]] = "Please complete this required field."
    return missing


def answer_submission(world: World, actor: Actor, view: View, reply: Reply) -> Submission:
    """https://docs.slack.dev/surfaces/modals#response_actions"""
    if reply.status != 200:
        return Submission(reply, problem=reply.problem or f"http_{reply.status}")
    stack = world.modals.get(actor.user.id, [])
    answer = reply.json
    kind = answer.get("response_action")
    world.touch()
    if kind == "errors":
        return _errors(view, reply, answer.get("errors"))
    if kind == "clear":
        stack.clear()
    elif kind in ("update", "push"):
        return _next_view(world, actor, view, reply, answer)
    elif kind is None and not reply.body.strip():
        # An empty 200 closes this view and shows the one below. The app may have updated or closed it meanwhile.
        if view in stack:
            stack.remove(view)
    else:
        return Submission(reply, problem=f"not an answer to a submission: {reply.body[:100]!r}")
    return Submission(reply)


def _errors(view: View, reply: Reply, errors: object) -> Submission:
    known = {block["block_id"] for block in view.blocks if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not known.issuperset(errors):
        return Submission(reply, problem=f"errors are by the block_id of an input block, of which there is {known}")
    return Submission(reply, {name: str(text) for name, text in errors.items()})


def _next_view(world: World, actor: Actor, view: View, reply: Reply, answer: Json) -> Submission:
    definition = answer.get("view")
    faults = check_view(definition, "modal")
    if faults or not isinstance(definition, dict):
        return Submission(reply, problem="; ".join(faults))
    kept = {**definition, "blocks": with_ids(definition["blocks"])}
    stack = world.modals.setdefault(actor.user.id, [])
    if answer["response_action"] == "update":
        view.definition, view.hash = kept, world.new_hash()
    elif len(stack) >= 3:
        return Submission(reply, problem="push_limit_reached")
    else:
        pushed = world.new_view(actor.token, actor.user, kept)
        pushed.root_view_id, pushed.previous_view_id = view.root_view_id, view.id
        stack.append(pushed)
    return Submission(reply)
