"""Documentation and code speak the field's language: the words of CONTRIBUTING.md's third rule are avoided."""

import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AVOIDED = re.compile(
    r"\b(anew|foretell\w*|foretold|befall\w*|befell|dearer|dearest|for ever|told|going on|gone on|went on|goes? on"
    r"|(?<!there )(is|are|was) no (?!longer|more|less)\w+)\b",
    re.IGNORECASE,
)
NAMES = re.compile(r"`[^`]*`|--\w+|^```.*?^```$|^>.*?$", flags=re.DOTALL | re.MULTILINE)  # flags, keys, stories
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "experiments").rglob("*.md")]
KEY = re.compile(r"\W*--?\w+\W*|['\"]\w+['\"]")  # a flag, or the key of a file that programs read
SPOKEN = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def found_in(file: Path, text: str) -> list[str]:
    return [f"{file.relative_to(ROOT)}: {found[0]!r}" for found in AVOIDED.finditer(NAMES.sub("", text))]


def test_the_documentation_avoids_words_that_a_newcomer_has_to_decode() -> None:
    assert not [found for page in PAGES for found in found_in(page, page.read_text(encoding="utf-8"))]


def test_the_package_avoids_words_that_a_newcomer_has_to_decode() -> None:
    found = []
    for file in (ROOT / "tinystories_lm").rglob("*.py"):
        if file.parent.name == "grammar":  # its words are stories
            continue
        tokens = tokenize.generate_tokens(io.StringIO(file.read_text(encoding="utf-8")).readline)
        spoken = [token.string for token in tokens if token.type in SPOKEN and not KEY.fullmatch(token.string)]
        found += [word for text in spoken for word in found_in(file, text)]
    assert not found, "\n".join(found)
