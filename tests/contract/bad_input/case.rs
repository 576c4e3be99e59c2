//! One row of the table: a call, and how it must be refused.

use fealty_tests::raw::Refusal;
use prost::Message;
use prost_types::{FieldMask, Timestamp};
use tonic::Code;

use super::world::World;

/// Longer than any name may be.
pub const NAME_TOO_LONG: usize = 201;
/// The year 2999, which has not come.
pub const FAR_FUTURE: Timestamp = Timestamp {
    seconds: 32_472_144_000,
    nanos: 0,
};
/// In the year 1970.
pub const LONG_AGO: Timestamp = Timestamp { seconds: 1, nanos: 0 };
/// No time at all.
pub const NO_TIME: Timestamp = Timestamp {
    seconds: 0,
    nanos: -1,
};

/// A call that must be refused.
#[derive(Debug, Clone)]
pub struct Case {
    /// The method.
    pub path: String,
    /// What is wrong, in a few words.
    pub what: &'static str,
    /// The request's bytes.
    pub message: Vec<u8>,
    /// Who calls.
    pub caller: Caller,
    /// How it must be refused.
    pub expected: Expected,
}

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Behind "Bearer ", or none.
    pub key: Option<String>,
    /// The named program, or none.
    pub program_id: Option<String>,
}

/// How a call must be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The code.
    pub code: Code,
    /// The reason.
    pub reason: &'static str,
    /// The fields that the `BadRequest` names, in any order.
    pub fields: Vec<&'static str>,
}

/// A mask of these paths.
pub fn mask(paths: &[&str]) -> FieldMask {
    FieldMask {
        paths: paths.iter().map(ToString::to_string).collect(),
    }
}

/// `INVALID_ARGUMENT`, naming these fields.
pub fn invalid(fields: &[&'static str]) -> Expected {
    Expected {
        fields: fields.to_vec(),
        ..refused(Code::InvalidArgument, "INVALID_FIELDS")
    }
}

/// `NOT_FOUND`.
pub fn not_found() -> Expected {
    refused(Code::NotFound, "RESOURCE_NOT_FOUND")
}

/// The page token is not one of this list.
pub fn bad_token() -> Expected {
    refused(Code::InvalidArgument, "PAGE_TOKEN_INVALID")
}

/// A refusal that names no fields.
pub fn refused(code: Code, reason: &'static str) -> Expected {
    Expected {
        code,
        reason,
        fields: Vec::new(),
    }
}

/// The cases of one method by the shop's own key.
pub struct Table<'a> {
    world: &'a World,
    path: &'static str,
    cases: Vec<Case>,
}

impl<'a> Table<'a> {
    /// For a method.
    pub fn of(world: &'a World, path: &'static str) -> Self {
        Self {
            world,
            path,
            cases: Vec::new(),
        }
    }

    /// One more.
    pub fn row(mut self, what: &'static str, message: &impl Message, expected: Expected) -> Self {
        self.cases.push(Case {
            path: self.path.to_owned(),
            what,
            message: message.encode_to_vec(),
            caller: self.world.caller_of(self.path),
            expected,
        });
        self
    }

    /// Sizes and tokens that no page has.
    pub fn pages<M: Message>(self, page: impl Fn(i32, String) -> M) -> Self {
        self.row(
            "a negative page",
            &page(-1, String::new()),
            invalid(&["page_size"]),
        )
        .row(
            "a page beyond the bound",
            &page(1_001, String::new()),
            invalid(&["page_size"]),
        )
        .row(
            "a token that nobody gave",
            &page(10, "AAAA".to_owned()),
            bad_token(),
        )
    }

    /// All of them.
    pub fn done(self) -> Vec<Case> {
        self.cases
    }
}

/// Makes the call. An error says how it was not refused as it must be.
pub async fn check(world: &World, case: &Case) -> Result<(), String> {
    let authorization = case.caller.key.as_ref().map(|key| format!("Bearer {key}"));
    let mut headers = Vec::new();
    headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
    headers.extend(
        case.caller
            .program_id
            .as_deref()
            .map(|value| ("fealty-program-id", value)),
    );
    let answer = world
        .raw_of(&case.path)
        .call(&case.path, &headers, case.message.clone())
        .await;
    let Err(status) = answer else {
        return Err(format!("{} with {}: taken", case.path, case.what));
    };
    let refusal = Refusal::of(&status);
    let sorted = |fields: &[&str]| {
        let mut fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
        fields.sort();
        fields
    };
    let fields: Vec<&str> = refusal.fields.iter().map(String::as_str).collect();
    let expected = &case.expected;
    let as_expected = refusal.code == expected.code
        && refusal.reason == expected.reason
        && (expected.reason != "INVALID_FIELDS" || sorted(&fields) == sorted(&expected.fields));
    if as_expected {
        return Ok(());
    }
    Err(format!(
        "{} with {}: expected {:?} {} {:?}, got {:?} {} {:?} ({})",
        case.path,
        case.what,
        expected.code,
        expected.reason,
        expected.fields,
        refusal.code,
        refusal.reason,
        refusal.fields,
        refusal.message
    ))
}
