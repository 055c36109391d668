"""A resumed run repeats the choices on which its bits depend."""

import dataclasses

import msgspec
import pytest

from tests.hardware.test_setup import HERE
from tinystories_lm.config.choices import OPTIMIZERS, Attention, OptimizerKind
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.jobs.provenance import describe_machine, describe_segment
from tinystories_lm.jobs.reproducibility import ROUNDS, compile_pays, rounds_alike, with_recorded_attention
from tinystories_lm.runs.schemas import Segment

register()
CONFIG = compose_config(["hardware=cpu"]).config


def segment(machine: Machine) -> Segment:
    return Segment(git_commit="", packages={"torch": "2"}, machine=describe_machine(machine))


def test_a_resumed_run_keeps_the_kernel_it_started_with() -> None:
    assert with_recorded_attention(CONFIG.hardware, []).attention is Attention.auto
    flash = [segment(dataclasses.replace(HERE, attention=Attention.flash))]
    assert with_recorded_attention(CONFIG.hardware, flash).attention is Attention.flash
    asked = compose_config(["hardware=cpu", "hardware.attention=math"]).config.hardware
    assert with_recorded_attention(asked, flash).attention is Attention.math


def test_a_run_that_moves_to_another_kind_of_device_has_its_kernel_chosen_there() -> None:
    on_gpu = segment(dataclasses.replace(HERE, attention=Attention.cudnn))
    on_gpu = msgspec.structs.replace(on_gpu, machine=msgspec.structs.replace(on_gpu.machine, device="cuda"))
    assert with_recorded_attention(CONFIG.hardware, [on_gpu]).attention is Attention.auto


@pytest.mark.parametrize("compiled", [False, True])
def test_a_resumed_run_is_compiled_if_it_was(compiled: bool) -> None:
    """A new run is compiled on a CPU where it takes long enough."""
    before = [segment(dataclasses.replace(HERE, compile=compiled))]
    assert [compile_pays(CONFIG, before, peak) for peak in (1.0, 1e30)] == [compiled] * 2
    assert [compile_pays(CONFIG, [], peak) for peak in (1.0, 1e30)] == [True, False]


OTHERS = {"device_name": "another", "precision": "bfloat16", "residual": "bfloat16", "compile": True,
          "attention": Attention.math, "threads": 7}  # fmt: skip


@pytest.mark.parametrize("name", ROUNDS)
def test_another_machine_choice_or_torch_rounds_differently(name: str) -> None:
    here = describe_segment(HERE, OptimizerKind.adamw, first_step=0)
    other = msgspec.structs.replace(here, machine=msgspec.structs.replace(here.machine, **{name: OTHERS[name]}))
    assert rounds_alike(here, msgspec.structs.replace(here, first_step=9, git_commit="another"))
    assert not rounds_alike(here, other)
    assert not rounds_alike(here, msgspec.structs.replace(here, packages=here.packages | {"torch": "0.1"}))


def test_a_segment_by_an_earlier_muon_rounds_differently_and_one_by_adamw_does_not() -> None:
    """Records from before the number was written have 1: torch.optim.Muon took the steps."""
    for kind, alike in ((OptimizerKind.adamw, True), (OptimizerKind.muon, False)):
        now = describe_segment(HERE, kind, first_step=0)
        earlier = msgspec.to_builtins(now)
        assert earlier.pop("optimizer_arithmetic", 1) == OPTIMIZERS[kind].arithmetic
        assert rounds_alike(msgspec.convert(earlier, Segment), now) is alike
        assert rounds_alike(now, now)
