"""Recomputes the hash chains of a ledger out of its rows, by services/ledger/CHAIN.md alone.

Reads lines of JSON from a file, each the row of a transaction as Postgres tells it (to_jsonb), by program, owner and
version. Prints, per owner, where the chain stands: program, owner, head. Ends with 1 at the first row whose hash is another.
"""

import hashlib
import json
import re
import sys
import uuid
from datetime import datetime, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Up to six digits of a second, as Postgres and the ledger write them.
TIME = re.compile(r"([^.+Z]*)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)")

# What is only there, with its name, where it is set.
NAMED = ["counterpart_transaction_id", "counterpart_owner_id", "reversed_transaction_id", "hold_id"]


def value(content):
    if content is None:
        return b"\xff\xff\xff\xff"
    return len(content).to_bytes(4, "big") + content


def text(it):
    return value(None if it is None else it.encode())


def number(it):
    return value(None if it is None else it.to_bytes(8, "big", signed=True))


def ident(it):
    return value(None if it is None else uuid.UUID(it).bytes)


def time(it):
    if it is None:
        return value(None)
    whole, fraction, zone = TIME.fullmatch(it).groups()
    since = datetime.fromisoformat(whole + zone.replace("Z", "+00:00")) - EPOCH
    micros = int((fraction or "").ljust(6, "0"))
    return number((since.days * 86400 + since.seconds) * 1_000_000 + micros)


def octets(it):
    return None if it is None else bytes.fromhex(it.removeprefix("\\x"))


def root(program, owner_id):
    return hashlib.sha256(text("fealty.ledger.chain.v1") + ident(program) + ident(owner_id)).digest()


def budget(it):
    return text("budget") + text(it["budget"]) if "budget" in it else b""


def begin(moved):
    if "begin" not in moved:
        return b""
    return text("begin") + time(None if moved["begin"] == "call" else moved["begin"])


def form(row):
    answer = octets(row["answer"])
    entries = [
        text(entry["account"]) + text(entry["unit"]) + number(entry["value"]) + number(entry.get("balance"))
        + budget(entry)
        for entry in row["entries"]
    ]
    movements = [
        ident(moved["lot"]) + text(moved["unit"]) + number(moved["value"]) + time(moved.get("end"))
        + (number(1) if moved.get("slides") else b"")
        + budget(moved)
        + begin(moved)
        for moved in row["lot_movements"]
    ]
    return b"".join(
        [
            text("fealty.ledger.transaction.v1"),
            ident(row["program"]),
            ident(row["owner_id"]),
            number(row["version"]),
            ident(row["transaction_id"]),
            text(row["kind"]),
            ident(row["request_id"]),
            value(octets(row["command_hash"])),
            value(None if answer is None else hashlib.sha256(answer).digest()),
            text(row["source"]),
            text(row["receipt_id"]),
            ident(row["purchase_id"]),
            number(row["money_minor"]),
            text(row["currency_code"]),
            text(row["actor"]),
            text(row["reason"]),
            ident(row["on_behalf_of"]),
            time(row["occur_time"]),
            time(row["record_time"]),
            value(b"".join(map(value, entries))),
            value(b"".join(map(value, movements))),
            *(text(name) + ident(row[name]) for name in NAMED if row[name] is not None),
        ]
    )


def main():
    heads = {}
    with open(sys.argv[1], encoding="utf-8") as rows:
        lines = rows.readlines()
    for row in map(json.loads, lines):
        owner = (row["program"], row["owner_id"])
        head = heads.get(owner) or root(*owner)
        heads[owner] = hashlib.sha256(head + form(row)).digest()
        if heads[owner] != octets(row["chain_hash"]):
            print(f"{owner} version {row['version']}: {heads[owner].hex()} expected", file=sys.stderr)
            return 1
    for (program, owner_id), head in heads.items():
        print(program, owner_id, head.hex())
    return 0


if __name__ == "__main__":
    sys.exit(main())
