"""The list of decisions names every one of them, by its title."""

import re

from tests.data import ROOT

FOLDER = ROOT / "docs" / "adr"


def test_every_decision_is_listed_by_its_title() -> None:
    listed = re.findall(r"\[(.+?)\]\((\S+?\.md)\)", (FOLDER / "README.md").read_text())
    titles = {
        path.name: path.read_text().splitlines()[0].partition(". ")[2]
        for path in FOLDER.glob("[0-9]*.md")
    }
    assert {name: title for title, name in listed} == titles
