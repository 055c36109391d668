"""List the flags of `train`: Hydra's, but for those that are refused. Help and completion read them here."""

from typing import NamedTuple


class HydraFlag(NamedTuple):
    """A flag of Hydra's parser.

    metavar: the name of its value where it takes any; with `choices` it takes one of those.
    """

    names: tuple[str, ...]
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()


INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
SHELLS = ("bash", "zsh", "fish")
FLAGS = (
    HydraFlag(("--help", "-h"), "show the choices and settings"),
    HydraFlag(("--hydra-help",), "show Hydra's own groups"),
    HydraFlag(("--version",), "show the version of this program"),
    HydraFlag(("--multirun", "-m"), "one run for each combination of the values"),
    HydraFlag(("--run", "-r"), "one run, as without it"),
    HydraFlag(("--config-dir", "-cd"), "a folder of your own presets and groups", metavar="DIR"),
    HydraFlag(("--cfg", "-c"), "print settings and train nothing", choices=("job", "hydra", "all")),
    HydraFlag(("--resolve",), "with --cfg: print values in place of interpolations"),
    HydraFlag(("--package", "-p"), "with --cfg: print one section", metavar="SECTION"),
    HydraFlag(("--info", "-i"), "print how the settings are composed", choices=INFO),
    HydraFlag(("--shell-completion", "-sc"), f"print code that a shell evaluates: install={'|'.join(SHELLS)}"),
)


def describe_flags() -> str:
    """Return the flags as help shows them."""
    rows = []
    for flag in FLAGS:
        value = f" {'|'.join(flag.choices)}" if flag.choices else f" {flag.metavar}"
        rows.append((f"  {', '.join(flag.names)}{value}".rstrip(), flag.help))
    return "\n".join(f"{names:<28}{help}" if len(names) < 28 else f"{names}\n{'':28}{help}" for names, help in rows)
