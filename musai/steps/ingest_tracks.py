"""`ingest_tracks`: the catalogue -> tracks, rejected_rows. Without inputs.tracks there is nothing to do."""

from musai.catalogue import spark as catalogue
from musai.inputs.counts import check_share, counted
from musai.steps import Night

JOB = "ingest_tracks"


def run(night: Night) -> None:
    aliases = night.read("aliases") if night.has("aliases") else None
    found = catalogue.ingest(night.session, night.config, night.run.record.inputs, aliases)
    if found is None:
        night.note("inputs.tracks names no catalogue: lists that need one are left out")
        return
    counts = found.counts(night.write(found.tracks, "tracks", JOB)["rows"])
    night.rows_read, night.rejected = counts["read"], counts["rejected"]
    night.write(found.rejected(), "rejected_rows", JOB, {"counts": counts})
    found.release()  # who reads the same path later in this session must not be given what is kept here
    night.note(counted(counts))
    check_share("tracks", counts, night.config.ingest.max_rejected_share, night.reasons_of("tracks"))
