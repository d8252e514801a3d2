"""`ingest_interactions`: the listening log -> interactions, rejected_rows."""

from musai.inputs.counts import check_share, counted
from musai.interactions import spark as interactions
from musai.steps import Night

JOB = "ingest_interactions"


def run(night: Night) -> None:
    record = night.run.record
    keep = (night.warehouse.storage, night.run.run_id) if night.config.ingest.incremental else None
    found = interactions.ingest(night.session, night.config, record.date, night.now, record.inputs, keep)
    night.write(found.interactions, "interactions", JOB)
    used = night.run.read(night.session, "interactions").selectExpr("coalesce(sum(events), 0) as used").first()
    counts = found.counts(used["used"] if used else None)
    night.rows_read, night.rejected = counts["read"], counts["rejected"]
    night.write(found.rejected(), "rejected_rows", JOB, {"counts": counts})
    if found.aliases is not None:
        night.write(found.aliases, "aliases", JOB)
    found.release()  # who reads the same path later in this session must not be given what is kept here
    night.note(counted(counts))
    check_share("interactions", counts, night.config.ingest.max_rejected_share, night.reasons_of("interactions"))
