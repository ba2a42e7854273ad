"""Figures for Prometheus."""

from prometheus_client.parser import text_string_to_metric_families

from spectrabridge.apps.server.metrics import Metrics
from spectrabridge.apps.server.sessions import Sessions
from spectrabridge.explorer.session.background import Job


def samples(metrics: Metrics) -> dict[str, float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        f"{s.name}{sorted(s.labels.values())}": s.value
        for family in families
        for s in family.samples
    }


def test_work_and_sessions_are_counted_and_nobody_is_named():
    sessions = Sessions("a bundle called maria")
    metrics = Metrics(sessions)
    try:
        Job(lambda v: v, lambda v, r: None, "map spectra").submit("2M19485057+5005279")
        sessions.arriving = 2
        metrics.sign_ins.labels("wrong").inc()
        found = samples(metrics)
        assert found["spectrabridge_work_seconds_count['map_spectra']"] == 1
        assert found["spectrabridge_sessions[]"] == 2
        assert found["spectrabridge_sign_ins_total['wrong']"] == 1
        assert "maria" not in metrics.text().decode()
        assert "2M19485057" not in metrics.text().decode()
    finally:
        metrics.close()
    Job(lambda v: v, lambda v, r: None, "map spectra").submit(1)
    assert samples(metrics)["spectrabridge_work_seconds_count['map_spectra']"] == 1
