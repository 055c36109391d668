"""The compiled step: one graph, the eager step's numbers, and no copy of the logits that nobody needs."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters
from torch._inductor.utils import run_and_get_code

from tests.conftest import SMALL_RUN
from tests.model.test_transformer import SMALL, VOCAB, build
from tests.training.test_loop import ADAMW, CPU, MACHINE, batch
from tinystories_lm.config.choices import Attention
from tinystories_lm.data.batches import Batch, Batches, token_tensor, validation_batches
from tinystories_lm.model.attention import AttentionFn, attention_by_kernel, attention_in_blocks
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.system.json_files import read_json
from tinystories_lm.training.compile import compile_loss
from tinystories_lm.training.loop import micro_batches, train_step, validate
from tinystories_lm.training.loss import LossOf, mean_loss
from tinystories_lm.training.optimizer import build_optimizer

slow = pytest.mark.slow  # a compilation takes a quarter of a minute
BF16 = dataclasses.replace(MACHINE, dtype=torch.bfloat16, compile=True)
ROWS = 4
REPOSITORY = Path(__file__).resolve().parents[2]


def compiled() -> LossOf:
    torch.compiler.reset()
    counters.clear()
    return torch.compile(mean_loss, fullgraph=True, dynamic=False)


def losses_of(loss_of: LossOf, residual: torch.dtype, attend: AttentionFn) -> list[float]:
    model = Transformer(SMALL, vocab_size=VOCAB, residual=residual, attention_fn=attend)
    model.initialise(0)
    optimizer = build_optimizer(model, ADAMW, device=CPU)
    return [
        float(
            train_step(
                model, optimizer, micro_batches(batch(ROWS), 2), loss_of=loss_of, clip_grad_norm=1.0, machine=BF16
            ).loss
        )
        for _ in range(10)
    ]


@slow
@pytest.mark.parametrize(
    ("residual", "attend"),
    [(torch.float32, attention_by_kernel), (torch.bfloat16, attention_by_kernel), (torch.float32, attention_in_blocks)],
    ids=["torch's attention", "bfloat16 residual", "attention in blocks"],
)
def test_compiled_steps_give_the_eager_losses_within_bfloat16s_noise(
    residual: torch.dtype, attend: AttentionFn
) -> None:
    eager, fast = losses_of(mean_loss, residual, attention_by_kernel), losses_of(compiled(), residual, attend)
    assert fast == pytest.approx(eager, abs=0.02)
    assert eager[-1] < eager[0] - 0.3, "they learn"


@slow
def test_training_and_validation_share_one_graph_without_a_break() -> None:
    loss_of, model = compiled(), build(wide=1.0)
    optimizer = build_optimizer(model, ADAMW, device=CPU)
    stream = token_tensor((np.arange(1000) % VOCAB).astype(np.uint16), CPU)
    batches = Batches(
        stream,
        context_tokens=16,
        sequences=lambda step: range(ROWS * step, ROWS * step + ROWS),
        seed=0,
        data_version=2,
    )
    for step in range(3):
        parts = micro_batches(batches.batch(step, device=CPU), 2)
        train_step(model, optimizer, parts, loss_of=loss_of, clip_grad_norm=1.0, machine=BF16)
        scored = validation_batches(stream, eval_tokens=100, context_tokens=16, batch_size=2, device=CPU)
        validate(model, scored, torch.ones(VOCAB, dtype=torch.int64), BF16, loss_of=loss_of)
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]


@slow
def test_compiling_leaves_the_weights_alone_and_tells_its_time() -> None:
    torch.compiler.reset()
    model, data = build(wide=1.0), batch(ROWS)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    loss_of, _, seconds = compile_loss(model, data, BF16)
    assert seconds > 0.1 and all(weight.grad is None for weight in model.parameters())
    assert all(torch.equal(before[name], weight) for name, weight in model.named_parameters())
    compiled = dict(counters["inductor"])
    with BF16.computing():
        loss_of(model, data).backward()
    assert dict(counters["inductor"]) == compiled, "nothing is left to compile, backward neither"


@slow
def test_without_a_compiler_a_run_goes_on_eager_unless_it_was_told_to_compile(
    corpus: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    broken = environment | {"CXX": "/bin/false", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "inductor")}
    short = [setting.replace("steps=12", "steps=4") for setting in SMALL_RUN]
    words = [sys.executable, "-m", "tinystories_lm", "train", *short, f"data.path={corpus}"]
    command = [*words, f"hydra.run.dir={tmp_path / 'on'}", "hardware.compile=on"]
    told = subprocess.run(command, cwd=tmp_path, env=broken, capture_output=True, text=True)
    assert told.returncode == 2 and "torch.compile does not work here" in told.stderr.splitlines()[-1]
    assert "Traceback" not in told.stderr
    program = (
        "import sys; from tinystories_lm.jobs import reproducibility; reproducibility.COMPILE_PAYS_SECONDS = 0;"
        "from tinystories_lm.cli.main import main; sys.argv[0] = 'tinystories-lm'; sys.exit(main())"
    )
    command = [sys.executable, "-c", program, *words[3:], f"hydra.run.dir={tmp_path / 'auto'}"]
    auto = subprocess.run(command, cwd=tmp_path, env=broken, capture_output=True, text=True)
    assert auto.returncode == 0, auto.stderr
    assert "the model is not compiled, so the run is slower" in auto.stderr
    (piece,) = read_json(tmp_path / "auto" / "environment.json")["pieces"]
    assert piece["machine"]["compile"] is False and piece["compile_seconds"] == 0


@slow
def test_the_logits_are_held_in_bfloat16_alone() -> None:
    model, data = build(wide=1.0), batch(ROWS)
    with BF16.computing():
        _, code = run_and_get_code(lambda: compiled()(model, data).backward())
    wide = set(re.findall(rf"\((\d+), {VOCAB}\), \({VOCAB}, 1\), torch\.(\w+)", "\n".join(code)))
    assert wide == {(str(ROWS * SMALL.context_tokens), "bfloat16")}


KERNEL_THAT_RAN = """
import dataclasses, sys
import torch
from tests.model.test_transformer import build
from tests.training.test_compile import BF16, ROWS
from tests.training.test_loop import batch
from tinystories_lm.config.choices import Attention
from tinystories_lm.training.compile import compile_loss

machine = dataclasses.replace(BF16, attention=Attention(sys.argv[1]))
model, part = build(wide=1.0), batch(ROWS)
loss_of = compile_loss(model, part, machine).loss_of
with torch.profiler.profile() as profile, machine.computing():
    loss_of(model, part)
print(any("flash_attention" in event.key for event in profile.key_averages()))
"""


@slow
def test_a_compiled_run_uses_its_own_attention_kernel_whatever_another_run_left_in_the_cache(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """torch's cache of compiled graphs does not tell them apart by the kernel that was chosen (pytorch#185449)."""
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path)
    for kernel in ("math", "flash", "math"):
        words = [sys.executable, "-c", KERNEL_THAT_RAN, kernel]
        done = subprocess.run(words, env=environment, cwd=REPOSITORY, capture_output=True, text=True)
        assert done.stdout.split() == [str(kernel == "flash")], done.stderr


def test_each_kernel_compiles_into_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folders = []

    def compile_nothing(loss_of: LossOf, **_: object) -> LossOf:
        def spied(model: Transformer, part: Batch) -> Tensor:
            folders.append(os.environ["TORCHINDUCTOR_CACHE_DIR"])
            return loss_of(model, part)

        return spied

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(torch, "compile", compile_nothing)
    for kernel in (Attention.math, Attention.flash, Attention.math):
        compile_loss(build(wide=1.0), batch(ROWS), dataclasses.replace(BF16, attention=kernel))
    assert folders[0] == folders[2] != folders[1]


COMPILED_AGAIN = """
import logging
from tests.model.test_transformer import build
from tests.training.test_compile import BF16, ROWS
from tests.training.test_loop import batch
from tinystories_lm.training.compile import compile_loss

logging.basicConfig(format="%(message)s")
print(compile_loss(build(wide=1.0), batch(ROWS), BF16).machine.compile)
"""


@slow
def test_code_that_a_killed_process_left_half_written_is_compiled_again(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path)

    def compile_apart() -> str:
        words = [sys.executable, "-c", COMPILED_AGAIN]
        done = subprocess.run(words, env=environment, cwd=REPOSITORY, capture_output=True, text=True)
        assert done.stdout.split() == ["True"], done.stderr
        return done.stderr

    assert "compiling again" not in compile_apart()
    libraries = list(tmp_path.rglob("*.so"))
    assert libraries
    for library in libraries:
        library.write_bytes(library.read_bytes()[:1000])
    assert "compiling again" in compile_apart()
    assert "compiling again" not in compile_apart()
