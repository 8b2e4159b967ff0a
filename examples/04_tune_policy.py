"""Find a policy for your line: analyse labelled calls once, sweep values, compare the costs.

It builds synthetic calls from a manifest of labelled utterances, so it needs no recordings of
yours: `pip install "pipecat-deescalate[simulate]"`, then
`python 04_tune_policy.py speech/manifest.csv`.
"""

import sys
from pathlib import Path

import duckdb

from pipecat_deescalate.agent.lab.synthetic_calls import write_synthetic_calls
from pipecat_deescalate.agent.replay.simulate.command import Options, run_simulation
from pipecat_deescalate.agent.replay.simulate.statistics.sweep import Costs


def main(manifest: Path, folder: Path, split: str = "train", calls: int = 400) -> None:
    """Write tuned.yaml (if the calls suffice), report.html and the decisions into a folder."""
    write_synthetic_calls(
        manifest, folder / "calls", split=split, calls=calls, distressed=0.3, seed=1
    )
    run_simulation(
        Options(
            calls=[str(folder / "calls" / "calls.csv")],
            policies=["balanced", "eager"],
            labels=str(folder / "calls" / "labels.csv"),
            evidence=str(folder / "evidence"),
            results=str(folder / "results"),
            sweep=["least_turn_evidence=0.8,1.2,1.6", "distressed.enter=0.03:0.1:0.01"],
            costs=Costs(missed=60.0, needless=5.0, minute=1.0),
            best=folder / "tuned.yaml",
            report=folder / "report.html",
        )
    )
    print("Callers that balanced missed, most negative turns first:")
    print(
        duckdb.sql(
            f"""
            SELECT call_id, count(*) FILTER (negative) AS negative_turns, max(belief) AS belief
            FROM '{folder}/results/turns.parquet' JOIN '{folder}/results/calls.parquet' AS calls
            USING (policy, call_id)
            WHERE policy = 'balanced' AND calls.distressed
              AND calls.caught_after_negative_turns IS NULL
            GROUP BY call_id ORDER BY negative_turns DESC, call_id LIMIT 10
            """  # noqa: S608 - the folder is our own
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("tuning"))
