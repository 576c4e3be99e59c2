//! `ListLotMovements`.

use fealty_proto::ledger::v1 as pb;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::Violations;
use fealty_types::{LotId, OwnerId, ProgramId};

use super::presenter::present_kind;
use crate::transactions::domain::{LotLife, LotLifeOf, LotLifePosition, LotRecord};

const LIST_LOT_MOVEMENTS: &str = "/fealty.ledger.v1.TransactionService/ListLotMovements";

/// A page that is asked for.
pub(super) struct Page {
    pub(super) asked: LotLifeOf,
    page: PageRequest<LotLifePosition>,
}

pub(super) fn parse(program: ProgramId, message: &pb::ListLotMovementsRequest) -> Result<Page, ApiError> {
    let mut v = Violations::default();
    let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
    let lot_id = v.check("lot_id", fields::parse::<LotId>(&message.lot_id));
    let size = v.check("page_size", PageSize::parse(message.page_size));
    let (owner_id, lot_id, size) = v.finish_with(|| Some((owner_id?, lot_id?, size?)))?;
    let tokens = PageTokens::try_new(LIST_LOT_MOVEMENTS, Some(program), &(owner_id, lot_id))?;
    let page = PageRequest::<LotLifePosition>::try_new(tokens, size, &message.page_token)?;
    let asked = LotLifeOf {
        owner_id,
        lot_id,
        after: page.after(),
        count_max: page.count_max(),
    };
    Ok(Page { asked, page })
}

impl Page {
    pub(super) fn present(&self, read: LotLife) -> Result<pb::ListLotMovementsResponse, ApiError> {
        let (records, mut next_page_token) = self.page.cut(read.records, |last| LotLifePosition {
            owner_id: last.owner_id,
            version: last.version,
            value_left: last.value_left,
        })?;
        if let Some(looked_to) = read.looked_to.filter(|_| next_page_token.is_empty()) {
            next_page_token = self.page.token_after(&looked_to)?;
        }
        Ok(pb::ListLotMovementsResponse {
            movements: records.iter().map(present).collect(),
            next_page_token,
        })
    }
}

fn present(record: &LotRecord) -> pb::LotMovementRecord {
    pb::LotMovementRecord {
        transaction_id: record.transaction_id.to_string(),
        version: record.version.get(),
        kind: present_kind(record.kind).into(),
        value: record.value.get(),
        value_left: record.value_left.get(),
        expire_time: record.expire_time.map(timestamp),
        occur_time: Some(timestamp(record.occur_time)),
        record_time: Some(timestamp(record.record_time)),
    }
}
