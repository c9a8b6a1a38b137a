"""Reads an application as a terminal does, and prints its data elements as JSON: reader, AID (or none: the first of the PSE)."""
import json
import sys

from emv.card import Card
from emv.protocol.data import Tag
from emv.protocol.structures import TLV
from smartcard.System import readers

name, *aid = sys.argv[1:]
card = Card(next(reader for reader in readers() if str(reader) == name).createConnection())
seen = {}


def note(tlv):
    for tag, value in tlv.items():
        for value in value if isinstance(value, list) and value and isinstance(value[0], TLV) else [value]:
            if isinstance(value, TLV):
                note(value)
            elif isinstance(value, (list, bytes, bytearray)):
                seen[bytes(tag.id).hex().upper()] = bytes(value).hex().upper()


wanted = list(bytes.fromhex(aid[0])) if aid else card.list_applications()[0][Tag.ADF_NAME]
note(card.select_application(wanted).data)
options = card.get_processing_options()
seen["82"] = bytes(options["AIP"]).hex().upper()
seen["94"] = bytes(options["AFL"]).hex().upper()
note(card.get_application_data(options["AFL"]))
print(json.dumps(seen))
