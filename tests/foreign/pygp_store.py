"""Selects an application, opens a channel and stores groupings: reader, AID, key, i, level, groupings."""
import sys
import types

from smartcard import scard

# Its own binding is a Windows library; the names are those of pyscard's.
names = {name: value for name, value in vars(scard).items() if name.startswith("SC")}
shim = types.ModuleType("pygp.connection.pcsc")
shim.__dict__.update(names)
sys.modules["pygp.connection.pcsc"] = shim
import pygp

name, aid, key, i, level, *groupings = sys.argv[1:]
pygp.terminal(name)
pygp.card()
pygp.select(aid)
try:
    pygp.auth(key, key, key, scpi=i, keysetversion="01", securitylevel=int(level, 16))
except BaseException as error:
    print("refused", error)
    sys.exit(3)
print("authenticated")
for number, grouping in enumerate(groupings):
    last = "80" if number + 1 == len(groupings) else "00"
    try:
        pygp.send(f"80E2{last}{number:02X}{len(grouping) // 2:02X}{grouping}")
    except BaseException as error:
        print("store", pygp.last_status(), error)
        sys.exit(4)
print("stored")
