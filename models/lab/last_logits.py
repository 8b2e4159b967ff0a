"""The logits of a language model's last tokens only."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def last_logits(network: Any, count: int, **inputs: Any) -> Tensor:
    """Run one forward pass; return the logits of the last tokens, (turns, count, vocabulary).

    Qwen2-Audio ignores `logits_to_keep` and computes all of them: gigabytes per batch.
    """
    head = network.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _head, hidden: (hidden[0][:, -count:],))
    try:
        logits: Tensor = network(**inputs, use_cache=False).logits
    finally:
        hook.remove()
    return logits
