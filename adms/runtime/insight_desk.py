"""Read only: what the service sees, decides and has recorded (`adms.ports.inward.InsightDesk`)."""

import asyncio
from collections.abc import AsyncIterator

from adms.core.estimate import Estimate, NotEstimated
from adms.core.journal import JournalEntry
from adms.grid.arrays import NetworkArrays
from adms.ports.outward import LiveStore
from adms.ports.records import RoundSummary, Status, Verification
from adms.runtime.journal import Journal, verify_file
from adms.runtime.round import Inlets, Round

PAGE = 500


class Insight:
    """Reads from the round and the journal."""

    def __init__(
        self,
        round_: Round,
        *,
        arrays: NetworkArrays,
        inlets: Inlets,
        journal: Journal,
        live: LiveStore,
        epoch: int,
        simulation: bool,
    ) -> None:
        self._round = round_
        self._arrays = arrays
        self._in = inlets
        self._journal = journal
        self._live = live
        self._epoch = epoch
        self._simulation = simulation
        self._verifying = asyncio.Lock()

    def status(self) -> Status:
        """The service at a glance."""
        modes = self._in.modes
        reason = f"{modes.reason}; {self._journal.problem}" if self._journal.problem else modes.reason
        return Status(
            mode=modes.mode,
            mode_reason=reason,
            emergency_stopped=modes.stopped,
            model_name=self._arrays.model.name,
            model_version=self._arrays.version,
            epoch=self._epoch,
            time=self._in.clock.now(),
            simulation=self._simulation,
            telemetry_sources=self._in.image.source_count,
            controllers=self._in.devices.controller_count,
            devices=self._in.devices.device_count,
            rounds=self._round.number,
            journal_entries=self._journal.size,
            live_store_problem=self._live.problem(),
        )

    def arrays(self) -> NetworkArrays:
        """The network that estimates refer to."""
        return self._arrays

    def estimate(self) -> Estimate | NotEstimated | None:
        """The newest picture; None before the first round."""
        return self._round.newest

    def rounds(self) -> AsyncIterator[tuple[RoundSummary, Estimate | None]]:
        """Every round as it ends."""
        return self._round.summaries.read()

    async def journal(self, *, from_index: int, follow: bool) -> AsyncIterator[JournalEntry]:
        """Entries from an index on, page by page, then those to come if asked."""
        # The file counts with 64 bits and a sign.
        from_index = min(from_index, 2**63 - 1)
        while True:
            page = self._journal.entries(from_index=from_index, limit=PAGE)
            for entry in page:
                yield entry
                from_index = entry.index + 1
            if len(page) == PAGE:
                continue
            if not follow:
                return
            await self._journal.grew.wait()

    async def verify(self) -> Verification:
        """Recomputes the hash chain, off the event loop and once at a time: it takes longer as the journal grows."""
        async with self._verifying:
            return await asyncio.to_thread(verify_file, self._journal.path)
