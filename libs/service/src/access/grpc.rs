//! Records of the access feed as its followers keep them.

use fealty_proto::access::v1 as pb;
use fealty_proto::access::v1::access_change::Record;
use fealty_rpc::access::TokenPublicKey;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::{ApiKeyId, CurrencyCode, ProgramId, StaffId};

use super::domain::{Change, Key, Program, SecretHash, Staff};

/// A change of the feed. None for a kind of record that this build does not know and has no use for.
pub fn parse_change(change: pb::AccessChange) -> Result<Option<Change>, ApiError> {
    let sequence = change.sequence;
    let mut v = Violations::default();
    let parsed = match change.record {
        None => return Ok(None),
        Some(Record::Program(record)) => v.within("program", |v| {
            parse_program(v, &record, sequence).map(Change::Program)
        }),
        Some(Record::ApiKey(record)) => {
            v.within("api_key", |v| parse_key(v, record, sequence).map(Change::Key))
        }
        Some(Record::Staff(record)) => {
            v.within("staff", |v| parse_staff(v, &record, sequence).map(Change::Staff))
        }
    };
    v.finish_with(|| parsed).map(Some)
}

fn parse_program(v: &mut Violations, record: &pb::ProgramRecord, sequence: i64) -> Option<Program> {
    let program_id = v.check("program_id", fields::parse::<ProgramId>(&record.program_id));
    let time_zone = v.check("time_zone", record.time_zone.parse::<chrono_tz::Tz>());
    let currency = v.check(
        "currency_code",
        fields::parse::<CurrencyCode>(&record.currency_code),
    );
    Some(Program {
        program_id: program_id?,
        time_zone: time_zone?,
        currency: currency?,
        active: record.active,
        sequence,
    })
}

fn parse_key(v: &mut Violations, record: pb::ApiKeyRecord, sequence: i64) -> Option<Key> {
    let api_key_id = v.check("api_key_id", fields::parse::<ApiKeyId>(&record.api_key_id));
    let program_id = v.check("program_id", fields::optional::<ProgramId>(&record.program_id));
    let staff_id = v.check("staff_id", fields::optional::<StaffId>(&record.staff_id));
    let hash =
        SecretHash::try_from(record.secret_sha256.as_ref()).map_err(|_| Problem::new("must have 32 bytes"));
    let secret_sha256 = v.check("secret_sha256", hash);
    let token_key = match record.token_public_key.as_ref() {
        [] => Ok(None),
        bytes => TokenPublicKey::try_from(bytes).map(Some),
    };
    let token_key = token_key.map_err(|_| Problem::new("must have 32 bytes"));
    let token_public_key = v.check("token_public_key", token_key);
    let time = |time: Option<&prost_types::Timestamp>| fields::optional_timestamp(time, TimeRange::any());
    let revoke_time = v.check("revoke_time", time(record.revoke_time.as_ref()));
    let expire_time = v.check("expire_time", time(record.expire_time.as_ref()));
    Some(Key {
        api_key_id: api_key_id?,
        program_id: program_id?,
        staff_id: staff_id?,
        short_id: record.short_id,
        secret_sha256: secret_sha256?,
        token_public_key: token_public_key?,
        scopes: record.scopes,
        revoke_time: revoke_time?,
        expire_time: expire_time?,
        sequence,
    })
}

fn parse_staff(v: &mut Violations, record: &pb::StaffRecord, sequence: i64) -> Option<Staff> {
    let staff_id = v.check("staff_id", fields::parse::<StaffId>(&record.staff_id));
    let program_id = v.check("program_id", fields::parse::<ProgramId>(&record.program_id));
    Some(Staff {
        staff_id: staff_id?,
        program_id: program_id?,
        active: record.active,
        sequence,
    })
}
