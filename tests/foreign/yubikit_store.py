"""Selects an application, opens SCP03 at level 33 and stores groupings: reader, AID, key, groupings."""
import sys

from smartcard.System import readers
from ykman.pcsc import ScardSmartCardConnection
from yubikit.core.smartcard import ApduError, SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, StaticKeys

name, aid, key, *groupings = sys.argv[1:]
key = bytes.fromhex(key)
reader = next(reader for reader in readers() if str(reader) == name)
protocol = SmartCardProtocol(ScardSmartCardConnection(reader.createConnection()))
protocol.select(bytes.fromhex(aid))
try:
    protocol.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, 1), StaticKeys(key, key, key)))
except ValueError as error:
    print("refused", error)
    sys.exit(3)
print("authenticated")
for number, grouping in enumerate(groupings):
    last = 0x80 if number + 1 == len(groupings) else 0
    try:
        protocol.send_apdu(0x80, 0xE2, last, number, bytes.fromhex(grouping))
    except ApduError as error:
        print(f"store {error.sw:04X}")
        sys.exit(4)
print("stored")
