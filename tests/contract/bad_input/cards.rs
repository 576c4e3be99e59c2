//! What members refuses about cards, and about what became of identifiers.

use fealty_proto::members::v1::issue_cards_request::Numbering;
use fealty_proto::members::v1::{
    BlockCardRequest, CardEndReason, CardNumberRange, GetCardRequest, IssueCardsRequest,
    ListCardBatchesRequest, ListCardsRequest, ListIdentifierHistoryRequest, MarkIdentifierVerifiedRequest,
    RandomCardNumbers, ReplaceCardRequest,
};
use fealty_tests::shop::request_id;

use super::case::{Case, FAR_FUTURE, Table, invalid, not_found};
use super::world::World;

/// A card whose check digit is right, and that nobody has.
const NOBODYS: &str = "4000001234567899";
/// A card whose check digit is wrong.
const WRONG: &str = "4000001234567890";
/// More than a batch may have.
const TOO_MANY: i32 = 10_001;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [issuing, lists, one_card, verified, history]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn issuing(world: &World) -> Vec<Case> {
    let issue = |card_count: i32, numbering| IssueCardsRequest {
        request_id: request_id(),
        display_name: "Autumn".to_owned(),
        card_count,
        numbering: Some(numbering),
    };
    let from = |first: &str| {
        Numbering::Range(CardNumberRange {
            first_card_number: first.to_owned(),
        })
    };
    let random = |prefix: &str, digit_count| {
        Numbering::Random(RandomCardNumbers {
            prefix: prefix.to_owned(),
            digit_count,
        })
    };
    Table::of(world, "/fealty.members.v1.CardService/IssueCards")
        .row(
            "nothing",
            &IssueCardsRequest::default(),
            invalid(&["request_id", "display_name", "card_count", "numbering"]),
        )
        .row(
            "too many, from a number that is none",
            &issue(TOO_MANY, from(WRONG)),
            invalid(&["card_count", "range.first_card_number"]),
        )
        .row(
            "more than there are numbers",
            &issue(2, from("99999997")),
            invalid(&["range.first_card_number"]),
        )
        .row(
            "a prefix of letters, and more digits than a card has",
            &issue(1, random("A", 99)),
            invalid(&["random.prefix", "random.digit_count"]),
        )
        .row(
            "too few digits",
            &issue(1_000, random("123456", 12)),
            invalid(&["random.digit_count"]),
        )
        .done()
}

fn lists(world: &World) -> Vec<Case> {
    let batches =
        Table::of(world, "/fealty.members.v1.CardService/ListCardBatches").pages(|page_size, page_token| {
            ListCardBatchesRequest {
                page_size,
                page_token,
            }
        });
    let of = |card_batch_id: String| ListCardsRequest {
        card_batch_id,
        ..ListCardsRequest::default()
    };
    let cards = Table::of(world, "/fealty.members.v1.CardService/ListCards")
        .pages(|page_size, page_token| ListCardsRequest {
            page_size,
            page_token,
            ..of(request_id())
        })
        .row("no batch", &of(String::new()), invalid(&["card_batch_id"]))
        .row(
            "a status that there is not",
            &ListCardsRequest {
                status: 99,
                ..of("first".to_owned())
            },
            invalid(&["card_batch_id", "status"]),
        )
        .row("a batch that nobody made", &of(request_id()), not_found());
    [batches, cards].into_iter().flat_map(Table::done).collect()
}

fn one_card(world: &World) -> Vec<Case> {
    let get = |card_number: &str| GetCardRequest {
        card_number: card_number.to_owned(),
    };
    let read = Table::of(world, "/fealty.members.v1.CardService/GetCard")
        .row("nothing", &get(""), invalid(&["card_number"]))
        .row("a wrong check digit", &get(WRONG), invalid(&["card_number"]))
        .row("a card that nobody knows", &get(NOBODYS), not_found());
    let block = |card_number: &str, reason: i32| BlockCardRequest {
        request_id: request_id(),
        card_number: card_number.to_owned(),
        reason,
    };
    let lost = CardEndReason::Lost.into();
    let ending = Table::of(world, "/fealty.members.v1.CardService/BlockCard")
        .row(
            "nothing",
            &BlockCardRequest::default(),
            invalid(&["request_id", "card_number", "reason"]),
        )
        .row("no reason", &block(NOBODYS, 99), invalid(&["reason"]))
        .row("a card that nobody knows", &block(NOBODYS, lost), not_found());
    let replace = |new_card_number: &str| ReplaceCardRequest {
        request_id: request_id(),
        card_number: NOBODYS.to_owned(),
        new_card_number: new_card_number.to_owned(),
        reason: lost,
    };
    let replacing = Table::of(world, "/fealty.members.v1.CardService/ReplaceCard")
        .row(
            "nothing",
            &ReplaceCardRequest::default(),
            invalid(&["request_id", "card_number", "new_card_number", "reason"]),
        )
        .row("by itself", &replace(NOBODYS), invalid(&["new_card_number"]))
        .row("by what is none", &replace(WRONG), invalid(&["new_card_number"]))
        .row(
            "a card that nobody knows",
            &replace("4111111111111111"),
            not_found(),
        );
    [read, ending, replacing]
        .into_iter()
        .flat_map(Table::done)
        .collect()
}

fn verified(world: &World) -> Vec<Case> {
    let mark = |member_id: &str, identifier_id: &str| MarkIdentifierVerifiedRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        identifier_id: identifier_id.to_owned(),
        verify_time: None,
    };
    let (ours, theirs) = (&world.ours, &world.theirs);
    Table::of(world, "/fealty.members.v1.MemberService/MarkIdentifierVerified")
        .row(
            "nothing",
            &MarkIdentifierVerifiedRequest::default(),
            invalid(&["request_id", "member_id", "identifier_id"]),
        )
        .row(
            "a time to come",
            &MarkIdentifierVerifiedRequest {
                verify_time: Some(FAR_FUTURE),
                ..mark(&ours.member_id, &ours.identifier_id)
            },
            invalid(&["verify_time"]),
        )
        .row(
            "an external id",
            &mark(&ours.member_id, &ours.identifier_id),
            invalid(&["identifier_id"]),
        )
        .row(
            "an identifier of another",
            &mark(&ours.member_id, &theirs.identifier_id),
            not_found(),
        )
        .row(
            "a member of another program",
            &mark(&theirs.member_id, &theirs.identifier_id),
            not_found(),
        )
        .done()
}

fn history(world: &World) -> Vec<Case> {
    let of = |member_id: &str| ListIdentifierHistoryRequest {
        member_id: member_id.to_owned(),
        ..ListIdentifierHistoryRequest::default()
    };
    Table::of(world, "/fealty.members.v1.MemberService/ListIdentifierHistory")
        .pages(|page_size, page_token| ListIdentifierHistoryRequest {
            page_size,
            page_token,
            ..of(&world.ours.member_id)
        })
        .row("nobody", &of(""), invalid(&["member_id"]))
        .row(
            "a member of another program",
            &of(&world.theirs.member_id),
            not_found(),
        )
        .done()
}
