//! What every rpc of every room does around its own work: takes the caller, keeps the deadline, marks a replay.

use chrono::{DateTime, Utc};
use fealty_rpc::access::Caller;
use fealty_rpc::deadline::Deadline;
use fealty_rpc::errors::ApiError;
use fealty_rpc::etag::Etag;
use fealty_rpc::replayed;
use fealty_types::Version;
use tonic::{Request, Response, Status};

use crate::attempts::Made;

/// Serves a call. Every transaction that `handle` makes ends by the caller's deadline.
pub(crate) async fn serve<Q, A, F>(
    request: Request<Q>,
    handle: impl FnOnce(Caller, Q) -> F,
) -> Result<Response<A>, Status>
where
    F: Future<Output = Result<A, ApiError>>,
{
    let made = serve_making(request, async |caller, message| {
        handle(caller, message).await.map(Made::now)
    })
    .await?;
    Ok(made)
}

/// Serves a call that makes something: the answer says whether an earlier attempt made it.
pub(crate) async fn serve_making<Q, A, F>(
    request: Request<Q>,
    handle: impl FnOnce(Caller, Q) -> F,
) -> Result<Response<A>, Status>
where
    F: Future<Output = Result<Made<A>, ApiError>>,
{
    let caller = Caller::from_request(&request)?.clone();
    let deadline = Deadline::from_request(&request);
    // On the heap: what lies between here and the database is too much to carry around.
    let handled = Box::pin(handle(caller, request.into_inner()));
    let made = match deadline {
        Some(deadline) => {
            fealty_postgres::Deadline::at(deadline.instant())
                .scope(handled)
                .await
        }
        None => handled.await,
    }?;
    Ok(replayed::response(made.resource, made.replayed))
}

/// An instant as protobuf writes it.
pub(crate) fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        // Below 10^9, also within a leap second, which no clock of ours shows.
        nanos: time.timestamp_subsec_nanos().cast_signed(),
    }
}

/// The revision that an update is meant for.
pub(crate) fn revision(etag: Etag) -> Version {
    Version::try_new(etag.revision()).expect("an etag that parses names no negative revision")
}
