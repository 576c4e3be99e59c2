//! What an owner has as few bytes. Nobody but the process that wrote them reads them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fealty_types::{Points, UnitCode};
use prost::Message;
use uuid::Uuid;

use crate::posting::domain::{Account, Begin, Hold, HoldStatus, Lot, Pin, Wait};

pub(super) fn encode(accounts: &BTreeMap<UnitCode, Account>) -> Vec<u8> {
    let form = AccountForms {
        accounts: accounts.iter().map(AccountForm::from).collect(),
    };
    form.encode_to_vec()
}

/// `None` for what this process cannot have written.
pub(super) fn decode(bytes: &[u8]) -> Option<BTreeMap<UnitCode, Account>> {
    let form = AccountForms::decode(bytes).ok()?;
    let accounts: Result<_, Unreadable> = form.accounts.into_iter().map(AccountForm::account).collect();
    accounts.ok()
}

/// This process cannot have written it.
struct Unreadable;

#[derive(Clone, PartialEq, Message)]
struct AccountForms {
    #[prost(message, repeated, tag = "1")]
    accounts: Vec<AccountForm>,
}

#[derive(Clone, PartialEq, Message)]
struct AccountForm {
    #[prost(string, tag = "1")]
    unit_code: String,
    #[prost(int64, tag = "2")]
    available: i64,
    #[prost(int64, tag = "3")]
    held: i64,
    #[prost(int64, tag = "4")]
    debt: i64,
    #[prost(int64, tag = "5")]
    pending: i64,
    /// Those that wait among them.
    #[prost(message, repeated, tag = "6")]
    lots: Vec<LotForm>,
    #[prost(message, repeated, tag = "7")]
    holds: Vec<HoldForm>,
    #[prost(int64, optional, tag = "8")]
    sliding_end: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct IdForm {
    #[prost(fixed64, tag = "1")]
    high: u64,
    #[prost(fixed64, tag = "2")]
    low: u64,
}

#[derive(Clone, PartialEq, Message)]
struct LotForm {
    #[prost(message, required, tag = "1")]
    lot_id: IdForm,
    #[prost(int64, tag = "2")]
    value_left: i64,
    #[prost(int64, tag = "3")]
    value_held: i64,
    #[prost(int64, tag = "4")]
    value_credited: i64,
    #[prost(int64, optional, tag = "5")]
    expire_time: Option<i64>,
    #[prost(bool, tag = "6")]
    slides: bool,
    #[prost(int64, tag = "7")]
    create_time: i64,
    #[prost(string, optional, tag = "8")]
    budget_code: Option<String>,
    /// Of one that waits.
    #[prost(message, optional, tag = "9")]
    credited_by: Option<IdForm>,
    /// Of one that waits for a time.
    #[prost(int64, optional, tag = "10")]
    begin_time: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct HoldForm {
    #[prost(message, required, tag = "1")]
    hold_id: IdForm,
    #[prost(int64, tag = "2")]
    value: i64,
    #[prost(int64, tag = "3")]
    captured: i64,
    #[prost(string, tag = "4")]
    status: String,
    #[prost(int64, tag = "5")]
    expire_time: i64,
    #[prost(int64, tag = "6")]
    create_time: i64,
    #[prost(string, tag = "7")]
    source: String,
    #[prost(message, repeated, tag = "8")]
    pins: Vec<PinForm>,
    #[prost(message, optional, tag = "9")]
    on_behalf_of: Option<IdForm>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct PinForm {
    #[prost(message, required, tag = "1")]
    lot_id: IdForm,
    #[prost(int64, tag = "2")]
    value: i64,
    #[prost(int64, tag = "3")]
    captured: i64,
}

impl From<(&UnitCode, &Account)> for AccountForm {
    fn from((unit_code, account): (&UnitCode, &Account)) -> Self {
        // Named one by one: a field that is new must not be forgotten.
        let Account {
            available,
            held,
            debt,
            pending,
            lots,
            pending_lots,
            holds,
            sliding_end,
        } = account;
        Self {
            unit_code: unit_code.to_string(),
            available: available.get(),
            held: held.get(),
            debt: debt.get(),
            pending: pending.get(),
            lots: lots.iter().chain(pending_lots).map(LotForm::from).collect(),
            holds: holds.iter().map(HoldForm::from).collect(),
            sliding_end: sliding_end.as_ref().map(DateTime::timestamp_micros),
        }
    }
}

impl AccountForm {
    fn account(self) -> Result<(UnitCode, Account), Unreadable> {
        let unit_code: UnitCode = read(self.unit_code)?;
        let hold = |hold: HoldForm| hold.hold(&unit_code);
        let mut account = Account {
            available: Points::new(self.available),
            held: Points::new(self.held),
            debt: Points::new(self.debt),
            pending: Points::new(self.pending),
            lots: Vec::with_capacity(self.lots.len()),
            pending_lots: Vec::new(),
            holds: self.holds.into_iter().map(hold).collect::<Result<_, _>>()?,
            sliding_end: self.sliding_end.map(time).transpose()?,
        };
        for lot in self.lots {
            account.keep(lot.lot()?);
        }
        Ok((unit_code, account))
    }
}

impl From<&Lot> for LotForm {
    fn from(lot: &Lot) -> Self {
        let Lot {
            lot_id,
            value_left,
            value_held,
            value_credited,
            expire_time,
            slides,
            create_time,
            budget_code,
            wait,
        } = lot;
        Self {
            lot_id: lot_id.as_uuid().into(),
            value_left: value_left.get(),
            value_held: value_held.get(),
            value_credited: value_credited.get(),
            expire_time: expire_time.as_ref().map(DateTime::timestamp_micros),
            slides: *slides,
            create_time: create_time.timestamp_micros(),
            budget_code: budget_code.as_ref().map(ToString::to_string),
            credited_by: wait.map(|wait| wait.credited_by.as_uuid().into()),
            begin_time: wait.and_then(|wait| Some(wait.begin.time()?.timestamp_micros())),
        }
    }
}

impl LotForm {
    fn lot(self) -> Result<Lot, Unreadable> {
        let begin = self
            .begin_time
            .map(time)
            .transpose()?
            .map_or(Begin::OnCall, Begin::At);
        let wait = |credited_by| Wait { begin, credited_by };
        let credited_by = self.credited_by.map(|id| read(id.uuid())).transpose()?;
        Ok(Lot {
            lot_id: read(self.lot_id.uuid())?,
            value_left: Points::new(self.value_left),
            value_held: Points::new(self.value_held),
            value_credited: Points::new(self.value_credited),
            expire_time: self.expire_time.map(time).transpose()?,
            slides: self.slides,
            create_time: time(self.create_time)?,
            budget_code: self.budget_code.map(read).transpose()?,
            wait: credited_by.map(wait),
        })
    }
}

impl From<&Hold> for HoldForm {
    fn from(hold: &Hold) -> Self {
        let Hold {
            hold_id,
            unit_code: _of_the_account,
            value,
            captured,
            status,
            expire_time,
            create_time,
            source,
            on_behalf_of,
            pins,
        } = hold;
        Self {
            hold_id: hold_id.as_uuid().into(),
            value: value.get(),
            captured: captured.get(),
            status: status.as_str().to_owned(),
            expire_time: expire_time.timestamp_micros(),
            create_time: create_time.timestamp_micros(),
            source: source.clone(),
            on_behalf_of: on_behalf_of.map(|id| id.as_uuid().into()),
            pins: pins.iter().map(PinForm::from).collect(),
        }
    }
}

impl HoldForm {
    fn hold(self, unit_code: &UnitCode) -> Result<Hold, Unreadable> {
        let status = self.status.parse::<HoldStatus>();
        Ok(Hold {
            hold_id: read(self.hold_id.uuid())?,
            unit_code: unit_code.clone(),
            value: Points::new(self.value),
            captured: Points::new(self.captured),
            status: status.map_err(|_| Unreadable)?,
            expire_time: time(self.expire_time)?,
            create_time: time(self.create_time)?,
            source: self.source,
            on_behalf_of: self.on_behalf_of.map(|id| read(id.uuid())).transpose()?,
            pins: self
                .pins
                .into_iter()
                .map(PinForm::pin)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Pin> for PinForm {
    fn from(pin: &Pin) -> Self {
        let Pin {
            lot_id,
            value,
            captured,
        } = pin;
        Self {
            lot_id: lot_id.as_uuid().into(),
            value: value.get(),
            captured: captured.get(),
        }
    }
}

impl PinForm {
    fn pin(self) -> Result<Pin, Unreadable> {
        Ok(Pin {
            lot_id: read(self.lot_id.uuid())?,
            value: Points::new(self.value),
            captured: Points::new(self.captured),
        })
    }
}

impl From<Uuid> for IdForm {
    fn from(id: Uuid) -> Self {
        let (high, low) = id.as_u64_pair();
        Self { high, low }
    }
}

impl IdForm {
    const fn uuid(self) -> Uuid {
        Uuid::from_u64_pair(self.high, self.low)
    }
}

/// Times are whole microseconds: Postgres keeps no more.
fn time(micros: i64) -> Result<DateTime<Utc>, Unreadable> {
    DateTime::from_timestamp_micros(micros).ok_or(Unreadable)
}

/// An id or a code.
fn read<F, T: TryFrom<F>>(form: F) -> Result<T, Unreadable> {
    T::try_from(form).map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::posting::domain::history::step;
    use crate::posting::domain::properties::run;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_kept_comes_back(steps in proptest::collection::vec(step(), 0..300)) {
            let accounts = run(&steps, true)?.state.accounts;
            prop_assert_eq!(decode(&encode(&accounts)), Some(accounts));
        }
    }

    #[test]
    fn what_was_not_written_here_is_not_read() {
        assert_eq!(decode(b"not ours"), None);
    }
}
