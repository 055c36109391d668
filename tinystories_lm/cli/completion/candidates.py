"""Find the words that may stand at the end of a command line, for a shell's completion.

Answers from the table of commands, the schema, and the names of files in conf/ and outputs/. A name is found without
the schema; nothing here imports Hydra or torch.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from tinystories_lm.cli.command import Argument, Command, Values
from tinystories_lm.cli.completion.names import Candidate, choices, or_folders, paths, runs, sweeps


class Place(NamedTuple):
    """What the last word of a command line may be: the value of a flag, or a positional argument."""

    flag: Argument | None
    positional: Argument | None
    used: frozenset[str]  # flags that the line has already, by their first name


PROGRAMS_FLAGS = (Candidate("--help", "list the commands"), Candidate("--version", "print the version"))


def find_candidates(words: Sequence[str], word: str, commands: Mapping[str, Command]) -> list[Candidate]:
    """Return what may stand in the place of `word` after `words`, which follow the program's name, sorted.

    What cannot be typed, because it has a control character or is not Unicode, is left out.
    """
    found = {candidate.text: candidate for candidate in _candidates(words, word, commands)}
    return [found[text] for text in sorted(found) if text.startswith(word) and text.isprintable()]


def _candidates(words: Sequence[str], word: str, commands: Mapping[str, Command]) -> Iterable[Candidate]:
    if not words or words[0] == "help":
        found = [Candidate(command.name, command.summary) for command in commands.values()]
        return found if words else [*found, Candidate("help", "describe a command"), *PROGRAMS_FLAGS]
    if words[0] not in commands:
        return []
    arguments = commands[words[0]].arguments
    place = _place(arguments, words[1:])
    config_dir = _config_dir(words)
    if place.flag is not None and not (place.flag.takes_many and word.startswith("-")):
        return _values(place.flag, word, config_dir)
    if word.startswith("-"):
        return _flags(arguments, word, place.used, config_dir)
    return [] if place.positional is None else _values(place.positional, word, config_dir)


def _place(arguments: Sequence[Argument], words: Sequence[str]) -> Place:
    """Read the words before the last one as argparse would."""
    flags = {name: argument for argument in arguments if argument.is_flag for name in argument.names}
    positionals = [argument for argument in arguments if not argument.is_flag]
    flag: Argument | None = None
    used: set[str] = set()
    only_positionals = False
    for word in words:
        if word.startswith("-") and not only_positionals and not (flag and not flag.takes_many):
            name, equals, _ = word.partition("=")
            found = flags.get(name)
            used.update(found.names[:1] if found else ())
            flag = found if found and found.takes_value and not equals else None
            only_positionals = word == "--"
        elif flag is not None:
            flag = flag if flag.takes_many else None
        elif positionals and not positionals[0].takes_many:
            positionals.pop(0)
    return Place(flag, positionals[0] if positionals else None, frozenset(used))


def _config_dir(words: Sequence[str]) -> str | None:
    """Return the folder that --config-dir names, None where the words have none."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name in ("--config-dir", "-cd") and (value or following):
            return os.path.expanduser(value if equals else following)
    return None


def _flags(
    arguments: Sequence[Argument], word: str, used: frozenset[str], config_dir: str | None
) -> Iterator[Candidate]:
    name, equals, value = word.partition("=")
    for argument in arguments:
        if not argument.is_flag:
            continue
        if equals:
            if name in argument.names and argument.takes_value:
                for found in _values(argument, value, config_dir):
                    yield found._replace(text=f"{name}={found.text}")
        elif argument.names[0] not in used or argument.settings.get("action") == "append":
            names = [known for known in argument.names if known.startswith("--") or known == word]
            yield from (Candidate(known, argument.help) for known in names)
    if not equals:
        yield Candidate("--help", "describe the command")


def _values(argument: Argument, word: str, config_dir: str | None) -> Iterable[Candidate]:
    if offered := argument.settings.get("choices"):
        return [Candidate(str(word)) for word in offered]
    match argument.values:
        case Values.sweeps:
            return or_folders([*sweeps()], word)
        case Values.runs | Values.runs_and_sweeps:
            return or_folders([*runs(word)], word)
        case Values.named_sweeps:
            return choices("sweep", config_dir)
        case Values.overrides | Values.overrides_or_run:
            from tinystories_lm.cli.completion.overrides import find_overrides

            takes_run = argument.values is Values.overrides_or_run and "=" not in word
            return chain(find_overrides(word, config_dir), runs(word) if takes_run else ())
        case Values.settings:
            from tinystories_lm.cli.completion.overrides import find_settings

            return find_settings(word, config_dir)
        case Values.files | Values.folders:
            return paths(word, only_folders=argument.values is Values.folders)
    return []
