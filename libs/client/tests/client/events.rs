//! A stream of events that is lost is opened again where it was.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fealty_client::{ClientConfig, EventStream, EventsClient};
use fealty_proto::events::v1::event_service_server::{EventService, EventServiceServer};
use fealty_proto::events::v1::{WatchEventsRequest, WatchEventsResponse};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// What becomes of a stream: it is refused, or sends tokens and then ends, in good order or not.
enum Next {
    Refuse(Status),
    Send(Vec<&'static str>, Option<Status>),
}

#[derive(Clone, Default)]
struct Server {
    script: Arc<Mutex<VecDeque<Next>>>,
    asked: Arc<Mutex<Vec<WatchEventsRequest>>>,
}

#[tonic::async_trait]
impl EventService for Server {
    type WatchEventsStream = tokio_stream::Iter<std::vec::IntoIter<Result<WatchEventsResponse, Status>>>;

    async fn watch_events(
        &self,
        request: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        assert!(request.metadata().get("grpc-timeout").is_none(), "it stays");
        self.asked.lock().expect("lock").push(request.into_inner());
        let next = self.script.lock().expect("lock").pop_front();
        match next.unwrap_or_else(|| Next::Refuse(Status::unavailable("nothing more"))) {
            Next::Refuse(status) => Err(status),
            Next::Send(tokens, end) => {
                let answers = tokens.into_iter().map(|token| {
                    Ok(WatchEventsResponse {
                        events: Vec::new(),
                        resume_token: token.to_owned(),
                    })
                });
                let answers: Vec<_> = answers.chain(end.map(Err)).collect();
                Ok(Response::new(tokio_stream::iter(answers)))
            }
        }
    }
}

async fn serve(script: Vec<Next>) -> (Server, EventsClient, JoinSet<()>) {
    let server = Server::default();
    server.script.lock().expect("lock").extend(script);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut running = JoinSet::new();
    let service = EventServiceServer::new(server.clone());
    running.spawn(async move {
        let serving = tonic::transport::Server::builder().add_service(service);
        let _ = serving
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await;
    });
    let config = ClientConfig::new(format!("http://{address}"), "key");
    (server, EventsClient::try_new(&config).expect("a client"), running)
}

async fn token(stream: &mut EventStream) -> String {
    let answer = timeout(PATIENCE, stream.next()).await.expect("in time");
    answer.expect("an answer").resume_token
}

#[tokio::test]
async fn a_lost_stream_is_opened_again_at_the_last_token() {
    let script = vec![
        Next::Refuse(Status::unavailable("starting")),
        Next::Send(vec!["a", "b"], Some(Status::unavailable("restarting"))),
        Next::Refuse(Status::resource_exhausted("full")),
        Next::Send(vec!["c"], None),
        Next::Send(vec!["d"], Some(Status::internal("a bug"))),
        Next::Send(vec!["e"], None),
    ];
    let (server, client, _running) = serve(script).await;
    let mut stream = client.watch(WatchEventsRequest {
        from_now: true,
        ..WatchEventsRequest::default()
    });
    for expected in ["a", "b", "c", "d", "e"] {
        assert_eq!(token(&mut stream).await, expected);
        assert_eq!(stream.resume_token(), expected);
    }
    let asked = server.asked.lock().expect("lock").clone();
    let asked: Vec<(&str, bool)> = asked
        .iter()
        .map(|request| (request.resume_token.as_str(), request.from_now))
        .collect();
    // "From now" is meant once: then it is after what was seen.
    assert_eq!(
        asked,
        [
            ("", true),
            ("", true),
            ("b", false),
            ("b", false),
            ("c", false),
            ("d", false)
        ]
    );
}

#[tokio::test]
async fn what_no_waiting_helps_against_is_told() {
    for code in [
        Code::InvalidArgument,
        Code::Unauthenticated,
        Code::PermissionDenied,
        Code::OutOfRange,
    ] {
        let script = vec![Next::Send(vec!["a"], None), Next::Refuse(Status::new(code, "no"))];
        let (_server, client, _running) = serve(script).await;
        let mut stream = client.watch(WatchEventsRequest::default());
        assert_eq!(token(&mut stream).await, "a");
        let refused = timeout(PATIENCE, stream.next()).await.expect("in time");
        assert_eq!(refused.expect_err("a refusal").code, code);
    }
}
