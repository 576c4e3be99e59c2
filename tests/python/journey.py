"""A partner's client: stubs generated from proto/ by grpcio-tools, nothing of the suite's own code.

Run by tests/journeys, which starts the suite and passes the addresses and a key:

    python3 journey.py --protos proto --members 127.0.0.1:7101 --ledger 127.0.0.1:7102 \\
        --rewards 127.0.0.1:7103 --surveys 127.0.0.1:7104 --key fealty_...

Prints one JSON line per step and exits non-zero at the first thing that is not as documented.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time
import uuid

import grpc
from grpc_tools import protoc


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--protos", required=True)
    parser.add_argument("--members", required=True)
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--rewards", required=True)
    parser.add_argument("--surveys", required=True)
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
    """One member from enrolment to a score."""

    def __init__(self, args):
        from fealty.ledger.v1 import balance_service_pb2_grpc as balance_grpc
        from fealty.ledger.v1 import earning_rule_service_pb2_grpc as rule_grpc
        from fealty.ledger.v1 import purchase_service_pb2_grpc as purchase_grpc
        from fealty.ledger.v1 import unit_service_pb2_grpc as unit_grpc
        from fealty.members.v1 import consent_service_pb2_grpc as consent_grpc
        from fealty.members.v1 import member_service_pb2_grpc as member_grpc
        from fealty.members.v1 import policy_service_pb2_grpc as policy_grpc
        from fealty.rewards.v1 import redemption_service_pb2_grpc as redemption_grpc
        from fealty.rewards.v1 import reward_service_pb2_grpc as reward_grpc
        from fealty.rewards.v1 import voucher_service_pb2_grpc as voucher_grpc
        from fealty.surveys.v1 import answer_service_pb2_grpc as answer_grpc
        from fealty.surveys.v1 import invitation_service_pb2_grpc as invitation_grpc
        from fealty.surveys.v1 import score_service_pb2_grpc as score_grpc
        from fealty.surveys.v1 import survey_service_pb2_grpc as survey_grpc

        self.metadata = (("authorization", f"Bearer {args.key}"),)
        members = grpc.insecure_channel(args.members)
        ledger = grpc.insecure_channel(args.ledger)
        self.members = member_grpc.MemberServiceStub(members)
        self.policies = policy_grpc.PolicyServiceStub(members)
        self.consents = consent_grpc.ConsentServiceStub(members)
        self.units = unit_grpc.UnitServiceStub(ledger)
        self.rules = rule_grpc.EarningRuleServiceStub(ledger)
        self.purchases = purchase_grpc.PurchaseServiceStub(ledger)
        self.balances = balance_grpc.BalanceServiceStub(ledger)
        rewards = grpc.insecure_channel(args.rewards)
        surveys = grpc.insecure_channel(args.surveys)
        self.rewards = reward_grpc.RewardServiceStub(rewards)
        self.redemptions = redemption_grpc.RedemptionServiceStub(rewards)
        self.vouchers = voucher_grpc.VoucherServiceStub(rewards)
        self.surveys = survey_grpc.SurveyServiceStub(surveys)
        self.invitations = invitation_grpc.InvitationServiceStub(surveys)
        self.answers = answer_grpc.AnswerServiceStub(surveys)
        self.scores = score_grpc.ScoreServiceStub(surveys)

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

    def offer_reward(self):
        from fealty.rewards.v1 import reward_service_pb2 as reward
        from fealty.type.v1 import money_pb2 as money

        created = self.call(
            self.rewards.CreateReward,
            reward.CreateRewardRequest(
                request_id=str(uuid.uuid4()),
                reward=reward.Reward(
                    display_name="A coffee",
                    price=money.Amount(unit_code="bonus", value=20),
                    status=reward.REWARD_STATUS_ACTIVE,
                    code_source=reward.CODE_SOURCE_GENERATED,
                    voucher_life_days=30,
                ),
                stock_count=1,
            ),
        )
        self.reward_id = created.reward.reward_id
        step("reward", reward_id=self.reward_id)

    def open_survey(self):
        from fealty.surveys.v1 import survey_service_pb2 as survey

        created = self.call(
            self.surveys.CreateSurvey,
            survey.CreateSurveyRequest(
                request_id=str(uuid.uuid4()),
                survey=survey.Survey(
                    display_name="After payment",
                    topic="after_payment",
                    purchase_trigger=survey.PurchaseTrigger(),
                    invitation_life_days=14,
                ),
            ),
        )
        self.survey_id = created.survey.survey_id
        self.call(
            self.surveys.PublishSurveyVersion,
            survey.PublishSurveyVersionRequest(
                request_id=str(uuid.uuid4()),
                survey_id=self.survey_id,
                version=survey.SurveyVersion(score_question="Would you recommend us?"),
            ),
        )
        step("survey", survey_id=self.survey_id)

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
                identifier.Identifier(email_address="ana@example.com"),
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

    def consent(self):
        """Ana may be asked how it was, by e-mail."""
        from fealty.members.v1 import consent_service_pb2 as consent
        from fealty.members.v1 import contact_service_pb2 as contact

        granted = self.call(
            self.consents.GrantConsent,
            consent.GrantConsentRequest(
                request_id=str(uuid.uuid4()),
                member_id=self.member_id,
                purposes=[consent.CONSENT_PURPOSE_SERVICE_QUALITY],
                channels=[contact.CONTACT_CHANNEL_EMAIL],
                scope=consent.CONSENT_SCOPE_GROUP,
                origin=consent.ConsentOrigin(giver=consent.CONSENT_GIVER_MEMBER, source="till 4"),
                policy_version=self.policy_version,
            ),
        )
        step("allowed", receipt_id=granted.receipt.receipt_id)

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

    def redeem(self):
        from fealty.rewards.v1 import redemption_service_pb2 as redemption

        request = redemption.RedeemRewardRequest(
            request_id=str(uuid.uuid4()), member_id=self.member_id, reward_id=self.reward_id
        )
        first = self.call(self.redemptions.RedeemReward, request)
        again = self.call(self.redemptions.RedeemReward, request)
        expect("a retried redemption", again.redemption.redemption_id, first.redemption.redemption_id)
        expect("its status", first.redemption.status, redemption.REDEMPTION_STATUS_REDEEMED)
        self.code = first.voucher.code
        step("redeemed", code=self.code)

        request.request_id = str(uuid.uuid4())
        code, reason = self.refused(self.redemptions.RedeemReward, request)
        expect("one more than there are points", code, grpc.StatusCode.FAILED_PRECONDITION)
        step("refused", reason=reason)

    def use_voucher(self):
        from fealty.rewards.v1 import voucher_service_pb2 as voucher

        def request(receipt):
            return voucher.UseVoucherRequest(
                request_id=str(uuid.uuid4()), code=self.code, source="till-4", receipt_id=receipt
            )

        used = self.call(self.vouchers.UseVoucher, request("000019"))
        expect("its status", used.voucher.status, voucher.VOUCHER_STATUS_USED)
        code, reason = self.refused(self.vouchers.UseVoucher, request("000020"))
        expect("a second use", (code, reason), (grpc.StatusCode.FAILED_PRECONDITION, "VOUCHER_USED"))
        step("voucher used")

    def answer(self):
        from fealty.surveys.v1 import answer_service_pb2 as answer
        from fealty.surveys.v1 import invitation_service_pb2 as invitation

        until = time.monotonic() + 30
        due = []
        while not due and time.monotonic() < until:
            listed = self.call(
                self.invitations.ListInvitations, invitation.ListInvitationsRequest(survey_id=self.survey_id)
            )
            due = [one for one in listed.invitations if one.status == invitation.INVITATION_STATUS_DUE]
            time.sleep(0.1)
        expect("invitations by the purchase", [one.member_id for one in due], [self.member_id])
        issued = self.call(
            self.invitations.IssueInvitationToken,
            invitation.IssueInvitationTokenRequest(invitation_id=due[0].invitation_id),
        )
        asked = self.call(self.answers.GetQuestionnaire, answer.GetQuestionnaireRequest(token=issued.token))
        expect("the question", asked.version.score_question, "Would you recommend us?")
        self.call(
            self.answers.SubmitAnswer,
            answer.SubmitAnswerRequest(request_id=str(uuid.uuid4()), token=issued.token, score=9),
        )
        step("answered", invitation_id=due[0].invitation_id)

    def read_score(self):
        from fealty.surveys.v1 import score_service_pb2 as score

        read = self.call(self.scores.GetScore, score.GetScoreRequest(survey_id=self.survey_id))
        expect("the score of one promoter", (read.score.promoter_count, read.score.score), (1, "100.0000"))
        step("score", score=read.score.score, low=read.score.interval.low, high=read.score.interval.high)


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as out:
        generate_stubs(args.protos, out)
        journey = Journey(args)
        journey.set_up_programme()
        journey.offer_reward()
        journey.open_survey()
        journey.enrol()
        journey.consent()
        journey.look_up()
        journey.buy()
        journey.refund()
        journey.read_balance()
        journey.redeem()
        journey.use_voucher()
        journey.answer()
        journey.read_score()
    step("done")


if __name__ == "__main__":
    main()
