//! What every rpc of every room does around its own work: takes the caller, keeps the deadline, marks a replay.
//!
//! The handlers are asynchronous closures that borrow the room: `serve(request, async |caller, message| { .. })`.

use fealty_postgres::requests::Made;
use fealty_rpc::access::Caller;
use fealty_rpc::deadline::Deadline;
use fealty_rpc::errors::ApiError;
use fealty_rpc::replayed;
use tonic::{Request, Response, Status};

/// Serves a call. Every transaction that `handle` makes ends by the caller's deadline.
pub async fn serve<Q, A, F>(
    request: Request<Q>,
    handle: impl FnOnce(Caller, Q) -> F,
) -> Result<Response<A>, Status>
where
    F: Future<Output = Result<A, ApiError>>,
{
    serve_response(request, async |caller, message| {
        Ok(Response::new(handle(caller, message).await?))
    })
    .await
}

/// Serves a call that makes something: the answer says whether an earlier attempt made it.
pub async fn serve_making<Q, A, F>(
    request: Request<Q>,
    handle: impl FnOnce(Caller, Q) -> F,
) -> Result<Response<A>, Status>
where
    F: Future<Output = Result<Made<A>, ApiError>>,
{
    serve_response(request, async |caller, message| {
        let made = handle(caller, message).await?;
        Ok(replayed::response(made.resource, made.replayed))
    })
    .await
}

/// Serves a call whose room makes the whole response: one with metadata of its own, a remembered refusal, a stream.
pub async fn serve_response<Q, R, F>(
    request: Request<Q>,
    handle: impl FnOnce(Caller, Q) -> F,
) -> Result<Response<R>, Status>
where
    F: Future<Output = Result<Response<R>, Status>>,
{
    let caller = Caller::from_request(&request)?.clone();
    let deadline = Deadline::from_request(&request);
    // On the heap: what lies between here and the database is too much to carry around.
    let handled = Box::pin(handle(caller, request.into_inner()));
    match deadline {
        Some(deadline) => {
            fealty_postgres::Deadline::at(deadline.instant())
                .scope(handled)
                .await
        }
        None => handled.await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fealty_rpc::access::CallerKey;
    use fealty_types::ApiKeyId;

    use super::*;

    fn request() -> Request<u8> {
        let mut request = Request::new(7);
        let key = CallerKey {
            api_key_id: ApiKeyId::generate_at(chrono::DateTime::UNIX_EPOCH),
            short_id: "short".to_owned(),
            program_id: None,
            staff_id: None,
            scopes: Vec::new(),
        };
        request.extensions_mut().insert(Caller::new(key, None));
        request
    }

    #[tokio::test]
    async fn the_callers_deadline_reaches_the_transactions() {
        let deadline = Deadline::after(Duration::from_secs(9));
        let mut request = request();
        request.extensions_mut().insert(deadline);
        let response = serve(request, async |caller, message| {
            assert!(caller.is_suite());
            assert_eq!(message, 7);
            let reached = fealty_postgres::Deadline::current().map(fealty_postgres::Deadline::instant);
            assert_eq!(reached, Some(deadline.instant()));
            Ok("served")
        })
        .await
        .expect("served");
        assert_eq!(response.into_inner(), "served");
    }

    #[tokio::test]
    async fn a_call_without_a_deadline_sets_none() {
        serve(request(), async |_caller, _message| {
            assert_eq!(fealty_postgres::Deadline::current(), None);
            Ok(())
        })
        .await
        .expect("served");
    }

    #[tokio::test]
    async fn only_what_was_made_before_is_marked() {
        for (made, marked) in [(Made::now(()), false), (Made::before(()), true)] {
            let response = serve_making(request(), async |_caller, _message| Ok(made.clone()))
                .await
                .expect("served");
            let header = response.metadata().get(replayed::REPLAYED_HEADER);
            assert_eq!(header.is_some(), marked);
        }
    }

    #[tokio::test]
    async fn a_call_past_the_access_layer_is_not_served() {
        let refused = serve(Request::new(()), async |_caller, ()| Ok(())).await;
        assert_eq!(refused.expect_err("nobody called").code(), tonic::Code::Internal);
    }
}
