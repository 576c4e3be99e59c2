//! What the ledger stand-in tells of its transactions.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::event_service_server::EventService;
use fealty_proto::events::v1::{
    Event, EventType, TransactionPosted, WatchEventsRequest, WatchEventsResponse,
};
use fealty_proto::r#type::v1::{Amount, Money};
use fealty_rpc::errors::ApiError;
use fealty_rpc::present::timestamp;
use fealty_types::{Clock as _, SystemClock};
use futures::StreamExt as _;
use futures::stream::{BoxStream, unfold};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// Events of one answer: few, so that there are several.
const BATCH_COUNT: usize = 3;

/// The events of a ledger, in their order. A token is the place in them, and the number of their history.
#[derive(Debug, Clone)]
pub struct Postings {
    events: Arc<Mutex<Vec<Event>>>,
    /// How many there are, and in which history.
    count: watch::Sender<(usize, usize)>,
}

impl Default for Postings {
    fn default() -> Self {
        Self {
            events: Arc::default(),
            count: watch::Sender::new((0, 0)),
        }
    }
}

/// A transaction to be told.
#[derive(Debug, Clone)]
pub struct Posted {
    pub program_id: String,
    pub member_id: String,
    pub occur_time: DateTime<Utc>,
    pub transaction: TransactionPosted,
}

impl Posted {
    /// A purchase of so many pence, which earned so many points.
    pub fn purchase(program_id: &impl ToString, member_id: &str, minor: i64, points: i64) -> Self {
        let changes = [(points, "points")].into_iter().filter(|(value, _)| *value != 0);
        let changes = changes.map(|(value, unit)| Amount {
            unit_code: unit.to_owned(),
            value,
        });
        Self {
            program_id: program_id.to_string(),
            member_id: member_id.to_owned(),
            occur_time: SystemClock.now(),
            transaction: TransactionPosted {
                transaction_id: Uuid::now_v7().to_string(),
                kind: "purchase".to_owned(),
                purchase_id: Uuid::now_v7().to_string(),
                money: Some(Money {
                    currency_code: "GBP".to_owned(),
                    amount_minor: minor,
                }),
                available_changes: changes.collect(),
                owner_id: member_id.to_owned(),
                ..TransactionPosted::default()
            },
        }
    }

    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.occur_time = time;
        self
    }

    /// A refund of a part of this purchase, which takes so many points of what is available.
    pub fn refund(&self, minor: i64, points: i64) -> Self {
        let mut refund = Self::purchase(&self.program_id, &self.member_id, minor, -points);
        "refund".clone_into(&mut refund.transaction.kind);
        refund
            .transaction
            .purchase_id
            .clone_from(&self.transaction.purchase_id);
        refund.at(self.occur_time)
    }
}

impl Postings {
    pub fn tell(&self, posted: &Posted) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let version = i64::try_from(events.len()).expect("a number") + 1;
        events.push(Event {
            event_id: Uuid::now_v7().to_string(),
            program_id: posted.program_id.clone(),
            subject_id: posted.member_id.clone(),
            version,
            event_type: EventType::TransactionPosted.into(),
            occur_time: Some(timestamp(posted.occur_time)),
            record_time: Some(timestamp(posted.occur_time)),
            payload: Some(Payload::TransactionPosted(posted.transaction.clone())),
            ..Event::default()
        });
        self.count.send_modify(|(count, _)| *count = events.len());
    }

    /// Like a ledger that was restored: nobody's token is known any more, and all events come again.
    pub fn start_over(&self) {
        self.count.send_modify(|(_, history)| *history += 1);
    }

    /// What comes after a place, once something does.
    async fn after(
        self,
        place: usize,
        history: usize,
    ) -> Option<(Result<WatchEventsResponse, Status>, usize)> {
        let mut count = self.count.subscribe();
        let seen = *count
            .wait_for(|(count, now)| *count > place || *now != history)
            .await
            .ok()?;
        if seen.1 != history {
            return None;
        }
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let next: Vec<Event> = events.iter().skip(place).take(BATCH_COUNT).cloned().collect();
        let end = place + next.len();
        let answer = WatchEventsResponse {
            events: next,
            resume_token: format!("{history}/{end}"),
        };
        Some((Ok(answer), end))
    }
}

#[tonic::async_trait]
impl EventService for Postings {
    type WatchEventsStream = BoxStream<'static, Result<WatchEventsResponse, Status>>;

    async fn watch_events(
        &self,
        request: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let history = self.count.borrow().1;
        let token = request.into_inner().resume_token;
        let place = match token.split_once('/') {
            None => 0,
            Some((of, place)) if of == history.to_string() => place.parse().expect("a place"),
            Some(_) => return Err(ApiError::resume_token_invalid().to_status()),
        };
        let postings = self.clone();
        let answers = unfold(place, move |place| postings.clone().after(place, history));
        Ok(Response::new(answers.boxed()))
    }
}
