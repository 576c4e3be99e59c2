//! `fealty.rewards.v1.VoucherService`.

use std::mem;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::rewards::v1 as pb;
use fealty_proto::rewards::v1::voucher_service_server::VoucherService;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_service::call::{serve, serve_making};
use fealty_types::{MemberId, ProgramId, SharedClock, VoucherId};
use tonic::{Request, Response, Status};

use super::Vouchers;
use super::domain::{CodeKeys, Till, Voucher, VoucherStatus};

const USE: &str = "/fealty.rewards.v1.VoucherService/UseVoucher";
const LIST: &str = "/fealty.rewards.v1.VoucherService/ListVouchers";

/// Longest name of a system, in characters.
const SOURCE_LENGTH_MAX: usize = 100;

/// Longest number of a receipt, in characters.
const RECEIPT_ID_LENGTH_MAX: usize = 100;

/// Where a list goes on: after the voucher that was issued then, with that id.
type ListCursor = (DateTime<Utc>, VoucherId);

/// The rpcs of vouchers.
#[derive(Debug, Clone)]
pub struct VoucherGrpc {
    vouchers: Vouchers,
    clock: SharedClock,
}

impl VoucherGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(vouchers: Vouchers, clock: SharedClock) -> Self {
        Self { vouchers, clock }
    }
}

#[tonic::async_trait]
impl VoucherService for VoucherGrpc {
    async fn lookup_voucher(
        &self,
        request: Request<pb::LookupVoucherRequest>,
    ) -> Result<Response<pb::LookupVoucherResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let keys = v.check("code", code_keys(&message.code));
            let keys = v.finish_with(|| keys)?;
            let voucher = self.vouchers.lookup(caller.program_id()?, &keys).await?;
            Ok(pb::LookupVoucherResponse {
                voucher: Some(present(&voucher, self.clock.now())),
            })
        })
        .await
    }

    async fn use_voucher(
        &self,
        request: Request<pb::UseVoucherRequest>,
    ) -> Result<Response<pb::UseVoucherResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, keys, at) = parse_use(program_id, message)?;
            let used = self.vouchers.use_once(program_id, &attempt, &keys, &at).await?;
            let now = self.clock.now();
            Ok(used.map(|voucher| pb::UseVoucherResponse {
                voucher: Some(present(&voucher, now)),
            }))
        })
        .await
    }

    async fn list_vouchers(
        &self,
        request: Request<pb::ListVouchersRequest>,
    ) -> Result<Response<pb::ListVouchersResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let mut v = Violations::default();
            let member_id = v.check("member_id", fields::parse::<MemberId>(&message.member_id));
            let size = v.check("page_size", PageSize::parse(message.page_size));
            let (member_id, size) = v.finish_with(|| Some((member_id?, size?)))?;
            let tokens = PageTokens::try_new(LIST, Some(program_id), &member_id)?;
            let page = PageRequest::<ListCursor>::try_new(tokens, size, &message.page_token)?;
            let vouchers = self
                .vouchers
                .list(program_id, member_id, page.after(), page.count_max())
                .await?;
            let (vouchers, next_page_token) = page.cut(vouchers, |one| (one.create_time, one.voucher_id))?;
            let now = self.clock.now();
            Ok(pb::ListVouchersResponse {
                vouchers: vouchers.iter().map(|voucher| present(voucher, now)).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn code_keys(text: &str) -> Result<CodeKeys, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::required());
    }
    Ok(CodeKeys::of(text)?)
}

fn parse_use(
    program_id: ProgramId,
    mut message: pb::UseVoucherRequest,
) -> Result<(Attempt, CodeKeys, Till), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(USE, &message);
    let keys = v.check("code", code_keys(&message.code));
    let source = v.check("source", fields::text(&message.source, 1..=SOURCE_LENGTH_MAX));
    let receipt_id = v.check(
        "receipt_id",
        fields::text(&message.receipt_id, 0..=RECEIPT_ID_LENGTH_MAX),
    );
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, USE, command_hash);
        let at = Till {
            source: source?,
            receipt_id: receipt_id?,
        };
        Some((attempt, keys?, at))
    })
}

/// A voucher as it is at that time.
pub(crate) fn present(voucher: &Voucher, now: DateTime<Utc>) -> pb::Voucher {
    let used = voucher.used.as_ref();
    pb::Voucher {
        voucher_id: voucher.voucher_id.to_string(),
        member_id: voucher.member_id.to_string(),
        reward_id: voucher.reward_id.to_string(),
        code: voucher.code.clone(),
        status: match voucher.status(now) {
            VoucherStatus::Good => pb::VoucherStatus::Good,
            VoucherStatus::Used => pb::VoucherStatus::Used,
            VoucherStatus::Expired => pb::VoucherStatus::Expired,
        }
        .into(),
        expire_time: voucher.expire_time.map(timestamp),
        use_time: used.map(|used| timestamp(used.time)),
        use_source: used.map(|used| used.at.source.clone()).unwrap_or_default(),
        use_receipt_id: used.map(|used| used.at.receipt_id.clone()).unwrap_or_default(),
        create_time: Some(timestamp(voucher.create_time)),
        redemption_id: voucher.redemption_id.to_string(),
    }
}
