//! What this service tells the others: its events.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_postgres::events::NewEvent;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{RedemptionEnded, VoucherUsed};
use fealty_proto::types::v1::Amount;
use fealty_service::events::new_event;
use fealty_types::ProgramId;
use sqlx::PgConnection;

use crate::catalogue::domain::Price;
use crate::redemptions::domain::{Redemption, RedemptionStatus};
use crate::vouchers::domain::Voucher;

/// A price as events and answers carry it.
pub(crate) fn amount(price: &Price) -> Amount {
    Amount {
        unit_code: price.unit_code.to_string(),
        value: price.value.get(),
    }
}

/// A redemption came to its end.
pub(crate) fn redemption_ended(redemption: &Redemption, now: DateTime<Utc>) -> NewEvent {
    let payload = Payload::RedemptionEnded(RedemptionEnded {
        redemption_id: redemption.redemption_id.to_string(),
        reward_id: redemption.reward_id.to_string(),
        redeemed: redemption.status() == RedemptionStatus::Redeemed,
        price: redemption.terms.price.as_ref().map(amount),
    });
    let end_time = redemption.end_time.unwrap_or(now);
    new_event(redemption.member_id.as_uuid(), payload, end_time, now)
}

/// A voucher was used.
pub(crate) fn voucher_used(voucher: &Voucher, now: DateTime<Utc>) -> NewEvent {
    let payload = Payload::VoucherUsed(VoucherUsed {
        voucher_id: voucher.voucher_id.to_string(),
        reward_id: voucher.reward_id.to_string(),
    });
    new_event(voucher.member_id.as_uuid(), payload, now, now)
}

/// Writes an event in the transaction that makes it true: last of all, since it locks the member's place in the feed.
pub(crate) async fn append_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    event: &NewEvent,
) -> Result<(), StorageError> {
    fealty_postgres::events::append_in_tx(tx, program_id, std::slice::from_ref(event)).await
}
