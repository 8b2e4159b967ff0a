"""Logits of a language model's last tokens, and of no others."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def last_logits(network: Any, count: int, **inputs: Any) -> Tensor:
    """One forward pass; logits of the last tokens alone, (turns, count, vocabulary).

    Qwen2-Audio makes them for all tokens, whatever `logits_to_keep`: gigabytes for a batch.
    """
    head = network.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _head, hidden: (hidden[0][:, -count:],))
    try:
        logits: Tensor = network(**inputs, use_cache=False).logits
    finally:
        hook.remove()
    return logits
