"""The work of strangers.rs, done by Py-GP or yubikit: strangers.py pygp|yubikit READER SCP TIMES GROUPING...

Prints a line `seconds N` for each time; finding the reader and loading the modules does not count.
"""

import sys
import time

AID = "A0000009990101"
KEY = "404142434445464748494A4B4C4D4E4F"


def yubikit(reader, _scp):
    from smartcard.System import readers
    from ykman.pcsc import ScardSmartCardConnection
    from yubikit.core.smartcard import SmartCardProtocol
    from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, StaticKeys

    found = next(it for it in readers() if str(it) == reader)
    protocol = SmartCardProtocol(ScardSmartCardConnection(found.createConnection()))
    key = bytes.fromhex(KEY)
    params = Scp03KeyParams(ref=KeyRef(1, 1), keys=StaticKeys(key, key, key))

    def work(groupings):
        protocol.select(bytes.fromhex(AID))
        protocol.init_scp(params)
        for number, grouping in enumerate(groupings):
            # Refused: raises.
            protocol.send_apdu(0x80, 0xE2, 0x00, number, bytes.fromhex(grouping))

    return work


def pygp(reader, scp):
    import types

    from smartcard import scard

    # Its own binding is one for Windows.
    binding = types.ModuleType("pygp.connection.pcsc")
    for name in dir(scard):
        if name.startswith(("SCARD", "SCard")):
            setattr(binding, name, getattr(scard, name))
    sys.modules["pygp.connection.pcsc"] = binding
    import pygp
    import pygp.pygp as host

    pygp.set_log_mode(0)
    pygp.stop_on_error(True)
    pygp.change_protocol("T1")
    pygp.terminal(reader)
    pygp.atr()

    def work(groupings):
        # Forgets the last channel, which it would wrap SELECT for.
        host.gp.clear_securityInfo()
        pygp.select(AID)
        pygp.auth(KEY, KEY, KEY, scp=scp, scpi="55" if scp == "02" else "00", keysetversion="01", securitylevel=3)
        for number, grouping in enumerate(groupings):
            pygp.send("80E200%02X%02X%s" % (number, len(grouping) // 2, grouping), exsw="9000")
            if pygp.last_status() != "9000":
                raise SystemExit("STORE DATA: " + pygp.last_status())

    return work


def main():
    name, reader, scp, times, *groupings = sys.argv[1:]
    work = {"yubikit": yubikit, "pygp": pygp}[name](reader, scp)
    for _ in range(int(times)):
        began = time.perf_counter()
        work(groupings)
        print("seconds %.6f" % (time.perf_counter() - began))


main()
