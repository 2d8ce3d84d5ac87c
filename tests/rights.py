"""Lets a test of file rights say something when root runs it, who may write anything.

To become another user would not do: that user cannot read code in a private folder, which is
where a clean clone often lies.
"""

import ctypes
import os

_VERSION_3 = 0x20080522  # of linux/capability.h: sets of 64 bits, in two rows


def as_owner_only() -> None:
    """This process keeps its user and lets every capability go (Linux, capset(2)).

    Raises:
        OSError: The kernel refused.
    """
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    if libc.capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), "capset")
