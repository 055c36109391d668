"""Write the generated parts of README.md and docs/*.md.

    python docs/generate.py            # rewrite them
    python docs/generate.py --check    # exit 1 and name the parts that are out of date

A part stands between `<!-- generated: NAME -->` and `<!-- /generated -->`. Each has one function, which reads the
configuration, the package's source or the files that were measured; no figure is typed by hand.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
if str(DOCS) not in sys.path:
    sys.path.insert(0, str(DOCS))

import config_tables  # noqa: E402
import measured_tables  # noqa: E402
import package_tables  # noqa: E402

PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n)(.*?)(<!-- /generated -->)", re.DOTALL)
PARTS: dict[str, Callable[[], str]] = config_tables.PARTS | measured_tables.PARTS | package_tables.PARTS


def pages() -> list[Path]:
    """Return the pages that have generated parts."""
    return [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def render(text: str) -> str:
    """Return a page's text with every generated part written again.

    Raises KeyError for a part that has no function.
    """
    return PART.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}\n{found[4]}", text)


def main(arguments: list[str]) -> int:
    outdated = 0
    for page in pages():
        text = page.read_text(encoding="utf-8")
        rendered = render(text)
        if rendered == text:
            continue
        outdated += 1
        if "--check" in arguments:
            print(f"{page.relative_to(ROOT)} is out of date: run `make docs`", file=sys.stderr)
        else:
            page.write_text(rendered, encoding="utf-8")
            print(f"wrote {page.relative_to(ROOT)}")
    return 1 if outdated and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
