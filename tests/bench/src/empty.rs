//! Baseline (c), a call that does nothing: what the stack of layers, HTTP/2 and protobuf costs by itself.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::balance_service_server::BalanceService;
use fealty_service::call::serve;
use tonic::{Request, Response, Status};

/// Answers nothing, to callers who may ask.
pub(crate) struct Empty;

#[tonic::async_trait]
impl BalanceService for Empty {
    async fn get_balance(
        &self,
        request: Request<pb::GetBalanceRequest>,
    ) -> Result<Response<pb::GetBalanceResponse>, Status> {
        serve(request, async |_, _| Ok(pb::GetBalanceResponse::default())).await
    }

    async fn list_lots(
        &self,
        _: Request<pb::ListLotsRequest>,
    ) -> Result<Response<pb::ListLotsResponse>, Status> {
        Err(Status::unimplemented("one empty call is enough"))
    }
}
