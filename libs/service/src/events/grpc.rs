//! `fealty.events.v1.EventService`.

use std::collections::HashSet;
use std::time::Duration;

use fealty_postgres::events::{EventFilter, EventPosition};
use fealty_proto::events::v1::event_service_server::EventService;
use fealty_proto::events::v1::{EventType, WatchEventsRequest, WatchEventsResponse};
use fealty_rpc::access::Caller;
use fealty_rpc::deadline::StreamEnd;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::violations::Violations;
use fealty_types::OwnerId;
use futures::StreamExt as _;
use futures::stream::{BoxStream, unfold};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::stream::{EventStream, Wanted};
use super::{EventFeed, EventRows};
use crate::call::serve_response;
use crate::status::storage_status;

/// Most kinds that a stream is filtered by: as the proto says.
const EVENT_TYPES_MAX: usize = 32;

/// How long a stream waits for the tailer before it is refused: it looks once a second.
const TAILER_WAIT_MAX: Duration = Duration::from_secs(2);

/// The rpcs of the feed.
#[derive(Debug)]
pub struct EventGrpc<R> {
    feed: EventFeed<R>,
    closing: CancellationToken,
}

impl<R> Clone for EventGrpc<R> {
    fn clone(&self) -> Self {
        Self {
            feed: self.feed.clone(),
            closing: self.closing.clone(),
        }
    }
}

impl<R: EventRows> EventGrpc<R> {
    /// Over a feed. Streams end when `closing` is cancelled.
    #[must_use]
    pub const fn new(feed: EventFeed<R>, closing: CancellationToken) -> Self {
        Self { feed, closing }
    }

    async fn open(
        &self,
        caller: &Caller,
        message: &WatchEventsRequest,
        end: Instant,
    ) -> Result<EventStream<R>, ApiError> {
        let asked = parse(message)?;
        let filter = filter_of(caller, asked.subject_id)?;
        if self.closing.is_cancelled() {
            return Err(ApiError::dependency_unavailable("event feed"));
        }
        let mut tail = self.feed.watch();
        let timeline = self
            .feed
            .timeline()
            .await
            .map_err(|error| storage_status(&error))?;
        // The tailer may still be on its way to this history: right after the start, or after a failover.
        let arrival = tail.wait_for(|tail| tail.timeline() == Some(timeline));
        if timeout(TAILER_WAIT_MAX, arrival).await.is_err() {
            return Err(ApiError::dependency_unavailable("event feed"));
        }
        let place = match (message.resume_token.as_str(), message.from_now) {
            ("", true) => self.feed.now().await.map_err(|error| storage_status(&error))?,
            ("", false) => EventPosition::START,
            (token, _) => {
                EventPosition::decode(token, timeline).map_err(|_| ApiError::resume_token_invalid())?
            }
        };
        Ok(EventStream {
            feed: self.feed.clone(),
            wanted: Wanted {
                filter,
                event_types: asked.event_types,
            },
            timeline,
            place,
            // Who begins now is told at once where that is: else it would begin elsewhere after a loss.
            told: (!message.from_now).then_some(place),
            token_due: Instant::now(),
            left: Vec::new(),
            place_after_left: place,
            tail,
            end,
            closing: self.closing.clone(),
        })
    }
}

#[tonic::async_trait]
impl<R: EventRows> EventService for EventGrpc<R> {
    type WatchEventsStream = BoxStream<'static, Result<WatchEventsResponse, Status>>;

    async fn watch_events(
        &self,
        request: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let end = StreamEnd::from_request(&request)
            .ok_or_else(|| ApiError::internal_message("the stream came past the deadline layer"))?;
        serve_response(request, async |caller, message| {
            let stream = self.open(&caller, &message, end.instant()).await?;
            // Polled by the connection itself: what its caller does not take is not read.
            let answers = unfold(stream, |mut stream| async move {
                let answer = stream.next().await?;
                Some((answer, stream))
            });
            Ok(Response::new(answers.boxed()))
        })
        .await
    }
}

struct Asked {
    event_types: HashSet<i32>,
    subject_id: Option<Uuid>,
}

fn parse(message: &WatchEventsRequest) -> Result<Asked, ApiError> {
    let mut v = Violations::default();
    v.require(
        message.event_types.len() <= EVENT_TYPES_MAX,
        "event_types",
        format!("must be at most {EVENT_TYPES_MAX}"),
    );
    let numbers = message.event_types.iter().take(EVENT_TYPES_MAX).enumerate();
    let event_types: Vec<Option<EventType>> = numbers
        .map(|(index, number)| v.check(&format!("event_types[{index}]"), fields::enumeration(*number)))
        .collect();
    // Whoever an event can be about has an id of this form.
    let subject_id = v.check("subject_id", fields::optional::<OwnerId>(&message.subject_id));
    v.require(
        !message.from_now || message.resume_token.is_empty(),
        "from_now",
        "must not be set together with resume_token",
    );
    v.finish_with(|| {
        Some(Asked {
            event_types: event_types.into_iter().flatten().map(i32::from).collect(),
            subject_id: subject_id?.map(|subject| subject.as_uuid()),
        })
    })
}

/// Which events a caller may follow: those of its program; without one it is a key of the suite, and follows all.
fn filter_of(caller: &Caller, subject_id: Option<Uuid>) -> Result<EventFilter, ApiError> {
    let program = caller.find_program().map(|program| program.program_id);
    match (program, subject_id) {
        (Some(program), Some(subject_id)) => Ok(EventFilter::Subject(program, subject_id)),
        (Some(program), None) => Ok(EventFilter::Program(program)),
        (None, None) => Ok(EventFilter::All),
        (None, Some(_)) => Err(ApiError::program_required()),
    }
}
