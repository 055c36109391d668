"""Limits of containers and batch systems, from files as the kernel shows them."""

import math
from pathlib import Path

import pytest

from tinystories_lm.system.control_groups import cpu_limit, memory_limit


@pytest.mark.parametrize("version", [1, 2])
def test_the_limits_of_all_control_groups_around_a_process_are_seen(tmp_path: Path, version: int) -> None:
    """As systemd and Slurm nest them; a container shows its own as the topmost."""
    groups, own = tmp_path / "cgroup", tmp_path / "own"
    top, file = (groups / "memory", "memory.limit_in_bytes") if version == 1 else (groups, "memory.max")
    inner = top / "system.slice" / "job.scope"
    inner.mkdir(parents=True)
    lines = {1: "7:cpu:/elsewhere\n3:memory:/system.slice/job.scope\n", 2: "0::/system.slice/job.scope\n"}
    own.write_text(lines[version])
    assert memory_limit(groups, own) == 0
    (inner / file).write_text("max\n")
    (top / "system.slice" / file).write_text("3000\n")
    (top / file).write_text("5000\n")
    assert memory_limit(groups, own) == 3000
    own.write_text(lines[version].replace("/system.slice/job.scope", "/not/shown/here"))
    assert memory_limit(groups, own) == 5000


@pytest.mark.parametrize("version", [1, 2])
def test_the_smallest_quota_of_processor_time_counts(tmp_path: Path, version: int) -> None:
    groups, own = tmp_path / "cgroup", tmp_path / "own"
    inner = (groups / "cpu" if version == 1 else groups) / "job" / "step"
    inner.mkdir(parents=True)
    own.write_text({1: "4:cpu,cpuacct:/job/step\n", 2: "0::/job/step\n"}[version])

    def limit(folder: Path, quota: str) -> None:
        if version == 1:
            (folder / "cpu.cfs_quota_us").write_text(quota.replace("max", "-1") + "\n")
            (folder / "cpu.cfs_period_us").write_text("100000\n")
        else:
            (folder / "cpu.max").write_text(f"{quota} 100000\n")

    assert cpu_limit(groups, own) == math.inf
    limit(inner, "max")
    assert cpu_limit(groups, own) == math.inf
    limit(inner.parent, "150000")
    assert cpu_limit(groups, own) == 1.5
