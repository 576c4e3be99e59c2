//! Messages about cards as commands.

use std::mem;

use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::issue_cards_request::Numbering as Given;
use fealty_rpc::access::Caller;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::PageSize;
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::CardBatchId;

use crate::cards::NewBatch;
use crate::cards::domain::{
    CARD_COUNT_MAX, CardStatus, EndReason, Numbering, NumberingError, RandomNumbers, Range,
};
use crate::display_name::DisplayName;
use crate::people::domain::{IdentifierKind, IdentifierValue};
use crate::people::{Block, Replacement};

const ISSUE: &str = "/fealty.members.v1.CardService/IssueCards";
const BLOCK: &str = "/fealty.members.v1.CardService/BlockCard";
const REPLACE: &str = "/fealty.members.v1.CardService/ReplaceCard";

/// Which cards are to be listed.
pub(super) struct Listed {
    pub(super) card_batch_id: CardBatchId,
    pub(super) status: Option<CardStatus>,
    pub(super) page_size: PageSize,
}

pub(super) fn issue(
    caller: &Caller,
    mut message: pb::IssueCardsRequest,
) -> Result<(Attempt, NewBatch), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(ISSUE, &message);
    let display_name = v.check(
        "display_name",
        fields::parse::<DisplayName>(&message.display_name),
    );
    let card_count = v.check("card_count", parse_count(message.card_count));
    let numbering = parse_numbering(&mut v, message.numbering, card_count.unwrap_or(1));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, ISSUE, command_hash);
        let new = NewBatch {
            display_name: display_name?,
            card_count: message.card_count,
            numbering: numbering?,
            actor: caller.actor(),
        };
        card_count.map(|_| (attempt, new))
    })
}

fn parse_count(count: i32) -> Result<usize, Problem> {
    let count = usize::try_from(count).unwrap_or(0);
    if (1..=CARD_COUNT_MAX).contains(&count) {
        Ok(count)
    } else {
        Err(Problem::new(format!("must be 1 to {CARD_COUNT_MAX}")))
    }
}

fn parse_numbering(v: &mut Violations, given: Option<Given>, count: usize) -> Option<Numbering> {
    match v.check("numbering", given.ok_or_else(Problem::required))? {
        Given::Range(range) => v.within("range", |v| {
            let first = v.check("first_card_number", parse_number(&range.first_card_number))?;
            let range = v.check("first_card_number", Range::try_new(&first, count));
            range.map(Numbering::Range)
        }),
        Given::Random(random) => v.within("random", |v| {
            let digit_count = usize::try_from(random.digit_count).unwrap_or(0);
            match RandomNumbers::try_new(&random.prefix, digit_count, count) {
                Ok(random) => Some(Numbering::Random(random)),
                Err(wrong) => {
                    for error in wrong {
                        let field = match error {
                            NumberingError::Prefix => "prefix",
                            _ => "digit_count",
                        };
                        v.add(field, error.to_string());
                    }
                    None
                }
            }
        }),
    }
}

fn parse_number(text: &str) -> Result<IdentifierValue, Problem> {
    if text.is_empty() {
        return Err(Problem::required());
    }
    Ok(IdentifierValue::parse(IdentifierKind::CardNumber, text)?)
}

pub(super) fn list(message: &pb::ListCardsRequest) -> Result<Listed, ApiError> {
    let mut v = Violations::default();
    let card_batch_id = v.check("card_batch_id", fields::parse(&message.card_batch_id));
    let page_size = v.check("page_size", PageSize::parse(message.page_size));
    let status = v.check("status", parse_status(message.status));
    v.finish_with(|| {
        Some(Listed {
            card_batch_id: card_batch_id?,
            status: status?,
            page_size: page_size?,
        })
    })
}

/// The status that is named; None where none is.
fn parse_status(number: i32) -> Result<Option<CardStatus>, Problem> {
    if number == i32::from(pb::CardStatus::Unspecified) {
        return Ok(None);
    }
    Ok(match fields::enumeration(number)? {
        pb::CardStatus::Unspecified => None,
        pb::CardStatus::Issued => Some(CardStatus::Issued),
        pb::CardStatus::Linked => Some(CardStatus::Linked),
        pb::CardStatus::Blocked => Some(CardStatus::Blocked),
        pb::CardStatus::Replaced => Some(CardStatus::Replaced),
    })
}

pub(super) fn get(message: &pb::GetCardRequest) -> Result<IdentifierValue, ApiError> {
    let mut v = Violations::default();
    let number = v.check("card_number", parse_number(&message.card_number));
    v.finish_with(|| number)
}

pub(super) fn block(
    caller: &Caller,
    mut message: pb::BlockCardRequest,
) -> Result<(Attempt, Block), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(BLOCK, &message);
    let number = v.check("card_number", parse_number(&message.card_number));
    let reason = v.check("reason", parse_reason(message.reason));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, BLOCK, command_hash);
        let block = Block {
            number: number?,
            reason: reason?,
            actor: caller.actor(),
        };
        Some((attempt, block))
    })
}

pub(super) fn replace(
    caller: &Caller,
    mut message: pb::ReplaceCardRequest,
) -> Result<(Attempt, Replacement), ApiError> {
    let program_id = caller.program_id()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(REPLACE, &message);
    let number = v.check("card_number", parse_number(&message.card_number));
    let new_number = v.check("new_card_number", parse_number(&message.new_card_number));
    if number.is_some() {
        v.require(
            number != new_number,
            "new_card_number",
            "must be another one than card_number",
        );
    }
    let reason = v.check("reason", parse_reason(message.reason));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, REPLACE, command_hash);
        let replacement = Replacement {
            number: number?,
            new_number: new_number?,
            reason: reason?,
            actor: caller.actor(),
        };
        Some((attempt, replacement))
    })
}

fn parse_reason(number: i32) -> Result<EndReason, Problem> {
    match fields::enumeration(number)? {
        pb::CardEndReason::Unspecified => Err(Problem::required()),
        pb::CardEndReason::Lost => Ok(EndReason::Lost),
        pb::CardEndReason::Stolen => Ok(EndReason::Stolen),
        pb::CardEndReason::Damaged => Ok(EndReason::Damaged),
        pb::CardEndReason::Misused => Ok(EndReason::Misused),
        pb::CardEndReason::Upgraded => Ok(EndReason::Upgraded),
        pb::CardEndReason::Other => Ok(EndReason::Other),
    }
}
