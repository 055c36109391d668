"""The documentation speaks the field's language: the words of CONTRIBUTING.md's third rule are avoided."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AVOIDED = re.compile(
    r"\b(anew|foretell\w*|foretold|befall\w*|befell|dearer|dearest|for ever|told|going on|gone on|went on|goes? on"
    r"|(is|are|was) no (?!longer|more|less)\w+)\b",
    re.IGNORECASE,
)
PROSE = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "experiments").rglob("*.md")]


def test_the_documentation_avoids_words_that_a_newcomer_has_to_decode() -> None:
    for page in PROSE:
        text = re.sub(r"^```.*?^```$|^>.*?$|`[^`]*`", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        assert not (found := AVOIDED.search(text)), f"{page.relative_to(ROOT)}: {found[0]!r}"
