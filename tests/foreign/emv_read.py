"""Reads an application as a terminal does, and prints its data elements as JSON: reader, AID (or none: the first of the PSE)."""
import json
import sys

from emv.card import Card
from emv.protocol.command import GetProcessingOptions
from emv.protocol.data import Tag
from emv.protocol.structures import AUC, DOL, TLV, CVMList
from smartcard.System import readers

name, *aid = sys.argv[1:]
card = Card(next(reader for reader in readers() if str(reader) == name).createConnection())
seen = {}


def name_of(tag):
    return bytes([tag.id] if isinstance(tag.id, int) else tag.id)


def note(tlv):
    for tag, value in tlv.items():
        for value in value if isinstance(value, list) and value and isinstance(value[0], TLV) else [value]:
            if isinstance(value, TLV):
                note(value)
            elif isinstance(value, DOL):
                seen[name_of(tag).hex().upper()] = b"".join(name_of(item) + bytes([size]) for item, size in value).hex().upper()
            elif isinstance(value, CVMList):
                # Amounts X and Y, then the rules; it keeps what it has parsed, and words only in print.
                parsed = value.x.to_bytes(4, "big") + value.y.to_bytes(4, "big")
                seen["8E"] = (parsed + b"".join(bytes([rule.b1, rule.b2]) for rule in value.rules)).hex().upper()
            elif isinstance(value, AUC):
                seen["9F07"] = bytes([value.b1, value.b2]).hex().upper()
            elif isinstance(value, (list, bytes, bytearray)):
                seen[name_of(tag).hex().upper()] = bytes(value).hex().upper()


wanted = list(bytes.fromhex(aid[0])) if aid else card.list_applications()[0][Tag.ADF_NAME]
control = card.select_application(wanted).data
note(control)
# It sends no terminal data by itself; here zeros for all that the card asks for.
asked = control[Tag.FCI][Tag.FCI_PROP].get(Tag((0x9F, 0x38)))
size = asked.size() if asked else 0
answer = card.tp.exchange(GetProcessingOptions([0x83, size] + [0] * size)).data
if Tag.RMTF1 in answer:
    seen["82"] = bytes(answer[Tag.RMTF1][:2]).hex().upper()
    seen["94"] = bytes(answer[Tag.RMTF1][2:]).hex().upper()
else:
    note(answer)
note(card.get_application_data(list(bytes.fromhex(seen["94"]))))
print(json.dumps(seen))
