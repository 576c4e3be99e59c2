//! `BalanceService`: parse, call, present.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::balance_service_server::BalanceService;
use fealty_proto::types::v1 as pb_type;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::Violations;
use fealty_service::call::serve;
use fealty_types::{OwnerId, UnitCode, Version};
use tonic::{Request, Response, Status};

use super::domain::{Consistency, LotPosition, LotsOf, OwnerBalance, UnitBalance, UnitLot};
use super::{AtLeast, Balances};

const LIST_LOTS: &str = "/fealty.ledger.v1.BalanceService/ListLots";

#[tonic::async_trait]
impl BalanceService for Balances {
    async fn get_balance(
        &self,
        request: Request<pb::GetBalanceRequest>,
    ) -> Result<Response<pb::GetBalanceResponse>, Status> {
        serve(request, async |caller, message| {
            let (owner_id, consistency) = parse_get(&message)?;
            let balance = self.get(caller.program_id()?, owner_id, consistency).await?;
            Ok(pb::GetBalanceResponse {
                balance: Some(present(&balance)),
            })
        })
        .await
    }

    async fn list_lots(
        &self,
        request: Request<pb::ListLotsRequest>,
    ) -> Result<Response<pb::ListLotsResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let mut v = Violations::default();
            let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
            let unit_code = v.check("unit_code", fields::optional::<UnitCode>(&message.unit_code));
            let size = v.check("page_size", PageSize::parse(message.page_size));
            let (owner_id, unit_code, size) = v.finish_with(|| Some((owner_id?, unit_code?, size?)))?;
            let tokens = PageTokens::try_new(
                LIST_LOTS,
                Some(program),
                &(owner_id, &unit_code, message.include_emptied),
            )?;
            let page = PageRequest::<LotPosition>::try_new(tokens, size, &message.page_token)?;
            let asked = LotsOf {
                owner_id,
                unit_code,
                after: page.after(),
                count_max: page.count_max(),
            };
            let read = if message.include_emptied {
                self.list_all_lots(program, &asked).await?
            } else {
                self.list_lots(program, &asked).await?
            };
            let (mut lots, next_page_token) = page.cut(read, |last| LotPosition::from(&last.lot))?;
            lots.retain(|lot| asked.unit_code.as_ref().is_none_or(|unit| lot.unit_code == *unit));
            Ok(pb::ListLotsResponse {
                lots: lots.iter().map(present_lot).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse_get(message: &pb::GetBalanceRequest) -> Result<(OwnerId, Consistency), ApiError> {
    let mut v = Violations::default();
    let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
    let of = v.check(
        "version_owner_id",
        fields::optional::<OwnerId>(&message.version_owner_id),
    );
    let consistency = v.within("consistency", |v| {
        parse_consistency(v, message.consistency.as_ref(), of.flatten())
    });
    if !message.version_owner_id.is_empty() && !matches!(consistency, None | Some(Consistency::AtLeast(_))) {
        v.add("version_owner_id", "must be empty where no version is asked for");
    }
    v.finish_with(|| Some((owner_id?, consistency?)))
}

fn parse_consistency(
    v: &mut Violations,
    message: Option<&pb_type::Consistency>,
    of: Option<OwnerId>,
) -> Option<Consistency> {
    match message.and_then(|message| message.requirement) {
        None | Some(Requirement::Eventual(true)) => Some(Consistency::Eventual),
        Some(Requirement::Strong(true)) => Some(Consistency::Strong),
        Some(Requirement::AtLeastVersion(version)) => v
            .check("at_least_version", Version::try_new(version))
            .map(|version| Consistency::AtLeast(AtLeast { version, of })),
        Some(Requirement::Eventual(false)) => {
            v.add("eventual", "must be true where it is set");
            None
        }
        Some(Requirement::Strong(false)) => {
            v.add("strong", "must be true where it is set");
            None
        }
    }
}

/// Balances as messages carry them.
#[must_use]
pub fn present(balance: &OwnerBalance) -> pb::OwnerBalance {
    pb::OwnerBalance {
        owner_id: balance.owner_id.to_string(),
        version: balance.version.get(),
        balances: balance.balances.iter().map(present_unit).collect(),
    }
}

fn present_unit(balance: &UnitBalance) -> pb::UnitBalance {
    pb::UnitBalance {
        unit_code: balance.unit_code.to_string(),
        available: balance.available.get(),
        debt: balance.debt.get(),
        next_expire_time: balance.next_end.map(|(end, _)| timestamp(end)),
        next_expire_value: balance.next_end.map_or(0, |(_, value)| value.get()),
        held: balance.held.get(),
        pending: balance.pending.get(),
        next_begin_time: balance.next_begin.map(|(begin, _)| timestamp(begin)),
        next_begin_value: balance.next_begin.map_or(0, |(_, value)| value.get()),
    }
}

fn present_lot(UnitLot { unit_code, lot }: &UnitLot) -> pb::Lot {
    pb::Lot {
        lot_id: lot.lot_id.to_string(),
        unit_code: unit_code.to_string(),
        value_left: lot.value_left.get(),
        value_credited: lot.value_credited.get(),
        expire_time: lot.expire_time.map(timestamp),
        create_time: Some(timestamp(lot.create_time)),
        moves_with_activity: lot.slides,
        budget_code: lot
            .budget_code
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        pending: lot.wait.is_some(),
        begin_time: lot.begin_time().map(timestamp),
    }
}
