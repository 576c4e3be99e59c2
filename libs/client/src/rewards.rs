//! Calls the rewards service: the catalogue, redemptions, vouchers.

use std::time::Duration;

use fealty_proto::access::v1::{ExportPersonalDataRequest, ExportPersonalDataResponse};
use fealty_proto::rewards::v1::{
    AddCodesRequest, AddCodesResponse, AdjustStockRequest, AdjustStockResponse, CreateRewardRequest,
    CreateRewardResponse, GetRedemptionRequest, GetRedemptionResponse, GetRewardRequest, GetRewardResponse,
    ListRedemptionsRequest, ListRedemptionsResponse, ListRewardsRequest, ListRewardsResponse,
    ListVouchersRequest, ListVouchersResponse, LookupVoucherRequest, LookupVoucherResponse,
    QuoteRedemptionRequest, QuoteRedemptionResponse, RedeemRewardRequest, RedeemRewardResponse,
    UpdateRewardRequest, UpdateRewardResponse, UseVoucherRequest, UseVoucherResponse,
};
use fealty_types::ProgramId;

use crate::caller::Caller;
use crate::method::{Shows, methods};
use crate::{Answer, CallError, ClientConfig, ConnectError};

/// Calls the rewards service: the catalogue, redemptions, vouchers. Cheap to clone; clones share connections and retry
/// budget.
#[derive(Debug, Clone)]
pub struct RewardsClient {
    caller: Caller,
}

impl RewardsClient {
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

    methods! {
        /// Everything that rewards keeps about a member, in pages.
        export_personal_data("/fealty.access.v1.PersonalDataService/ExportPersonalData"): read ExportPersonalDataRequest => ExportPersonalDataResponse;
        /// Adds a reward.
        create_reward("/fealty.rewards.v1.RewardService/CreateReward"): write CreateRewardRequest => CreateRewardResponse;
        /// One reward.
        get_reward("/fealty.rewards.v1.RewardService/GetReward"): read GetRewardRequest => GetRewardResponse;
        /// Changes a reward. Redemptions that have begun keep the terms that they began with.
        update_reward("/fealty.rewards.v1.RewardService/UpdateReward"): read UpdateRewardRequest => UpdateRewardResponse;
        /// Rewards in the order in which they were added.
        list_rewards("/fealty.rewards.v1.RewardService/ListRewards"): read ListRewardsRequest => ListRewardsResponse;
        /// Adds to the stock of a reward, or takes from it.
        adjust_stock("/fealty.rewards.v1.RewardService/AdjustStock"): write AdjustStockRequest => AdjustStockResponse;
        /// Adds codes to the pool of a reward whose codes are brought by its program. All or none.
        add_codes("/fealty.rewards.v1.RewardService/AddCodes"): write AddCodesRequest => AddCodesResponse;
        /// What redeeming would cost this member now, or why it is not possible. Nothing is set aside.
        quote_redemption("/fealty.rewards.v1.RedemptionService/QuoteRedemption"): read QuoteRedemptionRequest => QuoteRedemptionResponse;
        /// Redeems a reward, and answers when it has come to its end.
        redeem_reward("/fealty.rewards.v1.RedemptionService/RedeemReward"): write RedeemRewardRequest => RedeemRewardResponse;
        /// One redemption.
        get_redemption("/fealty.rewards.v1.RedemptionService/GetRedemption"): read GetRedemptionRequest => GetRedemptionResponse;
        /// A member's redemptions, newest first.
        list_redemptions("/fealty.rewards.v1.RedemptionService/ListRedemptions"): read ListRedemptionsRequest => ListRedemptionsResponse;
        /// Finds a voucher by its code: what a till does first.
        lookup_voucher("/fealty.rewards.v1.VoucherService/LookupVoucher"): read LookupVoucherRequest => LookupVoucherResponse;
        /// Uses a voucher, once. The same receipt using it again is answered as the first time.
        use_voucher("/fealty.rewards.v1.VoucherService/UseVoucher"): write UseVoucherRequest => UseVoucherResponse;
        /// A member's vouchers, newest first.
        list_vouchers("/fealty.rewards.v1.VoucherService/ListVouchers"): read ListVouchersRequest => ListVouchersResponse;
    }
}

impl Shows for CreateRewardResponse {}
impl Shows for GetRewardResponse {}
impl Shows for UpdateRewardResponse {}
impl Shows for ListRewardsResponse {}
impl Shows for AdjustStockResponse {}
impl Shows for AddCodesResponse {}
impl Shows for QuoteRedemptionResponse {}
impl Shows for RedeemRewardResponse {}
impl Shows for GetRedemptionResponse {}
impl Shows for ListRedemptionsResponse {}
impl Shows for LookupVoucherResponse {}
impl Shows for UseVoucherResponse {}
impl Shows for ListVouchersResponse {}
