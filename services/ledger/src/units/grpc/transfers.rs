//! How owners may transfer points, as messages carry it: 0 is no bound.

use fealty_proto::ledger::v1 as pb;
use fealty_rpc::fields;
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::Points;

use crate::units::domain::TransferRules;

/// What a unit says; not at all, where it says nothing.
pub(super) fn parse(rules: Option<&pb::TransferRules>) -> Result<Option<TransferRules>, Problem> {
    let Some(rules) = rules else {
        return Ok(None);
    };
    let mut v = Violations::default();
    let value_min = v.check("value_min", fields::number(rules.value_min, 0..=i64::MAX));
    let min = value_min.unwrap_or_default().max(1);
    let value_max = v.check("value_max", bound(rules.value_max, min));
    let day_value_max = v.check("day_value_max", bound(rules.day_value_max, min));
    let day_count_max = v.check("day_count_max", bound(rules.day_count_max.into(), 1));
    let parsed = || {
        value_min?;
        Some(TransferRules {
            value_min: Points::new(min),
            value_max: value_max?.map(Points::new),
            day_value_max: day_value_max?.map(Points::new),
            day_count_max: day_count_max?,
        })
    };
    parsed().map(Some).ok_or_else(|| v.into_problem())
}

fn bound(number: i64, min: i64) -> Result<Option<i64>, Problem> {
    if number == 0 {
        return Ok(None);
    }
    fields::number(number, min..=i64::MAX).map(Some)
}

/// As it was said, but that the fewest points of a transfer are always told.
pub(super) fn present(rules: &TransferRules) -> pb::TransferRules {
    let points = |bound: Option<Points>| bound.map_or(0, Points::get);
    pb::TransferRules {
        value_min: rules.value_min.get(),
        value_max: points(rules.value_max),
        day_value_max: points(rules.day_value_max),
        // It came as one of these.
        day_count_max: i32::try_from(rules.day_count_max.unwrap_or(0)).unwrap_or(i32::MAX),
    }
}
