"""The mirror in Weights & Biases: what the run folder has, shown in a dashboard, never the only copy.

Nothing here blocks, slows or ends a run: starting and finishing have deadlines, every call to the SDK is guarded, and
after a few errors the mirror falls silent. Whatever was not uploaded lies in the run folder, and one printed command
uploads it.
"""

import contextlib
import logging
import netrc
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tinystories_lm.config import TrackingConfig, TrackingMode

if TYPE_CHECKING:
    import wandb

ERRORS_BEFORE_SILENCE = 5
LOGIN_TIMEOUT_SECONDS = 2
DEFAULT_SERVER = "https://api.wandb.ai"
SAMPLE_COLUMNS = ("step", "prompt", "text", "settings")

log = logging.getLogger(__name__)


class Mirror:
    """One W&B run, or with `run` None nothing at all."""

    def __init__(self, run: "wandb.Run | None", *, finish_timeout_seconds: int) -> None:
        self._run, self._finish_timeout_seconds = run, finish_timeout_seconds
        self._errors = 0
        self._samples: list[list[object]] = []

    @property
    def folder(self) -> Path | None:
        """Where the SDK keeps this run: `wandb sync` takes it."""
        return None if self._run is None else Path(self._run.settings.sync_dir)

    def log(self, metrics: Mapping[str, float | int]) -> None:
        """Add one row."""
        self._guarded(lambda run: run.log(dict(metrics)))

    def log_samples(self, step: int, samples: Sequence[Mapping[str, object]]) -> None:
        """Add texts to the table of all that the run wrote; each has `prompt`, `text` and `settings`."""
        if self._run is None or not samples:
            return
        import wandb

        for sample in samples:
            self._samples.append([step, sample["prompt"], sample["text"], str(sample["settings"])])
        table = wandb.Table(columns=list(SAMPLE_COLUMNS), data=self._samples)
        self._guarded(lambda run: run.log({"samples": table, "progress/step": step}))

    def summarize(self, summary: Mapping[str, object]) -> None:
        """Set the final figures, under the names of the metrics where they are such."""
        self._guarded(lambda run: run.summary.update(dict(summary)))

    def finish(self, *, exit_code: int) -> None:
        """Hand over what is left, for as long as the deadline allows, and say how to send the rest."""
        run = self._run
        if run is None:
            return
        self._run = None
        folder, offline = Path(run.settings.sync_dir), run.settings._offline
        finished = _within(self._finish_timeout_seconds + 5, lambda: run.finish(exit_code=exit_code))
        if offline:
            log.info("W&B: kept offline; `wandb sync %s` uploads it", _shown(folder))
        elif not finished or self._errors:
            log.warning("W&B: not all was uploaded; `wandb sync --include-online %s` sends the rest", _shown(folder))

    def _guarded(self, call: "Callable[[wandb.Run], object]") -> None:
        if self._run is None or self._errors >= ERRORS_BEFORE_SILENCE:
            return
        try:
            call(self._run)
        except Exception as error:  # whatever a tracker raises, a step is worth more
            self._errors += 1
            if self._errors == ERRORS_BEFORE_SILENCE:
                log.warning("W&B: %s; after %d errors the run goes on without it", error, self._errors)


def start_mirror(
    config: TrackingConfig,
    folder: Path,
    *,
    run_id: str,
    name: str,
    settings: Mapping[str, object],
    resumed: bool,
) -> Mirror:
    """Begin the mirror of the run in `folder`, online where that is wanted and possible, else offline.

    settings: the run's resolved settings and record, for W&B's config; never the process's environment.
    """
    silent = Mirror(None, finish_timeout_seconds=0)
    mode = chosen_mode(config.mode)
    if mode is TrackingMode.off:
        return silent
    try:
        import wandb
    except ImportError:
        log.warning("W&B: the package is not installed; the run folder has everything all the same")
        return silent

    wandb.setup(wandb.Settings(silent=True))  # what it says by itself, before it has read the run's settings

    def begin(mode: TrackingMode) -> "wandb.Run":
        return wandb.init(
            project=config.project,
            entity=config.entity,
            group=config.group,
            job_type=config.job_type,
            tags=config.tags,
            name=name,
            id=run_id,
            resume="allow" if resumed and mode is TrackingMode.online else None,
            config=dict(settings),
            dir=str(folder.resolve()),
            mode="online" if mode is TrackingMode.online else "offline",
            reinit="create_new",  # jobs of a sweep share a process
            save_code=False,
            settings=wandb.Settings(
                init_timeout=config.init_timeout_seconds,
                login_timeout=LOGIN_TIMEOUT_SECONDS,
                finish_timeout=config.finish_timeout_seconds,
                finish_timeout_raises=False,
                console="off",
                silent=True,
                disable_git=True,
                disable_code=True,
                disable_job_creation=True,
            ),
        )

    for attempt in dict.fromkeys((mode, TrackingMode.offline)):
        try:
            run = begin(attempt)
            break
        except Exception as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            log.warning("W&B: could not begin %s (%s); the run goes on", attempt, reason)
            with contextlib.suppress(Exception):
                wandb.teardown()  # the failed attempt still holds the run's id
    else:
        return silent
    mirror = Mirror(run, finish_timeout_seconds=config.finish_timeout_seconds)
    mirror._guarded(define_axes)
    if attempt is TrackingMode.online:
        log.info("W&B: %s", run.url)
    elif mode is TrackingMode.online:
        log.warning("W&B: kept offline; `wandb sync %s` uploads it later", _shown(Path(run.settings.sync_dir)))
    return mirror


def define_axes(run: "wandb.Run") -> None:
    """Curves against tokens, so that runs of other batch sizes compare; steps stay a choice of the dashboard."""
    run.define_metric("progress/step")
    run.define_metric("progress/tokens")
    for metrics in ("train/*", "val/*", "optimizer/*", "speed/*", "cost/*", "time/*"):
        run.define_metric(metrics, step_metric="progress/tokens")


def chosen_mode(mode: TrackingMode) -> TrackingMode:
    """Settle `auto`: what WANDB_MODE says, else online where W&B would find an API key, else offline."""
    if mode is not TrackingMode.auto:
        return mode
    wanted = os.environ.get("WANDB_MODE", "")
    if wanted in ("disabled", "offline", "dryrun"):
        return TrackingMode.off if wanted == "disabled" else TrackingMode.offline
    return TrackingMode.online if has_key() else TrackingMode.offline


def has_key() -> bool:
    """Whether there is an API key in WANDB_API_KEY or in the netrc file, where `wandb login` puts it."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", DEFAULT_SERVER)).hostname or ""
    places = [Path(os.environ["NETRC"])] if "NETRC" in os.environ else [Path.home() / ".netrc", Path.home() / "_netrc"]
    for place in places:
        with contextlib.suppress(OSError, netrc.NetrcParseError):
            if netrc.netrc(str(place)).authenticators(host):
                return True
    return False


def _within(seconds: float, call: Callable[[], object]) -> bool:
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


def _shown(folder: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(folder.relative_to(Path.cwd()))
    return str(folder)
