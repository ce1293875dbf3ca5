"""Every published definition runs to an end; ``python -m tests.samples`` shows the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.samples.runner import run
from tests.samples.sample import Sample, samples, special, variants

SAMPLES = samples()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
async def test_sample(sample: Sample, store_url: str, tmp_path: Path) -> None:
    outcome = await run(sample, store_url, tmp_path)
    assert outcome.status == sample.ends, outcome.why
    assert outcome.status == "SUCCEEDED" or sample.why, "the reason for another end belongs into special.json"
    assert outcome.visited
    assert not outcome.mishaps or outcome.declared, "it went well by way of a catcher"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
async def test_every_way_ends_as_the_definition_says(sample: Sample, store_url: str, tmp_path: Path) -> None:
    """Out of each Choice by each of its rules, and past each catcher of a Task: at an end, or in a Fail state."""
    excused = special()["samples"].get(sample.name, {}).get("faults", {})
    wrong = []
    for other in variants(sample):
        outcome = await run(other, store_url, tmp_path)
        (task,) = other.faults or ("",)
        if not (outcome.status == "SUCCEEDED" or outcome.declared) and task not in excused:
            wrong.append(f"{task}: {outcome.why}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(not SAMPLES, reason="the samples are not at hand")
def test_nothing_special_is_said_of_samples_that_are_not_there() -> None:
    assert set(special()["samples"]) <= {sample.name for sample in SAMPLES}


@pytest.mark.skipif(not SAMPLES, reason="the samples are not at hand")
def test_names_are_different() -> None:
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES)
