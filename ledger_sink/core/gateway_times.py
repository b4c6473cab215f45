"""How far each gateway's time has come in *every* partition: what is known of it is complete."""

from __future__ import annotations

from ledger_sink.core.admission import CommitPlan


class GatewayTimes:
    """Follows commit plans; a gateway's time is that of the partition furthest behind."""

    def __init__(self, partitions: int) -> None:
        self._times: list[dict[str, int]] = [{} for _ in range(partitions)]

    def after(self, plan: CommitPlan) -> dict[str, int]:
        """Each gateway's time (us) once the plan is done; only those that all partitions know."""
        return _lowest(self._with(plan))

    def known(self) -> dict[str, int]:
        """Each gateway's time (us) now."""
        return _lowest(self._times)

    def committed(self, plan: CommitPlan) -> None:
        """The plan is done."""
        self._times = self._with(plan)

    def _with(self, plan: CommitPlan) -> list[dict[str, int]]:
        """The times with the plan's; time only moves forward."""
        result = [dict(times) for times in self._times]
        for step in plan.steps:
            times = result[step.commit.partition]
            for progress in step.commit.spools:
                known = times.get(progress.gateway, 0)
                times[progress.gateway] = max(known, progress.gateway_us)
        return result


def _lowest(partitions: list[dict[str, int]]) -> dict[str, int]:
    first, *others = partitions
    return {
        gateway: min([time, *(other[gateway] for other in others)])
        for gateway, time in first.items()
        if all(gateway in other for other in others)
    }
