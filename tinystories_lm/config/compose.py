"""From what a person typed to a typed Config, by Hydra; every mistake in it becomes one line.

Needs neither torch nor a Hydra job: `plan`, `prepare` and the checks before a run compose here, and a
`train` job that Hydra has composed itself is parsed here.
"""

import contextlib
import dataclasses
import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.presets import conf_folder
from tinystories_lm.config.removed import REMOVED, describe_removal, without_removed
from tinystories_lm.config.schema import SETTINGS, Config, HardwareConfig, settings
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.redaction import holds_secret

HYDRAS_OWN = ("hydra._internal.", "hydra_plugins.")  # code that Hydra brings, or an installed plugin
VERSION_BASE = "1.3"
# What conf/hydra/launcher builds on, and the extra that brings it.
LAUNCHER_EXTRAS = {
    "hydra/launcher/joblib": "parallel",
    "hydra/launcher/submitit_slurm": "slurm",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/ray": "ray",
}


class Composed(NamedTuple):
    config: Config
    output_folder: Path  # where Hydra would run the job
    sweep_folder: Path  # where it would run it as one of a sweep's
    launcher: str  # the class by which Hydra would start it as one of a sweep's
    overrides: tuple[str, ...]

    @property
    def remote(self) -> bool:
        """Whether it would run on another machine than this."""
        return self.launcher.endswith((".SlurmLauncher", ".RayLauncher", ".RayAWSLauncher"))


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


def register() -> None:
    """Tell Hydra the schema and the interpolations that conf/ uses. Every entry calls it first; twice is harmless."""
    ConfigStore.instance().store(name="schema", node=Config)
    OmegaConf.register_new_resolver("share", lambda part, whole: int(float(part) * int(whole)), replace=True)
    OmegaConf.register_new_resolver("config_hash", lambda *, _root_: config_hash(parse(_root_)), replace=True)
    OmegaConf.register_new_resolver("sweep_or_preset", _sweep_or_preset, replace=True)


def _sweep_or_preset(*, _root_: DictConfig) -> str:
    """The name under which runs belong together: that of the named sweep, or else the preset's."""
    if "hydra" in _root_:
        choices = _root_.hydra.runtime.choices
    else:  # Hydra hands its jobs a config without its own part
        choices = HydraConfig.get().runtime.choices if HydraConfig.initialized() else {}
    return str(choices.get("sweep") or _root_.name)


def parse(composed: DictConfig) -> Config:
    """Check every rule of the schema.

    Raises UsageError with the setting's name and value.
    """
    try:
        _refuse_unknown(composed)
        sections = {field.name: composed[field.name] for field in dataclasses.fields(Config)}
        config = Config(**{name: _typed(section) for name, section in sections.items()})
        for key, (value, _) in settings(config).items():
            _refuse_key(f"{key}={value}")
            if (shown := str(value).encode(errors="backslashreplace").decode()) != str(value):  # no file could hold it
                raise ValueError(f"{key}={shown}: that is no text: give the file another name")
            if "${" in str(value):  # a stored config that holds one is refused: it could ask for anything
                raise ValueError(f"{key}={value}: ${{ is how a config names another setting, and no text")
        return config
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OmegaConfBaseException as error:
        raise UsageError(one_line(error)) from error


def _typed(section: Any) -> Any:
    return OmegaConf.to_object(section) if OmegaConf.is_config(section) else section


def _refuse_code(section: Any, where: str) -> None:
    """A file of --config-dir may speak of Hydra too: of its own launchers and sweepers, and of no other code.

    `()` is how a logging configuration names a function to call.
    """
    for key, value in section.items() if isinstance(section, dict) else enumerate(section):
        named = value if key in ("_target_", "()") else ""
        if named and not (key == "_target_" and str(named).startswith(HYDRAS_OWN)):
            raise UsageError(f"{where}.{key}={named} is refused: settings choose values, not code")
        if isinstance(value, dict | list):
            _refuse_code(value, f"{where}.{key}")


def _refuse_key(setting: str) -> None:
    """A config is stored, shown and sent to W&B; a key belongs into none of them."""
    if holds_secret(setting):
        raise UsageError(f"{setting}: that is a key, and settings are written down: give it by WANDB_API_KEY or so")


def _refuse_unknown(composed: DictConfig) -> None:
    """`+training.foo=1` gets past Hydra's check of names."""
    names = {*SETTINGS, *(field.name for field in dataclasses.fields(Config)), "hydra"}
    for section in map(str, composed):
        keys = [section]
        if section != "hydra" and OmegaConf.is_dict(composed[section]):
            keys += [f"{section}.{key}" for key in map(str, composed[section])]
        for key in keys:
            if key in REMOVED:
                raise UsageError(describe_removal(f"{key}={composed[section][key.partition('.')[2]]}"))
            if key not in names:
                raise UsageError(f"{key}: there is no such setting{_suggestion(key, list(SETTINGS), '')}")


def compose_config(overrides: Sequence[str], *, config_dir: str | None = None) -> Composed:
    """Compose and check one run.

    config_dir: a folder of the user's own presets and groups, beside conf/.

    Raises UsageError in one line for whatever is wrong with the overrides.
    """
    with _composed(overrides, config_dir) as composed:
        config, hydra = parse(composed), composed.hydra
        sweep_folder = Path(hydra.sweep.dir) / hydra.sweep.subdir
        return Composed(config, Path(hydra.run.dir), sweep_folder, hydra.launcher._target_, tuple(overrides))


def compose_text(overrides: Sequence[str], *, config_dir: str | None = None, resolve: bool) -> str:
    """What `--cfg job` prints, checked: Hydra would compose it a second time."""
    with _composed(overrides, config_dir) as composed:
        parse(composed)
        settings = OmegaConf.masked_copy(composed, [key for key in map(str, composed) if key != "hydra"])
        if resolve:
            OmegaConf.resolve(settings)
        return OmegaConf.to_yaml(settings)


@contextlib.contextmanager
def _composed(overrides: Sequence[str], config_dir: str | None) -> Iterator[DictConfig]:
    overrides = without_removed(overrides)
    check_overrides(overrides)
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_folder()), version_base=VERSION_BASE, job_name="train"):
            composed = compose("config", [*overrides, *_search_path(config_dir)], return_hydra_config=True)
            hydra = OmegaConf.to_container(composed.hydra, resolve=False)
            _refuse_code(hydra, "hydra")
            _refuse_key(f"hydra={hydra}")
            yield composed
    except (HydraException, OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        raise UsageError(one_line(error)) from error


def expand_sweep(overrides: Sequence[str], *, config_dir: str | None = None) -> list[list[str]]:
    """The product of all swept choices: one list of overrides for each job, in Hydra's order.

    A named sweep (+sweep=NAME) brings its own, over which the command line's win.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    overrides, search = without_removed(overrides), _search_path(config_dir)
    named = [override for override in overrides if sweep_name(override)]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_folder()), version_base=VERSION_BASE, job_name="train"):
            swept: dict[str, object] = {}
            if named:
                swept = compose("config", [*named, *search], return_hydra_config=True).hydra.sweeper.params or {}
            loader = GlobalHydra.instance().config_loader()  # experiment=glob(round*) looks for files
            typed = [*(f"{key}={value}" for key, value in swept.items()), *overrides]
            parsed = OverridesParser.create(config_loader=loader).parse_overrides(typed)
            (jobs,) = BasicSweeper.split_arguments(parsed, None)
        return list(jobs)
    except (HydraException, OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        raise UsageError(one_line(error)) from error


def sweep_name(override: str) -> str:
    """NAME of +sweep=NAME, nothing of any other override."""
    key, _, value = override.partition("=")
    return value if key.lstrip("+") == "sweep" else ""


def swept_settings(jobs: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """For each job those of its overrides that another job has otherwise."""
    chosen = [dict(override.split("=", 1) for override in job if "=" in override) for job in jobs]
    keys = dict.fromkeys(key for job in chosen for key in job)
    varied = [key for key in keys if len({job.get(key) for job in chosen}) > 1]
    return [{key: job[key] for key in varied if key in job} for job in chosen]


def _search_path(config_dir: str | None) -> list[str]:
    if config_dir is None:
        return []
    if not Path(config_dir).is_dir():
        raise UsageError(f"--config-dir={config_dir} is no folder")
    return [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"]


def check_overrides(overrides: Sequence[str]) -> None:
    """Refuse what Hydra would take without a word.

    Raises UsageError for a setting given twice, a yes-or-no setting given as a number, and any `_target_`:
    an override chooses values, never code to run.
    """
    seen: set[str] = set()
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise UsageError(one_line(error)) from error
    for override in parsed:
        key = override.key_or_group
        _refuse_key(str(override.input_line))
        if key in REMOVED:
            raise UsageError(describe_removal(str(override.input_line)))
        if "_target_" in (override.input_line or ""):
            raise UsageError(f"{override.input_line}: _target_ is refused: settings choose values, not code")
        if key in seen:
            raise UsageError(f"{key} is given twice: keep one of them")
        if (
            key in SETTINGS
            and SETTINGS[key].type is bool
            and isinstance(override._value, int)
            and not isinstance(override._value, bool)
        ):
            raise UsageError(f"{override.input_line}: {key} is either true or false")
        seen.add(key)


def one_line(error: BaseException) -> str:
    """Hydra's and OmegaConf's many-lined errors as one line with what to type instead."""
    if isinstance(error, MissingConfigException):
        wanted = error.missing_cfg_file or ""
        group, _, choice = wanted.rpartition("/")
        options = [option for option in error.options or [] if option != "__init__"]
        if wanted in LAUNCHER_EXTRAS:
            return f"{wanted} is not installed: pip install 'tinystories_lm[{LAUNCHER_EXTRAS[wanted]}]'"
        if not group or not options:
            return _first_sentence(error)
        return f"{group}={choice}: there is no such {group}{_suggestion(choice, options, group)}"
    cause = error.__cause__ or error
    if isinstance(error, OverrideParseException):
        return f"{error.override}: cannot be read as setting=value: {_first_sentence(error)}"
    if "Ambiguous value" in str(error):
        return f"{_quoted(str(error))}: several values make a sweep: add -m, or use key=[a,b] for a list"
    named = re.search(r"full_key: (\S+)", str(error))
    key = getattr(cause, "full_key", None) or (named.group(1) if named else _quoted(str(error)))
    if "not in struct" in str(cause) or "Key '" in str(cause) or "not in struct" in str(error):
        if not key:
            return _first_sentence(error)
        if key in REMOVED:
            return describe_removal(key)
        return f"{key}: there is no such setting{_suggestion(key, list(SETTINGS), '')}"
    message = _first_sentence(cause if isinstance(error, ConfigCompositionException) else error)
    return f"{key}: {message}" if key and key not in message else message


def _suggestion(word: str, options: Sequence[str], group: str) -> str:
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if not close and not group:  # the key may be right and its section wrong or missing
        tails = {option.rpartition(".")[2]: option for option in options}
        close = [tails[tail] for tail in difflib.get_close_matches(word.rpartition(".")[2], list(tails), n=1)]
    if close:
        return f"; did you mean {close[0]}?"
    return (
        f"; choose one of {', '.join(sorted(options))}"
        if group
        else "; `tinystories-lm train --cfg job` lists them all"
    )


def _quoted(text: str) -> str:
    found = re.search(r"'([^']+)'", text)
    return found.group(1) if found else ""


def _first_sentence(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not re.match(r"(full_key|reference_type|object_type)[:=]|\^|See https", line)]
    return " ".join(kept[:2]) if kept else type(error).__name__
