#!/usr/bin/env python3
"""llama.cpp's convert_hf_to_gguf.py on a folder of ours: convert_to_gguf.py LLAMA_CPP FOLDER OUT.gguf TYPE.

The converter knows byte-level BPE vocabularies by a hash of the ids that they give to a fixed text, which only published
models have; for ours the pre-tokenizer is named here, as its own update script would do."""
import sys


def main(source, folder, out, kind):
    sys.path[:0] = [source + "/gguf-py", source]
    from conversion import base
    known = base.TextModel.get_vocab_base_pre

    def get_vocab_base_pre(self, tokenizer):
        try:
            return known(self, tokenizer)
        except NotImplementedError:
            return "gpt-2"

    base.TextModel.get_vocab_base_pre = get_vocab_base_pre
    import convert_hf_to_gguf
    sys.argv = ["convert_hf_to_gguf.py", folder, "--outfile", out, "--outtype", kind]
    convert_hf_to_gguf.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
