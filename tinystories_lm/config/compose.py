"""Compose what a person typed into a checked Config, with Hydra; every mistake becomes one line.

Imports no torch and needs no Hydra job: `plan`, `prepare` and the checks before a run compose here, and what Hydra has
composed itself for a `train` job is checked here.
"""

import dataclasses
import functools
import itertools
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import MISSING, DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.hydra_flags import describe_flags
from tinystories_lm.config.hydra_internals import BASIC_SWEEPER, Hydra, expand
from tinystories_lm.config.hydra_section import PROCESSES_LAUNCHER, check_hydra_section
from tinystories_lm.config.hydra_session import CONFIG_NAME, hydra_session, hydras_errors_explained, register_resolver
from tinystories_lm.config.messages import describe_unknown, explain
from tinystories_lm.config.overrides import key_of, readable
from tinystories_lm.config.presets import conf_folder
from tinystories_lm.config.removed import REMOVED, describe_removal
from tinystories_lm.config.schema import SETTINGS, Config, HardwareConfig, settings
from tinystories_lm.config.zipped import zip_values
from tinystories_lm.system.console import is_terminal
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.redaction import holds_secret

log = logging.getLogger(__name__)
# Launchers whose jobs run on this machine; another plugin's, and a class that is not named Local…, may send them away.
LOCAL_LAUNCHERS = ("hydra._internal.", PROCESSES_LAUNCHER, "hydra_plugins.hydra_joblib_launcher.")


@dataclasses.dataclass(frozen=True)
class ComposedJob:
    """One run as Hydra composed it."""

    config: Config
    composed: DictConfig  # with Hydra's own section
    overrides: tuple[str, ...]

    @property
    def output_folder(self) -> Path:
        """Where Hydra runs the job."""
        with hydras_errors_explained():
            return Path(self.composed.hydra.run.dir)

    @property
    def sweep_folder(self) -> Path:
        """Where Hydra runs it as a member of a sweep."""
        with hydras_errors_explained():
            return Path(self.composed.hydra.sweep.dir) / self.composed.hydra.sweep.subdir

    @property
    def launcher(self) -> str:
        """The class by which Hydra starts it as a member of a sweep."""
        return str(self.composed.hydra.launcher._target_)

    @property
    def mode(self) -> RunMode | None:
        """hydra.mode, where it is set."""
        mode: RunMode | None = self.composed.hydra.mode
        return mode

    @property
    def remote(self) -> bool:
        """Whether the launcher may start it on another machine."""
        return not (self.launcher.startswith(LOCAL_LAUNCHERS) or ".Local" in self.launcher)


class ComposedSweep(NamedTuple):
    """The runs of a sweep as Hydra composed them.

    master: what they share, with Hydra's section: sweeper, launcher, callbacks.
    jobs: each of them. Where the sweeper chooses each job only when it has the result of those before it, one that
        stands for them: the settings without those that are swept.
    is_planned: whether these are the jobs that will run.
    """

    master: DictConfig
    jobs: list[ComposedJob]
    is_planned: bool


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
    if "schema.yaml" not in ConfigStore.instance().repo:
        ConfigStore.instance().store(name="schema", node=Config)
    register_resolver("share", lambda part, whole: int(float(part) * int(whole)))
    register_resolver("config_hash", lambda *, _root_: config_hash(to_config(_root_)))
    register_resolver("hydra_flags", describe_flags)
    register_resolver("sweep_or_preset", _sweep_or_preset)
    register_resolver("log_stream", _log_stream)


def _log_stream() -> str:
    """Return where the lines of a run go: standard error, or standard output where only that is not the terminal."""
    return "ext://sys.stdout" if is_terminal(sys.stderr) and not is_terminal(sys.stdout) else "ext://sys.stderr"


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


def compose_config(overrides: Sequence[str], *, config_dir: str | None = None) -> ComposedJob:
    """Compose and check one run.

    config_dir: a folder with the user's own presets and groups, beside conf/.

    Raises UsageError in one line for anything wrong with the overrides.
    """
    overrides = readable(overrides)
    _check_overrides(overrides)
    with hydra_session(config_dir):
        return composed_job(compose(CONFIG_NAME, list(overrides), return_hydra_config=True), overrides, config_dir)


def composed_job(
    composed: DictConfig, overrides: Sequence[str], config_dir: str | None = None, *, number: int = 0
) -> ComposedJob:
    """Check what Hydra composed from the overrides; raises UsageError.

    number: hydra.job.num, which Hydra's launchers set: the run's place in its sweep.
    """
    _report_own_choices(composed, config_dir)
    check_own_section(composed)
    with read_write(composed.hydra), open_dict(composed.hydra):
        composed.hydra.job.num = number
    return ComposedJob(to_config(composed), composed, tuple(overrides))


def compose_sweep(
    overrides: Sequence[str], *, config_dir: str | None = None, zipped: Sequence[str] = ()
) -> ComposedSweep:
    """Compose and check each run of a sweep, in Hydra's order.

    A named sweep (+sweep=NAME) and a preset may list values of their own (hydra.sweeper.params), which those of the
    command line override.

    zipped: groups of settings whose values belong together, as in `model=tiny,gpt_2m:optimizer.lr=3e-3,1e-3`.

    Raises UsageError in one line for anything wrong with the overrides.
    """
    overrides = readable(overrides)
    _check_overrides(overrides)
    with hydra_session(config_dir) as hydra:
        master, jobs = _expand(hydra, overrides, zipped)
        check_own_section(master)
        if jobs is None:
            if zipped:
                raise UsageError(f"{zipped[0]}: hydra/sweeper={master.hydra.sweeper._target_} has no zipped values")
            stands_for_all = composed_job(master, master.hydra.overrides.task, config_dir)
            return ComposedSweep(master, [stands_for_all], is_planned=False)
        return ComposedSweep(master, list(_compose_each(master, jobs, hydra.config_loader, config_dir)), True)


def expand_sweep(overrides: Sequence[str], *, config_dir: str | None = None) -> list[list[str]]:
    """Return the overrides of each run of a sweep, without composing it; raises UsageError."""
    with hydra_session(config_dir) as hydra:
        return _expand(hydra, readable(overrides), ())[1] or []


def _expand(hydra: Hydra, overrides: Sequence[str], zipped: Sequence[str]) -> tuple[DictConfig, list[list[str]] | None]:
    """Return what the runs share and the overrides of each; None for those where the sweeper chooses as it goes."""
    rows = [zip_values(group, hydra.config_loader) for group in zipped]
    keys = {key_of(override) for group in rows for override in group[0]}
    others = [override for override in overrides if key_of(override) not in keys]
    master = hydra.compose_config(CONFIG_NAME, others, run_mode=RunMode.MULTIRUN)
    sweeper = master.hydra.sweeper
    if sweeper._target_ != BASIC_SWEEPER:
        return master, None
    listed = [f"{key}={value}" for key, value in (sweeper.params or {}).items() if key not in keys]
    jobs = expand([*listed, *master.hydra.overrides.task], hydra.config_loader)
    return master, [[*job, *itertools.chain(*chosen)] for job in jobs for chosen in itertools.product(*rows)]


def _compose_each(
    master: DictConfig, jobs: Sequence[Sequence[str]], loader: ConfigLoader, config_dir: str | None
) -> Iterator[ComposedJob]:
    for number, job in enumerate(jobs):
        yield composed_job(loader.load_sweep_config(master, list(job)), job, config_dir, number=number)


def compose_text(overrides: Sequence[str], *, config_dir: str | None = None, resolve: bool) -> str:
    """Return what `--cfg job` prints, checked; Hydra itself would compose it a second time."""
    overrides = readable(overrides)
    _check_overrides(overrides)
    with hydra_session(config_dir):
        composed = compose(CONFIG_NAME, list(overrides), return_hydra_config=True)
        composed_job(composed, overrides, config_dir)
        job = OmegaConf.masked_copy(composed, [key for key in map(str, composed) if key != "hydra"])
        if resolve:
            OmegaConf.resolve(job)
        return OmegaConf.to_yaml(job)


def check_own_section(composed: DictConfig) -> None:
    """Raise UsageError where Hydra's own section names code or holds a secret."""
    section = OmegaConf.to_container(composed.hydra, resolve=False)
    assert isinstance(section, dict)
    check_hydra_section(section | _resolved_logging(composed))
    _check_no_secret(f"hydra={section}")


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


def hydras_groups(*, config_dir: str | None = None) -> dict[str, list[str]]:
    """Return the groups of Hydra's own section with their choices, those of installed plugins included."""
    with hydra_session(config_dir) as hydra:
        loader = hydra.config_loader
        groups = [f"hydra/{name}" for name in loader.get_group_options("hydra", ObjectType.GROUP)]
        return {group: loader.get_group_options(group, ObjectType.CONFIG) for group in groups}


def parse_ranges(overrides: Sequence[str], *, config_dir: str | None = None) -> list[Override]:
    """Parse the values that a named sweep or a preset lists (hydra.sweeper.params), and then the overrides.

    Raises UsageError in one line for anything wrong with them.
    """
    overrides = readable(overrides)
    _check_overrides(overrides)
    with hydra_session(config_dir) as hydra:
        parser = OverridesParser.create(config_loader=hydra.config_loader)
        typed = parser.parse_overrides(overrides)
        listed = hydra.compose_config(CONFIG_NAME, overrides, run_mode=RunMode.MULTIRUN).hydra.sweeper.params or {}
        return [*parser.parse_overrides([f"{key}={value}" for key, value in listed.items()]), *typed]


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
