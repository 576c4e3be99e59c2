"""What an import must report, computed from the file alone.

Shares no code with the suite: plain Python over the CSV, one pass per customer, so that the import's reconciliation
can be held against it. Prints JSON.

    python3 tests/python/expected_sums.py orders.csv --rate 0.01 --shortfall debt
"""

import argparse
import csv
import json
from collections import defaultdict
from decimal import ROUND_FLOOR, Decimal


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--rate", type=Decimal, default=Decimal("0.01"), help="points for one unit of currency")
    parser.add_argument("--shortfall", choices=["debt", "waive"], default="debt")
    parser.add_argument("--debt-max", type=int, default=10**12)
    parser.add_argument("--receipt", default="invoice")
    parser.add_argument("--customer", default="customer_id")
    parser.add_argument("--time", default="date")
    parser.add_argument("--amount-minor", default="amount_pence")
    parser.add_argument("--cancellation", default="is_cancellation")
    return parser.parse_args()


class Account:
    """One customer's points."""

    def __init__(self):
        self.available = 0
        self.debt = 0

    def earn(self, points):
        """Credits points; debt is paid off first. Returns what went into debt."""
        repaid = min(self.debt, points)
        self.debt -= repaid
        self.available += points - repaid
        return repaid

    def take_back(self, points, shortfall, debt_max):
        """Takes points back. Returns (from available, as debt, waived)."""
        available = min(self.available, points)
        self.available -= available
        rest = points - available
        debt = min(rest, max(0, debt_max - self.debt)) if shortfall == "debt" else 0
        self.debt += debt
        return available, debt, rest - debt


def points_of(minor, rate):
    """Points that an amount earns: a hundred minor units to the unit of currency, fractions dropped."""
    return int((Decimal(minor) * rate / 100).to_integral_value(ROUND_FLOOR))


def main():
    args = arguments()
    with open(args.file, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    sums = defaultdict(int)
    rejected = []
    accounts = defaultdict(Account)
    # The file is in the order of time; a stable sort by customer and time must keep that order within a minute.
    for line, row in enumerate(rows, start=2):
        row["line"] = line
    rows.sort(key=lambda row: row[args.time])

    for row in rows:
        minor = int(row[args.amount_minor])
        cancelled = row[args.cancellation] == "1"
        sums["read_count"] += 1
        sums["read_minor"] += minor
        customer = row[args.customer]
        if not customer:
            sums["anonymous_count"] += 1
            sums["anonymous_minor"] += minor
            continue
        if (cancelled and minor >= 0) or (not cancelled and minor < 0):
            rejected.append(row["line"])
            sums["rejected_minor"] += minor
            continue
        account = accounts[customer]
        points = points_of(abs(minor), args.rate)
        if cancelled:
            available, debt, waived = account.take_back(points, args.shortfall, args.debt_max)
            sums["refund_count"] += 1
            sums["refund_minor"] -= minor
            sums["taken_from_available"] += available
            sums["taken_as_debt"] += debt
            sums["waived"] += waived
            sums["shortfall_count"] += available < points
        else:
            sums["purchase_count"] += 1
            sums["purchase_minor"] += minor
            sums["earned"] += points
            sums["debt_repaid"] += account.earn(points)

    sums["customer_count"] = len(accounts)
    sums["available"] = sum(account.available for account in accounts.values())
    sums["debt"] = sum(account.debt for account in accounts.values())
    print(json.dumps({**sums, "rejected_lines": sorted(rejected)}, indent=2, sort_keys=True))


if __name__ == "__main__":
    main()
