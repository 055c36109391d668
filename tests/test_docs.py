"""The documentation agrees with the program: links, commands, paths and generated tables."""

import functools
import re
import shlex
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from tinystories_lm.cli.main import find_command
from tinystories_lm.config.compose import expand_sweep, parse_ranges, register, to_config
from tinystories_lm.config.hydra_session import VERSION_BASE
from tinystories_lm.config.presets import conf_folder
from tinystories_lm.sweeps.search.space import read_space

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "experiments").rglob("*.md")),
]
PROGRAM = "tinystories-lm "
FOLDERS = "benchmarks|conf|docs|experiments|tests|tinystories_lm"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    letters = (
        "".join(c for c in title.lower() if c in "-_ " or unicodedata.category(c)[0] in "LN") for title in titles
    )
    return {title.replace(" ", "-") for title in letters}


@each_page
def test_every_relative_link_and_anchor_exists(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} does not exist"
        assert not anchor or anchor in anchors(target), f"{link}: there is no such heading"


@each_page
def test_every_path_in_code_exists(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return  # it names what was moved
    for path in re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", page.read_text(encoding="utf-8")):
        assert "NAME" in path or (ROOT / path).exists(), f"{path} does not exist"


def commands(page: Path) -> Iterator[str]:
    """Yield every command line of the program that a page has, in blocks and within sentences."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    for line in "\n".join(blocks).splitlines():
        for part in re.split(r"&&| \| |  +#|>", line):
            if part.strip().startswith((PROGRAM, f".venv/bin/{PROGRAM}")):
                yield part.strip().removeprefix(".venv/bin/")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for line in re.findall(rf"`({PROGRAM}[^`]+)`", prose):
        if not re.search(r"…|\bCOMMAND\b|\[", line):
            yield line


LINES = sorted({line for page in PAGES for line in commands(page)})


def overrides_of(line: str) -> list[list[str]]:
    """Return what a line would compose, each run's overrides apart; the command's parser has to accept the line."""
    name, *arguments = shlex.split(line.partition(" > ")[0])[1:]
    if name.startswith("-"):
        return []
    if name == "train":
        overrides = [argument for argument in arguments if "=" in argument]
        flags = set(arguments) - set(overrides)
        assert flags <= {"-m", "--help", "--cfg", "job", "--config-dir", "conf", "RUN"}, flags
        return first_of_sweep(tuple(overrides)) if "-m" in flags else [overrides]
    options = find_command(name).parse(arguments)
    overrides = getattr(options, "overrides", [])
    if name == "sweep" and options.search:
        space = read_space(parse_ranges([f"+sweep={options.name}", *overrides]))
        drawn = space.overrides({one.key: one.ends[0] for one in space.dimensions})
        return [[override for override in drawn if not override.startswith("+sweep=")]]
    if name == "sweep":
        return first_of_sweep((f"+sweep={options.name}", *overrides))
    return [*getattr(options, "predict", []), *([overrides] if name in ("plan", "prepare", "import") else [])]


@functools.cache
def first_of_sweep(overrides: tuple[str, ...]) -> list[list[str]]:
    first, *_ = expand_sweep(overrides)
    return [[override for override in first if not override.startswith("+sweep=")]]


def test_every_command_in_the_documentation_parses_and_composes() -> None:
    register()
    wanted = {tuple(overrides): line for line in LINES for overrides in overrides_of(line)}
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_folder()), **VERSION_BASE, job_name="train"):
        for overrides, line in wanted.items():
            try:
                to_config(compose("config", list(overrides), return_hydra_config=True))
            except Exception as error:
                raise AssertionError(f"{line} does not compose") from error
    GlobalHydra.instance().clear()


def test_every_generated_table_equals_its_generators_output() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import generate  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    for page in generate.pages():
        text = page.read_text(encoding="utf-8")
        assert generate.render(text) == text, f"{page.name} is out of date: run `make docs`"
    shown = {name for page in generate.pages() for _, name, *_ in generate.PART.findall(page.read_text())}
    assert shown == set(generate.PARTS)


def test_the_drawn_imports_imply_exactly_the_real_ones() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import package_tables  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    arrows = re.findall(r"^  (\w+) --> (\w+)$", (ROOT / "docs/architecture.md").read_text(), flags=re.MULTILINE)

    def closure(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
        while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
            pairs = pairs | more
        return pairs

    real = {(name, other) for name, others in package_tables.folder_imports().items() for other in others}
    assert closure(set(arrows)) == closure(real)
    assert not any((b, a) in closure(real) for a, b in real)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 160
