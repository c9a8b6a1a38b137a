"""Lists readers, resets the card in the named one and exchanges one command; prints what it saw."""
import sys

from smartcard.CardConnection import CardConnection
from smartcard.System import readers
from smartcard.scard import SCARD_RESET_CARD

name = sys.argv[1]
found = [reader for reader in readers() if str(reader) == name]
print("listed", len(found))
connection = found[0].createConnection()
connection.connect(CardConnection.T1_protocol)
first = bytes(connection.getATR()).hex().upper()
connection.disconnect()
connection.connect(CardConnection.T1_protocol, disposition=SCARD_RESET_CARD)
connection.reconnect(CardConnection.T1_protocol, disposition=SCARD_RESET_CARD)
print("reset", first, bytes(connection.getATR()).hex().upper())
data, sw1, sw2 = connection.transmit(list(bytes.fromhex(sys.argv[2])))
print("answer", (bytes(data) + bytes([sw1, sw2])).hex().upper())
