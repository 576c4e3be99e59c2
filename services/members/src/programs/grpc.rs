//! `fealty.members.v1.ProgramService`.

use std::mem;

use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::program_service_server::ProgramService;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::etag::Etag;
use fealty_rpc::fields;
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_service::call::{serve, serve_making};
use fealty_types::{ProgramId, Version};
use tonic::{Request, Response, Status};

use super::Programs;
use super::domain::{NewProgram, Program, ProgramChange};
use crate::display_name::DisplayName;
use crate::people::domain::MAJORITY_AGE_YEARS;

const CREATE: &str = "/fealty.members.v1.ProgramService/CreateProgram";
const LIST: &str = "/fealty.members.v1.ProgramService/ListPrograms";

/// What an update may name.
const UPDATABLE: [&str; 4] = ["display_name", "time_zone", "active", "majority_age_years"];

/// The rpcs of programs.
#[derive(Debug, Clone)]
pub struct ProgramGrpc {
    programs: Programs,
}

impl ProgramGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(programs: Programs) -> Self {
        Self { programs }
    }
}

#[tonic::async_trait]
impl ProgramService for ProgramGrpc {
    async fn create_program(
        &self,
        request: Request<pb::CreateProgramRequest>,
    ) -> Result<Response<pb::CreateProgramResponse>, Status> {
        serve_making(request, async |_caller, message| {
            let (attempt, new) = parse_create(message)?;
            let made = self.programs.create(&attempt, new).await?;
            Ok(made.map(|program| pb::CreateProgramResponse {
                program: Some(present(program)),
            }))
        })
        .await
    }

    async fn get_program(
        &self,
        request: Request<pb::GetProgramRequest>,
    ) -> Result<Response<pb::GetProgramResponse>, Status> {
        serve(request, async |caller, _message| {
            let program = self.programs.get(caller.program_id()?).await?;
            Ok(pb::GetProgramResponse {
                program: Some(present(program)),
            })
        })
        .await
    }

    async fn update_program(
        &self,
        request: Request<pb::UpdateProgramRequest>,
    ) -> Result<Response<pb::UpdateProgramResponse>, Status> {
        serve(request, async |caller, message| {
            let update = parse_update(&message)?;
            let program = self
                .programs
                .update(caller.program_id()?, update.meant_for, &update.change)
                .await?;
            Ok(pb::UpdateProgramResponse {
                program: Some(present(program)),
            })
        })
        .await
    }

    async fn list_programs(
        &self,
        request: Request<pb::ListProgramsRequest>,
    ) -> Result<Response<pb::ListProgramsResponse>, Status> {
        serve(request, async |_caller, message| {
            let tokens = PageTokens::try_new(LIST, None, &())?;
            let page = PageRequest::<ProgramId>::parse(tokens, message.page_size, &message.page_token)?;
            let programs = self.programs.list(page.after(), page.count_max()).await?;
            let (programs, next_page_token) = page.cut(programs, |program| program.program_id)?;
            Ok(pb::ListProgramsResponse {
                programs: programs.into_iter().map(present).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse_create(mut message: pb::CreateProgramRequest) -> Result<(Attempt, NewProgram), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(CREATE, &message);
    let new = v.message("program", message.program, |v, program| {
        let display_name = v.check(
            "display_name",
            fields::parse::<DisplayName>(&program.display_name),
        );
        let time_zone = v.check("time_zone", parse_time_zone(&program.time_zone));
        let currency_code = v.check("currency_code", fields::parse(&program.currency_code));
        Some(NewProgram {
            display_name: display_name?,
            time_zone: time_zone?,
            currency_code: currency_code?,
        })
    });
    v.finish_with(|| Some((Attempt::of_suite(request_id?, CREATE, command_hash), new?)))
}

struct Update {
    meant_for: Option<Version>,
    change: ProgramChange,
}

fn parse_update(message: &pb::UpdateProgramRequest) -> Result<Update, ApiError> {
    let mut v = Violations::default();
    let mask = fields::field_mask(&mut v, message.update_mask.as_ref(), &UPDATABLE);
    let update = v.message("program", message.program.as_ref(), |v, program| {
        let etag = v.check("etag", fields::optional::<Etag>(&program.etag));
        let display_name = mask.names("display_name").then(|| {
            v.check(
                "display_name",
                fields::parse::<DisplayName>(&program.display_name),
            )
        });
        let time_zone = mask
            .names("time_zone")
            .then(|| v.check("time_zone", parse_time_zone(&program.time_zone)));
        let majority_age_years = v.check_if(mask.names("majority_age_years"), "majority_age_years", || {
            fields::number(program.majority_age_years, MAJORITY_AGE_YEARS)
        });
        Some(Update {
            meant_for: etag?.map(Etag::version),
            change: ProgramChange {
                display_name: display_name.flatten(),
                time_zone: time_zone.flatten(),
                active: mask.names("active").then_some(program.active),
                majority_age_years,
            },
        })
    });
    v.finish_with(|| update)
}

fn parse_time_zone(text: &str) -> Result<chrono_tz::Tz, Problem> {
    if text.is_empty() {
        return Err(Problem::required());
    }
    text.parse()
        .map_err(|_| Problem::new("must be an IANA time zone, such as \"Europe/London\""))
}

fn present(program: Program) -> pb::Program {
    pb::Program {
        program_id: program.program_id.to_string(),
        display_name: program.display_name.into(),
        time_zone: program.time_zone.name().to_owned(),
        currency_code: program.currency_code.into(),
        active: program.active,
        create_time: Some(timestamp(program.create_time)),
        update_time: Some(timestamp(program.update_time)),
        etag: Etag::new(program.revision.get()).to_string(),
        majority_age_years: program.majority_age_years,
    }
}
