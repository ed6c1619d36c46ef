"""Flag octets of DNP3 points (IEEE 1815-2012 clause 11.6) as the service's qualities."""

from adms.client import Quality

ONLINE = 0x01
RESTART = 0x02
COMM_LOST = 0x04
REMOTE_FORCED = 0x08
LOCAL_FORCED = 0x10
OVER_RANGE = 0x20
"""Of an analog; of a binary the same bit says that it chatters."""
REFERENCE_ERR = 0x40
"""Of an analog."""


def quality_of(flags: int, *, analog: bool) -> Quality:
    """The worst that the flags say: INVALID where nothing measures it (not on line, or not since the device started)
    or it is out of range; STALE where contact with the source is lost; SUSPECT where somebody set it by hand, its
    reference is off or it chatters."""
    if flags & COMM_LOST:
        return Quality.STALE
    if flags & RESTART or not flags & ONLINE or (analog and flags & OVER_RANGE):
        return Quality.INVALID
    doubtful = REMOTE_FORCED | LOCAL_FORCED | (REFERENCE_ERR if analog else OVER_RANGE)
    return Quality.SUSPECT if flags & doubtful else Quality.GOOD
