"""Where a training run is kept until it is done, so that a broken-off one goes on."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from ...errors import DeescalateError, UnreadableInputError
from ...files import whole_file

CHECKPOINT_FILE = "checkpoint.pt"
_DAMAGED = (
    *(OSError, EOFError, RuntimeError, UnpicklingError),
    *(ValueError, LookupError, TypeError, AttributeError),
)
"""What torch, or a look into what it loaded, raises for a file that is no checkpoint of ours."""


class TrainingError(DeescalateError):
    """A run cannot go on: its loss is no number, or the memory is full; change the recipe."""


class CheckpointError(UnreadableInputError):
    """A checkpoint is damaged or of another run; delete it or write to another folder."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run is kept until it is done, and what it must be the same in to go on from it."""

    path: Path
    identity: Mapping[str, str]

    def save(
        self, weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, losses: list[float]
    ) -> None:
        """Write the state of a run, whole or not at all. Raises OutputError."""
        content = io.BytesIO()
        state = {
            "identity": dict(self.identity),
            "weights": {name: weight.detach() for name, weight in weights.items()},
            "optimizer": optimizer.state_dict(),
            "losses": losses,
        }
        torch.save(state, content)
        with whole_file(self.path) as file:
            file.write(content.getbuffer())

    def restore(
        self, weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
    ) -> list[float]:
        """Set weights and optimizer to what was saved; return the losses of the steps so far.

        Nothing saved is no step so far.

        Raises:
            CheckpointError: what is there is damaged, or of another run.
        """
        if not self.path.exists():
            return []
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            self._check(state["identity"])
            with torch.no_grad():
                for name, weight in weights.items():
                    weight.copy_(state["weights"][name])
            optimizer.load_state_dict(state["optimizer"])
            return list(state["losses"])
        except _DAMAGED as error:
            reason = "is damaged, or no checkpoint of ours; delete it to start again"
            raise CheckpointError(self.path, reason) from error

    def _check(self, saved: Mapping[str, str]) -> None:
        for what, value in self.identity.items():
            if saved.get(what) != value:
                raise CheckpointError(
                    self.path,
                    f"is of another run, of the {what} {saved.get(what)}, not {value}; delete it or"
                    " write to another folder",
                )
