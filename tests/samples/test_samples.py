"""Every published definition runs to an end; ``python -m tests.samples`` shows the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.samples.runner import run
from tests.samples.sample import Sample, samples, special

SAMPLES = samples()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
async def test_sample(sample: Sample, store_url: str, tmp_path: Path) -> None:
    outcome = await run(sample, store_url, tmp_path)
    if sample.waits_for:
        told = f"{sample.waits_for} is not supported yet"
        assert told in outcome.why, f"it runs now: delete waits_for from special.json ({outcome})"
        pytest.skip(f"waits for {sample.waits_for}")
    assert outcome.status == sample.ends, outcome.why
    assert outcome.status == "SUCCEEDED" or sample.why, "the reason for another end belongs into special.json"
    assert outcome.visited > 0


@pytest.mark.skipif(not SAMPLES, reason="the samples are not at hand")
def test_nothing_special_is_said_of_samples_that_are_not_there() -> None:
    assert set(special()["samples"]) <= {sample.name for sample in SAMPLES}


@pytest.mark.skipif(not SAMPLES, reason="the samples are not at hand")
def test_names_are_different() -> None:
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES)
