//! Posts that come five hundred to a call, as an import or a campaign sends them.

use fealty_bench::Rows;
use fealty_bench::bench::Bench;
use fealty_bench::callers::Members;
use fealty_bench::connections::Connection;
use fealty_bench::ground::credit;
use fealty_bench::load::{Caller, Kind, closed_loop};
use fealty_bench::report::{Row, Target};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::points_outcome::Outcome;
use fealty_proto::ledger::v1::points_posting::Posting;
use fealty_proto::ledger::v1::transaction_service_client::TransactionServiceClient;
use tonic::Status;

const POSTS_PER_CALL: u32 = 500;
/// Keeps every lane busy while the answers of others are on their way.
const CALLS_IN_FLIGHT: usize = 8;
/// What the row above it has in flight.
const SINGLE_IN_FLIGHT: usize = 1_024;
const POINTS: i64 = 10;

pub const ROWS: Rows = Rows {
    name: "batch-post",
    measure: |bench| Box::pin(measure(bench)),
};

async fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let post = bench.post_baseline(SINGLE_IN_FLIGHT).await?;
    let ground = bench.ground().await?;
    let connections = ground.connections(CALLS_IN_FLIGHT)?;
    let caller = |number| BatchPoster {
        connection: connections.of(number),
        members: Members::at_random(&ground.members),
    };
    let measured = closed_loop(CALLS_IN_FLIGHT, bench.round(), caller).await;
    let calls = Row::rate("BatchPostPoints, 500 a call, 8 calls in flight: calls", &measured);
    let posts = measured.per_second() * f64::from(POSTS_PER_CALL);
    let posts = Row::new("the same, posts", posts, "/s").against(post);
    Ok(vec![calls, posts.target(Target::RatioAtLeast(2.0))])
}

struct BatchPoster {
    connection: Connection,
    members: Members,
}

impl Caller for BatchPoster {
    async fn call(&mut self) -> Option<Result<Kind, Status>> {
        let posting = |member: &str| pb::PointsPosting {
            posting: Some(Posting::Credit(credit(member, POINTS))),
        };
        let members = (0..POSTS_PER_CALL).map_while(|_| self.members.next());
        let request = pb::BatchPostPointsRequest {
            postings: members.map(posting).collect(),
            ..pb::BatchPostPointsRequest::default()
        };
        let mut transactions = TransactionServiceClient::new(self.connection.channel.clone());
        let answer = transactions
            .batch_post_points(self.connection.request(request))
            .await;
        Some(answer.and_then(|answer| all_credited(&answer.into_inner())))
    }
}

/// A call of which a part was refused is no call that was answered.
fn all_credited(answer: &pb::BatchPostPointsResponse) -> Result<Kind, Status> {
    let is_credit = |outcome: &pb::PointsOutcome| matches!(outcome.outcome, Some(Outcome::Credit(_)));
    match answer.outcomes.iter().find(|outcome| !is_credit(outcome)) {
        None => Ok(Kind::Write),
        Some(other) => Err(Status::unknown(format!("{other:?}"))),
    }
}
