"""What a run ran on, in words, for checkpoints and model cards."""

from __future__ import annotations

import platform
from pathlib import Path

import torch
import torch.distributed as dist


def processor_name() -> str:
    """What the operating system calls the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def environment() -> str:
    """Device, number of processes and of threads in each, PyTorch's version."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else processor_name()
    processes = dist.get_world_size() if dist.is_initialized() else 1
    threads = torch.get_num_threads()
    return f"{name}, {processes} process(es) of {threads} thread(s), PyTorch {torch.__version__}"
