"""llama.cpp's side of the comparison: run by run.py with the Python of the environment that has llama-cpp-python. Calls of
llama_decode are timed directly; Python adds some microseconds to each. Prints one JSON object.

    peer.py speed MODEL THREADS MEASURE…     tokens per second of each
    peer.py start MODEL THREADS CONTEXT      seconds from opening the file to the first token; peak memory after a prompt
    peer.py version"""
import ctypes
import importlib.metadata
import json
import sys
import time

import llama_cpp.llama_cpp as lib

N_PROMPT, N_TEXT, DEPTH, N_SEQUENCES, N_BATCH_STEPS = 512, 128, 4096, 8, 32


@lib.llama_log_callback
def be_silent(level, text, data):
    """Takes what llama.cpp would print."""


def memory_kib(field):
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))


class Peer:
    """A model, and one context of it at a time. The context's settings are llama.cpp's own but for sizes and threads:
    flash attention "auto", a KV cache in f16."""

    def __init__(self, path, threads):
        self.threads = threads
        self.model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}")
        self.n_vocab = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.model))
        self.context, self.batch = None, lib.llama_batch_init(N_PROMPT, 0, 1)

    def open_context(self, n_ctx, n_sequences=1):
        if self.context:
            lib.llama_free(self.context)
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_seq_max = n_ctx, n_sequences
        params.n_batch = params.n_ubatch = N_PROMPT
        params.n_threads = params.n_threads_batch = self.threads
        self.context = lib.llama_init_from_model(self.model, params)
        if not self.context:
            sys.exit(f"llama.cpp cannot make a context of {n_ctx} tokens")

    def clear(self):
        lib.llama_memory_clear(lib.llama_get_memory(self.context), True)

    def decode(self, entries):
        """entries: (position, sequence, whether its logits are wanted) of each token. Which token it is has no influence on
        the speed."""
        for i, (position, sequence, wanted) in enumerate(entries):
            self.batch.token[i] = (position * 7919 + sequence * 104729 + 1) % min(self.n_vocab, 256)
            self.batch.pos[i] = position
            self.batch.n_seq_id[i] = 1
            self.batch.seq_id[i][0] = sequence
            self.batch.logits[i] = wanted
        self.batch.n_tokens = len(entries)
        start = time.perf_counter()
        if lib.llama_decode(self.context, self.batch) != 0:
            sys.exit("llama_decode failed")
        lib.llama_synchronize(self.context)
        return time.perf_counter() - start

    def prefill(self, n):
        """Seconds for n tokens in batches of 512, with the last token's logits."""
        return sum(self.decode([(i, 0, i == n - 1) for i in range(at, min(at + N_PROMPT, n))])
                   for at in range(0, n, N_PROMPT))

    def write(self, position, n):
        return sum(self.decode([(position + i, 0, True)]) for i in range(n))

    def first_token(self):
        logits = lib.llama_get_logits_ith(self.context, -1)
        values = ctypes.cast(logits, ctypes.POINTER(ctypes.c_float * self.n_vocab)).contents
        return max(range(self.n_vocab), key=values.__getitem__)


def measure_short(peer, wanted, out):
    if not {"pp512", "tg128"} & set(wanted):
        return
    peer.open_context(1024)
    peer.prefill(N_PROMPT)  # a first pass also loads pages and wakes threads
    peer.clear()
    if "pp512" in wanted:
        out["pp512"] = N_PROMPT / peer.prefill(N_PROMPT)
    peer.clear()
    if "tg128" in wanted:
        peer.write(0, 4)
        out["tg128"] = N_TEXT / peer.write(4, N_TEXT)


def measure_deep(peer, wanted, out):
    if not {"pp4096", "tg128@4096"} & set(wanted):
        return
    peer.open_context(DEPTH + N_TEXT + 128)
    peer.write(0, 4)
    peer.clear()
    seconds = peer.prefill(DEPTH)
    if "pp4096" in wanted:
        out["pp4096"] = DEPTH / seconds
    if "tg128@4096" in wanted:
        out["tg128@4096"] = N_TEXT / peer.write(DEPTH, N_TEXT)


def measure_batch(peer, wanted, out):
    if "batch8" not in wanted:
        return
    peer.open_context(256 * N_SEQUENCES, N_SEQUENCES)
    step = lambda i: peer.decode([(i, sequence, True) for sequence in range(N_SEQUENCES)])
    for i in range(4):
        step(i)
    out["batch8"] = N_SEQUENCES * N_BATCH_STEPS / sum(step(i) for i in range(4, 4 + N_BATCH_STEPS))


def speed(path, threads, wanted):
    peer, out = Peer(path, threads), {}
    for measure in (measure_short, measure_deep, measure_batch):
        measure(peer, wanted, out)
    return out


def start(path, threads, n_ctx):
    """Memory is counted from before the model is opened, so that Python and its modules are not in it."""
    before = memory_kib("VmRSS")
    begin = time.perf_counter()
    peer = Peer(path, threads)
    peer.open_context(n_ctx)
    peer.decode([(0, 0, True)])
    logits_ready = time.perf_counter()
    peer.first_token()  # in Python this takes longer than it would: not in the time
    peer.clear()
    peer.prefill(N_PROMPT)
    peer.write(N_PROMPT, 16)
    return {"start": logits_ready - begin, "memory": (memory_kib("VmHWM") - before) / 1024}


def version():
    return {"llama-cpp-python": importlib.metadata.version("llama_cpp_python"),
            "features": lib.llama_print_system_info().decode()}


def main():
    lib.llama_log_set(be_silent, ctypes.c_void_p(0))
    lib.llama_backend_init()
    task, *words = sys.argv[1:]
    if task == "version":
        result = version()
    elif task == "speed":
        result = speed(words[0], int(words[1]), words[2:])
    else:
        result = start(words[0], int(words[1]), int(words[2]))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
