"""Training on a CPU against peers: tokens a second of a 4 × 256 × 4-head model, compiled, in bfloat16, on one thread.

    python benchmarks/train.py [--rounds 3] [--steps 40] [--subjects NAME ...] [--json FILE]

Vocabulary 4,096, context 256, 16 sequences a step, AdamW, clipping. Every subject is a process of its own that takes
some steps first (where what is compiled is compiled) and is then timed; subjects take turns. "bare" is a hand-written
loop over our model, with the attention and the handling of memory that ours chooses on a CPU, or as torch comes; "ours"
is `tinystories-lm train` as it is used, with rows, a checkpoint, progress and offline tracking, timed by the clock of
its own rows between its second and its last row of a step. Peers: the Trainer of transformers (extra `bench`) over its
Llama of the same shape, and a loop in nanoGPT's manner over a GPT-2 of that
shape. What is not installed is left out by name.
"""

import argparse
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.hardware.detect import device_name
from tinystories_lm.hardware.setup import keep_freed_memory
from tinystories_lm.model.attention import attention_by_kernel, attention_in_blocks
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_metrics
from tinystories_lm.system.json_files import write_json

V, L, D, H, FF, T, B = 4096, 4, 256, 4, 688, 256, 16
WARM_STEPS = 10
OURS = ["model=gpt_5m", f"model.n_layers={L}", f"model.d_ff={FF}", f"training.batch_size={B}", "training.max_hours=99",
        "hardware=cpu", "hardware.threads=1", "hardware.precision=bfloat16", "hardware.compile=on",
        "training.log_every_steps=10", "training.eval_tokens=4096", "sampling.prompts=[Once]", "sampling.max_tokens=2",
        "tracking=offline", "data.grammar_bytes=3000000"]  # fmt: skip


def tokens_at_random() -> np.ndarray:
    return np.random.default_rng(0).integers(0, V, 1_000_000).astype(np.uint16)


def timed(step: Callable[[], object], steps: int) -> float:
    for _ in range(WARM_STEPS):
        step()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return steps * B * T / (time.perf_counter() - began)


def bare(steps: int, *, as_ours: bool) -> float:
    """Measure a minimal loop over our model, without metrics rows, schedule or checkpoints, in tokens per second."""
    register()
    if as_ours:
        keep_freed_memory()
    model = Transformer(
        compose_config(OURS).config.model,
        vocab_size=V,
        attention_fn=attention_in_blocks if as_ours else attention_by_kernel,
    )
    model.initialise(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    data = torch.from_numpy(tokens_at_random().astype(np.int64))

    @torch.compile
    def loss_of(ids_BT: Tensor) -> Tensor:
        logits_BTV = model(ids_BT[:, :-1])
        return F.cross_entropy(logits_BTV.flatten(0, 1).float(), ids_BT[:, 1:].flatten())

    def step() -> None:
        starts = torch.randint(len(data) - T - 1, (B, 1))
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(data[starts + torch.arange(T + 1)])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return timed(step, steps)


def ours(steps: int) -> float:
    """Measure the complete `train` command, in tokens per second."""
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(temporary) / "run"
        last = WARM_STEPS + steps
        command = [sys.executable, "-m", "tinystories_lm", "train", *OURS, f"training.steps={last}",
                   f"training.eval_every_steps={last}", f"training.checkpoint_every_steps={WARM_STEPS + steps // 2}",
                   f"data.cache_dir={Path(tempfile.gettempdir()) / 'tinystories_lm-benchmark-cache'}",
                   f"hydra.run.dir={run}"]  # fmt: skip
        subprocess.run(command, cwd=temporary, check=True, capture_output=True)
        rows = [row for row in read_metrics(RunFolder(run)) if "train/loss" in row]
        first, end = next(row for row in rows if row["progress/step"] == WARM_STEPS), rows[-1]
        seconds = end["time/train_seconds"] - first["time/train_seconds"]
        return float((end["progress/tokens"] - first["progress/tokens"]) / seconds)


def trainer(steps: int, *, compiled: bool) -> float:
    """Measure transformers' Trainer on its own Llama of our shape, in tokens per second."""
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=V, hidden_size=D, intermediate_size=FF, num_hidden_layers=L, num_attention_heads=H,
        num_key_value_heads=H, max_position_embeddings=T, tie_word_embeddings=False, use_cache=False,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    data = torch.from_numpy(tokens_at_random().astype(np.int64))
    rows = [{"input_ids": row, "labels": row} for row in data[: len(data) // T * T].view(-1, T)]
    moments: list[float] = []

    class Clock(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: object, **__: object) -> None:
            moments.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder, per_device_train_batch_size=B, max_steps=WARM_STEPS + steps, bf16=True, use_cpu=True,
            torch_compile=compiled, learning_rate=1e-3, adam_beta2=0.95, weight_decay=0.1, max_grad_norm=1.0,
            optim="adamw_torch_fused", report_to=[], save_strategy="no", logging_steps=10, disable_tqdm=True,
        )  # fmt: skip
        transformers.Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[Clock()]).train()
    return steps * B * T / (moments[-1] - moments[WARM_STEPS - 1])


class Gpt2Block(nn.Module):
    """GPT-2's block: LayerNorm, one matrix for queries, keys and values, GELU four times as wide."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(D), nn.LayerNorm(D)
        self.attention, self.output = nn.Linear(D, 3 * D), nn.Linear(D, D)
        self.wide, self.narrow = nn.Linear(D, 4 * D), nn.Linear(4 * D, D)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(-1, (H, D // H)).transpose(1, 2) for part in self.attention(self.norm_1(x)).split(D, dim=-1)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + self.output(y)
        return x + self.narrow(F.gelu(self.wide(self.norm_2(x))))


class Gpt2(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(V, D), nn.Embedding(T, D)
        self.blocks = nn.ModuleList(Gpt2Block() for _ in range(L))
        self.norm = nn.LayerNorm(D)

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def nanogpt(steps: int) -> float:
    """Measure a loop like nanoGPT's: random crops of a memmap, the loss read every ten steps."""
    with tempfile.NamedTemporaryFile() as file:
        tokens_at_random().tofile(file.name)
        model = Gpt2()
        compiled = torch.compile(model)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
        done = 0

        def step() -> None:
            nonlocal done
            data = np.memmap(file.name, dtype=np.uint16, mode="r")
            starts = torch.randint(len(data) - T, (B,)).tolist()
            ids = torch.stack([torch.from_numpy(data[i : i + T].astype(np.int64)) for i in starts])
            targets = torch.stack([torch.from_numpy(data[i + 1 : i + 1 + T].astype(np.int64)) for i in starts])
            for group in optimizer.param_groups:
                group["lr"] = 1e-3 * 0.5 * (1 + math.cos(math.pi * done / 1000))
            with torch.autocast("cpu", torch.bfloat16):
                loss = compiled(ids, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            done += 1
            if done % 10 == 0:
                loss.item()

        return timed(step, steps)


SUBJECTS: dict[str, Callable[[int], float]] = {
    "bare": lambda steps: bare(steps, as_ours=True),
    "bare, torch's attention and malloc": lambda steps: bare(steps, as_ours=False),
    "ours": ours,
    "Trainer, compiled": lambda steps: trainer(steps, compiled=True),
    "Trainer, eager": lambda steps: trainer(steps, compiled=False),
    "nanoGPT's loop": nanogpt,
}
NEEDS = {"Trainer, compiled": ("transformers", "accelerate"), "Trainer, eager": ("transformers", "accelerate")}
BARS = {"bare": 0.97, "Trainer, compiled": 1.1, "Trainer, eager": 1.5}  # what ours should be, times theirs


def in_a_process(name: str, steps: int) -> float:
    command = [sys.executable, __file__, "--subject", name, "--steps", str(steps)]
    alone = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, capture_output=True, text=True, env=alone)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), metavar="NAME")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--subject", choices=SUBJECTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subject:
        torch.set_num_threads(1)
        print(SUBJECTS[options.subject](options.steps))
        return
    found: dict[str, list[float]] = {}
    for name in options.subjects:
        missing = [package for package in NEEDS.get(name, ()) if importlib.util.find_spec(package) is None]
        if missing:
            print(f"{name}: left out, {' and '.join(missing)} not installed: pip install 'tinystories_lm[bench]'")
        else:
            found[name] = []
    for _ in range(options.rounds):
        for name, speeds in found.items():
            speeds.append(in_a_process(name, options.steps))
    print(f"{'':<36}{'tokens/s':>10}{'from':>9}{'to':>9}{'ours, times theirs':>20}{'bar':>7}")
    rows = []
    for name, speeds in found.items():
        ratio = (
            statistics.median(a / b for a, b in zip(found["ours"], speeds, strict=True)) if "ours" in found else None
        )
        bar = BARS.get(name, "")
        shown = "" if ratio is None else f"{ratio:.2f}"
        print(
            f"{name:<36}{statistics.median(speeds):>10,.0f}{min(speeds):>9,.0f}{max(speeds):>9,.0f}{shown:>20}{bar:>7}"
        )
        rows.append({"subject": name, "tokens_per_second": speeds, "ours_times_theirs": ratio, "bar": BARS.get(name)})
    if options.json:
        machine = {"processor": device_name(torch.device("cpu")), "threads": 1, "torch": torch.__version__}
        command = f"python benchmarks/train.py --rounds {options.rounds} --steps {options.steps} --json {options.json}"
        write_json(options.json, json.loads(json.dumps({"command": command, **machine, "subjects": rows})))


if __name__ == "__main__":
    main()
