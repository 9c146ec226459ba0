"""Runs every command and program in the documents exactly as printed, or requires a reason why it cannot be run."""

from __future__ import annotations

import asyncio
import re
import textwrap
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from itertools import groupby

import pytest

from sandbox.sender import Sender
from services.intake.senders.registry import SHIPPED
from tests.acceptance.process import ROOT, open_deployment, wait_for_outcomes
from tests.acceptance.test_processes import install
from tests.project.test_operating import GUIDE

DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(
    r"^(?:[ ]*<!-- (?P<mark>[^\n]*) -->\n)?[ ]*```(?P<language>\w+)\n(?P<text>.*?)^[ ]*```$", re.DOTALL | re.MULTILINE
)
ACCEPTED = re.compile(r'"id":\s?"([0-9a-f-]{36})",\s?"status":\s?"accepted"')
COMMANDS = r"(?:\$ )?(?:\S*python|curl|make|docker|sqlite3|pg_dump|systemctl)\b"

ROWS = (
    "signal,change_type,full_name,email,new_company\ncontact_tracking,new_company,Gil Ash,gil@globex.example,Globex\n"
)
"""The content of the file that documents call job-changes.csv."""

SENT = {"sending.md": 7}
"""How many answers say "accepted" to a reader who types all commands of a document."""


@dataclass(frozen=True)
class Block:
    """The text between two fences. `mark` is the comment before it, which readers do not see."""

    document: str
    mark: str
    language: str
    text: str

    @property
    def is_run_here(self) -> bool:
        return self.is_code and not self.mark

    @property
    def is_code(self) -> bool:
        return self.language in {"sh", "python"}

    def as_shell(self) -> str:
        return self.text if self.language == "sh" else f".venv/bin/python - <<'PROGRAM'\n{self.text}PROGRAM\n"


def blocks() -> list[Block]:
    return [
        Block(path.name, match["mark"] or "", match["language"], textwrap.dedent(match["text"]))
        for path in DOCUMENTS
        for match in BLOCK.finditer(path.read_text())
    ]


def sessions() -> dict[str, str]:
    """All commands of each document that are run, as a reader types them into one shell."""
    grouped = groupby((block for block in blocks() if block.is_run_here), lambda block: block.document)
    return {document: "\n".join(block.as_shell() for block in group) for document, group in grouped}


def test_a_command_that_is_not_run_here_has_a_reason():
    """Its mark says why it is not run, or names the test of docs/operating.md that runs it."""
    marked = [block for block in blocks() if block.is_code and not block.is_run_here]

    for block in marked:
        kind, _, reason = block.mark.partition(": ")
        assert kind in {"not run", "test"}, block
        assert len(reason) > 20 if kind == "not run" else f"<!-- {block.mark} -->" in GUIDE, block
    assert len(marked) >= 5


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_is_inside_a_fence(document):
    """Indented text is shown as code too, but would not be run."""
    outside = BLOCK.sub("", document.read_text())

    assert re.findall(rf"(?m)^ {{4,}}{COMMANDS}.*", outside) == []
    assert re.findall(r"(?m)^[ ]*```(?:sh|bash|console|python)", outside) == []


@pytest.fixture
async def deployment(tmp_path):
    """The running app in a folder like a checkout, with the sample workspace installed."""
    for path in ROOT.iterdir():
        if path.name not in {".env", ".git"} and not path.name.startswith("usergems."):
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "job-changes.csv").write_text(ROWS)
    async with open_deployment(tmp_path) as deployment:
        await deployment.serve()
        yield deployment


@pytest.mark.parametrize("name", SHIPPED)
def test_the_steps_of_each_sender_are_documented(name):
    """They are the ones that Home and the terminal show."""
    sender, text = SHIPPED[name], (ROOT / "docs/sending.md").read_text()
    assert f"[{sender.label}]({sender.documents})" in text
    for number, step in enumerate(sender.steps, 1):
        assert f"{number}. {step.format(url='`ADDRESS`', secret='`SECRET`').rstrip('.')}.\n" in text


@pytest.mark.process
async def test_every_command_in_the_documents_succeeds(deployment):
    """Each document runs in one shell, and every job change that it sends is accepted and delivered."""
    key = await install(deployment)
    ids = []
    for document, script in sessions().items():
        adapted = script.replace("https://gems.example.com", deployment.url).replace(
            "T0123456789", deployment.office.team.id
        )
        shell = await asyncio.create_subprocess_exec(
            *("sh", "-euc", adapted),
            cwd=deployment.folder,
            env=deployment.environ | {"PATH": "/usr/bin:/bin"},
            stdout=PIPE,
            stderr=PIPE,
        )
        out, err = [output.decode() for output in await asyncio.wait_for(shell.communicate(), 120)]
        assert shell.returncode == 0, f"{document}\n{out}\n{err}"
        accepted = ACCEPTED.findall(out)
        assert len(accepted) == SENT.get(document, 0), f"{document}\n{out}\n{err}"
        ids += accepted
    async with Sender.of(deployment.url, deployment.office.team.id, key) as sender:
        assert {job_change["outcome"] for job_change in await wait_for_outcomes(sender, ids)} == {"delivered"}
