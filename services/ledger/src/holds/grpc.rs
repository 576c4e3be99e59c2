//! `HoldService`: parse, call, present.

mod parse;
mod present;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::hold_service_server::HoldService;
use fealty_rpc::fields;
use fealty_rpc::violations::Violations;
use fealty_service::call::{serve, serve_response};
use fealty_types::HoldId;
use tonic::{Request, Response, Status};

use super::Holds;
use crate::posting::grpc::respond;
pub(super) use present::encode_posted;

#[tonic::async_trait]
impl HoldService for Holds {
    async fn hold_points(
        &self,
        request: Request<pb::HoldPointsRequest>,
    ) -> Result<Response<pb::HoldPointsResponse>, Status> {
        serve_response(request, async |caller, message| {
            let call = parse::hold(&caller, &message)?;
            respond(&self.post(caller.program_id()?, call).await?)
        })
        .await
    }

    async fn capture_hold(
        &self,
        request: Request<pb::CaptureHoldRequest>,
    ) -> Result<Response<pb::CaptureHoldResponse>, Status> {
        serve_response(request, async |caller, message| {
            let program = caller.program_id()?;
            let ending = parse::capture(&caller, &message)?;
            // A hold never changes hands, so its owner may be looked up before anything is locked.
            let held = self.get(program, ending.hold_id).await?;
            respond(&self.post(program, ending.of_hold(held)).await?)
        })
        .await
    }

    async fn release_hold(
        &self,
        request: Request<pb::ReleaseHoldRequest>,
    ) -> Result<Response<pb::ReleaseHoldResponse>, Status> {
        serve_response(request, async |caller, message| {
            let program = caller.program_id()?;
            let ending = parse::release(&caller, &message)?;
            let held = self.get(program, ending.hold_id).await?;
            respond(&self.post(program, ending.of_hold(held)).await?)
        })
        .await
    }

    async fn get_hold(
        &self,
        request: Request<pb::GetHoldRequest>,
    ) -> Result<Response<pb::GetHoldResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let hold_id = v.check("hold_id", fields::parse::<HoldId>(&message.hold_id));
            let hold_id = v.finish_with(|| hold_id)?;
            let held = self.get(caller.program_id()?, hold_id).await?;
            Ok(pb::GetHoldResponse {
                hold: Some(present::present(held.owner_id, &held.hold)),
            })
        })
        .await
    }
}
