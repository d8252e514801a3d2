"""`publish`: moves the pointers to the audited run, then removes what nothing names any more."""

from musai.errors import AuditRefused
from musai.steps import Night

JOB = "publish"


def check_audit(night: Night) -> None:
    """Raise AuditRefused with every check that did not hold."""
    failed = night.run.read(night.session, "audit_results").where("not passed").orderBy("check").collect()
    if failed:
        night.warehouse.set_state(night.run.run_id, "refused")
        raise AuditRefused("; ".join(f"{row['check']}: {row['message']}" for row in failed))


def run(night: Night) -> None:
    """The log row of this job is written and sealed before the pointer moves: what is published never changes."""
    check_audit(night)
    report = night.read("report_files").where("path like '%.html'").select("path").first()
    night.seal_log(JOB)
    night.warehouse.publish(night.run, report=report["path"] if report else None)
    removed = night.warehouse.expire(night.now)
    night.note(f"{night.run.run_id} is published" + (f"; {len(removed)} expired folders removed" if removed else ""))
