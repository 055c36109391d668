"""The machine under a run: detection, set-up, attention kernels, memory."""
