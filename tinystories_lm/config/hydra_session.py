"""Set Hydra up to compose over conf/ and over a user's own folder of presets."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import hydra
import omegaconf
from hydra import initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from tinystories_lm.config.hydra_internals import Hydra
from tinystories_lm.config.messages import explain
from tinystories_lm.config.presets import check_config_dir, conf_folder
from tinystories_lm.system.errors import UsageError

# Hydra 1.3 without it behaves as 1.1 did and says so; 1.4 has the behaviour of 1.3 and deprecates the argument.
VERSION_BASE = {"version_base": "1.3"} if hydra.__version__.startswith("1.3") else {}
CONFIG_NAME = "config"  # of the file in conf/ that all others are composed into


def register_resolver(name: str, function: Callable[..., Any]) -> None:
    """Let `${name:…}` in the YAML mean this function; a name that is taken gets the new one."""
    is_old = omegaconf.__version__.startswith("2.3")  # later the same function has the name of another one
    register: Any = OmegaConf.register_new_resolver if is_old else OmegaConf.register_resolver
    register(name, function, replace=True)


class OwnPresets(SearchPathPlugin):
    """Hydra's plugin by which the user's own presets and groups are found before those of conf/."""

    folder: ClassVar[Path | None] = None  # Hydra makes the instances

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Put the folder before conf/; Hydra's own --config-dir would put it behind."""
        if self.folder is not None:
            search_path.prepend(provider="own presets", path=f"file://{self.folder}", anchor="main")


@contextlib.contextmanager
def _own_presets(config_dir: str | None) -> Iterator[None]:
    """Let Hydra find the user's folder first within the block; raises UsageError where it is not one of presets."""
    check_config_dir(config_dir)
    Plugins.instance().register(OwnPresets)
    before = OwnPresets.folder
    OwnPresets.folder = Path(config_dir).resolve() if config_dir is not None else None
    try:
        yield
    finally:
        OwnPresets.folder = before


@contextlib.contextmanager
def hydra_session(config_dir: str | None) -> Iterator[Hydra]:
    """Set up Hydra within the block, over conf/ and the user's folder; raises UsageError in one line for its errors."""
    GlobalHydra.instance().clear()
    conf = str(conf_folder())
    with (
        hydras_errors_explained(),
        _own_presets(config_dir),
        initialize_config_dir(conf, **VERSION_BASE, job_name="train"),
    ):
        session = GlobalHydra.instance().hydra
        assert session is not None
        yield session


@contextlib.contextmanager
def hydras_errors_explained() -> Iterator[None]:
    """Turn the errors of Hydra and OmegaConf in the block into UsageErrors of one line."""
    try:
        yield
    except (HydraException, OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        raise UsageError(explain(error)) from error
