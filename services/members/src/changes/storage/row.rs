//! Changes as rows.

use fealty_postgres::StorageError;
use fealty_types::{HouseholdId, InvitationId, MemberId};
use uuid::Uuid;

use super::parse_status;
use crate::changes::domain::{Change, ChangeKind, ChangeState, LimitsChange};
use crate::households::domain::{DissolvePolicy, HouseholdRole};
use crate::households::{LimitRows, limit_rows, limits_of, parse_role};

/// A change, in columns.
pub(super) struct Columns {
    pub(super) kind: &'static str,
    pub(super) into_member_id: Option<Uuid>,
    pub(super) household_id: Option<Uuid>,
    pub(super) status: Option<&'static str>,
    pub(super) status_revision: Option<i64>,
    pub(super) household_role: Option<&'static str>,
    pub(super) limits: Option<LimitRows>,
    pub(super) limits_revision: Option<i64>,
    pub(super) dissolve_policy: Option<&'static str>,
    pub(super) invitation_id: Option<Uuid>,
    pub(super) also: Option<Vec<Uuid>>,
}

impl Columns {
    pub(super) fn of(change: &Change) -> Self {
        let limits = change.limits.as_ref();
        let plain = |kind, household_id: Option<HouseholdId>| Self {
            kind,
            into_member_id: None,
            household_id: household_id.map(|household_id| household_id.as_uuid()),
            status: None,
            status_revision: None,
            household_role: None,
            limits: limits.map(|it| limit_rows(&it.limits)),
            limits_revision: limits.map(|it| it.revision),
            dissolve_policy: None,
            invitation_id: None,
            also: None,
        };
        let with_role = |kind, household_id, role: HouseholdRole| Self {
            household_role: Some(role.as_str()),
            ..plain(kind, Some(household_id))
        };
        match change.kind {
            ChangeKind::Status {
                status,
                status_revision,
            } => Self {
                status: Some(status.as_str()),
                status_revision: Some(status_revision),
                ..plain("STATUS", None)
            },
            ChangeKind::Merge {
                into_member_id,
                household_id,
            } => Self {
                into_member_id: Some(into_member_id.as_uuid()),
                ..plain("MERGE", household_id)
            },
            ChangeKind::CreateHousehold { household_id } => {
                with_role("CREATE_HOUSEHOLD", household_id, HouseholdRole::Head)
            }
            ChangeKind::JoinHousehold {
                household_id,
                role,
                invitation_id,
            } => Self {
                invitation_id: invitation_id.as_ref().map(InvitationId::as_uuid),
                ..with_role("JOIN_HOUSEHOLD", household_id, role)
            },
            ChangeKind::LeaveHousehold { household_id } => plain("LEAVE_HOUSEHOLD", Some(household_id)),
            ChangeKind::HouseholdTerms { household_id, role } => {
                with_role("HOUSEHOLD_TERMS", household_id, role)
            }
            ChangeKind::DissolveHousehold { household_id, policy } => Self {
                dissolve_policy: Some(policy.as_str()),
                also: Some(change.also.iter().map(MemberId::as_uuid).collect()),
                ..plain("DISSOLVE_HOUSEHOLD", Some(household_id))
            },
        }
    }
}

pub(super) struct ChangeRow {
    pub(super) change_id: Uuid,
    pub(super) kind: String,
    pub(super) member_id: MemberId,
    pub(super) into_member_id: Option<MemberId>,
    pub(super) household_id: Option<HouseholdId>,
    pub(super) status: Option<String>,
    pub(super) status_revision: Option<i64>,
    pub(super) state: String,
    pub(super) household_role: Option<String>,
    pub(super) limits: Option<LimitRows>,
    pub(super) limits_revision: Option<i64>,
    pub(super) dissolve_policy: Option<String>,
    pub(super) invitation_id: Option<InvitationId>,
    pub(super) also: Option<Vec<Uuid>>,
}

impl ChangeRow {
    fn kind(&self) -> Result<ChangeKind, StorageError> {
        let corrupt = || StorageError::corrupt("member_change.kind", &self.kind);
        let role = || {
            let role = self.household_role.as_deref().ok_or_else(corrupt)?;
            parse_role(role)
        };
        match (self.kind.as_str(), self.household_id) {
            ("STATUS", None) => Ok(ChangeKind::Status {
                status: parse_status(self.status.as_deref().ok_or_else(corrupt)?)?,
                status_revision: self.status_revision.ok_or_else(corrupt)?,
            }),
            ("MERGE", household_id) => Ok(ChangeKind::Merge {
                into_member_id: self.into_member_id.ok_or_else(corrupt)?,
                household_id,
            }),
            ("CREATE_HOUSEHOLD", Some(household_id)) => Ok(ChangeKind::CreateHousehold { household_id }),
            ("JOIN_HOUSEHOLD", Some(household_id)) => Ok(ChangeKind::JoinHousehold {
                household_id,
                role: role()?,
                invitation_id: self.invitation_id,
            }),
            ("LEAVE_HOUSEHOLD", Some(household_id)) => Ok(ChangeKind::LeaveHousehold { household_id }),
            ("HOUSEHOLD_TERMS", Some(household_id)) => Ok(ChangeKind::HouseholdTerms {
                household_id,
                role: role()?,
            }),
            ("DISSOLVE_HOUSEHOLD", Some(household_id)) => {
                let policy = self
                    .dissolve_policy
                    .as_deref()
                    .and_then(DissolvePolicy::from_column);
                Ok(ChangeKind::DissolveHousehold {
                    household_id,
                    policy: policy.ok_or_else(corrupt)?,
                })
            }
            _ => Err(corrupt()),
        }
    }
}

impl TryFrom<ChangeRow> for Change {
    type Error = StorageError;

    fn try_from(row: ChangeRow) -> Result<Self, StorageError> {
        let kind = row.kind()?;
        let corrupt = |_| StorageError::corrupt("member_change.also", "has no member's id");
        let also = row.also.unwrap_or_default().into_iter().map(MemberId::try_from);
        let limits = row.limits_revision.map(|revision| LimitsChange {
            limits: limits_of(row.limits),
            revision,
        });
        Ok(Self {
            change_id: row.change_id,
            member_id: row.member_id,
            kind,
            limits,
            also: also.collect::<Result<_, _>>().map_err(corrupt)?,
            state: ChangeState::from_column(&row.state)
                .ok_or_else(|| StorageError::corrupt("member_change.state", &row.state))?,
        })
    }
}
