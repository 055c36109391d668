"""Read the line of the `train` command as Hydra does, and start what it asks for."""

import argparse
import logging
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

import hydra

from tinystories_lm.config.compose import compose_text, hydras_groups
from tinystories_lm.config.hydra_flags import describe_flags
from tinystories_lm.config.hydra_internals import get_args_parser
from tinystories_lm.config.hydra_session import CONFIG_NAME, hydra_session
from tinystories_lm.config.overrides import as_text, key_of, readable
from tinystories_lm.config.presets import sweep_name
from tinystories_lm.config.schema import SETTINGS
from tinystories_lm.jobs.hydra_job import start_hydra
from tinystories_lm.planning.preflight import Request, compose_jobs, resolve
from tinystories_lm.runs.folder import own_overrides
from tinystories_lm.runs.lookup import find_run
from tinystories_lm.system.errors import UsageError

# Hydra's flags that print something and start no job.
SHOW_FLAGS = ("help", "cfg", "info")


def train(words: list[str]) -> None:
    """Run one job, or with -m the jobs of a sweep.

    Raises CommandError for every error before the first step or after it.
    """
    parser = _parser()
    options = parser.parse_intermixed_args(words)
    _check_flags(options)
    start_hydra()
    if options.hydra_help:
        print(_hydra_help(options.config_dir))
        return
    options.overrides = readable(_overrides_of_named_run(options.overrides))
    modes = [override.partition("=")[2].lower() for override in options.overrides if key_of(override) == "hydra.mode"]
    request = Request(tuple(options.overrides), options.multirun or modes == ["multirun"], options.config_dir)
    if any(getattr(options, flag) for flag in SHOW_FLAGS):
        _show(request, options, parser)
        return
    if not request.multirun and any(sweep_name(override) for override in request.overrides):
        raise UsageError("+sweep=NAME stands for several runs: add -m, or type `tinystories-lm sweep NAME`")
    launch = resolve(request)
    if request.multirun:
        from tinystories_lm.sweeps.sweep import run_sweep

        run_sweep(launch)
    else:
        from tinystories_lm.jobs.train import train_single

        train_single(launch)


def _show(request: Request, options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Print what a flag asks for; raises UsageError for settings that no job could have."""
    if options.cfg == "job" and not request.multirun and not options.package:
        sys.stdout.write(compose_text(request.overrides, config_dir=request.config_dir, resolve=options.resolve))
        return
    jobs = compose_jobs(request).jobs
    if len(jobs) > 1:  # only hydra.mode=MULTIRUN leads here
        raise UsageError(f"one job is shown at a time, and these are {len(jobs)}: give each setting one value")
    logging.getLogger().handlers.clear()  # --info adds a handler of its own: with ours each line would come twice
    with hydra_session(request.config_dir) as session:
        if options.help:
            session.app_help(CONFIG_NAME, parser, options)
        elif options.cfg:
            session.show_cfg(CONFIG_NAME, options.overrides, options.cfg, options.package, options.resolve)
        else:
            session.show_info(options.info, CONFIG_NAME, options.overrides)


def _check_flags(options: argparse.Namespace) -> None:
    """Raise UsageError for Hydra's flags that are not supported, and for those that contradict each other."""
    if options.experimental_rerun:
        raise UsageError("--experimental-rerun is not supported: type `tinystories-lm replay RUN` or `train RUN`")
    if options.config_path or options.config_name:
        raise UsageError("--config-path and --config-name are not supported: add presets with --config-dir")
    flags = {"-r": options.run, "-m": options.multirun, "--cfg": options.cfg, "--info": options.info}
    given = [flag for flag, value in flags.items() if value]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other: keep one of them")
    if options.resolve and not (options.cfg or options.help):
        raise UsageError("--resolve changes only what --cfg prints: type --cfg job --resolve, or remove it")
    if options.resolve and options.cfg == "hydra":
        raise UsageError("--cfg hydra --resolve has no settings to refer to: type --cfg all --resolve")
    if options.package and not options.cfg:
        raise UsageError("--package changes only what --cfg prints: type --cfg job --package GROUP, or remove it")


def _hydra_help(config_dir: str | None) -> str:
    """Return what --hydra-help prints: Hydra's own text advertises flags that are refused here."""
    groups = [f"  {group}: {', '.join(choices)}" for group, choices in hydras_groups(config_dir=config_dir).items()]
    return "\n".join(
        [
            f"Hydra {hydra.__version__} (https://hydra.cc) composes the settings and starts the jobs.\n",
            f"Flags of `tinystories-lm train`:\n\n{describe_flags()}\n",
            "Hydra's own groups (group=choice):\n",
            *groups,
            "\n`tinystories-lm train --cfg hydra` prints Hydra's settings.",
        ]
    )


def _overrides_of_named_run(words: Sequence[str]) -> list[str]:
    """Return the overrides that resume the run which one of the words names, if one does; the others win over its own.

    Raises UsageError for a word that is neither an override nor a run's name.
    """
    names = [word for word in words if re.fullmatch(r"[^=~+][^=]*", word) and word not in SETTINGS]
    if len(names) != 1:
        return list(words)
    run = find_run(names[0])
    typed = [word for word in words if word != names[0]]
    changed = {key_of(override) for override in typed}
    kept = [override for override in own_overrides(run) if key_of(override) not in changed]
    return [*kept, *typed, f"hydra.run.dir={as_text(os.path.relpath(run.path))}"]


def _parser() -> argparse.ArgumentParser:
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise UsageError(f"train: {message}; `tinystories-lm train --help` lists the options")

    parser.error = refuse  # type: ignore[method-assign]
    return parser
