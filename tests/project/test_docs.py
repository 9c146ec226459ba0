"""Every command and program in the documents is run as it stands there, or says why it cannot be."""

from __future__ import annotations

import asyncio
import re
import textwrap
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from itertools import groupby

import pytest

from sandbox.sender import Sender
from tests.acceptance.process import ROOT, ended_all, surroundings
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
"""Of the file that documents call job-changes.csv."""

SENT = {"README.md": 2, "sending.md": 5}
"""How many answers say that something was accepted, to whoever types all of a document."""


@dataclass(frozen=True)
class Block:
    """What stands between fences. *mark*: the comment before it, which readers do not see."""

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
        Block(path.name, found["mark"] or "", found["language"], textwrap.dedent(found["text"]))
        for path in DOCUMENTS
        for found in BLOCK.finditer(path.read_text())
    ]


def sessions() -> dict[str, str]:
    """By document, all of it that is run, as whoever reads it types it into one shell."""
    run = [block for block in blocks() if block.is_run_here]
    grouped = groupby(run, lambda block: block.document)
    return {document: "\n".join(block.as_shell() for block in its) for document, its in grouped}


def test_what_is_not_run_here_says_why_or_where():
    """A mark names a reason, or the test of docs/operating.md that runs it."""
    left = [block for block in blocks() if block.is_code and not block.is_run_here]

    for block in left:
        kind, _, what = block.mark.partition(": ")
        assert kind in {"not run", "test"}, block
        assert len(what) > 20 if kind == "not run" else f"<!-- {block.mark} -->" in GUIDE, block
    assert len(left) >= 5


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_command_hides_outside_a_fence(document):
    """Indented text is shown as code too, and would not be run."""
    outside = BLOCK.sub("", document.read_text())

    assert re.findall(rf"(?m)^ {{4,}}{COMMANDS}.*", outside) == []
    assert re.findall(r"(?m)^[ ]*```(?:sh|bash|console|python)", outside) == []


@pytest.fixture
async def served(tmp_path):
    """The app at work in a folder like a checkout, with the sample workspace around it."""
    for each in ROOT.iterdir():
        if each.name not in {".env", ".git"} and not each.name.startswith("usergems."):
            (tmp_path / each.name).symlink_to(each)
    (tmp_path / "job-changes.csv").write_text(ROWS)
    async with surroundings(tmp_path) as served:
        await served.serve()
        yield served


@pytest.mark.process
async def test_every_command_does_what_it_says(served):
    """Document after document, each in one shell; what is sent in them is accepted, and told."""
    key = await install(served)
    ids = []
    for document, script in sessions().items():
        real = script.replace("https://gems.example.com", served.url).replace("T0123456789", served.office.team.id)
        shell = await asyncio.create_subprocess_exec(
            *("sh", "-euc", real),
            cwd=served.folder,
            env=served.environ | {"PATH": "/usr/bin:/bin"},
            stdout=PIPE,
            stderr=PIPE,
        )
        out, err = [each.decode() for each in await asyncio.wait_for(shell.communicate(), 120)]
        assert shell.returncode == 0, f"{document}\n{out}\n{err}"
        sent = ACCEPTED.findall(out)
        assert len(sent) == SENT.get(document, 0), f"{document}\n{out}\n{err}"
        ids += sent
    async with Sender.of(served.url, served.office.team.id, key) as sender:
        assert {each["outcome"] for each in await ended_all(sender, ids)} == {"delivered"}
