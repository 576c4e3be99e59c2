//! `fealty.members.v1.CardService`.

mod parse;

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::card_service_server::CardService;
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::{text_of, timestamp};
use fealty_service::call::{serve, serve_making};
use fealty_types::CardBatchId;
use fealty_vault::LookupHash;
use tonic::{Request, Response, Status};

use super::domain::{CardStatus, EndReason};
use super::{CardBatch, Cards, StoredCard};
use crate::people::People;
use crate::people::domain::IdentifierValue;

const LIST_BATCHES: &str = "/fealty.members.v1.CardService/ListCardBatches";
const LIST: &str = "/fealty.members.v1.CardService/ListCards";

/// The rpcs of cards.
#[derive(Debug, Clone)]
pub struct CardGrpc {
    cards: Cards,
    people: People,
}

impl CardGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(cards: Cards, people: People) -> Self {
        Self { cards, people }
    }
}

#[tonic::async_trait]
impl CardService for CardGrpc {
    async fn issue_cards(
        &self,
        request: Request<pb::IssueCardsRequest>,
    ) -> Result<Response<pb::IssueCardsResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, new) = parse::issue(&caller, message)?;
            let made = self.cards.issue(caller.program_id()?, &attempt, &new).await?;
            Ok(made.map(|batch| pb::IssueCardsResponse {
                card_batch: Some(present_batch(batch)),
            }))
        })
        .await
    }

    async fn list_card_batches(
        &self,
        request: Request<pb::ListCardBatchesRequest>,
    ) -> Result<Response<pb::ListCardBatchesResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let tokens = PageTokens::try_new(LIST_BATCHES, Some(program_id), &())?;
            let page = PageRequest::<CardBatchId>::parse(tokens, message.page_size, &message.page_token)?;
            let batches = self
                .cards
                .list_batches(program_id, page.after(), page.count_max())
                .await?;
            let (batches, next_page_token) = page.cut(batches, |batch| batch.card_batch_id)?;
            Ok(pb::ListCardBatchesResponse {
                card_batches: batches.into_iter().map(present_batch).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn list_cards(
        &self,
        request: Request<pb::ListCardsRequest>,
    ) -> Result<Response<pb::ListCardsResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let asked = parse::list(&message)?;
            let filter = (message.card_batch_id, message.status);
            let tokens = PageTokens::try_new(LIST, Some(program_id), &filter)?;
            let page = PageRequest::<Vec<u8>>::try_new(tokens, asked.page_size, &message.page_token)?;
            let cards = self
                .cards
                .list(
                    program_id,
                    (asked.card_batch_id, asked.status),
                    page.after().and_then(|hash| LookupHash::from_stored(&hash)),
                    page.count_max(),
                )
                .await?;
            let (cards, next_page_token) = page.cut(cards, |card| card.value_hash.as_bytes().to_vec())?;
            Ok(pb::ListCardsResponse {
                cards: cards.into_iter().map(|card| present(card, None)).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn get_card(
        &self,
        request: Request<pb::GetCardRequest>,
    ) -> Result<Response<pb::GetCardResponse>, Status> {
        serve(request, async |caller, message| {
            let number = parse::get(&message)?;
            let card = self.cards.get(caller.program_id()?, &number).await?;
            Ok(pb::GetCardResponse {
                card: Some(present(card, Some(&number))),
            })
        })
        .await
    }

    async fn block_card(
        &self,
        request: Request<pb::BlockCardRequest>,
    ) -> Result<Response<pb::BlockCardResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, block) = parse::block(&caller, message)?;
            let made = self
                .people
                .block_card(caller.program_id()?, &attempt, &block)
                .await?;
            Ok(made.map(|card| pb::BlockCardResponse {
                card: Some(present(card, Some(&block.number))),
            }))
        })
        .await
    }

    async fn replace_card(
        &self,
        request: Request<pb::ReplaceCardRequest>,
    ) -> Result<Response<pb::ReplaceCardResponse>, Status> {
        serve_making(request, async |caller, message| {
            let (attempt, replacement) = parse::replace(&caller, message)?;
            let made = self
                .people
                .replace_card(caller.program_id()?, &attempt, &replacement)
                .await?;
            Ok(made.map(|card| pb::ReplaceCardResponse {
                card: Some(present(card, Some(&replacement.new_number))),
            }))
        })
        .await
    }
}

fn present_batch(batch: CardBatch) -> pb::CardBatch {
    pb::CardBatch {
        card_batch_id: batch.card_batch_id.to_string(),
        display_name: batch.display_name.into(),
        card_count: batch.card_count,
        create_time: Some(timestamp(batch.create_time)),
    }
}

/// `asked` is the number by which the caller knows the card; else a personal one is not told.
fn present(card: StoredCard, asked: Option<&IdentifierValue>) -> pb::Card {
    // What is somebody's whose enrolment is not finished is nobody's yet, as far as others are told.
    let identifier_id = card.identifier_id.filter(|_| card.member_id.is_some());
    let asked = asked.map(|number| number.text().expose().to_owned());
    pb::Card {
        card_id: card.card_id.to_string(),
        card_batch_id: text_of(card.card_batch_id.as_ref()),
        card_number: asked.or(card.card_number).unwrap_or_default(),
        status: present_status(card.state.status).into(),
        end_reason: present_reason(card.state.end_reason).into(),
        status_time: Some(timestamp(card.status_time)),
        member_id: text_of(card.member_id.as_ref()),
        identifier_id: text_of(identifier_id.as_ref()),
        replaced_by_identifier_id: text_of(card.state.replaced_by_identifier_id.as_ref()),
        create_time: Some(timestamp(card.create_time)),
    }
}

/// A card's status as callers see it.
pub(crate) const fn present_status(status: CardStatus) -> pb::CardStatus {
    match status {
        CardStatus::Issued => pb::CardStatus::Issued,
        CardStatus::Linked => pb::CardStatus::Linked,
        CardStatus::Blocked => pb::CardStatus::Blocked,
        CardStatus::Replaced => pb::CardStatus::Replaced,
    }
}

/// Why a card ended, as callers see it.
pub(crate) const fn present_reason(reason: Option<EndReason>) -> pb::CardEndReason {
    match reason {
        None => pb::CardEndReason::Unspecified,
        Some(EndReason::Lost) => pb::CardEndReason::Lost,
        Some(EndReason::Stolen) => pb::CardEndReason::Stolen,
        Some(EndReason::Damaged) => pb::CardEndReason::Damaged,
        Some(EndReason::Misused) => pb::CardEndReason::Misused,
        Some(EndReason::Upgraded) => pb::CardEndReason::Upgraded,
        Some(EndReason::Other) => pb::CardEndReason::Other,
    }
}
