"""What an import must report, computed from the file alone.

Shares no code with the suite: plain Python over the CSV, so that the import's reconciliation can be held against it.
Prints JSON.

    python3 tests/python/expected_sums.py orders.csv --rate 0.01 --shortfall debt

With --from and --before (UTC, such as 2010-03-28T01:00:00) the counts and sums of what happened between them are added:
they tell whether local times were read by the clocks of their zone.
"""

import argparse
import csv
import json
from collections import defaultdict
from datetime import datetime, timezone
from decimal import ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo


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
    parser.add_argument("--time-zone", default="Europe/London", help="of times that carry no offset")
    parser.add_argument("--from", dest="from_time", help="UTC, inclusive")
    parser.add_argument("--before", dest="before_time", help="UTC, exclusive")
    return parser.parse_args()


class Account:
    """One customer's points."""

    def __init__(self):
        self.available = 0
        self.debt = 0
        self.version = 0

    def earn(self, points):
        """Credits points; debt is paid off first. Returns what went into debt."""
        self.version += 1
        repaid = min(self.debt, points)
        self.debt -= repaid
        self.available += points - repaid
        return repaid

    def take_back(self, points, shortfall, debt_max):
        """Takes points back. Returns (from available, as debt, waived)."""
        self.version += 1
        available = min(self.available, points)
        self.available -= available
        rest = points - available
        debt = min(rest, max(0, debt_max - self.debt)) if shortfall == "debt" else 0
        self.debt += debt
        return available, debt, rest - debt


class Window:
    """The rows between two instants."""

    def __init__(self, args):
        self.zone = ZoneInfo(args.time_zone)
        self.asked = bool(args.from_time or args.before_time)
        self.first = self.instant(args.from_time, timezone.utc) if args.from_time else None
        self.end = self.instant(args.before_time, timezone.utc) if args.before_time else None

    @staticmethod
    def instant(text, zone):
        """Of an hour that the clocks run through twice the first is meant: that is what fold 0 says."""
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(timezone.utc)

    def has(self, text):
        time = self.instant(text, self.zone)
        return (self.first is None or time >= self.first) and (self.end is None or time < self.end)


def points_of(minor, rate):
    """Points that an amount earns: a hundred minor units to the unit of currency, fractions dropped."""
    return int((Decimal(minor) * rate / 100).to_integral_value(ROUND_FLOOR))


def main():
    args = arguments()
    with open(args.file, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    sums = defaultdict(int)
    rejected, anonymous_odd = [], []
    accounts = defaultdict(Account)
    window = Window(args)

    # In the order of the file: it is the order in which a customer's orders of one minute were made.
    for line, row in enumerate(rows, start=2):
        minor = int(row[args.amount_minor])
        cancelled = row[args.cancellation] == "1"
        odd = (cancelled and minor >= 0) or (not cancelled and minor < 0)
        sums["read_count"] += 1
        sums["read_minor"] += minor
        customer = row[args.customer]
        if not customer:
            sums["anonymous_count"] += 1
            sums["anonymous_minor"] += minor
            if odd:
                anonymous_odd.append(line)
            continue
        if odd:
            rejected.append(line)
            sums["rejected_minor"] += minor
            continue
        account = accounts[customer]
        points = points_of(abs(minor), args.rate)
        within = window.asked and window.has(row[args.time])
        if cancelled:
            available, debt, waived = account.take_back(points, args.shortfall, args.debt_max)
            sums["refund_count"] += 1
            sums["refund_minor"] -= minor
            sums["taken_from_available"] += available
            sums["taken_as_debt"] += debt
            sums["waived"] += waived
            sums["shortfall_count"] += available < points
            sums["window_refund_count"] += within
            sums["window_refund_minor"] -= minor if within else 0
        else:
            sums["purchase_count"] += 1
            sums["purchase_minor"] += minor
            sums["earned"] += points
            sums["debt_repaid"] += account.earn(points)
            sums["window_purchase_count"] += within
            sums["window_purchase_minor"] += minor if within else 0

    sums["customer_count"] = len(accounts)
    sums["available"] = sum(account.available for account in accounts.values())
    sums["debt"] = sum(account.debt for account in accounts.values())
    customers = {name: vars(account) for name, account in accounts.items()}
    report = {**sums, "rejected_lines": rejected, "anonymous_odd_lines": anonymous_odd, "customers": customers}
    print(json.dumps(report, indent=2, sort_keys=True))


if __name__ == "__main__":
    main()
