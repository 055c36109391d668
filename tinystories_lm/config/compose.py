"""Compose what a person typed into a checked Config, with Hydra; every mistake becomes one line.

Imports no torch and needs no Hydra job: `plan`, `prepare` and the checks before a run compose here, and what Hydra has
composed itself for a `train` job is checked here.
"""

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import MISSING, DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.hydra_flags import describe_flags
from tinystories_lm.config.hydra_section import check_hydra_section
from tinystories_lm.config.messages import describe_unknown, explain
from tinystories_lm.config.overrides import readable
from tinystories_lm.config.presets import check_config_dir, conf_folder, sweep_name
from tinystories_lm.config.removed import REMOVED, describe_removal
from tinystories_lm.config.schema import SETTINGS, Config, HardwareConfig, settings
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.redaction import holds_secret

log = logging.getLogger(__name__)
VERSION_BASE = "1.3"
REMOTE_LAUNCHERS = (".SlurmLauncher", ".RayLauncher", ".RayAWSLauncher")  # endings of their classes' names


class ComposedJob(NamedTuple):
    config: Config
    output_folder: Path  # where Hydra would run the job
    sweep_folder: Path  # where Hydra would run it as a member of a sweep
    launcher: str  # class by which Hydra would start it as a member of a sweep
    overrides: tuple[str, ...]
    mode: RunMode | None  # hydra.mode, where it is set

    @property
    def remote(self) -> bool:
        """Whether the launcher starts it on another machine."""
        return self.launcher.endswith(REMOTE_LAUNCHERS)


def hardware_choices() -> list[HardwareConfig]:
    """Return every choice of conf/hardware, by name."""
    defaults = OmegaConf.load(conf_folder() / "config.yaml").hardware
    found = []
    for file in sorted((conf_folder() / "hardware").glob("*.yaml")):
        schema = OmegaConf.structured(HardwareConfig)
        hardware = OmegaConf.to_object(OmegaConf.merge(schema, defaults, OmegaConf.load(file)))
        assert isinstance(hardware, HardwareConfig)
        found.append(hardware)
    return found


def priced_hardware() -> list[HardwareConfig]:
    """Return every choice of conf/hardware whose peak is known."""
    return [hardware for hardware in hardware_choices() if hardware.peak_flops_per_second]


def with_hardware(overrides: Sequence[str], name: str) -> tuple[str, ...]:
    """Replace the choice of hardware in overrides; single settings of the hardware stay as typed."""
    return (*(override for override in overrides if not override.startswith("hardware=")), f"hardware={name}")


def register() -> None:
    """Give Hydra the schema and the interpolations that conf/ uses. Each process calls it first; twice is harmless."""
    ConfigStore.instance().store(name="schema", node=Config)
    OmegaConf.register_new_resolver("share", lambda part, whole: int(float(part) * int(whole)), replace=True)
    OmegaConf.register_new_resolver("config_hash", lambda *, _root_: config_hash(to_config(_root_)), replace=True)
    OmegaConf.register_new_resolver("hydra_flags", describe_flags, replace=True)
    OmegaConf.register_new_resolver("sweep_or_preset", _sweep_or_preset, replace=True)


def _sweep_or_preset(*, _root_: DictConfig) -> str:
    """Return the name that a group of runs shares: the named sweep's, or else the preset's."""
    if "hydra" in _root_:
        choices = _root_.hydra.runtime.choices
    else:  # Hydra gives its jobs a config without its own section
        choices = HydraConfig.get().runtime.choices if HydraConfig.initialized() else {}
    return str(choices.get("sweep") or _root_.name)


def to_config(composed: DictConfig) -> Config:
    """Return the composed settings as a Config after every check.

    Raises UsageError with the setting's name and value.
    """
    try:
        _check_names(composed)
        sections: dict[str, Any] = {}
        for field in dataclasses.fields(Config):
            part = composed[field.name]
            sections[field.name] = OmegaConf.to_object(part) if OmegaConf.is_config(part) else part
        config = Config(**sections)
        _check_values(config)
        return config
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OmegaConfBaseException as error:
        raise UsageError(explain(error)) from error


def compose_config(overrides: Sequence[str], *, config_dir: str | None = None, number: int = 0) -> ComposedJob:
    """Compose and check one run.

    config_dir: a folder with the user's own presets and groups, beside conf/.
    number: hydra.job.num, which Hydra's launchers set: the run's place in its sweep.

    Raises UsageError in one line for anything wrong with the overrides.
    """
    overrides = readable(overrides)
    with _composed(overrides, config_dir) as composed:
        config, hydra = to_config(composed), composed.hydra
        with read_write(hydra), open_dict(hydra):
            hydra.job.num = number
        sweep_folder = Path(hydra.sweep.dir) / hydra.sweep.subdir
        return ComposedJob(
            config, Path(hydra.run.dir), sweep_folder, hydra.launcher._target_, tuple(overrides), hydra.mode
        )


def compose_text(overrides: Sequence[str], *, config_dir: str | None = None, resolve: bool) -> str:
    """Return what `--cfg job` prints, checked; Hydra itself would compose it a second time."""
    with _composed(readable(overrides), config_dir) as composed:
        to_config(composed)
        job = OmegaConf.masked_copy(composed, [key for key in map(str, composed) if key != "hydra"])
        if resolve:
            OmegaConf.resolve(job)
        return OmegaConf.to_yaml(job)


@contextlib.contextmanager
def _composed(overrides: Sequence[str], config_dir: str | None) -> Iterator[DictConfig]:
    _check_overrides(overrides)
    with _hydra(config_dir):
        composed = compose("config", [*overrides], return_hydra_config=True)
        _report_own_choices(composed, config_dir)
        section = OmegaConf.to_container(composed.hydra, resolve=False)
        assert isinstance(section, dict)
        check_hydra_section(section | _resolved_logging(composed))
        _check_no_secret(f"hydra={section}")
        yield composed


def _resolved_logging(composed: DictConfig) -> dict[Any, Any]:
    """Return Hydra's logging with its interpolations replaced; the run's folder, which Hydra sets later, is empty."""
    runtime = composed.hydra.runtime
    with read_write(composed):
        runtime.output_dir = ""
        try:
            sections = {name: composed.hydra[name] for name in ("job_logging", "hydra_logging")}
            return {name: OmegaConf.to_container(section, resolve=True) for name, section in sections.items()}
        finally:
            runtime.output_dir = MISSING


@contextlib.contextmanager
def _hydra(config_dir: str | None) -> Iterator[None]:
    """Set up Hydra within the block; raises UsageError in one line for its errors."""
    GlobalHydra.instance().clear()
    try:
        conf = str(conf_folder())
        with own_presets(config_dir), initialize_config_dir(conf, version_base=VERSION_BASE, job_name="train"):
            yield
    except (HydraException, OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        raise UsageError(explain(error)) from error


def hydras_groups(*, config_dir: str | None = None) -> dict[str, list[str]]:
    """Return the groups of Hydra's own section with their choices, those of installed plugins included."""
    with _hydra(config_dir):
        loader = GlobalHydra.instance().config_loader()
        groups = [f"hydra/{name}" for name in loader.get_group_options("hydra", ObjectType.GROUP)]
        return {group: loader.get_group_options(group, ObjectType.CONFIG) for group in groups}


def expand_sweep(overrides: Sequence[str], *, config_dir: str | None = None) -> list[list[str]]:
    """Return the product of all swept values: one list of overrides per job, in Hydra's order.

    A named sweep (+sweep=NAME) has values of its own, which those of the command line override.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    overrides = readable(overrides)
    named = [override for override in overrides if sweep_name(override)]
    with _hydra(config_dir):
        swept: dict[str, object] = {}
        if named:
            swept = compose("config", named, return_hydra_config=True).hydra.sweeper.params or {}
        loader = GlobalHydra.instance().config_loader()  # experiment=glob(round*) looks for files
        typed = [*(f"{key}={value}" for key, value in swept.items()), *overrides]
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(typed)
        (jobs,) = BasicSweeper.split_arguments(parsed, None)
    return list(jobs)


def parse_ranges(overrides: Sequence[str], *, config_dir: str | None = None) -> list[Override]:
    """Parse the values that a named sweep or a preset lists (hydra.sweeper.params), and then the overrides.

    Raises UsageError in one line for anything wrong with them.
    """
    overrides = readable(overrides)
    _check_overrides(overrides)
    with _hydra(config_dir):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        typed = parser.parse_overrides(overrides)
        shared = [str(override.input_line) for override in typed if not override.is_sweep_override()]
        listed = compose("config", shared, return_hydra_config=True).hydra.sweeper.params or {}
        return [*parser.parse_overrides([f"{key}={value}" for key, value in listed.items()]), *typed]


class OwnPresets(SearchPathPlugin):
    """Hydra's plugin by which the user's own presets and groups are found before those of conf/."""

    folder: ClassVar[Path | None] = None  # Hydra makes the instances

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Put the folder before conf/; Hydra's own --config-dir would put it behind."""
        if self.folder is not None:
            search_path.prepend(provider="own presets", path=f"file://{self.folder}", anchor="main")


@contextlib.contextmanager
def own_presets(config_dir: str | None) -> Iterator[None]:
    """Let Hydra find the user's folder first within the block; raises UsageError where it is not one of presets."""
    check_config_dir(config_dir)
    Plugins.instance().register(OwnPresets)
    before = OwnPresets.folder
    OwnPresets.folder = Path(config_dir).resolve() if config_dir is not None else None
    try:
        yield
    finally:
        OwnPresets.folder = before


def _report_own_choices(composed: DictConfig, config_dir: str | None) -> None:
    """Log, once each, which files of the user's folder have the name of a built-in one."""
    if config_dir is None or Path(config_dir).resolve() == conf_folder():
        return
    chosen = {f"{group}/{choice}.yaml": f"{group}={choice}" for group, choice in composed.hydra.runtime.choices.items()}
    for name, what in {"config.yaml": "defaults", **chosen}.items():
        if (Path(config_dir) / name).is_file() and (conf_folder() / name).is_file():
            _report_once(f"{Path(config_dir) / name} is used in place of the built-in {what}")


@functools.cache
def _report_once(message: str) -> None:
    log.warning("%s", message)


def _check_overrides(overrides: Sequence[str]) -> None:
    """Check what was typed before Hydra composes it.

    Raises UsageError for what Hydra would accept silently or report unclearly: a removed setting, a number for a
    boolean, a secret, and a `_target_` outside Hydra's section, since an override chooses values and never code.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise UsageError(explain(error)) from error
    for override in parsed:
        typed, key, value = override.input_line or "", override.key_or_group, override._value
        _check_no_secret(typed)
        if key in REMOVED:
            raise UsageError(describe_removal(typed.lstrip("+")))
        if "_target_" in typed and not key.startswith("hydra."):  # check_hydra_section has the rules of those
            raise UsageError(f"{typed}: _target_ is refused: settings choose values, not code")
        is_boolean = key in SETTINGS and SETTINGS[key].type is bool
        if is_boolean and isinstance(value, int) and not isinstance(value, bool):
            raise UsageError(f"{typed}: {key} is either true or false")


def _check_no_secret(setting: str) -> None:
    """Raise UsageError for an API key: settings are stored, shown and sent to W&B."""
    if holds_secret(setting):
        raise UsageError(f"{setting}: that is a key, and settings are stored: give it by WANDB_API_KEY instead")


def _check_names(composed: DictConfig) -> None:
    """Raise UsageError for an unknown setting: `+training.foo=1` passes Hydra's own check."""
    names = {*SETTINGS, *(section.name for section in dataclasses.fields(Config)), "hydra"}
    for section in map(str, composed):
        keys = [section]
        if section != "hydra" and OmegaConf.is_dict(composed[section]):
            keys += [f"{section}.{key}" for key in map(str, composed[section])]
        for key in keys:
            if key not in names:
                raise UsageError(describe_unknown(key))


def _check_values(config: Config) -> None:
    """Raise UsageError for a value that cannot be stored: a secret, no Unicode text, or an interpolation."""
    texts = {key: str(value) for key, value in settings(config).items()}
    if holds_secret("\n".join(f"{key}={text}" for key, text in texts.items())):  # one look takes a hundredth of many
        for key, text in texts.items():
            _check_no_secret(f"{key}={text}")
    for key, text in texts.items():
        shown = text.encode(errors="backslashreplace").decode()
        if shown != text:
            raise UsageError(f"{key}={shown} is not valid Unicode, so that no file could store it: rename the file")
        if "${" in text:
            raise UsageError(f"{key}={text} contains ${{, which refers to another setting: use a name without it")
