"""How much memory a model will take, against what this machine has; said before it is loaded."""

import os
from dataclasses import dataclass
from pathlib import Path

from premrunner.domain.upload_space import gigabytes

# What the engine takes besides weights and cache: the graph's buffers and the program.
_OVERHEAD_BYTES = 300 * 1024 * 1024
_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class MemoryEstimate:
    """What loading a model will take.

    Attributes:
        weights_bytes: The tensors.
        cache_bytes: The attention's memory of the whole context.
    """

    weights_bytes: int
    cache_bytes: int
    context_length: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.cache_bytes + _OVERHEAD_BYTES


def memory_warning(estimate: MemoryEstimate) -> str:
    """Return a sentence if a model may not fit into this machine's memory; empty if it does."""
    need = (
        f"It needs about {gigabytes(estimate.total_bytes)} of memory with {estimate.context_length} tokens of context"
    )
    if estimate.total_bytes > machine_memory_bytes():
        return f"{need}; this machine has {gigabytes(machine_memory_bytes())}. A smaller quantization would fit."
    if estimate.total_bytes > (free := free_memory_bytes()):
        return f"{need}; {gigabytes(free)} are free now. Loading it may take long, or fail."
    return ""


def machine_memory_bytes() -> int:
    """Return the memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def free_memory_bytes() -> int:
    """Return the memory that can be had now; all of it where the system does not say."""
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:  # macOS has no such file.
        pass
    return machine_memory_bytes()
