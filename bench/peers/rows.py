"""What is compared: models, measures, and the targets that the project has set itself. Used by run.py and table.py."""
from typing import NamedTuple, Optional


class Row(NamedTuple):
    shape: str  # of `smelt make-random`
    type: str
    deep: bool  # measured at a depth of 4,096 tokens too, which takes longest

    @property
    def name(self):
        return f"{self.shape}-{self.type}"


ROWS = [
    Row("llama-3.2-1b", "Q4_0", True),
    Row("llama-3.2-1b", "Q4_K_M", False),
    Row("llama-3.2-1b", "Q8_0", False),
    Row("llama-3.2-1b", "Q6_K", False),
    Row("llama-3.2-1b", "Q2_K", False),
    Row("qwen2.5-0.5b", "Q4_0", True),
    Row("tinyllama-1.1b", "Q4_0", True),
]


class Measure(NamedTuple):
    title: str
    unit: str  # "tok/s": more is better; "s", "MiB": less is
    ratio: Optional[float]  # of smelt's speed to the peer's, at least
    limit: Optional[str]  # which limit of the machine smelt's speed is a share of: the peak of int8, the reading of memory
    share: Optional[float]  # of that limit, at least


N_PROMPT, N_TEXT, DEPTH, N_SEQUENCES = 512, 128, 4096, 8
CONTEXT = 1024  # of the processes whose memory and start are measured
MAX_START_SECONDS = 0.4
MAX_EXTRA_MIB = 64  # of memory, beyond the file and the KV cache
MIN_BATCH_GAIN = 4.0  # eight sequences together, compared with one

MEASURES = {
    "pp512": Measure("prefill of 512 tokens", "tok/s", 2.5, "int8", 0.65),
    "tg128": Measure("decode, 128 tokens", "tok/s", 1.4, "read", 0.90),
    "pp4096": Measure("prefill of 4,096 tokens", "tok/s", 2.5, "int8", None),
    "tg128@4096": Measure("decode after 4,096 tokens", "tok/s", 2.0, "read", None),
    "batch8": Measure("decode, 8 sequences together", "tok/s", None, None, None),
    "start": Measure("load and first token", "s", None, None, None),
    "start-packed": Measure("load and first token, packed file", "s", None, None, None),
    "memory": Measure("peak memory", "MiB", None, None, None),
    "memory-packed": Measure("peak memory, packed file", "MiB", None, None, None),
}
QUICK = ["pp512", "tg128", "batch8", "start", "start-packed", "memory", "memory-packed"]
DEEP = ["pp4096", "tg128@4096"]


def measures_of(row, chosen=None):
    """Those of a row in the table's order: all that were asked for by name, else the row's own."""
    wanted = chosen or QUICK + (DEEP if row.deep else [])
    return [name for name in MEASURES if name in wanted]
