//! `fealty.members.v1.OccasionService`.

mod parse;
mod present;

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::occasion_service_server::OccasionService;
use fealty_service::call::{serve, serve_making};
use tonic::{Request, Response, Status};

use super::Occasions;
use super::domain::Occasion;

/// The rpcs of occasions.
#[derive(Debug, Clone)]
pub struct OccasionGrpc {
    occasions: Occasions,
}

impl OccasionGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(occasions: Occasions) -> Self {
        Self { occasions }
    }
}

#[tonic::async_trait]
impl OccasionService for OccasionGrpc {
    async fn set_program_days(
        &self,
        request: Request<pb::SetProgramDaysRequest>,
    ) -> Result<Response<pb::SetProgramDaysResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, days) = parse::set_program_days(program_id, message)?;
            let made = self
                .occasions
                .set_program_days(program_id, &attempt, &days)
                .await?;
            Ok(made.map(|days| pb::SetProgramDaysResponse {
                days: days.iter().map(present::program_day).collect(),
            }))
        })
        .await
    }

    async fn get_program_days(
        &self,
        request: Request<pb::GetProgramDaysRequest>,
    ) -> Result<Response<pb::GetProgramDaysResponse>, Status> {
        serve(request, async |caller, _message| {
            let days = self.occasions.program_days(caller.program_id()?).await?;
            Ok(pb::GetProgramDaysResponse {
                days: days.iter().map(present::program_day).collect(),
            })
        })
        .await
    }

    async fn set_member_days(
        &self,
        request: Request<pb::SetMemberDaysRequest>,
    ) -> Result<Response<pb::SetMemberDaysResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, member_id, days) = parse::set_member_days(program_id, message)?;
            let made = self
                .occasions
                .set_member_days(program_id, &attempt, member_id, &days)
                .await?;
            Ok(made.map(|days| pb::SetMemberDaysResponse {
                days: days.iter().map(present::member_day).collect(),
            }))
        })
        .await
    }

    async fn get_member_days(
        &self,
        request: Request<pb::GetMemberDaysRequest>,
    ) -> Result<Response<pb::GetMemberDaysResponse>, Status> {
        serve(request, async |caller, message| {
            let member_id = parse::member_id(&message.member_id)?;
            let days = self
                .occasions
                .member_days(caller.program_id()?, member_id)
                .await?;
            Ok(pb::GetMemberDaysResponse {
                days: days.iter().map(present::member_day).collect(),
            })
        })
        .await
    }

    async fn list_due_occasions(
        &self,
        request: Request<pb::ListDueOccasionsRequest>,
    ) -> Result<Response<pb::ListDueOccasionsResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program()?;
            let today = self.occasions.today(program.time_zone);
            let (window, page) = parse::list_due(program, today, &message)?;
            let after = page.after().map(|(_, place)| place);
            let occasions = self
                .occasions
                .list_due(program.program_id, &window, after.as_ref(), page.count_max())
                .await?;
            let cursor = |occasion: &Occasion| (window.from, occasion.place());
            let (occasions, next_page_token) = page.cut(occasions, cursor)?;
            Ok(pb::ListDueOccasionsResponse {
                occasions: occasions.iter().map(present::occasion).collect(),
                next_page_token,
            })
        })
        .await
    }
}
