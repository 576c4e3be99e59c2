//! `ScoreService`: parse, call, present.

use chrono_tz::Tz;
use fealty_proto::surveys::v1 as pb;
use fealty_proto::surveys::v1::score_service_server::ScoreService;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::violations::{Problem, Violations};
use fealty_service::call::serve;
use fealty_types::SurveyId;
use tonic::{Request, Response, Status};

use super::Scores;
use super::domain::{MONTHS_MAX, Month, Months, Tally};
use crate::answers::domain::Span;
use crate::answers::grpc::parse_span;

#[tonic::async_trait]
impl ScoreService for Scores {
    async fn get_score(
        &self,
        request: Request<pb::GetScoreRequest>,
    ) -> Result<Response<pb::GetScoreResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let (survey_id, span) = parse_score(&message)?;
            let tally = self.tally(program, survey_id, span).await?;
            Ok(pb::GetScoreResponse {
                score: Some(present(&tally)),
            })
        })
        .await
    }

    async fn get_score_trend(
        &self,
        request: Request<pb::GetScoreTrendRequest>,
    ) -> Result<Response<pb::GetScoreTrendResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let (survey_id, months) = parse_trend(&message)?;
            let tallies = self.trend(program, survey_id, &months).await?;
            let monthly = months.iter().zip(&tallies);
            Ok(pb::GetScoreTrendResponse {
                monthly_scores: monthly
                    .map(|(month, tally)| pb::MonthlyScore {
                        month: month.to_string(),
                        score: Some(present(tally)),
                    })
                    .collect(),
            })
        })
        .await
    }
}

fn parse_score(message: &pb::GetScoreRequest) -> Result<(SurveyId, Span), ApiError> {
    let mut v = Violations::default();
    let survey_id = v.check("survey_id", fields::parse::<SurveyId>(&message.survey_id));
    let span = parse_span(
        &mut v,
        message.answered_from_time.as_ref(),
        message.answered_before_time.as_ref(),
    );
    v.finish_with(|| Some((survey_id?, span?)))
}

fn parse_trend(message: &pb::GetScoreTrendRequest) -> Result<(SurveyId, Months), ApiError> {
    let mut v = Violations::default();
    let survey_id = v.check("survey_id", fields::parse::<SurveyId>(&message.survey_id));
    let first = v.check("from_month", fields::parse::<Month>(&message.from_month));
    let last = v.check("to_month", fields::parse::<Month>(&message.to_month));
    let zone = v.check("time_zone", parse_zone(&message.time_zone));
    let months = match (first, last, zone) {
        (Some(first), Some(last), Some(zone)) => v.check("to_month", months(first, last, zone)),
        _ => None,
    };
    v.finish_with(|| Some((survey_id?, months?)))
}

fn months(first: Month, last: Month, zone: Tz) -> Result<Months, Problem> {
    Months::try_new(first, last, zone).ok_or_else(|| {
        Problem::new(format!(
            "must be from_month or later, and at most {MONTHS_MAX} months with it"
        ))
    })
}

fn parse_zone(name: &str) -> Result<Tz, Problem> {
    if name.is_empty() {
        return Ok(Tz::UTC);
    }
    name.parse()
        .map_err(|_| Problem::new("must be an IANA time zone, such as Europe/London"))
}

fn present(tally: &Tally) -> pb::Score {
    let score = tally.score();
    pb::Score {
        promoter_count: tally.promoter_count,
        passive_count: tally.passive_count,
        detractor_count: tally.detractor_count,
        score: score.map(|score| score.score.to_string()).unwrap_or_default(),
        interval: score.map(|score| pb::ScoreInterval {
            low: score.interval.low.to_string(),
            high: score.interval.high.to_string(),
            margin: score.interval.margin.to_string(),
        }),
    }
}
