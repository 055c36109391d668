#!/usr/bin/env bash
# Fill build/gpu/ (which git ignores) with what benchmarks/gpu.py needs on a machine with a GPU and without a network:
# wheels for Python 3.12 on Linux of what an image of PyTorch and transformers lacks, and text to train on.
#   bash benchmarks/gpu_pack.sh FOLDER   a folder with train*.txt and valid*.txt; of the last one its first megabyte
set -euo pipefail
cd "$(dirname "$0")/.."
text=${1:?a folder of text}
python=${PYTHON:-python3}
rm -rf build/gpu && mkdir -p build/gpu/wheels build/gpu/data
pinned() { grep -E "^($1)==" constraints.txt; }
# antlr4's runtime has no wheel on PyPI.
"$python" -m pip wheel --quiet --no-deps --wheel-dir build/gpu/wheels $(pinned 'hydra-core|omegaconf|antlr4-python3-runtime')
"$python" -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
	--platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
	--dest build/gpu/wheels $(pinned 'msgspec|einops')
cp "$text"/train*.txt build/gpu/data/
for file in "$text"/valid*.txt; do head -c 1048576 "$file" >"build/gpu/data/$(basename "$file")"; done
git describe --always --exclude='*' --abbrev=40 --dirty=+changes >build/gpu/commit
du -sh build/gpu
