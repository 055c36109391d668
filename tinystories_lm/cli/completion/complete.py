"""Complete a command line as bash, zsh or fish asks for it, and print the code by which they ask."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tinystories_lm.cli.command import PROGRAM, Command
from tinystories_lm.cli.completion.bash_line import reply, split
from tinystories_lm.cli.completion.candidates import find_candidates
from tinystories_lm.config.hydra_flags import SHELLS
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.stdio import escape_controls

UNINSTALL = {
    "bash": f"""\
if [ -n "${{ZSH_VERSION-}}" ]; then compdef -d {PROGRAM}; else complete -r {PROGRAM}; fi
unset -f _tinystories_lm
""",
    "zsh": f"compdef -d {PROGRAM}\nunfunction _tinystories_lm\n",
    "fish": f"complete -e -c {PROGRAM}\nfunctions -e __tinystories_lm\n",
}


def script(shell: str) -> str:
    """Return the code that installs the completion in a running shell."""
    return Path(__file__).with_name(f"script.{shell}").read_text(encoding="utf-8")


def script_of_hydra(words: Sequence[str]) -> str | None:
    """Return the code for `train --shell-completion install=bash`, Hydra's form; None for words without that flag.

    Raises UsageError where the other words do not name what to do and a shell.
    """
    flags = ("--shell-completion", "-sc")
    if not any(word in flags for word in words):
        return None
    others = [word for word in words if word not in flags]
    action, _, shell = others[0].partition("=") if len(others) == 1 else ("", "", "")
    if action not in ("install", "uninstall") or shell not in SHELLS:
        raise UsageError(
            f"train: --shell-completion takes install=SHELL or uninstall=SHELL, with {', '.join(SHELLS)} for SHELL"
        )
    return script(shell) if action == "install" else UNINSTALL[shell]


def complete(words: Sequence[str], commands: Mapping[str, Command]) -> str:
    """Return the answer to a script above: a line for each candidate.

    words: the shell; of bash the line up to the cursor and its part that is replaced, of the others the words after the
    program, the last of them the one to complete, all without quotes.

    Raises UsageError for words that no script sends.
    """
    shell, *typed = words or [""]
    if shell not in SHELLS or not typed or (shell == "bash" and len(typed) != 2):
        raise UsageError(f"--complete is for the code that `{PROGRAM} completion SHELL` prints")
    if shell == "bash":
        line, replaced = typed
        _, *texts = (word.text for word in split(line))
        found = find_candidates(texts[:-1], texts[-1], commands) if texts else []  # else it is the program's own name
        replies = [reply(line, replaced, each.text, is_open=each.is_open) for each in found]
        lines = [text for text in replies if text is not None]
    else:
        found = find_candidates(typed[:-1], typed[-1], commands)
        lines = [f"{each.text}\t{escape_controls(' '.join(each.help.split()))}".rstrip("\t") for each in found]
    return "".join(f"{line}\n" for line in lines)
