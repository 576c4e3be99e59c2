//! Calls the ledger service: units, owners, balances, transactions, rules, purchases.

use std::time::Duration;

use fealty_proto::access::v1::{ExportPersonalDataRequest, ExportPersonalDataResponse};
use fealty_proto::ledger::v1::points_outcome::Outcome as PointsOutcome;
use fealty_proto::ledger::v1::{
    ActivatePointsRequest, ActivatePointsResponse, BatchPostPointsRequest, BatchPostPointsResponse,
    CreateBudgetRequest, CreateBudgetResponse, DissolveHouseholdRequest, DissolveHouseholdResponse,
    GetBudgetRequest, GetBudgetResponse, GetSpendingRequest, GetSpendingResponse, ListBudgetsRequest,
    ListBudgetsResponse, SetSpendingLimitsRequest, SetSpendingLimitsResponse, UpdateBudgetRequest,
    UpdateBudgetResponse,
};
use fealty_proto::ledger::v1::{
    AdjustPointsRequest, AdjustPointsResponse, CaptureHoldRequest, CaptureHoldResponse,
    CreateEarningRuleRequest, CreateEarningRuleResponse, CreateUnitRequest, CreateUnitResponse,
    CreditPointsRequest, CreditPointsResponse, EndEarningRuleRequest, EndEarningRuleResponse,
    GetBalanceRequest, GetBalanceResponse, GetEarningRuleRequest, GetEarningRuleResponse, GetHoldRequest,
    GetHoldResponse, GetOwnerRequest, GetOwnerResponse, GetPurchaseRequest, GetPurchaseResponse,
    GetTransactionRequest, GetTransactionResponse, GetUnitRequest, GetUnitResponse, HoldPointsRequest,
    HoldPointsResponse, JoinHouseholdRequest, JoinHouseholdResponse, LeaveHouseholdRequest,
    LeaveHouseholdResponse, ListEarningRulesRequest, ListEarningRulesResponse, ListLotMovementsRequest,
    ListLotMovementsResponse, ListLotsRequest, ListLotsResponse, ListPurchasesRequest, ListPurchasesResponse,
    ListTransactionsRequest, ListTransactionsResponse, ListUnitsRequest, ListUnitsResponse,
    MergeOwnersRequest, MergeOwnersResponse, OpenOwnerRequest, OpenOwnerResponse, RecordPurchaseRequest,
    RecordPurchaseResponse, RefundPurchaseRequest, RefundPurchaseResponse, ReleaseHoldRequest,
    ReleaseHoldResponse, ReverseTransactionRequest, ReverseTransactionResponse, SetOwnerStatusRequest,
    SetOwnerStatusResponse, SpendPointsRequest, SpendPointsResponse, SummarizePurchasesRequest,
    SummarizePurchasesResponse, TransferPointsRequest, TransferPointsResponse, UpdateUnitRequest,
    UpdateUnitResponse,
};
use fealty_proto::ledger::v1::{Owner, OwnerBalance, Transaction};
use fealty_proto::types::v1::consistency::Requirement;
use fealty_proto::types::v1::{Consistency, ErrorReason};
use fealty_types::ProgramId;

use crate::caller::Caller;
use crate::method::{Shows, methods};
use crate::versions::Ask;
use crate::{Answer, CallError, ClientConfig, ConnectError};

const GET_BALANCE: &str = "/fealty.ledger.v1.BalanceService/GetBalance";

/// Calls the ledger service: units, owners, balances, transactions, rules, purchases. Cheap to clone; clones share connections, retry budget and the versions seen.
#[derive(Debug, Clone)]
pub struct LedgerClient {
    caller: Caller,
}

impl LedgerClient {
    /// Prepares a client. It connects with its first call.
    pub fn try_new(config: &ClientConfig) -> Result<Self, ConnectError> {
        Ok(Self {
            caller: Caller::try_new(config)?,
        })
    }

    /// The same client, speaking about a program: for keys that are bound to none.
    #[must_use]
    pub fn for_program(&self, program_id: ProgramId) -> Self {
        Self {
            caller: self.caller.for_program(program_id),
        }
    }

    /// The same client with another deadline: for callers who have only so much time left themselves.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self {
            caller: self.caller.within(deadline),
        }
    }

    /// The balances of the account that an owner uses, all of one version. A request that asks for no consistency gets at
    /// least the newest version that this client has seen of it, unless the ledger has been restored to an earlier state
    /// since.
    pub async fn get_balance(
        &self,
        request: GetBalanceRequest,
    ) -> Result<Answer<GetBalanceResponse>, CallError> {
        if request.consistency.is_some() {
            return self.get_balance_as_asked(request).await;
        }
        let owner_id = request.owner_id.clone();
        match self.caller.ask(&owner_id) {
            Ask::Anything => self.get_balance_as_asked(request).await,
            Ask::Strong(answers) => {
                let request = strongly(owner_id.clone());
                let answer: Answer<GetBalanceResponse> = self.caller.unary(GET_BALANCE, request).await?;
                self.caller
                    .settle(&owner_id, answers, answer.message.balance.as_ref());
                Ok(answer)
            }
            Ask::AtLeast { version, of } => {
                let request = GetBalanceRequest {
                    owner_id: owner_id.clone(),
                    consistency: Some(requires(Requirement::AtLeastVersion(version))),
                    version_owner_id: of,
                };
                match self.get_balance_as_asked(request).await {
                    Err(error) if error.reason == Some(ErrorReason::VersionAhead) => {
                        self.caller.forget_version(&owner_id);
                        self.get_balance_as_asked(strongly(owner_id)).await
                    }
                    answer => answer,
                }
            }
        }
    }

    async fn get_balance_as_asked(
        &self,
        request: GetBalanceRequest,
    ) -> Result<Answer<GetBalanceResponse>, CallError> {
        let owner_id = request.owner_id.clone();
        self.caller.unary_about(GET_BALANCE, request, &owner_id).await
    }

    methods! {
        /// Everything that the ledger keeps about a member, in pages.
        export_personal_data("/fealty.access.v1.PersonalDataService/ExportPersonalData"): read ExportPersonalDataRequest => ExportPersonalDataResponse;
        /// An owner's lots that have points left and have not ended: the soonest to end first, those without end last.
        list_lots("/fealty.ledger.v1.BalanceService/ListLots"): read ListLotsRequest => ListLotsResponse;
        /// Sets a budget up.
        create_budget("/fealty.ledger.v1.BudgetService/CreateBudget"): write CreateBudgetRequest => CreateBudgetResponse;
        /// One budget, with what is used of it.
        get_budget("/fealty.ledger.v1.BudgetService/GetBudget"): read GetBudgetRequest => GetBudgetResponse;
        /// Changes a budget. Points that it has paid for stay.
        update_budget("/fealty.ledger.v1.BudgetService/UpdateBudget"): read UpdateBudgetRequest => UpdateBudgetResponse;
        /// The program's budgets, by code.
        list_budgets("/fealty.ledger.v1.BudgetService/ListBudgets"): read ListBudgetsRequest => ListBudgetsResponse;
        /// Makes a rule. Rules of one unit must not overlap in time, so that no purchase is counted twice.
        create_earning_rule("/fealty.ledger.v1.EarningRuleService/CreateEarningRule"): write CreateEarningRuleRequest => CreateEarningRuleResponse;
        /// One rule.
        get_earning_rule("/fealty.ledger.v1.EarningRuleService/GetEarningRule"): read GetEarningRuleRequest => GetEarningRuleResponse;
        /// Ends a rule at a time that is not in the past, or brings its end forward. What was earned stays.
        end_earning_rule("/fealty.ledger.v1.EarningRuleService/EndEarningRule"): read EndEarningRuleRequest => EndEarningRuleResponse;
        /// All rules, newest first.
        list_earning_rules("/fealty.ledger.v1.EarningRuleService/ListEarningRules"): read ListEarningRulesRequest => ListEarningRulesResponse;
        /// Sets points aside: from the lots that end soonest, which the hold keeps a claim on.
        hold_points("/fealty.ledger.v1.HoldService/HoldPoints"): posting HoldPointsRequest => HoldPointsResponse;
        /// Spends what is held, or a part of it; the rest is the owner's again.
        capture_hold("/fealty.ledger.v1.HoldService/CaptureHold"): write CaptureHoldRequest => CaptureHoldResponse;
        /// Gives what is held back to the owner. Releasing a hold that was released, or that has ended by itself, changes
        /// nothing and answers how it ended.
        release_hold("/fealty.ledger.v1.HoldService/ReleaseHold"): write ReleaseHoldRequest => ReleaseHoldResponse;
        /// One hold.
        get_hold("/fealty.ledger.v1.HoldService/GetHold"): read GetHoldRequest => GetHoldResponse;
        /// Opens an owner. Opening the same id with the same kind again changes nothing and answers alike.
        open_owner("/fealty.ledger.v1.OwnerService/OpenOwner"): write OpenOwnerRequest => OpenOwnerResponse;
        /// One owner.
        get_owner("/fealty.ledger.v1.OwnerService/GetOwner"): read GetOwnerRequest => GetOwnerResponse;
        /// Says what an owner may do. It holds for every posting from the answer on.
        set_owner_status("/fealty.ledger.v1.OwnerService/SetOwnerStatus"): read SetOwnerStatusRequest => SetOwnerStatusResponse;
        /// Gives an owner the account of a household: what they have moves there, lots with their ends, and from then on
        /// they earn to it and spend from it. Joining the same household again changes nothing.
        join_household("/fealty.ledger.v1.OwnerService/JoinHousehold"): write JoinHouseholdRequest => JoinHouseholdResponse;
        /// Gives an owner an account of their own again. What is in the household's account stays there.
        leave_household("/fealty.ledger.v1.OwnerService/LeaveHousehold"): write LeaveHouseholdRequest => LeaveHouseholdResponse;
        /// Merges an owner into another: what the one has moves to the other, lots with their ends, in one commit. From
        /// then on whatever names the first means the second.
        merge_owners("/fealty.ledger.v1.OwnerService/MergeOwners"): write MergeOwnersRequest => MergeOwnersResponse;
        /// Says how many points an owner may spend of a household's account, per day and month.
        set_spending_limits("/fealty.ledger.v1.HouseholdService/SetSpendingLimits"): read SetSpendingLimitsRequest => SetSpendingLimitsResponse;
        /// The limits of an owner, and how much of them is used now.
        get_spending("/fealty.ledger.v1.HouseholdService/GetSpending"): read GetSpendingRequest => GetSpendingResponse;
        /// Ends a household: whoever used its account has one of their own again, and what it has goes to them.
        dissolve_household("/fealty.ledger.v1.HouseholdService/DissolveHousehold"): write DissolveHouseholdRequest => DissolveHouseholdResponse;
        /// Records a purchase and what it earns by the rules of the time when it happened.
        record_purchase("/fealty.ledger.v1.PurchaseService/RecordPurchase"): posting RecordPurchaseRequest => RecordPurchaseResponse;
        /// Records a refund and takes back what the refunded part earned. With a purchase: its exact share, never more than
        /// it earned. Without one: what such a purchase would have earned at the refund's time. What is spent already is
        /// owed or waived, as the unit says.
        refund_purchase("/fealty.ledger.v1.PurchaseService/RefundPurchase"): write RefundPurchaseRequest => RefundPurchaseResponse;
        /// One purchase, with what has been refunded of it.
        get_purchase("/fealty.ledger.v1.PurchaseService/GetPurchase"): read GetPurchaseRequest => GetPurchaseResponse;
        /// An owner's purchases, the latest recorded first.
        list_purchases("/fealty.ledger.v1.PurchaseService/ListPurchases"): read ListPurchasesRequest => ListPurchasesResponse;
        /// Counts and sums of everything that a source has sent: what to reconcile its books with.
        summarize_purchases("/fealty.ledger.v1.PurchaseService/SummarizePurchases"): read SummarizePurchasesRequest => SummarizePurchasesResponse;
        /// Gives points to an owner. Debt is paid off first.
        credit_points("/fealty.ledger.v1.TransactionService/CreditPoints"): posting CreditPointsRequest => CreditPointsResponse;
        /// Takes points from an owner: from the lots that end soonest, then from the oldest.
        spend_points("/fealty.ledger.v1.TransactionService/SpendPoints"): posting SpendPointsRequest => SpendPointsResponse;
        /// Lets points begin to count that a credit gave with a later beginning: all that still wait of it.
        activate_points("/fealty.ledger.v1.TransactionService/ActivatePoints"): write ActivatePointsRequest => ActivatePointsResponse;
        /// Corrects an owner's balance. What it gives pays off debt first; what it takes comes from the lots that end soonest.
        adjust_points("/fealty.ledger.v1.TransactionService/AdjustPoints"): posting AdjustPointsRequest => AdjustPointsResponse;
        /// Sends points from one owner to another, as the unit's rules allow: those that end soonest, with their ends.
        transfer_points("/fealty.ledger.v1.TransactionService/TransferPoints"): posting TransferPointsRequest => TransferPointsResponse;
        /// Up to 1,000 credits, spends and adjustments in one call, each with its own request id and its own outcome, or all or nothing.
        batch_post_points("/fealty.ledger.v1.TransactionService/BatchPostPoints"): read BatchPostPointsRequest => BatchPostPointsResponse;
        /// Takes back what a credit, a spend or a captured hold did, whole or in part.
        reverse_transaction("/fealty.ledger.v1.TransactionService/ReverseTransaction"): write ReverseTransactionRequest => ReverseTransactionResponse;
        /// One transaction.
        get_transaction("/fealty.ledger.v1.TransactionService/GetTransaction"): read GetTransactionRequest => GetTransactionResponse;
        /// An owner's statement: their transactions, newest first, with the balances after each.
        list_transactions("/fealty.ledger.v1.TransactionService/ListTransactions"): read ListTransactionsRequest => ListTransactionsResponse;
        /// A lot's life, from its first credit to its last use, oldest first.
        list_lot_movements("/fealty.ledger.v1.TransactionService/ListLotMovements"): read ListLotMovementsRequest => ListLotMovementsResponse;
        /// Defines a unit.
        create_unit("/fealty.ledger.v1.UnitService/CreateUnit"): write CreateUnitRequest => CreateUnitResponse;
        /// One unit.
        get_unit("/fealty.ledger.v1.UnitService/GetUnit"): read GetUnitRequest => GetUnitResponse;
        /// Changes a unit. Lots that exist keep their ends.
        update_unit("/fealty.ledger.v1.UnitService/UpdateUnit"): read UpdateUnitRequest => UpdateUnitResponse;
        /// The program's units, by code.
        list_units("/fealty.ledger.v1.UnitService/ListUnits"): read ListUnitsRequest => ListUnitsResponse;
    }
}

fn strongly(owner_id: String) -> GetBalanceRequest {
    GetBalanceRequest {
        owner_id,
        consistency: Some(requires(Requirement::Strong(true))),
        ..GetBalanceRequest::default()
    }
}

const fn requires(requirement: Requirement) -> Consistency {
    Consistency {
        requirement: Some(requirement),
    }
}

impl Shows for GetBalanceResponse {
    fn balance(&self) -> Option<&OwnerBalance> {
        self.balance.as_ref()
    }
}
impl Shows for ListLotsResponse {}
impl Shows for CreateBudgetResponse {}
impl Shows for GetBudgetResponse {}
impl Shows for UpdateBudgetResponse {}
impl Shows for ListBudgetsResponse {}
impl Shows for ActivatePointsResponse {
    fn balance(&self) -> Option<&OwnerBalance> {
        self.balance.as_ref()
    }
}
impl Shows for CreateEarningRuleResponse {}
impl Shows for GetEarningRuleResponse {}
impl Shows for EndEarningRuleResponse {}
impl Shows for ListEarningRulesResponse {}
impl Shows for HoldPointsResponse {
    fn balance(&self) -> Option<&OwnerBalance> {
        self.balance.as_ref()
    }
}
impl Shows for CaptureHoldResponse {
    fn balance(&self) -> Option<&OwnerBalance> {
        self.balance.as_ref()
    }
}
impl Shows for ReleaseHoldResponse {
    fn balance(&self) -> Option<&OwnerBalance> {
        self.balance.as_ref()
    }
}
impl Shows for GetHoldResponse {}
impl Shows for OpenOwnerResponse {}
impl Shows for GetOwnerResponse {}
impl Shows for SetOwnerStatusResponse {}
impl Shows for JoinHouseholdResponse {
    fn owners(&self) -> Vec<&Owner> {
        self.owner.iter().collect()
    }
}
impl Shows for LeaveHouseholdResponse {
    fn owners(&self) -> Vec<&Owner> {
        self.owner.iter().collect()
    }
}
impl Shows for MergeOwnersResponse {
    fn owners(&self) -> Vec<&Owner> {
        self.from_owner.iter().chain(&self.into_owner).collect()
    }
}
impl Shows for SetSpendingLimitsResponse {}
impl Shows for GetSpendingResponse {}
impl Shows for DissolveHouseholdResponse {
    fn owners(&self) -> Vec<&Owner> {
        self.household.iter().collect()
    }
}
impl Shows for RecordPurchaseResponse {
    fn balance(&self) -> Option<&OwnerBalance> {
        self.balance.as_ref()
    }
}
impl Shows for RefundPurchaseResponse {
    fn balance(&self) -> Option<&OwnerBalance> {
        self.balance.as_ref()
    }
}
impl Shows for GetPurchaseResponse {}
impl Shows for ListPurchasesResponse {}
impl Shows for SummarizePurchasesResponse {}
impl Shows for CreditPointsResponse {
    fn balance(&self) -> Option<&OwnerBalance> {
        self.balance.as_ref()
    }
}
impl Shows for SpendPointsResponse {
    fn balance(&self) -> Option<&OwnerBalance> {
        self.balance.as_ref()
    }
}
impl Shows for ReverseTransactionResponse {
    fn balance(&self) -> Option<&OwnerBalance> {
        self.balance.as_ref()
    }
}
impl Shows for AdjustPointsResponse {
    fn balance(&self) -> Option<&OwnerBalance> {
        self.balance.as_ref()
    }
}
impl Shows for TransferPointsResponse {
    fn balance(&self) -> Option<&OwnerBalance> {
        self.balance.as_ref()
    }
    fn transactions(&self) -> Vec<&Transaction> {
        self.received_transaction.iter().collect()
    }
}
impl Shows for ListLotMovementsResponse {}
impl Shows for BatchPostPointsResponse {
    fn balances(&self) -> Vec<&OwnerBalance> {
        let outcomes = self
            .outcomes
            .iter()
            .filter_map(|outcome| outcome.outcome.as_ref());
        outcomes
            .filter_map(|outcome| match outcome {
                PointsOutcome::Credit(credit) => credit.balance.as_ref(),
                PointsOutcome::Spend(spend) => spend.balance.as_ref(),
                PointsOutcome::Adjust(adjust) => adjust.balance.as_ref(),
                PointsOutcome::Error(_) => None,
            })
            .collect()
    }
}
impl Shows for GetTransactionResponse {}
impl Shows for ListTransactionsResponse {}
impl Shows for CreateUnitResponse {}
impl Shows for GetUnitResponse {}
impl Shows for UpdateUnitResponse {}
impl Shows for ListUnitsResponse {}
