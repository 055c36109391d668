"""One run of W&B's SDK: begun online or offline, and the SDK's service ended where it stands in the way."""

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tinystories_lm.config.choices import TrackingMode
from tinystories_lm.config.schema import TrackingConfig
from tinystories_lm.system.redaction import redact
from tinystories_lm.tracking.wandb_auth import chosen_mode
from tinystories_lm.tracking.wandb_files import sync_command, upload_command

if TYPE_CHECKING:
    import wandb

LOGIN_TIMEOUT_SECONDS = 2
GRACE_SECONDS = 2  # what a deadline of the SDK's own may be late
SAMPLE_COLUMNS = ("step", "prompt", "text", "settings")

log = logging.getLogger(__name__)


class NoRunError(Exception):
    """W&B's SDK cannot begin a run, not even offline."""


def begin_run(
    config: TrackingConfig,
    folder: Path,
    *,
    run_id: str,
    name: str,
    tags: list[str],
    settings: dict[str, object],
    resumed: bool,
    sent_before: bool,
) -> "wandb.Run | None":
    """The SDK's run, offline where it cannot be online; None where W&B is told to be silent.

    sent_before: W&B may have rows of it, which `wandb sync` would say twice.

    Raises NoRunError, in a line, where there can be none.
    """
    # The SDK reports its own errors to the server, which takes half a minute at exit where that does not answer.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    logging.raiseExceptions = False  # no traceback on the terminal where the SDK's own log meets a full disk
    try:
        import wandb
    except Exception as error:  # a clash of versions may raise anything
        missing = isinstance(error, ModuleNotFoundError) and error.name == "wandb"
        why = "the package is not installed" if missing else f"the package cannot be imported ({one_line(error)})"
        raise NoRunError(why) from error

    def begin(mode: TrackingMode) -> "wandb.Run":
        run = wandb.init(
            project=config.project,
            entity=config.entity,
            group=config.group,
            job_type=config.job_type,
            tags=tags,
            name=name,
            id=run_id,
            resume="allow" if resumed and mode is TrackingMode.online else None,
            config=settings,
            dir=str(folder),
            mode="online" if mode is TrackingMode.online else "offline",
            reinit="create_new",  # jobs of a sweep share a process
            save_code=False,
            settings=wandb.Settings(
                init_timeout=config.init_timeout_seconds,
                login_timeout=LOGIN_TIMEOUT_SECONDS,
                finish_timeout=config.finish_timeout_seconds,
                finish_timeout_raises=True,  # otherwise an upload cut short looks like a whole one
                console="off",
                silent=True,
                disable_git=True,
                disable_code=True,
                disable_job_creation=True,
                x_disable_meta=True,  # it would send Slurm's variables, a token among them; our record has the rest
            ),
        )
        _define_axes(run)
        empty = [0, *[""] * (len(SAMPLE_COLUMNS) - 1)]
        wandb.Table(columns=list(SAMPLE_COLUMNS), data=[empty])  # imports for half a second, which the loop would share
        return run

    reason = ""
    try:
        mode = chosen_mode(config.mode)
        if mode is TrackingMode.off:
            return None
        if mode is TrackingMode.online:
            try:
                run = begin(mode)
                log.info("W&B: %s", run.url)
                return run
            except Exception as error:
                reason = one_line(error)
                abandon_service()  # the failed attempt still holds the run's id
        run = begin(TrackingMode.offline)
    except Exception as error:
        raise NoRunError(f"it could not begin ({reason or one_line(error)})") from error
    if reason:
        command = upload_command(folder) if sent_before else sync_command(run)
        log.warning("W&B: not online (%s); kept offline, `%s` uploads it later", reason, command)
    return run


def _define_axes(run: "wandb.Run") -> None:
    """Curves against tokens, so that runs of other batch sizes compare; steps stay a choice of the dashboard."""
    run.define_metric("progress/step")
    run.define_metric("progress/tokens")
    for metrics in ("train/*", "val/*", "optimizer/*", "speed/*", "cost/*", "time/*"):
        run.define_metric(metrics, step_metric="progress/tokens")


def abandon_service() -> None:
    """End the SDK's service and with it whatever it still holds: now, not in a hook that delays the exit."""

    def end() -> None:
        import wandb

        with contextlib.suppress(SystemExit):  # with the service's own exit code
            wandb.teardown()

    if "wandb" in sys.modules:
        process = _service_process()
        if not within(GRACE_SECONDS, end) and process is not None:
            process.kill()  # else it goes on while the server is silent, and says late what was sent meanwhile


def _service_process() -> "subprocess.Popen[bytes] | None":
    """The SDK's own process, where this build keeps it; None of another build, or where none was begun."""
    with contextlib.suppress(Exception):
        return sys.modules["wandb"].setup()._connection._proc._process
    return None


def within(seconds: float, call: Callable[[], object]) -> bool:
    """Whether `call` ended without an error in time; one that did not is left behind in its thread."""
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
    message = str(error).partition("\nConsider increasing")[0]  # the SDK's advice on settings that are not the user's
    return redact(" ".join(message.split()))[:200] or type(error).__name__
