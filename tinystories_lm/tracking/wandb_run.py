"""Start a run of W&B's SDK, online or offline, and shut down the SDK's background process after a failure."""

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinystories_lm.config.choices import TrackingMode
from tinystories_lm.config.schema import TrackingConfig
from tinystories_lm.system.redaction import redact
from tinystories_lm.tracking.wandb_files import sync_command, upload_command

if TYPE_CHECKING:
    import wandb

LOGIN_TIMEOUT_SECONDS = 2
GRACE_SECONDS = 2  # how far the SDK may exceed its own deadlines
SAMPLE_COLUMNS = ("step", "prompt", "text", "settings")

log = logging.getLogger(__name__)


class NoRunError(Exception):
    """W&B's SDK cannot start a run, not even offline."""


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """What is needed to start a run in W&B.

    settings: the run's resolved settings and record; never the process's environment.
    is_resumed: W&B may have the run already; append to it.
    was_online: W&B may have rows of the run, which `wandb sync` would duplicate.
    """

    config: TrackingConfig
    folder: Path
    run_id: str
    name: str
    tags: list[str]
    settings: dict[str, object]
    is_resumed: bool
    was_online: bool


def start_run(spec: RunSpec) -> "wandb.Run | None":
    """Start the SDK's run, offline if it cannot go online; return None if W&B is switched off.

    Raises NoRunError, with a one-line reason, if no run can start.
    """
    _import_sdk()
    reason = ""
    try:
        mode = resolve_mode(spec.config.mode)
        if mode is TrackingMode.off:
            return None
        if mode is TrackingMode.online:
            try:
                run = _init(spec, mode)
                log.info("W&B: %s", run.url)
                return run
            except Exception as error:
                reason = one_line(error)
                abandon_service()  # the failed attempt still holds the run's id
        run = _init(spec, TrackingMode.offline)
    except Exception as error:
        raise NoRunError(f"the SDK cannot start a run ({reason or one_line(error)})") from error
    if reason:
        command = upload_command(spec.folder) if spec.was_online else sync_command(run)
        log.warning("W&B: cannot go online (%s); the run is kept offline, `%s` uploads it later", reason, command)
    return run


def resolve_mode(mode: TrackingMode) -> TrackingMode:
    """Resolve `auto`: off or offline if WANDB_MODE or `wandb offline` says so, else online with a key, else offline."""
    import wandb

    found = wandb.setup(wandb.Settings(silent=True)).settings  # never prompts or prints
    if mode is not TrackingMode.auto:
        return mode
    if found.mode == "disabled":
        return TrackingMode.off
    return TrackingMode.online if found.mode not in ("offline", "dryrun") and has_key(found) else TrackingMode.offline


def has_key(settings: "wandb.Settings") -> bool:
    """Return whether the SDK has a key in the environment, its settings or the netrc file."""
    if settings.api_key or settings.identity_token_file:
        return True
    try:
        from wandb.sdk.lib.wbauth import read_netrc_auth  # knows which servers share a key

        return read_netrc_auth(host=settings.base_url) is not None
    except Exception:  # an unusable key, or another SDK version: the attempt to go online decides
        return True


def _import_sdk() -> None:
    """Import the SDK, quietly; raise NoRunError if it is missing or broken."""
    # The SDK reports its own errors to the server, which delays exit by half a minute if that does not answer.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    logging.raiseExceptions = False  # a full disk must not make the SDK's log print tracebacks
    try:
        import wandb  # noqa: F401
    except Exception as error:  # conflicting versions can raise any type
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == "wandb"
        why = "the package is not installed" if is_missing else f"the package cannot be imported ({one_line(error)})"
        raise NoRunError(why) from error


def _init(spec: RunSpec, mode: TrackingMode) -> "wandb.Run":
    import wandb

    config = spec.config
    run = wandb.init(
        project=config.project,
        entity=config.entity,
        group=config.group,
        job_type=config.job_type,
        tags=spec.tags,
        name=spec.name,
        id=spec.run_id,
        resume="allow" if spec.is_resumed and mode is TrackingMode.online else None,
        config=spec.settings,
        dir=str(spec.folder),
        mode="online" if mode is TrackingMode.online else "offline",
        reinit="create_new",  # jobs of a sweep share a process
        save_code=False,
        settings=_sdk_settings(config),
    )
    run.define_metric("progress/step")
    run.define_metric("progress/tokens")
    for metrics in ("train/*", "val/*", "optimizer/*", "speed/*", "cost/*", "time/*"):
        # Over tokens, curves of different batch sizes are comparable; the dashboard still offers steps.
        run.define_metric(metrics, step_metric="progress/tokens")
    # The first table spends half a second on imports, which would slow the training loop.
    wandb.Table(columns=list(SAMPLE_COLUMNS), data=[[0, "", "", ""]])
    return run


def _sdk_settings(config: TrackingConfig) -> "wandb.Settings":
    import wandb

    return wandb.Settings(
        init_timeout=config.init_timeout_seconds,
        login_timeout=LOGIN_TIMEOUT_SECONDS,
        finish_timeout=config.finish_timeout_seconds,
        finish_timeout_raises=True,  # otherwise an upload that was cut short looks like a complete one
        console="off",
        silent=True,
        disable_git=True,
        disable_code=True,
        disable_job_creation=True,
        x_disable_meta=True,  # it includes Slurm's variables, even a token; the run's record has the rest
    )


def abandon_service() -> None:
    """Shut down the SDK's service now, rather than in an exit hook that may delay the exit."""

    def teardown() -> None:
        import wandb

        with contextlib.suppress(SystemExit):  # raised with the service's exit code
            wandb.teardown()

    if "wandb" in sys.modules:
        process: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(Exception):  # another SDK version, or no service
            process = sys.modules["wandb"].setup()._connection._proc._process
        if not finishes_within(GRACE_SECONDS, teardown) and process is not None:
            process.kill()  # else it may later send rows that another upload has sent meanwhile


def finishes_within(seconds: float, call: Callable[[], object]) -> bool:
    """Run `call` in a thread; return whether it ends in time without an error. A slower call is left running."""
    done = threading.Event()

    def run() -> None:
        with contextlib.suppress(Exception):
            call()
            done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return done.is_set()


def one_line(error: Exception) -> str:
    message = str(error).partition("\nConsider increasing")[0]  # the SDK's advice names settings that users do not have
    return redact(" ".join(message.split()))[:200] or type(error).__name__
