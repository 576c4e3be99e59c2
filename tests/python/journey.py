"""A partner's client: stubs generated from proto/ by grpcio-tools, nothing of the suite's own code.

Run by tests/journeys, which starts the suite and passes the addresses and a key:

    python3 journey.py --protos proto --members 127.0.0.1:7101 --ledger 127.0.0.1:7102 --key fealty_...

Prints one JSON line per step and exits non-zero at the first thing that is not as documented.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import uuid

import grpc
from grpc_tools import protoc


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--protos", required=True)
    parser.add_argument("--members", required=True)
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--key", required=True)
    return parser.parse_args()


def generate_stubs(protos, out):
    """What a partner does with the .proto files, and puts the result on the path."""
    files = [str(path) for path in sorted(pathlib.Path(protos).rglob("*.proto"))]
    well_known = str(pathlib.Path(protoc.__file__).parent / "_proto")
    code = protoc.main(
        ["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}", *files]
    )
    if code != 0:
        raise SystemExit("protoc refused the protos")
    sys.path.insert(0, out)


def step(name, **facts):
    print(json.dumps({"step": name, **facts}), flush=True)


def expect(what, actual, expected):
    if actual != expected:
        raise SystemExit(f"{what}: expected {expected!r}, got {actual!r}")


class Journey:
    """One member from enrolment to a refund."""

    def __init__(self, args):
        from fealty.ledger.v1 import balance_service_pb2_grpc as balance_grpc
        from fealty.ledger.v1 import earning_rule_service_pb2_grpc as rule_grpc
        from fealty.ledger.v1 import purchase_service_pb2_grpc as purchase_grpc
        from fealty.ledger.v1 import unit_service_pb2_grpc as unit_grpc
        from fealty.members.v1 import member_service_pb2_grpc as member_grpc
        from fealty.members.v1 import policy_service_pb2_grpc as policy_grpc

        self.metadata = (("authorization", f"Bearer {args.key}"),)
        members = grpc.insecure_channel(args.members)
        ledger = grpc.insecure_channel(args.ledger)
        self.members = member_grpc.MemberServiceStub(members)
        self.policies = policy_grpc.PolicyServiceStub(members)
        self.units = unit_grpc.UnitServiceStub(ledger)
        self.rules = rule_grpc.EarningRuleServiceStub(ledger)
        self.purchases = purchase_grpc.PurchaseServiceStub(ledger)
        self.balances = balance_grpc.BalanceServiceStub(ledger)

    def call(self, method, request):
        return method(request, metadata=self.metadata, timeout=20)

    def refused(self, method, request):
        """Calls what must be refused; gives the code and the ErrorInfo's reason."""
        from google.rpc import error_details_pb2, status_pb2

        try:
            self.call(method, request)
        except grpc.RpcError as error:
            details = dict(error.trailing_metadata())["grpc-status-details-bin"]
            for detail in status_pb2.Status.FromString(details).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return error.code(), info.reason
            return error.code(), None
        raise SystemExit("a call that must be refused was taken")

    def set_up_programme(self):
        from fealty.ledger.v1 import earning_rule_service_pb2 as rule
        from fealty.ledger.v1 import unit_service_pb2 as unit
        from fealty.members.v1 import policy_service_pb2 as policy

        published = self.call(
            self.policies.PublishPolicy,
            policy.PublishPolicyRequest(
                request_id=str(uuid.uuid4()),
                policy=policy.Policy(title="Terms", text="Points are worth a penny each."),
            ),
        )
        self.policy_version = published.policy.version
        self.call(
            self.units.CreateUnit,
            unit.CreateUnitRequest(
                request_id=str(uuid.uuid4()),
                unit=unit.Unit(
                    unit_code="bonus",
                    display_name="Bonuses",
                    shortfall_policy=unit.SHORTFALL_POLICY_DEBT,
                    debt_max=1_000_000,
                ),
            ),
        )
        self.call(
            self.rules.CreateEarningRule,
            rule.CreateEarningRuleRequest(
                request_id=str(uuid.uuid4()),
                earning_rule=rule.EarningRule(
                    display_name="One per cent back",
                    unit_code="bonus",
                    cashback=rule.Cashback(rate="0.01", rounding=rule.ROUNDING_DOWN),
                ),
            ),
        )
        step("programme", policy_version=self.policy_version)

    def enrol(self):
        from fealty.members.v1 import identifier_pb2 as identifier
        from fealty.members.v1 import member_service_pb2 as member

        self.card = "4000 0012 3456 7899"
        request = member.EnrolMemberRequest(
            request_id=str(uuid.uuid4()),
            profile=member.Profile(given_name="Ana", family_name="Petrova"),
            identifiers=[
                identifier.Identifier(card_number=self.card),
                identifier.Identifier(external_id="shop-17"),
            ],
            policy_acceptance=member.PolicyAcceptance(policy_version=self.policy_version, channel="till 4"),
        )
        first = self.call(self.members.EnrolMember, request)
        again = self.call(self.members.EnrolMember, request)
        expect("a retried enrolment", again.member.member_id, first.member.member_id)
        self.member_id = first.member.member_id
        step("enrolled", member_id=self.member_id)

        request.request_id = str(uuid.uuid4())
        request.policy_acceptance.policy_version = 0
        code, reason = self.refused(self.members.EnrolMember, request)
        expect("enrolment without consent", (code, reason), (grpc.StatusCode.FAILED_PRECONDITION, "CONSENT_REQUIRED"))

    def look_up(self):
        from fealty.members.v1 import identifier_pb2 as identifier
        from fealty.members.v1 import member_service_pb2 as member

        found = self.call(
            self.members.LookupMember,
            member.LookupMemberRequest(identifier=identifier.Identifier(card_number=self.card.replace(" ", ""))),
        )
        expect("the member found by card", found.member.member_id, self.member_id)
        step("looked up", display_name=found.member.profile.display_name)

    def buy(self):
        from fealty.ledger.v1 import purchase_service_pb2 as purchase
        from fealty.type.v1 import money_pb2 as money

        request = purchase.RecordPurchaseRequest(
            request_id=str(uuid.uuid4()),
            owner_id=self.member_id,
            source="till-4",
            receipt_id="000017",
            money=money.Money(currency_code="GBP", amount_minor=500_000),
        )
        first = self.call(self.purchases.RecordPurchase, request)
        again = self.call(self.purchases.RecordPurchase, request)
        expect(
            "a retried purchase", again.SerializeToString(deterministic=True), first.SerializeToString(deterministic=True)
        )
        expect("points for 5,000.00 at 1 %", first.balance.balances[0].available, 50)
        self.purchase_id = first.purchase.purchase_id
        step("bought", purchase_id=self.purchase_id, available=50)

        request.request_id = str(uuid.uuid4())
        code, reason = self.refused(self.purchases.RecordPurchase, request)
        expect("the same receipt again", (code, reason), (grpc.StatusCode.ALREADY_EXISTS, "RECEIPT_ALREADY_USED"))

    def refund(self):
        from fealty.ledger.v1 import purchase_service_pb2 as purchase
        from fealty.type.v1 import money_pb2 as money

        refunded = self.call(
            self.purchases.RefundPurchase,
            purchase.RefundPurchaseRequest(
                request_id=str(uuid.uuid4()),
                purchase_id=self.purchase_id,
                source="till-4",
                receipt_id="000018",
                money=money.Money(currency_code="GBP", amount_minor=200_000),
            ),
        )
        expect("points taken back for 2,000.00", refunded.taken_back[0].from_available, 20)
        self.version = refunded.balance.version
        step("refunded", taken_back=20)

    def read_balance(self):
        from fealty.ledger.v1 import balance_service_pb2 as balance
        from fealty.type.v1 import consistency_pb2 as consistency

        for name, wanted in {
            "at least": consistency.Consistency(at_least_version=self.version),
            "strong": consistency.Consistency(strong=True),
        }.items():
            read = self.call(
                self.balances.GetBalance,
                balance.GetBalanceRequest(owner_id=self.member_id, consistency=wanted),
            )
            expect(f"the balance, {name}", read.balance.balances[0].available, 30)
        step("balance", available=30, version=self.version)


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as out:
        generate_stubs(args.protos, out)
        journey = Journey(args)
        journey.set_up_programme()
        journey.enrol()
        journey.look_up()
        journey.buy()
        journey.refund()
        journey.read_balance()
    step("done")


if __name__ == "__main__":
    main()
