#!/usr/bin/env python3
"""Fetches and builds what check.py compares with, under build/peers: llama.cpp's tools from the source distribution of
PyPI's llama-cpp-python (pinned by version and hash), and a virtual environment with transformers and what
convert_hf_to_gguf.py needs. About 20 minutes on two cores and, for PyTorch, some GiB; once.

    tests/peers/setup.py [--site-packages FOLDER]     FOLDER: packages already installed for this Python (PyTorch), to be
                                                      used from there instead of fetched"""
import argparse
import hashlib
import os
import subprocess
import sys
import tarfile
import venv

import toolbox as t

SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
PACKAGES = ["torch", "transformers==5.24.0", "tokenizers", "safetensors", "sentencepiece==0.2.3", "gguf==0.19.0", "numpy"]
TOOLS = ["llama-quantize", "llama-imatrix", "llama-perplexity", "llama-gguf-split", "llama-tokenize"]
# Tests want a short build and right numbers, not speed. Its threads spin while they wait: no OpenMP.
OPTIONS = ["-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG", "-DCMAKE_C_FLAGS_RELEASE=-O2 -DNDEBUG",
           "-DBUILD_SHARED_LIBS=OFF", "-DGGML_OPENMP=OFF", "-DGGML_CCACHE=OFF", "-DLLAMA_OPENSSL=OFF",
           "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_APP=OFF", "-DLLAMA_BUILD_SERVER=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF",
           "-DLLAMA_USE_PREBUILT_UI=OFF", "-DLLAMA_ALL_WARNINGS=OFF"]


def call(*command):
    print("+", *command, flush=True)
    subprocess.run([str(word) for word in command], check=True)


def make_environment(site_packages):
    if not t.PYTHON.exists():
        venv.create(t.PYTHON.parents[1], with_pip=True)
    if site_packages:
        own = next((t.PYTHON.parents[1] / "lib").glob("python3*")) / "site-packages"
        (own / "shared.pth").write_text(os.path.abspath(site_packages) + "\n")
    call(t.PYTHON, "-m", "pip", "install", "--quiet", *PACKAGES)


def fetch_source():
    if t.SOURCE.exists():
        return
    archive = t.HOME / f"llama_cpp_python-{t.VERSION}.tar.gz"
    call(t.PYTHON, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "llama-cpp-python", "--dest", t.HOME,
         f"llama-cpp-python=={t.VERSION}")
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{archive} is not the archive that was pinned")
    with tarfile.open(archive) as tar:
        tar.extractall(t.HOME)
    archive.unlink()


def build():
    folder = t.BIN.parent
    jobs = os.environ.get("SMELT_JOBS") or os.cpu_count()
    call("cmake", "-S", t.SOURCE, "-B", folder, "-G", "Ninja", *OPTIONS)
    call("cmake", "--build", folder, "-j", jobs, "--target", *TOOLS)
    libraries = [folder / "src" / "libllama.a"]
    libraries += [folder / "ggml" / "src" / f"lib{name}.a" for name in ("ggml", "ggml-cpu", "ggml-base")]
    call("c++", "-std=c++17", "-O1", "-I", t.SOURCE / "include", "-I", t.SOURCE / "ggml" / "include", t.HERE / "follow.cc", "-o",
         t.BIN / "follow", *libraries, "-lpthread", "-ldl", "-lm")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site-packages")
    site_packages = parser.parse_args().site_packages
    state = hashlib.sha256(b"".join((t.HERE / name).read_bytes() for name in ("setup.py", "follow.cc"))).hexdigest()
    ready = t.HOME / "ready"
    if ready.exists() and ready.read_text() == state:
        return
    t.HOME.mkdir(parents=True, exist_ok=True)
    make_environment(site_packages)
    fetch_source()
    build()
    ready.write_text(state)
    print("the peers are ready in build/peers")


if __name__ == "__main__":
    main()
