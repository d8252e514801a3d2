"""`publish` on the tiny night: the pointers name this run."""

import json
import pathlib


def test_both_pointers_name_the_run(night):
    warehouse = pathlib.Path(night.config.warehouse.path)
    pointer = json.loads((warehouse / "_published.json").read_text())
    assert pointer["run_id"] == night.outcome.run.run_id
    assert json.loads((warehouse / "_runs" / f"{pointer['run_date']}.json").read_text()) == pointer
    assert pointer["format"] == 1
    for table, entry in pointer["tables"].items():
        assert (warehouse / entry["path"]).is_dir(), table
    assert pointer["tables"]["job_log"]["path"] == "job_log"


def test_the_log_of_jobs_is_whole_and_sealed(night):
    log = night.table("job_log")
    assert set(log["job"]) == set(night.outcome.seconds)
    assert (log["status"] == "done").all()
    assert night.outcome.run.manifest("job_log")["rows"] == len(log)
