#!/usr/bin/env bash
# Build the null device for a Python that has torch's CUDA build: build.sh PYTHON FOLDER
set -euo pipefail
python=$1; mkdir -p "$2/include"; build=$(cd "$2" && pwd); cd "$(dirname "$0")"
packages=$("$python" -c 'import os, torch; print(os.path.dirname(os.path.dirname(torch.__file__)))')
header=$(find "$packages/nvidia" -name cuda_runtime_api.h 2>/dev/null | head -n 1)
[ -n "$header" ] || { echo "this torch has no CUDA headers beside it: it is not a CUDA build" >&2; exit 1; }
ln -sfn "$packages/triton/backends/nvidia/include/crt" "$build/include/crt"  # the headers' own lack this folder
compile() { "${CC:-gcc}" -w -shared -fPIC -O1 -I"$(dirname "$header")" -I"$build/include" "$@" -ldl; }
compile -o "$build/null.so" runtime.c cublas.c
compile -o "$build/null_cudnn.so" runtime.c cublas.c cudnn.c
compile -Wl,-soname,libcuda.so.1 -o "$build/libcuda.so.1" driver.c
