"""llama.cpp's converter and quantizer, and PEFT, as a process that answers one JSON line with another.

Runs under the python that has them (``PREMRUNNER_ORACLE_PYTHON``), once for a whole test session, because importing
torch and transformers takes five seconds.
"""

import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path


def convert(request: dict) -> dict:
    """Convert a folder; ``pre`` replaces the lookup of the pre-tokenizer, which knows no made-up vocabulary."""
    import gguf
    import torch
    from conversion import ModelType, get_model_architecture, get_model_class
    from conversion.base import ModelBase, TextModel

    folder = Path(request["folder"])
    types = {
        "f32": gguf.LlamaFileType.ALL_F32,
        "f16": gguf.LlamaFileType.MOSTLY_F16,
        "bf16": gguf.LlamaFileType.MOSTLY_BF16,
        "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
        "auto": gguf.LlamaFileType.GUESSED,
    }
    original = TextModel.get_vocab_base_pre
    if request.get("pre"):
        TextModel.get_vocab_base_pre = lambda self, tokenizer: request["pre"]
    try:
        architecture = get_model_architecture(ModelBase.load_hparams(folder, False), ModelType.TEXT)
        model_class = get_model_class(architecture)
        destination = Path(request["destination"])
        with torch.inference_mode():
            model_class(folder, types[request.get("output_type", "f16")], destination).write()
    finally:
        TextModel.get_vocab_base_pre = original
    return {}


def has_quantizer(request: dict) -> dict:
    """Say whether cyllama, which carries llama.cpp, has a wheel for this platform."""
    return {"is_there": importlib.util.find_spec("cyllama") is not None}


def quantize(request: dict) -> dict:
    """Quantize a GGUF file with the function that llama-quantize calls."""
    import gguf
    from cyllama.llama.llama_cpp import LlamaModelQuantizeParams, model_quantize

    wanted = LlamaModelQuantizeParams()
    wanted.ftype = int(gguf.LlamaFileType[f"MOSTLY_{request['output_type'].upper()}"])
    model_quantize(request["source"], request["destination"], wanted)
    return {}


def merge(request: dict) -> dict:
    """Merge an adapter with PEFT and save the result."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(request["base"], dtype=torch.float32)
    merged = PeftModel.from_pretrained(base, request["adapter"]).merge_and_unload()
    merged.save_pretrained(request["destination"])
    return {"tied": bool(merged.config.tie_word_embeddings)}


def make_adapter(request: dict) -> dict:
    """Make an adapter with PEFT, give it random weights and save it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(7)
    base = AutoModelForCausalLM.from_pretrained(request["base"], dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **request["config"]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                shift = parameter if "magnitude" in name else 0
                parameter.copy_(torch.randn_like(parameter) * 0.05 + shift)
    model.save_pretrained(request["destination"])
    return {}


def loading_problems(request: dict) -> dict:
    """Load a folder with transformers and say which tensors it misses, or does not know."""
    from transformers import AutoModelForCausalLM

    _, info = AutoModelForCausalLM.from_pretrained(request["folder"], output_loading_info=True)
    return {"missing": sorted(info["missing_keys"]), "unexpected": sorted(info["unexpected_keys"])}


def tokenize(request: dict) -> dict:
    """Encode texts with the tokenizers package."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(request["file"])
    return {"tokens": [tokenizer.encode(text, add_special_tokens=False).ids for text in request["texts"]]}


_COMMANDS = (convert, has_quantizer, quantize, merge, make_adapter, loading_problems, tokenize)
COMMANDS = {command.__name__: command for command in _COMMANDS}


def main() -> None:
    # Libraries print whatever they like, from C too; only the answers may go where the client reads.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = COMMANDS[request.pop("command")](request)
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
