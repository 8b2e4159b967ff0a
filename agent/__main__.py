"""`python -m pipecat_deescalate.agent` is `deescalate`."""

from .cli import main

main()
