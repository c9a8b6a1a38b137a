"""A small GlobalPlatform host: lists what the security domain holds, then stores groupings in an application.

Arguments: reader, T0 or T1, security domain, application, key, i, groupings. It does what other hosts were seen to do:
SELECT without Le, EXTERNAL AUTHENTICATE with Le, GET STATUS with a tag list, GET RESPONSE in the class of its command.
Exit codes: 3 wrong card cryptogram, 4 STORE DATA refused, 5 any other unexpected answer.
"""
import os
import sys

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from smartcard.CardConnection import CardConnection
from smartcard.System import readers

name, protocol, domain, application, key, i, *groupings = sys.argv[1:]
domain, application, key = (bytes.fromhex(text) for text in (domain, application, key))
groupings = [bytes.fromhex(text) for text in groupings]
T0 = protocol == "T0"
reader = next(reader for reader in readers() if str(reader) == name)
connection = reader.createConnection()
connection.connect(CardConnection.T0_protocol if T0 else CardConnection.T1_protocol)


def transmit(command):
    """Status word and data. On T=0 the answer is fetched in the class of the command."""
    data, sw1, sw2 = connection.transmit(list(command))
    answer = bytes(data)
    while sw1 == 0x61:
        data, sw1, sw2 = connection.transmit([command[0], 0xC0, 0, 0, sw2])
        answer += bytes(data)
    return sw1 << 8 | sw2, answer


def expect(what, answer, sw=0x9000):
    if answer[0] != sw:
        print(what, f"{answer[0]:04X} instead of {sw:04X}")
        sys.exit(5)
    return answer[1]


def tdes(value):
    return TripleDES(value * 3 if len(value) == 8 else value + value[:8])


def encrypt(cipher, mode, data):
    with_mode = Cipher(cipher, mode).encryptor()
    return with_mode.update(data) + with_mode.finalize()


def padded(data):
    data += b"\x80"
    return data + bytes(-len(data) % 8)


class Scp02:
    """i=15 and i=55, level 01."""

    def __init__(self, challenge, answer):
        self.sequence, card_challenge, cryptogram = answer[12:14], answer[14:20], answer[20:28]
        self.enc, self.mac_key = self.derive("0182"), self.derive("0101")
        self.cryptogram = self.full(self.sequence + card_challenge + challenge)
        self.fits = cryptogram == self.full(challenge + self.sequence + card_challenge)
        self.last = bytes(8)

    def derive(self, constant):
        return encrypt(tdes(key), modes.CBC(bytes(8)), bytes.fromhex(constant) + self.sequence + bytes(12))

    def full(self, data):
        return encrypt(tdes(self.enc), modes.CBC(bytes(8)), padded(data))[-8:]

    def mac(self, data):
        first = self.last
        if any(first) and int(i, 16) & 0x10:
            first = encrypt(tdes(self.mac_key[:8]), modes.ECB(), first)
        data = padded(data)
        if len(data) > 8:
            first = encrypt(tdes(self.mac_key[:8]), modes.CBC(first), data[:-8])[-8:]
        self.last = encrypt(tdes(self.mac_key), modes.CBC(first), data[-8:])
        return self.last


class Scp03:
    """S8, level 01."""

    def __init__(self, challenge, answer):
        card_challenge, cryptogram = answer[13:21], answer[21:29]
        context = challenge + card_challenge
        self.mac_key = self.derive(6, 128, context)
        self.cryptogram = self.derive(1, 64, context, self.mac_key)
        self.fits = cryptogram == self.derive(0, 64, context, self.mac_key)
        self.last = bytes(16)

    def derive(self, constant, bits, context, base=key):
        data = bytes(11) + bytes([constant, 0]) + bits.to_bytes(2, "big") + b"\x01" + context
        return self.cmac(base, data)[: bits // 8]

    @staticmethod
    def cmac(base, data):
        context = CMAC(AES(base))
        context.update(data)
        return context.finalize()

    def mac(self, data):
        self.last = self.cmac(self.mac_key, self.last + data)
        return self.last[:8]


def wrap(channel, command):
    """C-MAC over header and data; no Le yet."""
    head, data = bytes([command[0] | 4, *command[1:4]]), command[5:]
    head += bytes([len(data) + 8])
    return head + data + channel.mac(head + data)


def select(aid):
    expect("SELECT", transmit(bytes([0, 0xA4, 4, 0, len(aid)]) + aid))


def authenticate():
    challenge = os.urandom(8)
    le = b"" if T0 else b"\x00"
    answer = expect("INITIALIZE UPDATE", transmit(bytes([0x80, 0x50, 0, 0, 8]) + challenge + le))
    channel = {2: Scp02, 3: Scp03}[answer[11]](challenge, answer)
    if not channel.fits:
        print("refused: wrong card cryptogram")
        sys.exit(3)
    command = wrap(channel, bytes([0x80, 0x82, 1, 0, 8]) + channel.cryptogram)
    expect("EXTERNAL AUTHENTICATE", transmit(command + b"\x00"))
    return channel


def objects(data):
    """Objects of one BER-TLV level, with short lengths."""
    while data:
        size = 2 if data[0] & 0x1F == 0x1F else 1
        length = data[size]
        yield data[:size].hex().upper(), data[size + 1 : size + 1 + length]
        data = data[size + 1 + length :]


# All applications, and of each its AID (4F) and life cycle (9F70) only.
criteria = bytes.fromhex("4F005C034F9F70")
status = bytes([0x80, 0xF2, 0x40, 2, len(criteria)]) + criteria
le = b"" if T0 else b"\x00"
select(domain)
expect("GET STATUS before authentication", transmit(status + le), 0x6982)
channel = authenticate()
listed = expect("GET STATUS", transmit(wrap(channel, status) + le))
for tag, entry in objects(listed):
    print("listed", tag, *(f"{inner}={value.hex().upper()}" for inner, value in objects(entry)))

select(application)
channel = authenticate()
print("authenticated")
for number, grouping in enumerate(groupings):
    last = 0x80 if number + 1 == len(groupings) else 0
    sw, _ = transmit(wrap(channel, bytes([0x80, 0xE2, last, number, len(grouping)]) + grouping))
    if sw != 0x9000:
        print(f"store {sw:04X}")
        sys.exit(4)
print("stored")
