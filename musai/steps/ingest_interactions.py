"""`ingest_interactions`: the listening log -> interactions, rejected_rows."""

from musai.days.folders import PASSING
from musai.inputs.counts import check_share, counted
from musai.interactions import spark as interactions
from musai.steps import Night

JOB, TABLE = "ingest_interactions", "interactions"


def run(night: Night) -> None:
    record, storage = night.run.record, night.warehouse.storage
    keep = (storage, night.run.run_id) if night.config.ingest.incremental else None
    passing = (storage, night.run.passing(PASSING))
    found = interactions.ingest(night.session, night.config, record.date, night.now, record.inputs, keep, passing)
    night.adopt(found.stored(night.run.staging(TABLE)[TABLE]), TABLE, JOB)
    used = night.run.read(night.session, TABLE).selectExpr("coalesce(sum(events), 0) as used").first()
    counts = found.counts(used["used"] if used else None)
    night.rows_read, night.rejected = counts["read"], counts["rejected"]
    if counts["rejected"] or counts["rejected_files"] or found.aliases is not None:
        night.write(found.rejected(), "rejected_rows", JOB, {"counts": counts})
    else:
        night.write_rows([], "rejected_rows", JOB, {"counts": counts})
    if found.aliases is not None:
        night.write(found.aliases, "aliases", JOB)
    found.release()
    night.note(counted(counts))
    check_share("interactions", counts, night.config.ingest.max_rejected_share, night.reasons_of("interactions"))
