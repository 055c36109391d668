"""Read what a sweep's overrides vary, without Hydra."""

from collections.abc import Sequence


def sweep_name(override: str) -> str:
    """Return NAME of `+sweep=NAME`, and "" for any other override."""
    key, _, value = override.partition("=")
    return value if key.lstrip("+") == "sweep" else ""


def swept_settings(jobs: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """Return, for each job, those of its overrides that differ between the jobs."""
    chosen = [dict(override.split("=", 1) for override in job if "=" in override) for job in jobs]
    keys = dict.fromkeys(key for job in chosen for key in job)
    varied = [key for key in keys if len({job.get(key) for job in chosen}) > 1]
    return [{key: job[key] for key in varied if key in job} for job in chosen]
